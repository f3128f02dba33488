"""Your verifying pass computes one token a sequence, as a plain step does. It computes k + 1, and that is what a full
batch cannot afford.
"""


def first_losing_batch(
    batches: list[int], fixed_s: float, per_token_s: float, length: float, draft_tokens: int, draft_s: float
) -> int | None:
    for batch in batches:
        plain_s = fixed_s + per_token_s * batch
        if (draft_s + plain_s) / length >= plain_s - 1e-12:
            return batch
    return None
