"""The knee of a load sweep: the load beyond which more users mainly wait longer."""

from collections.abc import Sequence


def knee_index(figures: Sequence[tuple[float | None, float | None]]) -> int | None:
    """Which load has the greatest power: throughput / latency; the first of equals.

    Source: L. Kleinrock, "Power and Deterministic Rules of Thumb for Probabilistic Problems in Computer
    Communications" (ICC 1979).

    Args:
        figures: (output tokens a second, end-to-end p50 in seconds) of each load; None where not measured.

    Returns:
        The index of the knee; None if no load has both figures.
    """
    powers = [(rate / latency_s, -index) for index, (rate, latency_s) in enumerate(figures) if rate and latency_s]
    return -max(powers)[1] if powers else None
