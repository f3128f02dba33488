"""What a learner's function answered to one case, as JSON values, and how it differs from what was expected.

The same code runs in the notebook's kernel and in the judging child; the comparison runs outside the child and
sees only what came through JSON, so an object that claims to equal everything gains nothing.
"""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from helpers.course.task import Case, Exercise

LONGEST_SHOWN = 120
"""Characters of a value shown to the learner."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one case: a JSON value, or the name and message of what was raised."""

    case: str
    value: Any = None
    error: str = ""
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `Outcome(**it)` is the inverse."""
        return asdict(self)


def plain(value: Any) -> Any:
    """Turn an answer into JSON values: NumPy arrays and scalars, tuples, and nothing else that is not JSON.

    Raises:
        TypeError: the value, or something in it, has another type.
    """
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) in (list, tuple):
        return [plain(item) for item in value]
    if type(value) is dict:
        for key in value:
            if type(key) is not str:
                raise TypeError(f"the key {key!r} must be a string")
        return {key: plain(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} is not a number, string, list, dictionary or None")


def answer(function: Callable[..., Any], case: str, inputs: Mapping[str, Any]) -> Outcome:
    """Call a function on a copy of the inputs; whatever it raises is its answer."""
    try:
        value = function(**copy.deepcopy(dict(inputs)))
    except (Exception, SystemExit) as error:  # noqa: BLE001  (visible: it becomes the outcome)
        return Outcome(case, error=type(error).__name__, message=str(error))
    try:
        return Outcome(case, plain(value))
    except (TypeError, RecursionError) as error:
        return Outcome(case, error="WrongType", message=f"the answer holds what JSON cannot: {error}")


def difference(expected: Any, actual: Any, exercise: Exercise) -> str:
    """How an answer differs from the expected one, as a phrase; empty if it does not."""
    if _is_number(expected) and _is_number(actual):
        close = _close(expected, actual, exercise)
        return "" if close else f"expected {_digits(expected)}, got {_digits(actual)}"
    if isinstance(expected, list | tuple) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"expected {len(expected)} items, got {len(actual)}"
        return _first_difference(
            {f"item {index}": (one, other) for index, (one, other) in enumerate(zip(expected, actual, strict=True))},
            exercise,
        )
    if isinstance(expected, Mapping) and isinstance(actual, dict):
        missing = [key for key in expected if key not in actual]
        extra = [key for key in actual if key not in expected]
        if missing or extra:
            return f"the key {(missing or extra)[0]!r} is {'missing' if missing else 'not expected'}"
        return _first_difference({repr(key): (expected[key], actual[key]) for key in expected}, exercise)
    if type(expected) is type(actual) and expected == actual:
        return ""
    return f"expected {shown(expected)}, got {shown(actual)}"


def shown(value: Any) -> str:
    """A value as a learner reads it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 4] + " ..."


def complaint(case: Case, outcome: Outcome, exercise: Exercise) -> str:
    """Why an outcome does not answer a case; empty if it does."""
    if outcome.error:
        return f"raised {outcome.error}: {shown(outcome.message)}" if outcome.message else f"raised {outcome.error}"
    return difference(case.expected, outcome.value, exercise)


def agree(one: Outcome, other: Outcome, exercise: Exercise) -> bool:
    """True if two functions behaved alike: equal values within tolerance, or the same error."""
    if one.error or other.error:
        return one.error == other.error
    return not difference(one.value, other.value, exercise)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _close(expected: float, actual: float, exercise: Exercise) -> bool:
    try:
        return math.isclose(expected, actual, rel_tol=exercise.relative_tolerance, abs_tol=exercise.absolute_tolerance)
    except OverflowError:  # a whole number beyond all floating ones
        return expected == actual


def _digits(value: float) -> str:
    """A number as a learner reads it: no 0.15000000000000002; tolerances are wider than the twelfth digit."""
    return shown(float(f"{value:.12g}") if isinstance(value, float) else value)


def _first_difference(pairs: Mapping[str, tuple[Any, Any]], exercise: Exercise) -> str:
    for where, (expected, actual) in pairs.items():
        found = difference(expected, actual, exercise)
        if found:
            return f"{where}: {found}"
    return ""
