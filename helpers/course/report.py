"""The HTML report of a run: one self-contained page that links what each task left."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from helpers.course.files import write_text

if TYPE_CHECKING:
    from helpers.course.run import RunResult, TaskResult


def write_report(result: "RunResult") -> Path:
    """Write index.html into the run's folder and return its path."""
    environment = Environment(
        loader=PackageLoader("helpers.course"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("run.html.jinja").render(
        tasks=[_task(task, result.folder) for task in result.tasks],
        provenance=result.provenance,
        holds=result.holds,
        counts={
            state: sum(milestone.state == state for task in result.tasks for milestone in task.milestones)
            for state in ("reached", "not-reached", "not-run")
        },
    )
    path = result.folder / "index.html"
    write_text(path, page)
    return path


def _task(task: "TaskResult", folder: Path) -> dict[str, Any]:
    notebook = task.folder / f"{task.entry.stem}.ipynb"
    return {
        "name": task.entry.name,
        "title": task.entry.task.title,
        "outcome": task.ending.outcome,
        "reason": task.ending.reason,
        "seconds": task.ending.seconds,
        "milestones": task.milestones,
        "reports": [
            (path.stem.replace("-", " ").replace("_", " "), path.relative_to(folder).as_posix())
            for path in sorted(task.folder.glob("*.html"))
        ],
        "notebook": notebook.relative_to(folder).as_posix() if notebook.exists() else "",
        "evidence": [path.relative_to(folder).as_posix() for path in sorted(task.folder.glob("evidence/*.json"))],
    }
