"""Private inputs: cases that no learner has seen, drawn from a seed and answered by the solution.

`content/NN_stem/private.py` says what inputs of a task look like: a constant `DRAWS`, exercise id -> function of a
`random.Random` that returns one case's inputs. Here the inputs are drawn, the solution answers them, and those are
kept that tell every planted wrong answer from it. The result is one JSON file per task in an instructor's folder,
which may be edited by hand:

    FOLDER/NN_stem.json   {task, seed, exercises: {id: [{name, inputs, expected, hint?}]}}

Neither the folder nor private.py belongs into a learner's hands; `./course release` leaves both out.
"""

import hashlib
import importlib.util
import os
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.config import read_settings
from helpers.course.answers import Outcome, agree
from helpers.course.catalogue import Entry
from helpers.course.definitions import read_definitions
from helpers.course.files import read_json, write_json
from helpers.course.judge import Job, Source, ask
from helpers.course.mistakes import WrongAnswer, read_wrong_answers
from helpers.course.task import Case, Exercise
from helpers.errors import CheckFailed, MissingError, UsageError

Draw = Callable[[random.Random], Mapping[str, Any]]

CANDIDATES = 120
"""Inputs drawn per exercise, of which those are kept that tell mistakes best."""

KEPT = 8
"""Private cases per exercise; more only where that many are needed to catch every planted mistake."""

TIMES_CAUGHT = 2
"""Cases that tell each planted mistake from the solution, where the draws hold so many."""

KNOWN_SEED = 0
"""Anybody with a clone can draw these cases: good for a trial, not for an examination."""

TIME_LIMIT_S = 60.0
"""For all candidates of one function."""


def load_cases(folder: Path, stem: str) -> dict[str, tuple[Case, ...]]:
    """The private cases of a task: exercise id -> cases.

    Raises:
        MissingError: the folder holds none for this task.
        UsageError: the file is not in the form above.
    """
    path = folder / f"{stem}.json"
    again = f"./course release --private {folder}"
    try:
        content = read_json(path)
        if content is None:
            raise MissingError(f"there is no {path}", "no private inputs were drawn for this task", again)
        return {
            exercise: tuple(
                Case(case["name"], case["inputs"], case["expected"], case.get("hint", "")) for case in cases
            )
            for exercise, cases in content["exercises"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path} holds no private cases: {type(error).__name__} {error}", "it was damaged or edited", again
        ) from error


