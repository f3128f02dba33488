"""You read the counters after the run alone. They count since the engine's start, and hold what others did before."""


def acceptance(before: dict[str, float], after: dict[str, float]) -> dict[str, float | None]:
    if not after["drafts_total"]:
        return {"length": None, "rate": None}
    return {
        "length": 1 + after["accepted_tokens_total"] / after["drafts_total"],
        "rate": after["accepted_tokens_total"] / after["draft_tokens_total"],
    }
