"""You divided by the total duration: that holds loading and reading the prompt too, and says how long you waited,
not how fast the model writes.
"""


def ollama_rates(final: dict, cached_tokens: int) -> dict:
    prefill_s, total_s = final.get("prompt_eval_duration", 0) / 1e9, final.get("total_duration", 0) / 1e9
    new = final.get("prompt_eval_count", 0) - cached_tokens
    return {
        "prefill_tokens_per_s": new / prefill_s if prefill_s and new else None,
        "decode_tokens_per_s": final["eval_count"] / total_s if final.get("eval_count") else None,
        "load_s": final.get("load_duration", 0) / 1e9,
    }