def write_cases(folder: Path, entries: Sequence[Entry], seed: int) -> list[Path]:
    """Draw the private cases of tasks into a folder that only its owner may enter; return the files.

    Raises:
        MissingError: a task's solution or its private.py is not there: this is a learners' hand-out.
        CheckFailed: see `draw_cases`.
    """
    drawn = [(entry, draw_cases(entry, seed)) for entry in entries]
    folder.mkdir(parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    paths = []
    for entry, cases in drawn:
        exercises = {
            exercise: [{"name": case.name, "inputs": case.inputs, "expected": case.expected} for case in kept]
            for exercise, kept in cases.items()
        }
        paths.append(folder / f"{entry.stem}.json")
        write_json(paths[-1], {"task": entry.stem, "seed": seed, "exercises": exercises})
    return paths


def known_cases(entries: Sequence[Entry]) -> Path | None:
    """A folder of cases from seed 0, for whoever named none; kept in the user's cache until labs or draws change.

    Returns:
        The folder; None where a task cannot have any: this is a learners' hand-out, or a task is still being written.

    Raises:
        CheckFailed: see `draw_cases`.
    """
    digest = hashlib.sha256()
    for entry in entries:
        files = [entry.notebook("solutions"), entry.content / "private.py", entry.content / "task.py"]
        for path in [*files, *sorted((entry.content / "wrong").glob("*.py"))]:
            if not path.exists():
                return None
            digest.update(f"{path.name}\0".encode() + path.read_bytes())
    folder = read_settings().cache / "private" / digest.hexdigest()[:16]
    if not all((folder / f"{entry.stem}.json").exists() for entry in entries):
        write_cases(folder, entries, KNOWN_SEED)
    return folder


def draw_cases(entry: Entry, seed: int) -> dict[str, tuple[Case, ...]]:
    """Draw private cases of every exercise of a task, none where it has none; the same seed gives the same cases.

    Raises:
        MissingError: the task's solution or its private.py is not there.
        CheckFailed: an exercise has no draw, the solution raised, or no draw tells a planted mistake from it.
    """
    if not entry.task.exercises:
        return {}
    draws = read_draws(entry)
    solution = entry.notebook("solutions")
    if not solution.exists():
        raise MissingError(f"there is no {solution}", "this is a learners' hand-out, or it was not built", "git pull")
    sources = read_definitions(solution)
    planted = read_wrong_answers(entry)
    candidates = {
        exercise.id: _candidates(exercise, draws[exercise.id], random.Random(f"{seed}/{exercise.id}"))
        for exercise in entry.task.exercises
    }
    jobs = [Job(sources, exercise.function, candidates[exercise.id]) for exercise in entry.task.exercises]
    jobs += [
        Job([Source(w.path.name, w.source)], entry.exercise(w.exercise).function, candidates[w.exercise])
        for w in planted
    ]
    outcomes = ask(jobs, TIME_LIMIT_S)
    wrong = list(zip(planted, outcomes[len(entry.task.exercises) :], strict=True))
    return {
        exercise.id: _kept(exercise, candidates[exercise.id], right, [w for w in wrong if w[0].exercise == exercise.id])
        for exercise, right in zip(entry.task.exercises, outcomes, strict=False)
    }


def read_draws(entry: Entry) -> Mapping[str, Draw]:
    """`DRAWS` of a task's private.py.

    Raises:
        MissingError: there is no private.py.
        CheckFailed: it has no draw for an exercise, or one for none.
    """
    path = entry.content / "private.py"
    if not path.exists():
        raise MissingError(
            f"there is no {path}", "this is a learners' hand-out, or the task has no private inputs yet", "git pull"
        )
    spec = importlib.util.spec_from_file_location(f"course_private_{entry.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    draws: Mapping[str, Draw] = module.DRAWS
    odd = {exercise.id for exercise in entry.task.exercises} ^ set(draws)
    if odd:
        raise CheckFailed(f"{path}: {', '.join(sorted(odd))} stands in only one of DRAWS and task.py")
    return draws


def _candidates(exercise: Exercise, draw: Draw, rng: random.Random) -> list[Case]:
    """Drawn inputs, each once and none of them visible, then the visible ones, for mistakes that show nowhere else."""
    visible = [dict(case.inputs) for case in exercise.cases]
    found: list[dict[str, Any]] = []
    for _ in range(CANDIDATES):
        inputs = dict(draw(rng))
        if inputs not in visible and inputs not in found:
            found.append(inputs)
    return [Case(f"{number}", inputs, None) for number, inputs in enumerate([*found, *visible])]


def _kept(
    exercise: Exercise,
    candidates: Sequence[Case],
    right: Sequence[Outcome],
    wrong: Sequence[tuple[WrongAnswer, Sequence[Outcome]]],
) -> tuple[Case, ...]:
    """The candidates that tell the planted mistakes from the solution, in the order drawn, with their answers.

    The last ones are the visible cases: of them only what tells a mistake that no drawn input tells.
    """
    drawn = len(candidates) - len(exercise.cases)
    failed = next((outcome for outcome in right if outcome.error), None)
    if failed is not None:
        raise CheckFailed(f"{exercise.id}: the solution raised {failed.error} on {failed.case}: {failed.message}")
    telling = {
        planted.name: [
            index
            for index, (one, other) in enumerate(zip(right, answers, strict=True))
            if not agree(one, other, exercise)
        ]
        for planted, answers in wrong
    }
    for name, indices in telling.items():
        if not indices:
            raise CheckFailed(
                f"{exercise.id}: none of {drawn} drawn inputs tells the planted mistake {name}",
                "the draw in private.py never makes an input on which it matters",
            )
    chosen: set[int] = set()
    for every in sorted(telling.values(), key=len):
        indices = [index for index in every if index < drawn] or every[:1]
        wanted = TIMES_CAUGHT - len(chosen.intersection(indices))
        chosen.update([index for index in indices if index not in chosen][: max(0, wanted)])
    spare = (index for index in range(drawn) if index not in chosen)
    chosen.update(index for index, _ in zip(spare, range(KEPT - len(chosen)), strict=False))
    return tuple(
        Case(f"private {number}", candidates[index].inputs, right[index].value)
        for number, index in enumerate(sorted(chosen), start=1)
    )
