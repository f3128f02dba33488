"""You read the durations as milliseconds. Ollama writes nanoseconds: a thousand millionth of a second each."""


def ollama_rates(final: dict, cached_tokens: int) -> dict:
    prefill_s, decode_s = final.get("prompt_eval_duration", 0) / 1e3, final.get("eval_duration", 0) / 1e3
    new = final.get("prompt_eval_count", 0) - cached_tokens
    return {
        "prefill_tokens_per_s": new / prefill_s if prefill_s and new else None,
        "decode_tokens_per_s": final.get("eval_count", 0) / decode_s if decode_s else None,
        "load_s": final.get("load_duration", 0) / 1e3,
    }
