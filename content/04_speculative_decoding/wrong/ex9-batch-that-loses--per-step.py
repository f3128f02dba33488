"""You compare steps, not tokens: a speculative step takes longer, and yields several tokens."""


def first_losing_batch(
    batches: list[int], fixed_s: float, per_token_s: float, length: float, draft_tokens: int, draft_s: float
) -> int | None:
    for batch in batches:
        if draft_s + fixed_s + per_token_s * batch * (draft_tokens + 1) >= fixed_s + per_token_s * batch:
            return batch
    return None
