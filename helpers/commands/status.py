"""`./course status`: what is done, what is next."""

import argparse

from helpers.errors import MissingError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are no options."""


def run(arguments: argparse.Namespace) -> int:
    """Print one line per task and the next command."""
    from rich.console import Console
    from rich.table import Table

    from helpers.course.status import next_step, read_status

    statuses = read_status()
    if not statuses:
        raise MissingError("there are no tasks", "content/ is empty", "git pull")
    table = Table("task", "", "demonstrated by ./course run", "your exercises", "your milestones")
    for status in statuses:
        exercises = f"{status.held} of {len(status.entry.task.exercises)} hold"
        if not status.opened:
            exercises = "lab not opened"
        elif not status.checked:
            exercises = "not checked yet"
        elif status.changed:
            exercises += ", lab changed since the last check"
        table.add_row(
            str(status.entry.name),
            status.entry.task.title,
            _counted(status.demonstrated) or "not yet",
            exercises,
            _counted(status.own) if status.opened else "not yet",
        )
    console = Console()
    console.print(table)
    unfinished = [status for status in statuses if not status.done]
    if not unfinished:
        console.print("Everything that can be done here is done.")
    started = next((status for status in unfinished if status.checked and status.open), None)
    if started is not None:
        console.print(f"Open in task {started.entry.name}: {', '.join(started.open)}")
    console.print(f"Next: {next_step(statuses)}")
    return 0


def _counted(states: tuple[str, ...]) -> str:
    counts = [(state, states.count(state)) for state in ("reached", "not-reached", "not-run")]
    return ", ".join(f"{count} {state}" for state, count in counts if count)
