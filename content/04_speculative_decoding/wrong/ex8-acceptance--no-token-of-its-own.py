"""Your length counts the accepted proposals alone. Each pass also yields one token of the target's own."""


def acceptance(before: dict[str, float], after: dict[str, float]) -> dict[str, float | None]:
    drafts = after["drafts_total"] - before["drafts_total"]
    proposed = after["draft_tokens_total"] - before["draft_tokens_total"]
    accepted = after["accepted_tokens_total"] - before["accepted_tokens_total"]
    if not drafts:
        return {"length": None, "rate": None}
    return {"length": accepted / drafts, "rate": accepted / proposed}
