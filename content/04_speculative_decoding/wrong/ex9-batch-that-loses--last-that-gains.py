"""You return the last batch that gains. Asked is the first that does not."""


def first_losing_batch(
    batches: list[int], fixed_s: float, per_token_s: float, length: float, draft_tokens: int, draft_s: float
) -> int | None:
    gaining = None
    for batch in batches:
        plain_s = fixed_s + per_token_s * batch
        if (draft_s + fixed_s + per_token_s * batch * (draft_tokens + 1)) / length >= plain_s - 1e-12:
            return gaining
        gaining = batch
    return None
