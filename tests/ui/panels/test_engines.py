"""The engine panel, on the board of this test's own machine: state, start, stop, log."""

import time
from pathlib import Path

import pytest

from helpers.engines import persistent
from helpers.errors import MissingError
from helpers.ui.panels.engines import EnginePanel

WAIT_S = 60.0


@pytest.fixture
def own_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LEASES", str(tmp_path / "leases"))


def wait_until_done(button: object) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while getattr(button, "disabled"):  # noqa: B009 - a trait that mypy does not know
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_every_engine_has_its_state_and_its_needs(own_board: None) -> None:
    panel = EnginePanel()
    for name in ("llama.cpp", "vllm", "nano", "sglang"):
        assert f"{name}: " in panel.text()
        assert f">{name}</td>" in panel.html()
    assert "missing: needs" in panel.text()
    assert "available" in panel.text()
    assert panel.log("llama.cpp") == ""


def test_an_engine_is_started_shown_and_stopped(own_board: None) -> None:
    panel = EnginePanel()
    controls, said, shown = panel.widget.children
    choice, start, stop, log, *_ = controls.children
    choice.value = "llama.cpp"
    try:
        start.click()
        wait_until_done(start)
        assert "llama.cpp serves course" in said.value
        assert "running, stays" in shown.value
        assert "MiB" in panel.text().split("llama.cpp: ")[1].splitlines()[0]
        log.value = True
        assert "log of llama.cpp" in shown.value
    finally:
        stop.click()
        wait_until_done(stop)
    assert persistent.running() == []
    assert "has ended" in said.value
    stop.click()
    wait_until_done(stop)
    assert 'role="alert"' in said.value


def test_stopping_what_does_not_run_is_an_error_with_a_next_step(own_board: None) -> None:
    with pytest.raises(MissingError, match=r"no llama\.cpp was started to stay"):
        EnginePanel().stop("llama.cpp")
