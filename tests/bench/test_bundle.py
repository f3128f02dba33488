"""Bundles: what is written survives crashes, full disks and other machines."""

import json
from pathlib import Path

import pytest

from helpers.bench import bundle as bundles
from helpers.bench.arrivals import ClosedLoop
from helpers.bench.bundle import BundleWriter, load_bundle, save_bundle, write_json
from helpers.bench.provenance import git_commit, machine_id, read_provenance
from helpers.bench.run import Run
from helpers.bench.target import Target
from helpers.bench.workloads import unique_prompts
from helpers.client.records import RequestRecord, Usage
from helpers.errors import MissingError, UsageError


def make_record(number: int) -> RequestRecord:
    start_s = number * 1.0
    return RequestRecord(
        request_id=f"r{number}",
        scheduled_s=start_s,
        sent_s=start_s,
        chunk_s=[start_s + 0.1, start_s + 0.2],
        done_s=start_s + 0.3,
        usage=Usage(prompt_tokens=10, output_tokens=2),
        text="Größe \u2028 \U0001f600",
        status=200,
    )


def make_run(repeats: int = 2, **changes: object) -> Run:
    values: dict[str, object] = {
        "label": "1 stream",
        "target": Target("http://127.0.0.1:1/v1", "mock", "mock", api_key="secret-key"),
        "workload": unique_prompts(10, 2, seed=1),
        "arrivals": ClosedLoop(1),
        "requests": 3,
        "repeats": tuple(tuple(make_record(number) for number in range(3)) for _ in range(repeats)),
        "provenance": {"machine_id": machine_id(), "load_average": 0.0, "hardware": {"cores": 2}},
        "counters": {"before": {"output_tokens_total": 0.0}},
        **changes,
    }
    return Run(**values)  # type: ignore[arg-type]


def test_a_bundle_comes_back_as_it_was(tmp_path: Path):
    run = make_run()
    run.save(tmp_path / "b")
    loaded = Run.load(tmp_path / "b")
    assert loaded.repeats == run.repeats
    assert loaded.point() == run.point()
    assert loaded.counters == run.counters
    assert loaded.origin == "measured"


def test_summary_has_the_contract_form(tmp_path: Path):
    make_run().save(tmp_path / "b")
    summary = json.loads((tmp_path / "b" / "summary.json").read_text())
    assert {"points", "client_error"} <= set(summary)
    assert {
        "concurrency", "requests", "errors", "peak_in_flight", "ttft_s", "tpot_s", "itl_s", "e2e_s",
        "output_tokens_per_s", "input_tokens_per_s", "valid", "notes",
    } <= set(summary["points"][0])  # fmt: skip
    assert set(load_bundle(tmp_path / "b").to_json()) == {"points", "client_error", "provenance"}


def test_keys_never_reach_the_disk(tmp_path: Path):
    make_run().save(tmp_path / "b")
    assert not any("secret-key" in path.read_text() for path in (tmp_path / "b").iterdir())


def test_another_machines_bundle_is_recorded(tmp_path: Path):
    make_run(provenance={"machine_id": "elsewhere"}).save(tmp_path / "b")
    bundle = load_bundle(tmp_path / "b")
    assert (bundle.origin, bundle.runs[0].origin, bundle.runs[0].point()["origin"]) == ("recorded",) * 3


def test_rates_of_repeats_are_over_their_total_duration():
    run = make_run(repeats=3)
    # Three repeats of three requests of two tokens, 2.3 s each.
    assert run.metrics.output_tokens_per_s == pytest.approx(18 / 6.9)
    assert run.metrics.peak_in_flight == 1


def test_a_half_written_line_costs_only_itself(tmp_path: Path):
    make_run(repeats=1).save(tmp_path / "b")
    path = tmp_path / "b" / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    bundle = load_bundle(tmp_path / "b")
    assert bundle.damaged_lines == 1
    assert len(bundle.runs[0].records) == 2


def test_a_writer_that_never_closed_leaves_a_readable_bundle(tmp_path: Path):
    run = make_run(repeats=1)
    writer = BundleWriter(tmp_path / "b", "run", run.provenance, None)
    writer.put(0, make_run(repeats=0, complete=False))
    writer.add(0, 0, make_record(0))
    bundle = load_bundle(tmp_path / "b")
    writer.close()
    assert len(bundle.runs[0].records) == 1
    assert not bundle.runs[0].complete
    assert not bundle.runs[0].valid


class FullDisk:
    """A file on a disk that has room for `lines` more lines."""

    def __init__(self, lines: int) -> None:
        self.lines = lines

    def write(self, text: str) -> None:
        if self.lines == 0:
            raise OSError(28, "No space left on device")
        self.lines -= 1

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_full_disk_stops_the_writing_and_nothing_else(tmp_path: Path):
    run = make_run(repeats=1)
    with BundleWriter(tmp_path / "b", "run", run.provenance, None) as writer:
        assert writer._lines is not None
        writer._lines.close()
        writer._lines = FullDisk(2)  # type: ignore[assignment]
        for number in range(4):
            writer.add(0, 0, make_record(number))
    assert writer.failure.endswith("(No space left on device): 2 records are in it, the rest only in memory")


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"a": 2})
    monkeypatch.undo()
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_bundles_are_never_overwritten(tmp_path: Path):
    make_run().save(tmp_path / "b")
    with pytest.raises(UsageError, match="holds a bundle already"):
        make_run().save(tmp_path / "b")


def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingError, match="cannot write to"):
        make_run().save(tmp_path / "file" / "b")
    with pytest.raises(UsageError):
        save_bundle(tmp_path / "b", "run", [])


def test_damaged_bundles_say_so(tmp_path: Path):
    with pytest.raises(MissingError, match="holds no bundle"):
        load_bundle(tmp_path)
    make_run().save(tmp_path / "b")
    summary = tmp_path / "b" / "summary.json"
    text = summary.read_text()
    summary.write_text(text[: len(text) // 2])
    with pytest.raises(MissingError, match="cannot be read"):
        load_bundle(tmp_path / "b")
    summary.write_text("[]")
    with pytest.raises(MissingError, match="damaged"):
        load_bundle(tmp_path / "b")
    summary.write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(UsageError, match="bundle format 2"):
        load_bundle(tmp_path / "b")
    summary.write_text(text)
    (tmp_path / "b" / "records.jsonl").unlink()
    with pytest.raises(MissingError, match="no readable records"):
        load_bundle(tmp_path / "b")


def test_several_runs_are_not_one(tmp_path: Path):
    save_bundle(tmp_path / "b", "sweep", [make_run(), make_run()])
    with pytest.raises(UsageError, match="holds 2 runs"):
        Run.load(tmp_path / "b")


def test_provenance_names_machine_and_versions():
    provenance = read_provenance(7)
    assert provenance["seed"] == 7
    assert provenance["machine_id"] == machine_id()
    assert len(machine_id()) == 12
    assert provenance["versions"]["httptools"]
    assert provenance["hardware"]["cores"] >= 1
    json.dumps(provenance)


def test_no_clone_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("helpers.bench.provenance.ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit() == ""


def test_format_is_pinned():
    assert (bundles.FORMAT, bundles.RECORDS) == (1, "records.jsonl")
