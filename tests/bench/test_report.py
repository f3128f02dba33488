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
    save(tmp_path / "01_task.attempt-1" / "stopped", [make_run(precision="f16")])
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["bundles"]) == 2
    assert len(said["points"]) == 7
    assert Path(said["html"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert Path(said["markdown"]).is_file()


def test_the_first_screen_says_what_was_measured_on_what(bundle: Path) -> None:
    facts = dict(report_of(bundle).facts)
    assert facts["Engines"] == "llama.cpp f32; llama.cpp q8_0"
    assert facts["On"] == "Sample CPU, 2 cores"
    assert facts["Load"] == "1 stream; 4 streams; 8 streams"
    assert facts["Marks"].startswith("1 invalid")
    page = render_html(report_of(bundle))
    assert page.index("Sample CPU, 2 cores") < page.index("<h2>")


def test_a_page_with_figures_stays_under_two_megabytes(bundle: Path) -> None:
    assert len(render_html(report_of(bundle)).encode()) < 2_000_000


def test_figures_are_told_in_words(bundle: Path) -> None:
    page = render_html(report_of(bundle))
    assert "Axis: Output tokens/s (ring: knee). " in page
    assert "llama.cpp q8_0: 3 points from (1.00, " in page


def test_own_figures_stand_beside_published_ones(bundle: Path) -> None:
    rows = section(report_of(bundle), "Beside a DGX Spark").table
    assert rows
    assert [row[4] for row in rows.rows[:2]] == ["measured", "measured"]
    assert rows.rows[-1][4] == "published: on DGX Spark"
    assert all("llama.cpp" in row[0] for row in rows.rows)


def test_limits_are_drawn_where_the_bundle_has_them(tmp_path: Path) -> None:
    runs = [make_run(model="course", input_tokens=tokens, concurrency=load) for tokens in (64, 512) for load in (1, 4)]
    folder = save(tmp_path / "sweep", runs)
    assert not [each for each in report_of(folder).sections if each.title.startswith("Under the limits")]
    limits = {"triad_bytes_per_s": 2e10, "read_bytes_per_s": 1e10, "matrix_flops_per_s": 1e11}
    (folder / "limits.json").write_text(json.dumps(limits))
    report = report_of(folder)
    found = section(report, "Under the limits")
    assert "20.0 GB/s and 100 GFLOP/s, measured" in found.text
    assert found.table
    assert len(found.table.rows) == 4
    assert len(found.figures) == 1
    assert section(report, "Where the time of a step goes").text


def test_steps_that_the_client_did_not_see_have_no_place_under_the_limits(tmp_path: Path) -> None:
    folder = save(tmp_path / "sweep", [make_run(model="course", tpot_s=0.0), make_run(model="course", concurrency=4)])
    limits = {"triad_bytes_per_s": 2e10, "read_bytes_per_s": 1e10, "matrix_flops_per_s": 1e11}
    (folder / "limits.json").write_text(json.dumps(limits))
    found = section(report_of(folder), "Under the limits")
    assert found.table
    assert len(found.table.rows) == 1


def test_what_changed_between_two_bundles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = save(tmp_path / "before", [make_run(repeats=5), make_run(concurrency=4)])
    after = save(tmp_path / "after", [make_run(repeats=5, tpot_s=0.01, machine="elsewhere"), make_run("vllm")])
    assert main(["report", str(before), str(after), "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["changes"].startswith(
        "From before to after: output tokens/s of llama.cpp f32 course-heavy at 1 stream 1."
    )
    assert said["headline"].startswith(said["changes"])
    text = Path(said["markdown"]).read_text(encoding="utf-8")
    assert "of 3 figures changed beyond their intervals, under 1 common load." in text
    assert "| llama.cpp f32 | course-heavy on Sample CPU, 2 cores (machine elsewh) |" in text
    line = next(line for line in text.splitlines() if line.startswith("| llama.cpp f32 course-heavy | 128 / 16 | 1"))
    rate, ttft, tpot = line.split(" | ")[3:]
    assert 1.1 < float(rate.split(",")[0]) < 2
    assert ttft.startswith("(1.00, ")
    assert 0.49 < float(tpot.split(",")[0]) < 0.51


def test_without_a_common_load_nothing_is_said_to_have_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(save(tmp_path / engine, [make_run(engine)])) for engine in ("llama.cpp", "vllm")]
    assert main(["report", *folders, "--out", str(tmp_path / "out")]) == 0
    assert "no engine, model and load in common" in capsys.readouterr().out


def test_the_command_says_what_a_bundle_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 3
    assert "records.jsonl" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "absent")]) == 3
    assert "there is no such folder" in capsys.readouterr().err
