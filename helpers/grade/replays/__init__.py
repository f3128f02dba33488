"""Milestones whose evidence the notebook made by itself, played again by the grader on what the notebook left.

Each replay takes something that can be played from the run folder (a server, an extension, a deployment), puts it
between a load and an engine that are the grader's own, and judges what those recorded. The evidence of the notebook
says only that there is something to play. Programs of the grader's and code of the learner's are never in one jail.

The other milestones rest on engines that the grader started for the notebook (`helpers.grade.witness`), or on races
that are computed again.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from helpers.course.catalogue import Entry
from helpers.course.task import Verdict
from helpers.grade.replays import brief, drill, load, page
from helpers.grade.request import UnitRequest

Replay = Callable[[Entry, UnitRequest, Path], Verdict]
"""Task, unit, run folder -> the grader's own verdict."""

REPLAYS: Mapping[str, Replay] = {
    drill.MILESTONE: drill.play_again,
    load.MILESTONE: load.play_again,
    page.MILESTONE: page.play_again,
    brief.MILESTONE: brief.play_again,
}
"""Milestone -> how it is played again."""

LONGEST_S = 1800.0
"""All replays of one task, each with its second attempt; a unit may take so much longer."""
