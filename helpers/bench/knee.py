"""The knee of a load sweep: the load beyond which more users only wait longer."""

from collections.abc import Mapping, Sequence
from typing import Any

SHARE_OF_BEST = 0.9
"""The knee is the least load that yields this share of the best throughput: a stated rule that a reader can check by
eye, where curvature methods move with the choice of points."""


def find_knee(points: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The point of least concurrency with at least nine tenths of the best output tokens a second.

    Invalid points and points without a rate are left out; None if none is left.
    """
    usable = [p for p in points if p.get("valid", True) and p["output_tokens_per_s"] is not None]
    if not usable:
        return None
    wanted = SHARE_OF_BEST * max(point["output_tokens_per_s"] for point in usable)
    reached = (point for point in usable if point["output_tokens_per_s"] >= wanted)
    return min(reached, key=lambda point: point["concurrency"])
