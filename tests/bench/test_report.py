import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from helpers.bench.bundle import load_bundle, save_bundle
from helpers.bench.plots import timeline
from helpers.bench.report import Report, Section, Table, render_html, render_markdown, write_report
from helpers.bench.report_sections import build_report
from helpers.bench.run import Run
from helpers.bench.standings import COURSE_ENGINES
from helpers.cli import main
from helpers.errors import MissingError
from tests.bench.samples import make_run

PRECISIONS = {"f32": 0.020, "q8_0": 0.010}
ERROR_POINT = {
    "streams": 16,
    "beside_load": True,
    "ttft_p50_error_s": 0.0012,
    "ttft_p99_error_s": 0.003,
    "gap_mean_error_s": 0.00001,
    "gap_p50_error_s": 0.00002,
    "gap_p99_error_s": 0.001,
    "true_ttft_p50_s": 0.05,
    "true_gap_p50_s": 0.005,
    "peak_in_flight": 16,
    "requests": 48,
    "errors": 0,
    "coalesced_share": 0.0,
}


def save(folder: Path, runs: list[Run]) -> Path:
    save_bundle(folder, "sweep", runs)
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Two precisions at three loads, five repeats each, one run with an error."""
    runs = [
        make_run(
            precision=precision,
            concurrency=load,
            tpot_s=tpot_s * (1 + 0.2 * load),
            repeats=5,
            client_error={"points": [ERROR_POINT]},
            error="HTTP 503: busy" if (precision, load) == ("f32", 8) else "",
        )
        for precision, tpot_s in PRECISIONS.items()
        for load in (1, 4, 8)
    ]
    return save(tmp_path / "sweep", runs)


def report_of(*folders: Path) -> Report:
    return build_report([(folder, load_bundle(folder)) for folder in folders])


def section(report: Report, title: str) -> Section:
    return next(section for section in report.sections if section.title.startswith(title))


def test_the_first_words_are_the_answer(bundle: Path) -> None:
    report = report_of(bundle)
    assert report.headline.startswith("Many users get the most text from llama.cpp q8_0: ")
    assert "One user gets the fastest text from llama.cpp q8_0: 12.7 ms a token" in report.headline
    assert "6 runs, 1 of them marked invalid" in report.lead
    assert report.sections[0].title == "Which engine for which need"


def test_every_engine_of_the_course_is_measured_or_says_what_it_needs(bundle: Path) -> None:
    table = section(report_of(bundle), "Every engine").table
    assert table
    states = {row[0].split()[0]: row[2] for row in table.rows}
    assert set(states) == set(COURSE_ENGINES)
    assert states["llama.cpp"] == "measured"
    assert all(state.startswith("not-run: needs ") for engine, state in states.items() if engine != "llama.cpp")


def test_marked_runs_are_shown_with_their_marks(bundle: Path) -> None:
    report = report_of(bundle)
    marks = section(report, "Marks").table
    assert marks
    assert marks.rows[0][0] == "invalid"
    assert "HTTP 503: busy" in marks.rows[0][1]
    points = section(report, "Every point").table
    assert points
    assert [row[-2] for row in points.rows].count("no") == 1


def test_bundles_of_another_machine_are_labelled_recorded(bundle: Path, tmp_path: Path) -> None:
    other = save(tmp_path / "other", [make_run("vllm", "bf16", model="llama-3.1-8b", machine="elsewhere")])
    rows = section(report_of(bundle, other), "Every engine").table
    assert rows
    assert next(row for row in rows.rows if row[0] == "vllm bf16")[2] == "recorded"


def test_differences_carry_intervals(bundle: Path) -> None:
    differences = section(report_of(bundle), "Differences with intervals")
    assert differences.table
    assert differences.table.rows[0][0] == "llama.cpp q8_0 / llama.cpp f32"
    assert re.fullmatch(r"[\d.]+, [\d.]+ to [\d.]+", differences.table.rows[0][3])
    assert "no difference" in differences.text


def test_the_small_print_is_complete(bundle: Path) -> None:
    text = render_markdown(report_of(bundle))
    assert "1.20" in text  # the client's error, ms
    assert "Time to first token: from sending the request" in text
    assert "LMSYS" in text
    assert "commit 0123456789ab" in text
    assert "llama.cpp on CPU" in text


def test_without_a_valid_run_nothing_is_concluded(tmp_path: Path) -> None:
    report = report_of(save(tmp_path / "broken", [make_run(error="connection refused")]))
    assert report.headline == "No valid run: nothing can be concluded yet."
    assert "<html" in render_html(report)


def test_one_engine_alone_is_no_comparison(tmp_path: Path) -> None:
    report = report_of(save(tmp_path / "alone", [make_run()]))
    assert report.headline.startswith("Only llama.cpp f32 was measured (Output rate ")
    assert "needs a second engine or precision" in report.headline


def test_html_needs_nothing_from_elsewhere(bundle: Path) -> None:
    class Loads(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.loaded: list[str] = []
            self.tags: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.tags.append(tag)
            self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]

    page = render_html(report_of(bundle))
    parser = Loads()
    parser.feed(page)
    assert parser.loaded == []
    assert "link" not in parser.tags
    assert "prefers-color-scheme: dark" in page
    assert page.count('class="plot"') == page.count('id="figure-') > 3


def test_words_of_others_cannot_become_markup() -> None:
    evil = "</script><script>alert(1)</script>"
    figure = timeline([], title=evil)
    report = Report(evil, evil, evil, (Section(evil, evil, Table((evil,), ((evil,),)), (figure,)),))
    page = render_html(report)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_markdown_tables_have_one_cell_a_column(bundle: Path) -> None:
    text = render_markdown(report_of(bundle))
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.M):
        lines = [re.sub(r"\\\|", "", line) for line in block.splitlines()]
        assert len({line.count("|") for line in lines}) == 1, lines[0]
        assert re.fullmatch(r"\|(-+:?\|)+", lines[1])


def test_a_pipe_in_a_cell_does_not_split_it() -> None:
    report = Report("t", "h", "l", (Section("s", table=Table(("a",), (("x | y",),))),))
    assert "| x \\| y |" in render_markdown(report)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MissingError, match="could not be written"):
        write_report(Report("t", "h", "l", ()), tmp_path / "file")


def test_the_command_merges_bundles_below_a_folder(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "more" / "deep", [make_run(precision="f16")])
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["bundles"]) == 2
    assert len(said["points"]) == 7
    assert Path(said["html"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert Path(said["markdown"]).is_file()


def test_the_command_says_what_a_bundle_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 3
    assert "records.jsonl" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "absent")]) == 3
    assert "there is no such folder" in capsys.readouterr().err
