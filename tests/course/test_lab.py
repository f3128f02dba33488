"""JupyterLab as the course starts it: its kernelspecs, its token, and how it is reached where there is no screen."""

import json
import sys
from pathlib import Path

import pytest

from helpers.course import lab
from helpers.course.kernel import CourseKernel
from helpers.course.metadata import METADATA


def test_kernelspecs_are_of_this_python_and_these_helpers(tmp_path: Path) -> None:
    lab.write_kernelspecs(tmp_path / "kernels", tmp_path)
    for name in (lab.KERNEL, "python3"):
        spec = json.loads((tmp_path / "kernels" / name / "kernel.json").read_text())
        assert spec["argv"][0] == sys.executable
        assert spec["env"] == {"PYTHONPATH": str(tmp_path)}
    assert spec["display_name"] == METADATA["kernelspec"]["display_name"]


def test_the_kernel_says_of_itself_what_stands_in_the_notebooks() -> None:
    assert CourseKernel.language_info == METADATA["language_info"]
    assert set(super(CourseKernel, CourseKernel).language_info) - set(CourseKernel.language_info) == {"version"}


def test_the_token_is_kept_and_nobody_else_reads_it(tmp_path: Path) -> None:
    token = lab.kept_token(tmp_path / "cache")
    assert len(token) >= 32
    assert lab.kept_token(tmp_path / "cache") == token
    (file,) = (tmp_path / "cache").iterdir()
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("environment", "headless"),
    [
        ({}, True),
        ({"DISPLAY": ":0"}, False),
        ({"WAYLAND_DISPLAY": "w"}, False),
        ({"DISPLAY": ":0"} | {"SSH_CONNECTION": "a 1 b 22"}, True),
    ],
    ids=["no display", "X", "Wayland", "a remote shell"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a browser opens")
def test_a_machine_without_a_screen_is_known(environment: dict[str, str], headless: bool) -> None:
    assert lab.is_headless(environment) is headless


def test_the_tunnel_goes_to_the_address_by_which_the_learner_came() -> None:
    lines = lab.tunnel(8890, "/lab/tree/work", "secret", {"SSH_CONNECTION": "192.0.2.7 50000 192.0.2.99 22"})
    assert any("-L 8890:127.0.0.1:8890" in line and line.endswith("@192.0.2.99") for line in lines)
    assert lines[-1].strip() == "http://127.0.0.1:8890/lab/tree/work?token=secret"
