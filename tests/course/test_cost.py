"""The cell that says what a task takes comes from the task and the catalogues."""

import json
from dataclasses import replace

import pytest

from helpers.course import cost
from helpers.course.build import VIEWS, build_view
from helpers.course.catalogue import Entry
from helpers.course.masters import MasterError
from helpers.models import prefetch


def rows(text: str) -> dict[str, list[str]]:
    cells = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return {name.strip(): [value.strip() for value in values] for name, *values in cells}


def test_downloads_time_and_disk_are_those_of_the_catalogue(sample: Entry) -> None:
    found = rows(cost.cost_text(sample))
    wanted = prefetch.downloads([1])
    assert all(f"`{download.repository}`" in found["download"][1] for download in wanted)
    gigabytes = sum(download.estimated_bytes for download in wanted) / 1e9
    assert found["disk"][1] == f"about {gigabytes:.0f} GB, and the engines' images"
    assert found["minutes of download"][1].startswith(f"{gigabytes * 8000 / 100 / 60:.0f} at 100 Mbit/s")
    assert "2.5 GB of disk: `./course engines install vllm`" in found["download"][0]


def test_gpu_minutes_are_the_tasks(sample: Entry) -> None:
    assert rows(cost.cost_text(sample))["GPU"] == ["none", "none is used"]
    timed = replace(sample, task=replace(sample.task, gpu_minutes=45))
    assert rows(cost.cost_text(timed))["GPU"][1].startswith("about 45 minutes (an estimate")


def test_a_task_without_downloads_says_so(sample: Entry) -> None:
    found = rows(cost.cost_text(replace(sample, stem="09_capstone")))
    assert found["download"] == ["nothing", "nothing"]
    assert "prefetch" not in cost.cost_text(replace(sample, stem="09_capstone"))


def test_every_view_has_the_cell_below_its_introduction(sample: Entry) -> None:
    for view in VIEWS:
        second = json.loads(build_view(sample, view))["cells"][1]
        assert (second["id"], second["metadata"]) == (cost.CELL_ID, {"tags": [cost.TAG]})
        assert "".join(second["source"]) == cost.cost_text(sample)


def test_a_master_does_not_write_it(clone, sample: Entry) -> None:
    master = clone / "content" / sample.stem / "notebook.py"
    master.write_text(master.read_text() + '\n# %% [markdown] id="cost"\n# Nothing.\n')
    with pytest.raises(MasterError, match="is built, not written"):
        build_view(replace(sample, root=clone), "notebooks")
