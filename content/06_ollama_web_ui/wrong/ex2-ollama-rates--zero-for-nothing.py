"""You called a rate zero where nothing was done. Zero tokens per second is a standstill; here there is no rate at
all.
"""


def ollama_rates(final: dict, cached_tokens: int) -> dict:
    prefill_s, decode_s = final.get("prompt_eval_duration", 0) / 1e9, final.get("eval_duration", 0) / 1e9
    new = final.get("prompt_eval_count", 0) - cached_tokens
    return {
        "prefill_tokens_per_s": new / prefill_s if prefill_s else 0.0,
        "decode_tokens_per_s": final.get("eval_count", 0) / decode_s if decode_s else 0.0,
        "load_s": final.get("load_duration", 0) / 1e9,
    }
