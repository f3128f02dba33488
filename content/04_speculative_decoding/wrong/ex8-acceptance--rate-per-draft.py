"""Your rate divides by drafts. A draft has several tokens; the rate is a share of proposed tokens."""


def acceptance(before: dict[str, float], after: dict[str, float]) -> dict[str, float | None]:
    drafts = after["drafts_total"] - before["drafts_total"]
    accepted = after["accepted_tokens_total"] - before["accepted_tokens_total"]
    if not drafts:
        return {"length": None, "rate": None}
    return {"length": 1 + accepted / drafts, "rate": accepted / drafts}
