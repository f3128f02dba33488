"""deploy/ as far as it can be read: images, volumes, ports, flags, the locked packages, the unit."""

import fnmatch
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.api.settings import read_settings_file
from helpers.cli import Parser
from helpers.commands import serve
from helpers.config import ROOT
from helpers.engines import catalog
from tests.engines.flags import table_for

DEPLOY = ROOT / "deploy"
ENGINES = ("compose.cpu.yaml", "compose.spark.yaml")


def read_yaml(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def compose(engine: str) -> dict[str, Any]:
    """The two files together, as far as ours need merging: no service is in both."""
    base, with_engine = read_yaml("compose.yaml"), read_yaml(engine)
    assert not base["services"].keys() & with_engine["services"].keys()
    return {part: base[part] | with_engine[part] for part in ("services", "volumes")}


@pytest.mark.parametrize("engine", ENGINES)
def test_each_service_is_pinned_and_asks_only_for_what_there_is(engine: str) -> None:
    value = compose(engine)
    for name, service in value["services"].items():
        image = service["image"]
        assert "build" in service or ":" in image.rsplit("/", 1)[-1], f"{name}: {image} has no tag"
        assert not image.endswith(":latest")
        for needed in service.get("depends_on", ()):
            assert needed in value["services"]
        for volume in service.get("volumes", ()):
            source = re.sub(r"\$\{[^}]*\}", "/host", volume).split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), volume
            elif not source.startswith("/"):
                assert source in value["volumes"], volume
    used = {volume.split(":")[0] for service in value["services"].values() for volume in service.get("volumes", ())}
    assert set(value["volumes"]) <= used


def test_ports_are_distinct_and_on_loopback_unless_the_user_opens_them() -> None:
    ports = [port for service in compose(ENGINES[0])["services"].values() for port in service.get("ports", ())]
    assert len(ports) == 4
    assert all(port.startswith(("${LISTEN:-127.0.0.1}:", "127.0.0.1:")) for port in ports)
    assert len({port.rsplit(":", 2)[1] for port in ports}) == len(ports)
    assert "LISTEN=127.0.0.1" in (DEPLOY / ".env").read_text()


def test_no_password_is_shipped() -> None:
    assert "\nGRAFANA_PASSWORD=\n" in (DEPLOY / ".env").read_text()
    grafana = compose(ENGINES[0])["services"]["grafana"]["environment"]
    assert grafana["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_PASSWORD:?")


@pytest.mark.parametrize("engine", ENGINES)
def test_docker_compose_reads_the_files(engine: str) -> None:
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed (apt-get install docker-compose)")
    done = subprocess.run(
        [program, "-f", "compose.yaml", "-f", engine, "config", "--quiet"],
        cwd=DEPLOY,
        env={"PATH": "/usr/bin:/bin", "HOME": "/root", "GRAFANA_PASSWORD": "x"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("engine", "program", "version"), [(ENGINES[0], "llama-server", ""), (ENGINES[1], "vllm serve", "0.31.0")]
)
def test_engines_get_flags_that_they_know(engine: str, program: str, version: str) -> None:
    service = compose(engine)["services"]["engine"]
    flags = [word for word in service["command"] if word.startswith("--")]
    assert flags
    assert set(flags) <= table_for(program, version).options
    # Every option has its value behind it, but --metrics, which has none.
    assert "8000" in service["command"]


def test_the_spark_gets_the_catalogues_image() -> None:
    vllm = catalog.engines()["vllm"]
    image = next(release.image for release in vllm.releases if release.name == vllm.container)
    assert compose(ENGINES[1])["services"]["engine"]["image"] == image


def test_the_gateway_reads_its_settings_and_finds_the_engine_in_both() -> None:
    found = read_settings_file(DEPLOY / "gateway.toml")
    (upstream,) = found["upstreams"]
    assert upstream.urls == ("http://engine:8000/v1",)
    assert all("engine" in compose(engine)["services"] for engine in ENGINES)
    seconds = int(compose(ENGINES[0])["services"]["gateway"]["stop_grace_period"].removesuffix("s"))
    assert seconds > found["timeouts"].drain_s
    assert unit()["Service"]["TimeoutStopSec"] == str(seconds)


def dockerfile() -> Iterator[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text())
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.strip().partition(" ")
            yield name, rest


def test_the_image_copies_what_is_there_and_runs_as_nobody_special() -> None:
    lines = list(dockerfile())
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    let_in = [pattern[1:] for pattern in ignored if pattern.startswith("!")]
    for name, rest in lines:
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists()
                assert any(fnmatch.fnmatch(source, pattern) or source == pattern for pattern in let_in), source
    assert [rest for name, rest in lines if name == "USER"] == ["course"]
    assert all("--platform" not in rest and "@sha256" not in rest for name, rest in lines if name == "FROM")
    assert ("STOPSIGNAL", "SIGTERM") in lines


def test_the_commands_of_image_and_unit_are_commands_of_the_course() -> None:
    image = next(rest for name, rest in dockerfile() if name == "CMD" and "serve" in rest)
    argv = yaml.safe_load(image)
    on_host = unit()["Service"]["ExecStart"].split(" -m helpers ")[1].split()
    parser = Parser(prog="course serve")
    serve.add_arguments(parser)
    for command, *options in (argv, on_host):
        assert command == "serve"
        assert parser.parse_args(options).port == 8080


def pins(path: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", path.read_text(), re.MULTILINE):
        found.setdefault(name.lower(), set()).add(version)
    return found


def test_the_image_has_the_courses_packages_at_the_courses_versions() -> None:
    image, course = pins(DEPLOY / "requirements.lock"), pins(ROOT / "requirements.lock")
    for name, versions in image.items():
        assert versions <= course[name], name
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9_.-]+", requirement)
        assert name
        assert name[0].lower() in image
    assert "--hash=sha256:" in (DEPLOY / "requirements.lock").read_text()


def unit() -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DEPLOY / "systemd" / "inference-gateway.service")
    return parser


def test_the_unit_drains_and_may_do_little() -> None:
    service = unit()["Service"]
    assert service["KillSignal"] == "SIGTERM"
    assert service["DynamicUser"] == service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] in service["Environment"]


def test_systemd_finds_no_mistake_in_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    file = tmp_path / "inference-gateway.service"
    text = (DEPLOY / "systemd" / file.name).read_text()
    # The program is where the user puts it; here any program that exists will do.
    file.write_text(text.replace("/opt/inference-gateway/.venv/bin/python", "/bin/true"))
    done = subprocess.run([program, "verify", str(file)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert file.name not in done.stderr, done.stderr
