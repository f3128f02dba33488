import os
import re
from pathlib import Path

import pytest

from helpers.config import ROOT
from helpers.engines import catalog, pages, survey
from helpers.errors import UsageError
from helpers.models import hub
from tests.engines.planning import plan

OWN = """
[[engine]]
name = "vllm"
container = "mine"
release = [
    { name = "ngc-26.10", image = "nvcr.io/nvidia/vllm:26.11-py3" },
    { name = "mine", version = "0.34.0", kind = "container", image = "here/vllm:1" },
]
"""


def test_every_release_says_where_and_when_it_was_read() -> None:
    for entry in catalog.engines().values():
        assert {entry.container, entry.native} <= {release.name for release in entry.releases}
        for release in entry.releases:
            assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", release.checked)
            assert release.source
            assert release.image if release.kind == "container" else release.package


def test_a_plan_says_what_of_its_release_no_public_source_confirms(monkeypatch: pytest.MonkeyPatch) -> None:
    assert any("not verified: the tag v0.33.0; docker manifest inspect" in note for note in notes("docker-0.33"))
    monkeypatch.setenv("COURSE_IMAGE_VLLM", "here/vllm:1")
    assert not any("not verified" in note for note in notes("docker-0.33"))


def notes(release: str) -> tuple[str, ...]:
    return plan("vllm", container=True, extra={"release": release}).notes


def test_patterns_of_pitfalls_find_what_they_name() -> None:
    logs = {
        "vllm": "ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'",
        "sglang": "ImportError: libcudart.so.12: cannot open shared object file",
        "tensorrt-llm": "serve.sh: 12: trtllm-build: not found",
        "ollama": "Error: pull model manifest: file does not exist",
        "llama.cpp": "error: invalid argument: --mlock",
    }
    for engine, log in logs.items():
        (error,) = filter(None, (symptom.match(log) for symptom in catalog.find(engine).symptoms()))
        assert error.cause


def test_a_variable_changes_the_image_and_another_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_IMAGE_TENSORRT_LLM", "registry/trt:mine")
    assert catalog.choose_release("tensorrt-llm", "container").image == "registry/trt:mine"
    monkeypatch.setenv("COURSE_RELEASE_TENSORRT_LLM", "1.2.1")
    assert catalog.choose_release("tensorrt-llm", "container").version == "1.2.1"
    assert catalog.choose_release("tensorrt-llm", "native").name == "pip-1.3.0rc29"


def test_a_variable_for_no_engine_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_IMAGE_VLM", "x")
    with pytest.raises(UsageError, match="did you mean VLLM"):
        catalog.choose_release("vllm", "container")


def test_a_file_of_ones_own_changes_a_tag_and_adds_a_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "catalog.toml"
    own.write_text(OWN)
    monkeypatch.setenv("COURSE_CATALOG", str(own))
    assert catalog.choose_release("vllm", "container").image == "here/vllm:1"
    changed = catalog.find("vllm").release("ngc-26.10")
    assert (changed.image, changed.version) == ("nvcr.io/nvidia/vllm:26.11-py3", "0.31.0")


@pytest.mark.parametrize("text", ["not toml [", '[[engine]]\nname = "vllm"\ncolour = 1\n'])
def test_a_broken_file_of_ones_own_is_told(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "catalog.toml"
    own.write_text(text)
    monkeypatch.setenv("COURSE_CATALOG", str(own))
    with pytest.raises(UsageError, match=r"catalog\.toml"):
        catalog.engines()


def test_the_committed_pages_are_what_catalogue_and_adapters_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "catalog.toml"
    own.write_text(OWN)
    monkeypatch.setenv("COURSE_CATALOG", str(own))  # what a user has set does not get into a page
    monkeypatch.setenv("COURSE_IMAGE_VLLM", "here/vllm:1")
    found = pages.pages()
    for path, text in found.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: ./course build"
    assert set((ROOT / "docs" / "engines").iterdir()) == set(found)
    assert os.environ["COURSE_IMAGE_VLLM"] == "here/vllm:1"


def test_pages_and_readme_say_where_each_engine_has_run() -> None:
    runs = survey.recorded_runs()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path, text in pages.pages().items():
        if path.stem in catalog.engines():
            run = runs.get(path.stem, survey.NEVER)
            assert f"Has really run in this course: {run}." in text
            assert f"| {catalog.find(path.stem).title} | {run} |" in readme
    for run in runs.values():
        assert f" | {run} |\n" in readme


def test_downloads_have_what_the_contract_names() -> None:
    wanted = (
        "llama-3.1-8b llama-3.1-70b llama-3.3-70b qwen3-8b qwen3-14b qwen3-32b qwen3-30b-a3b qwen3-235b-a22b "
        "qwen3-coder-30b-a3b qwen2.5-coder-7b deepseek-r1-distill-qwen-14b gpt-oss-20b gpt-oss-120b "
        "nemotron-3-super-120b-a12b"
    )
    assert set(hub.models()) == set(wanted.split())


def test_defaults_are_not_gated_and_a_missing_draft_is_told() -> None:
    for model in hub.models().values():
        assert next(iter(model.repositories.values())) not in model.gated
    with pytest.raises(UsageError, match="no eagle3 draft"):
        hub.models()["qwen2.5-coder-7b"].draft_for("vllm", "eagle3")
    assert hub.models()["llama-3.1-8b"].draft_for("sglang", "eagle3").startswith("jamesliu1/")
