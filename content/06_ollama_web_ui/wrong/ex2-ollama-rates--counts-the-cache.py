"""You divided all tokens of the prompt by the time of the new ones. A prompt asked twice then seems ten times as
fast.
"""


def ollama_rates(final: dict, cached_tokens: int) -> dict:
    prefill_s, decode_s = final.get("prompt_eval_duration", 0) / 1e9, final.get("eval_duration", 0) / 1e9
    return {
        "prefill_tokens_per_s": final.get("prompt_eval_count", 0) / prefill_s if prefill_s else None,
        "decode_tokens_per_s": final.get("eval_count", 0) / decode_s if decode_s else None,
        "load_s": final.get("load_duration", 0) / 1e9,
    }
