"""The class's leaderboard: computed from the records, names only of those who gave one."""

import json
from pathlib import Path

import pytest

from helpers.capstone.board import leaderboard
from helpers.capstone.judgement import RECORD
from helpers.errors import MissingError
from tests.capstone.samples import judgement, steady


def test_the_best_of_each_brief_first(tmp_path: Path) -> None:
    judgement(decisions={"name": "Ada"}).save(tmp_path / "ada" / "run")
    judgement(records=steady(42, ttft_s=2.0)).save(tmp_path / "somebody")
    judgement("agent", decisions={"name": "Ada"}, records=steady(6)).save(tmp_path / "ada" / "agent")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / RECORD).write_text("{")
    board = leaderboard([tmp_path / "ada", tmp_path])
    assert [(row["brief"], row["rank"], row["name"]) for row in board.rows] == [
        ("agent", 1, "Ada"),
        ("chat", 1, "Ada"),
        ("chat", 2, "anonymous"),
    ]
    assert board.rows[1]["score"] > board.rows[2]["score"]
    assert board.rows[1]["origin"] == "measured"
    assert list(board.unreadable) == [str(broken)]
    assert set(board.to_json()) == {"rows", "unreadable"}


def test_a_record_that_cannot_be_computed_is_left_out(tmp_path: Path) -> None:
    for name in ("good", "stopped", "wordy"):
        judgement().save(tmp_path / name)
    for name, change in (("stopped", {"pace": {"measured_s": 1.0, "nominal_s": 0.0}}), ("wordy", {"answers": 5})):
        path = tmp_path / name / RECORD
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    board = leaderboard([tmp_path])
    assert [Path(row["bundle"]).name for row in board.rows] == ["good"]
    assert sorted(Path(folder).name for folder in board.unreadable) == ["stopped", "wordy"]


def test_a_score_that_was_written_into_the_file_counts_nothing(tmp_path: Path) -> None:
    judgement(records=steady(42, ttft_s=2.0)).save(tmp_path / "a")
    path = tmp_path / "a" / RECORD
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 1, "score": 100'))
    (row,) = leaderboard([tmp_path]).rows
    assert row["score"] < 10


def test_nobody(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no judgement"):
        leaderboard([tmp_path])
