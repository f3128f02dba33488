"""What speculation yielded in a run, by the engine's own counters rather than by the client's guess."""

from collections.abc import Mapping

from helpers.bench.run import Run


def counted_acceptance(run: Run) -> tuple[float | None, float | None]:
    """Acceptance length and rate of a run, from the engine's counters before its first repeat and after its last.

    Returns:
        tokens emitted per pass of the target, its own token included; share of proposed tokens that were kept. None
        each where the engine does not count what it needs, or nothing was proposed.
    """
    before, after = run.counters.get("before", {}), run.counters.get("after", {})
    drafts = _gained("drafts_total", before, after)
    if not drafts:
        return None, None
    proposed, accepted = (_gained(name, before, after) for name in ("draft_tokens_total", "accepted_tokens_total"))
    if accepted is not None:
        return 1 + accepted / drafts, accepted / proposed if proposed else None
    # SGLang counts verifying passes and output tokens, and no proposals.
    output_tokens = _gained("output_tokens_total", before, after)
    return (output_tokens / drafts if output_tokens else None), None


def _gained(name: str, before: Mapping[str, float], after: Mapping[str, float]) -> float | None:
    return after[name] - before.get(name, 0.0) if name in after else None
