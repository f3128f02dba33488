"""The real Prometheus scrapes the real gateway with deploy/'s files, and answers every query of the dashboard."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.api.process import GatewayProcess
from helpers.client.mock import Faults, MockServer
from helpers.config import ROOT
from helpers.engines.ports import HeldPort
from tests.deploy.test_keys import script

DEPLOY = ROOT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "gateway.json").read_text())
WINDOW = "10s"
"""What the dashboard's $__rate_interval is here: several scrapes of the test's Prometheus."""

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="Debian's prometheus is not installed (apt-get install prometheus)",
)


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    """(panel, query) with the dashboard's variables at what "All" means."""
    found = []
    for panel in panels():
        for target in panel["targets"]:
            text = target["expr"].replace("$__rate_interval", WINDOW)
            for variable in DASHBOARD["templating"]["list"]:
                text = text.replace(f"${variable['name']}", variable["allValue"])
            assert "$" not in text, text
            found.append((panel["title"], text))
    return found


def ask(url: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data=body, headers=headers or {})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        content: bytes = answer.read()
    return content


@dataclass
class Prometheus:
    url: str

    def query(self, text: str) -> list[dict[str, Any]]:
        value = json.loads(ask(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': text})}"))
        assert value["status"] == "success", value
        result: list[dict[str, Any]] = value["data"]["result"]
        return result

    def wait_for(self, text: str, limit_s: float = 30.0) -> None:
        until(lambda: bool(self.query(text)), limit_s)


def until(condition: Callable[[], bool], limit_s: float) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come to pass"
        time.sleep(0.1)


def own_configuration(folder: Path, gateway: str, engine: str) -> Path:
    """deploy/prometheus with this test's addresses and pace; all else as it is shipped."""
    value = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    value["global"] = {"scrape_interval": "500ms", "scrape_timeout": "400ms", "evaluation_interval": "1s"}
    value["rule_files"] = [str(DEPLOY / "prometheus" / "rules.yml")]
    gateway_job, engine_job, _ = value["scrape_configs"]
    gateway_job["authorization"]["credentials_file"] = str(folder / "keys" / "prometheus" / "key")
    gateway_job["static_configs"][0]["targets"] = [gateway]
    engine_job["static_configs"][0]["targets"] = [engine]
    value["scrape_configs"] = [gateway_job, engine_job]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(value))
    return file


@contextmanager
def prometheus(folder: Path, configuration: Path) -> Iterator[Prometheus]:
    port = HeldPort()
    url = f"127.0.0.1:{port.number}"
    argv = [f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address={url}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *argv], stdout=log, stderr=log, env={"GOMAXPROCS": "1"})
        try:
            running = Prometheus(f"http://{url}")
            until(lambda: answers(f"{running.url}/-/ready") or process.poll() is not None, 30)
            port.release()
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            yield running
        finally:
            process.terminate()
            process.wait(20)


def answers(url: str) -> bool:
    try:
        ask(url)
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


def load(gateway: GatewayProcess, key: str) -> None:
    """Streams, plain requests, failures of the upstream, and refusals: every metric moves."""
    chat = {"model": "mock", "messages": [{"role": "user", "content": "What is a KV cache?"}]}
    for number in range(12):
        model = "nobody-has-this" if number == 11 else "mock"
        body = json.dumps({**chat, "model": model, "stream": number % 2 == 0}).encode()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        try:
            ask(f"{gateway.url}/chat/completions", headers, body)
        except urllib.error.HTTPError as refused:
            refused.close()


@needs_prometheus
def test_every_query_of_the_dashboard_is_answered(tmp_path: Path) -> None:
    faults = Faults(seed=3, error_rate=0.4)
    environment = {"COURSE_CACHE": str(tmp_path / "data")}
    with (
        pytest.MonkeyPatch.context() as patch,
        MockServer(ttft_s=0.002, gap_s=0.001, output_tokens=5, faults=faults) as mock,
    ):
        patch.setenv("COURSE_CACHE", environment["COURSE_CACHE"])
        script("make_keys").make_keys(tmp_path / "keys", ["prometheus", "open-webui"])
        settings = tmp_path / "gateway.toml"
        settings.write_text((DEPLOY / "gateway.toml").read_text().replace("http://engine:8000/v1", mock.url))
        key = (tmp_path / "keys" / "open-webui" / "key").read_text()
        with GatewayProcess("--no-ui", "--config", str(settings), environment=environment) as gateway:
            addresses = (gateway.root.removeprefix("http://"), mock.url.removeprefix("http://").removesuffix("/v1"))
            with prometheus(tmp_path, own_configuration(tmp_path, *addresses)) as running:
                running.wait_for('up{job="gateway"} == 1')
                running.wait_for('up{job="engine"} == 1')
                load(gateway, key)
                running.wait_for("gateway_requests_total")
                load(gateway, key)  # a rate needs a counter that grows between two scrapes
                running.wait_for(f"rate(gateway_ttft_seconds_count[{WINDOW}]) > 0")
                running.wait_for(f"rate(gateway_upstream_failures_total[{WINDOW}]) > 0")
                for panel, text in queries():
                    result = running.query(text)
                    assert result, f"{panel}: nothing for {text}"
                    values = [float(series["value"][1]) for series in result]
                    assert all(value == value for value in values), f"{panel}: not a number for {text}"
                outcomes = {series["metric"]["outcome"] for series in running.query("gateway_requests_total")}
                assert {"ok", "model_not_found"} <= outcomes
                keys = {series["metric"]["key"] for series in running.query("gateway_requests_total")}
                assert keys == {"open-webui"}
                for alert in alerts():
                    running.query(alert)
                rules = json.loads(ask(f"{running.url}/api/v1/rules"))["data"]["groups"][0]["rules"]
                assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
                assert len(rules) == len(alerts())


def alerts() -> list[str]:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"][0]["rules"]
    return [rule["expr"] for rule in rules]


@needs_prometheus
def test_promtool_accepts_configuration_and_rules(tmp_path: Path) -> None:
    for argv in (
        ["check", "config", "--syntax-only", "--lint-fatal", str(DEPLOY / "prometheus" / "prometheus.yml")],
        ["check", "rules", "--lint-fatal", str(DEPLOY / "prometheus" / "rules.yml")],
    ):
        done = subprocess.run(["promtool", *argv], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_panels_are_told_apart_and_do_not_overlap() -> None:
    everything = DASHBOARD["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert len({panel["title"] for panel in everything}) == len(everything)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_dashboard_asks_the_provisioned_source_for_metrics_that_the_gateway_documents() -> None:
    from helpers.api import metrics

    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in panels()} == {sources[0]["uid"]}
    assert metrics.__doc__
    documented = set(re.findall(r"gateway_[a-z_]+", metrics.__doc__))
    for text in [*(text for _, text in queries()), *alerts()]:
        for name in re.findall(r"gateway_[a-z_]+", text):
            assert re.sub(r"_(bucket|count|sum)$", "", name) in documented, name
