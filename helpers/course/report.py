"""The HTML report of a run: one self-contained page that says what held, and links what each task left."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from helpers.bench.units import MISSING, bytes_text
from helpers.course.files import write_text

if TYPE_CHECKING:
    from helpers.course.run import RunResult, TaskResult

STATES = ("reached", "not-reached", "not-run")
BADGES = dict(zip(STATES, ("yes", "no", "not-run"), strict=True))


def write_report(result: "RunResult") -> Path:
    """Write index.html into the run's folder and return its path."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("helpers.course"), PackageLoader("helpers.bench")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    page = environment.get_template("run.html.jinja").render(
        tasks=[_task(task, result.folder) for task in result.tasks],
        facts=_facts(result),
        provenance=result.provenance,
        holds=result.holds,
        states=BADGES,
        counts={
            state: sum(milestone.state == state for task in result.tasks for milestone in task.milestones)
            for state in STATES
        },
    )
    path = result.folder / "index.html"
    write_text(path, page)
    return path


def _facts(result: "RunResult") -> list[tuple[str, str]]:
    provenance = result.provenance
    hardware, options = provenance["hardware"], provenance["options"]
    gpus = "".join(f", {gpu['name']}" for gpu in hardware["gpus"])
    backends = {each.backend: None for task in result.tasks for each in task.milestones if each.backend}
    versions = ", ".join(f"{name} {number}" for name, number in provenance["versions"].items() if number)
    seconds = sum(task.ending.seconds for task in result.tasks)
    when = provenance["date"][:16].replace("T", " ") + " UTC"
    mode = "quick" if options["quick"] else "full"
    return [
        ("Measured on", f"{hardware['processor']}, {hardware['cores']} cores{gpus}"),
        ("Memory, system", f"{bytes_text(hardware['memory_bytes'])}, {hardware['system']}"),
        ("Measured with", "; ".join(backends) or "nothing: no milestone has evidence"),
        ("Asked for", f"{mode}, engine {options['engine'] or 'by default'}, model {options['model'] or 'by default'}"),
        ("When, how long", f"{when}, {seconds / 60:.1f} minutes"),
        ("Software", f"Python {provenance['python']}, {versions}, commit {provenance['git_commit'] or MISSING}"),
    ]


def _task(task: "TaskResult", folder: Path) -> dict[str, Any]:
    notebook = task.folder / f"{task.entry.stem}.ipynb"
    reports = sorted(task.folder.glob("*.html"))
    return {
        "name": task.entry.name,
        "title": task.entry.task.title,
        "outcome": task.ending.outcome,
        "reason": task.ending.reason,
        "seconds": task.ending.seconds,
        "milestones": task.milestones,
        "headlines": [text for path in reports if (text := _headline(path.with_suffix(".md")))],
        "reports": [
            (path.stem.replace("-", " ").replace("_", " "), path.relative_to(folder).as_posix()) for path in reports
        ],
        "notebook": notebook.relative_to(folder).as_posix() if notebook.exists() else "",
        "evidence": [path.relative_to(folder).as_posix() for path in sorted(task.folder.glob("evidence/*.json"))],
    }


def _headline(report: Path) -> str:
    """What follows from a task's measurements, in its report's own words: the bold line under the title."""
    try:
        lines = report.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ""
    return next((line.strip("*") for line in lines[:4] if line.startswith("**")), "")
