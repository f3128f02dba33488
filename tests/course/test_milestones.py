import json
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from helpers.course import milestones
from helpers.course.catalogue import Entry
from helpers.course.milestones import evidence_path, judge_folder, milestone, new_folder, run_folder
from helpers.errors import UsageError


@pytest.fixture(autouse=True)
def here(sample: Entry, monkeypatch: pytest.MonkeyPatch) -> Entry:
    monkeypatch.setattr(milestones, "find_milestone", lambda name: (sample, sample.milestone(name)))
    return sample


def test_evidence_is_written_and_judged(tmp_path: Path) -> None:
    shown = milestone("12.1.sample", {"rows": [1, 2]}, run_dir=tmp_path, backend="an engine")
    assert repr(shown) == "milestone 12.1.sample: reached"
    content = json.loads((tmp_path / "evidence" / "12.1.sample.json").read_text())
    assert content["evidence"] == {"rows": [1, 2]}
    assert content["backend"] == "an engine"
    assert content["provenance"]["python"]
    assert "state" not in content


def test_the_notebook_shows_the_verdict_as_text_and_numbers_as_metadata(tmp_path: Path) -> None:
    shown = milestone("12.1.sample", {"rows": [1, 2]}, run_dir=tmp_path, backend="an engine")
    data, metadata = InteractiveShell().display_formatter.format(shown)
    assert data == {"text/plain": "milestone 12.1.sample: reached"}
    assert metadata["numbers"] == {"total": 3}
    assert metadata["backend"] == "an engine"


def test_no_evidence_is_not_run_with_what_it_needs(tmp_path: Path) -> None:
    shown = milestone("12.1.gpu", None, run_dir=tmp_path)
    assert repr(shown) == "milestone 12.1.gpu: not-run (needs an NVIDIA GPU)"
    assert shown.verdict.state == "not-run"


def test_a_later_call_replaces_earlier_evidence(sample: Entry, tmp_path: Path) -> None:
    milestone("12.1.sample", {"rows": [1]}, run_dir=tmp_path)
    shown = milestone("12.1.sample", {"rows": []}, run_dir=tmp_path)
    assert repr(shown) == "milestone 12.1.sample: not-reached (the rows add up to 0, more than 0 was asked)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no evidence"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"milestone": "12.1.sample", "evidence": {}, "backend": ""}', "cannot be read"),
        ('{"milestone": "12.1.gpu", "evidence": {"rows": [1]}, "backend": ""}', "that of milestone 12.1.gpu"),
        ('{"milestone": "12.1.sample", "evidence": {"rows": "text"}, "backend": ""}', "cannot be read"),
    ],
)
def test_bad_evidence_is_not_reached_and_never_raises(
    sample: Entry, tmp_path: Path, text: str | None, reason: str
) -> None:
    if text is not None:
        evidence_path(tmp_path, "12.1.sample").parent.mkdir()
        evidence_path(tmp_path, "12.1.sample").write_text(text)
    verdict = judge_folder(sample, sample.milestone("12.1.sample"), tmp_path)
    assert verdict.state == "not-reached"
    assert reason in verdict.reason


def test_a_verdict_in_the_evidence_is_not_believed(sample: Entry, tmp_path: Path) -> None:
    forged = {"rows": [], "state": "reached", "verdict": {"state": "reached"}}
    assert milestone("12.1.sample", forged, run_dir=tmp_path).verdict.state == "not-reached"


def test_evidence_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not JSON"):
        milestone("12.1.sample", {"rows": {1, 2}}, run_dir=tmp_path)
    assert not (tmp_path / "evidence").exists()


def test_folders(tmp_path: Path) -> None:
    assert run_folder(tmp_path / "a" / "b").is_dir()
    assert new_folder(tmp_path, "bundle") == tmp_path / "bundle"
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle-2").mkdir()
    assert new_folder(tmp_path, "bundle") == tmp_path / "bundle-3"
