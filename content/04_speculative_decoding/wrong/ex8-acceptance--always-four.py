"""You take every draft to hold four tokens. The last of an answer, and those of an n-gram look-up, hold fewer: the
engine counts them.
"""


def acceptance(before: dict[str, float], after: dict[str, float]) -> dict[str, float | None]:
    drafts = after["drafts_total"] - before["drafts_total"]
    accepted = after["accepted_tokens_total"] - before["accepted_tokens_total"]
    if not drafts:
        return {"length": None, "rate": None}
    return {"length": 1 + accepted / drafts, "rate": accepted / (4 * drafts)}
