"""The server says what it does before it serves: built, loaded, or damaged and built again."""

import subprocess
import sys
from pathlib import Path

from helpers.aot.build import WEIGHTS_FILE
from helpers.aot.server import profile_for
from helpers.client.openai import Client
from helpers.config import ROOT


def serve_once(checkpoint: Path, *words: str) -> tuple[str, str]:
    """Start it, ask it once, end it; the answer and what it said."""
    argv = [sys.executable, "-m", "helpers.aot.server", "--model", str(checkpoint), "--port", "0", "--max-model-len"]
    with subprocess.Popen(
        [*argv, "250", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            text = ""
            if " at " in line:
                text = str(
                    Client(line.split(" at ")[1].strip()).complete(
                        "the key", max_tokens=4, temperature=0, ignore_eos=True
                    )
                )
        finally:
            process.terminate()
        return text, process.stderr.read()


def test_it_builds_loads_and_repairs_and_says_which(checkpoint: Path, cache: Path) -> None:
    first, said = serve_once(checkpoint)
    assert [line.split(":")[0] for line in said.splitlines()] == ["export", "compile", "built"]
    assert "1 to 8 sequences x 1 to 512 tokens after 0 to 256" in said
    second, said = serve_once(checkpoint)
    assert said.startswith("loaded: ")
    (folder,) = (cache / "onnx-engines").iterdir()
    (folder / WEIGHTS_FILE).write_bytes(b"half")
    third, said = serve_once(checkpoint)
    assert "is damaged: it is built again" in said.splitlines()[0]
    assert "rebuilt: " in said
    assert first == second == third != ""


def test_what_cannot_be_built_is_said_in_three_lines(checkpoint: Path, cache: Path) -> None:
    text, said = serve_once(checkpoint, "--precision", "f16")
    assert text == ""
    assert said == "onnxruntime: the provider cpu is not built in f16\nLikely cause: it is in f32, int8\n"


def test_shapes_come_in_whole_blocks() -> None:
    assert profile_for("fixed", 4, 64, 250).past == 256
    assert profile_for("range", 4, 64, 256).past == 256
