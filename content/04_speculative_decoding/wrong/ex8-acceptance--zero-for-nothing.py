"""You return 0 where nothing was proposed. Nothing happened is not the same as nothing was kept."""


def acceptance(before: dict[str, float], after: dict[str, float]) -> dict[str, float | None]:
    drafts = after["drafts_total"] - before["drafts_total"]
    proposed = after["draft_tokens_total"] - before["draft_tokens_total"]
    accepted = after["accepted_tokens_total"] - before["accepted_tokens_total"]
    return {"length": 1 + accepted / max(drafts, 1), "rate": accepted / max(proposed, 1)}
