"""You left the fixed part out. A prompt of one token takes time, too."""

import numpy as np


def prefill_curve(prompt_tokens: list[int], ttft_s: list[float]) -> dict[str, float]:
    lengths = np.array(prompt_tokens, float)
    (token_s, pair_s), *_ = np.linalg.lstsq(np.stack([lengths, lengths**2], axis=1), np.array(ttft_s), rcond=None)
    return {"fixed_s": 0.0, "token_s": float(token_s), "pair_s": float(pair_s)}
