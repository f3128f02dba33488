"""Numbers as people read them: three digits that mean something, units in the heading or beside the number."""

import math

MISSING = "–"
"""What stands for a figure that does not exist."""


def digits(value: float | None, count: int = 3) -> str:
    """A number with that many significant digits, thousands separated; never in powers of ten."""
    if value is None:
        return MISSING
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = count - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):,.{max(places, 0)}f}"


def beside(guess: float | None, found: float, unit: str, how: str = "measured") -> str:
    """A learner's guess beside what came out, and how that was found; counts (integers) are shown whole."""
    shown = f"{how} {f'{found:,}' if isinstance(found, int) else digits(found)} {unit}"
    if guess is None:
        return f"{shown} (no guess)"
    if min(guess, found) <= 0:
        return f"{shown}, guessed {guess:g}"
    return f"{shown}, guessed {guess:g}: off by a factor of {max(found / guess, guess / found):.1f}"


def milliseconds(seconds: float | None) -> str:
    """Seconds as milliseconds, without the unit."""
    return digits(None if seconds is None else seconds * 1000)


def quantity(value: float, unit: str) -> str:
    """A figure with its unit; times in whichever of ms and s reads better."""
    if unit == "s":
        return f"{digits(value)} s" if value >= 1 else f"{milliseconds(value)} ms"
    return f"{digits(value)} {unit}"


def bytes_text(size: float) -> str:
    """Bytes in the unit that suits them."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{digits(size)} {unit}"
        size /= 1024
    return f"{digits(size)} GiB"
