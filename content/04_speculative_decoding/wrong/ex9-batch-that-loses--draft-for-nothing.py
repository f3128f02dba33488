"""You leave out the time that drafting takes."""


def first_losing_batch(
    batches: list[int], fixed_s: float, per_token_s: float, length: float, draft_tokens: int, draft_s: float
) -> int | None:
    for batch in batches:
        plain_s = fixed_s + per_token_s * batch
        if (fixed_s + per_token_s * batch * (draft_tokens + 1)) / length >= plain_s - 1e-12:
            return batch
    return None
