import json
import shutil
from pathlib import Path

import pytest

from helpers import cli
from helpers.errors import MissingError
from helpers.models import card
from tests.models.conftest import make_checkpoint
from tests.models.head import make_head

FACTS = {
    "origin": "measured",
    "date": "2026-01-31",
    "licence": "MIT",
    "quality": [
        {"name": "held-out questions", "value": 0.9, "bar": 0.85, "trials": 200},
        {"name": "recall at 1,500 tokens", "value": 0.4, "bar": 0.5, "trials": 50},
        {"name": "answers that end by themselves", "value": 1.0, "bar": None, "trials": 200},
    ],
    "training": {"target": {"tokens": 12_000_000, "seconds": 5400.5}, "corpus": {"digest": "abc"}},
    "limits": ["no arithmetic"],
}


@pytest.fixture
def shipped(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like course/, made of tiny models, where the command looks."""
    for part in card.PARTS:
        shutil.copytree(tiny_model, tmp_path / "course" / part)
    folder = tmp_path / "course"
    digests = {part: card.weights_digest(folder / part) for part in card.PARTS}
    (folder / "card.json").write_text(json.dumps(FACTS | {"digests": digests}))
    monkeypatch.setattr(card, "COURSE", folder)
    return folder


def test_shapes_come_from_the_files_and_quality_from_the_card(shipped: Path) -> None:
    found = card.read_card(shipped)
    assert [part.id for part in found.parts] == ["course", "course-draft", "course-heavy"]
    assert found.parts[0].parameters == found.parts[0].config.parameters
    assert found.parts[2].parameters >= 150_000_000
    assert [quality.holds for quality in found.quality] == [True, False, True]
    assert found.changed == ()


def test_the_command_prints_each_thing_a_reader_needs(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["model"]) == 0
    text = capsys.readouterr().out
    for part in ("90.0%", "bar 50%, NOT REACHED", "12,000,000", "no arithmetic", "Licence MIT", "M parameters"):
        assert part in text


def test_json_is_one_object(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["model", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["quality"][0] == FACTS["quality"][0] | {"unit": ""}
    assert shown["parts"][0]["config"]["layers"] == 2


def test_other_weights_than_measured_are_told(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = shipped / "draft" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-2] + b"\x80\x3f")
    assert cli.main(["model"]) == 1
    assert "weights of draft are NOT the ones" in capsys.readouterr().out


def test_the_head_is_told_with_what_it_reaches(
    shipped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert card.read_card(shipped).head is None
    make_head(make_checkpoint(tmp_path / "target", layers=4), shipped / "eagle3")
    facts = json.loads((shipped / "card.json").read_text())
    facts["digests"]["eagle3"] = card.weights_digest(shipped / "eagle3")
    facts["quality"].append({"name": "tokens emitted", "value": 3.456, "bar": 3.2, "trials": 70, "unit": "passes"})
    (shipped / "card.json").write_text(json.dumps(facts))
    assert cli.main(["model"]) == 0
    text = capsys.readouterr().out
    assert "reads the model's states before layers 1, 2, 3" in text
    assert "3.46  tokens emitted (70 passes)  bar 3.2\n" in text
    (shipped / "eagle3" / "model.safetensors").write_bytes(b"")
    assert card.read_card(shipped).changed == ("eagle3",)


def test_an_incomplete_card_is_an_error(shipped: Path) -> None:
    (shipped / "card.json").write_text(json.dumps(FACTS))
    with pytest.raises(MissingError, match="digests"):
        card.read_card(shipped)


def test_a_missing_card_is_an_error(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shipped / "card.json").unlink()
    assert cli.main(["model"]) == 3
    assert "git checkout" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "code"), [(0.9, 0), (0.8, 1)])
def test_rebuild_trains_elsewhere_and_judges_the_new_model(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float, code: int
) -> None:
    def rebuild(out: Path) -> None:
        shutil.copytree(shipped, out)
        facts = json.loads((out / "card.json").read_text())
        facts["quality"] = [{"name": "held-out questions", "value": value, "bar": 0.85, "trials": 200}]
        (out / "card.json").write_text(json.dumps(facts))

    monkeypatch.setattr("helpers.models.training.rebuild", rebuild, raising=False)
    assert cli.main(["model", "--rebuild", "--out", str(tmp_path / "new")]) == code
