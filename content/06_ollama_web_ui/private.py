"""Task 12.6: what private inputs look like. For instructors only; see helpers/grade/private.py."""

import json
from random import Random
from typing import Any

Inputs = dict[str, Any]
WORDS = ("A ", "paged ", "cache ", "keeps ", "keys", ", ", "näher ", "1 + 1", "!")


def cut(rng: Random, text: str) -> list[str]:
    """A text in pieces, as reads of a socket return it."""
    places = sorted(rng.sample(range(1, len(text)), rng.randint(0, 5)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def draw_chat(rng: Random) -> Inputs:
    """A stream with or without thoughts; it ends, breaks off, or tells an error."""
    lines: list[Inputs] = []
    for _ in range(rng.choice([0, 0, 1, 2])):
        message = {"role": "assistant", "content": "", "thinking": rng.choice(WORDS)}
        lines.append({"message": message, "done": False})
    lines += [
        {"message": {"role": "assistant", "content": rng.choice(WORDS)}, "done": False}
        for _ in range(rng.randint(1, 4))
    ]
    end = rng.choice(["done", "done", "last words", "broken", "error"])
    if end in ("done", "last words"):
        content = rng.choice(WORDS) if end == "last words" else ""
        lines.append({"message": {"role": "assistant", "content": content}, "done": True, "done_reason": "stop"})
    if end == "error":
        lines.append({"error": rng.choice(["out of memory", "the model was unloaded"])})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    return {"pieces": cut(rng, text[: -rng.randint(2, 30)] if end == "broken" else text)}


def draw_rates(rng: Random) -> Inputs:
    """A last line, of which Ollama leaves out what is zero."""
    load, prefill, decode = (rng.randint(1_000_000, 3_000_000_000) for _ in range(3))
    prompt_tokens = rng.randint(10, 900)
    cached_tokens = rng.choice([0, 0, rng.randint(1, prompt_tokens - 1), prompt_tokens])
    final = {
        "done": True,
        "total_duration": load + prefill + decode + 7_000_000,
        "load_duration": load,
        "prompt_eval_count": prompt_tokens,
        "prompt_eval_duration": prefill,
        "eval_count": rng.randint(1, 400),
        "eval_duration": decode,
    }
    left_out = {"load_duration"} if rng.random() < 0.3 else set()
    left_out |= {"prompt_eval_duration"} if cached_tokens == prompt_tokens else set()
    left_out |= {"eval_count", "eval_duration"} if rng.random() < 0.2 else set()
    return {
        "final": {key: value for key, value in final.items() if key not in left_out},
        "cached_tokens": cached_tokens,
    }


def draw_pull(rng: Random) -> Inputs:
    """Layers that come side by side; the pull goes on, ends, or fails."""
    names = rng.sample(["a1", "b2", "c3", "d4"], rng.randint(1, 3))
    totals = {name: rng.randint(10, 5_000) for name in names}
    have = dict.fromkeys(names, 0)
    lines: list[Inputs] = [{"status": "pulling manifest"}]
    for _ in range(rng.randint(1, 6)):
        name = rng.choice(names)
        line = {"status": f"pulling {name}", "digest": f"sha256:{name}", "total": totals[name]}
        have[name] = rng.randint(have[name], totals[name])
        lines.append({**line, "completed": have[name]} if have[name] else line)
    end = rng.choice(["", "", "success", "verifying", "error"])
    if end in ("success", "verifying"):
        lines += [
            {"status": f"pulling {name}", "digest": f"sha256:{name}", "total": totals[name], "completed": totals[name]}
            for name in names
        ]
        lines += [{"status": "verifying sha256 digest"}, *([{"status": "success"}] if end == "success" else [])]
    if end == "error":
        lines.append({"error": rng.choice(["no space left on device", "connection reset"])})
    return {"lines": lines}


def draw_preset(rng: Random) -> Inputs:
    """Options that are set, set to zero, or not set."""
    options: Inputs = {
        "temperature": rng.choice([None, 0, 0.2, 0.9]),
        "max_tokens": rng.choice([None, 16, 256]),
        "seed": rng.choice([None, 0, 42]),
        "top_p": rng.choice([None, 0.9]),
    }
    kept = rng.sample(list(options), rng.randint(0, 4))
    system = rng.choice(["", "", "Answer in one line.", "You are a lawyer."])
    return {
        "model": rng.choice(["qwen3:8b", "gpt-oss:20b", "course"]),
        "preset": {"system": system, "options": {name: options[name] for name in kept}},
        "question": rng.choice(["What is a KV cache?", "Count to five.", "Why?"]),
    }


def draw_modelfile(rng: Random) -> Inputs:
    """With or without a system prompt, options and stops."""
    parameters: Inputs = {}
    if rng.random() < 0.6:
        parameters["temperature"] = rng.choice([0, 0.4, 1])
    if rng.random() < 0.4:
        parameters["num_ctx"] = rng.choice([2048, 8192])
    if rng.random() < 0.5:
        parameters["stop"] = rng.sample(["<|im_end|>", "###", "Human:"], rng.randint(1, 3))
    system = rng.choice(["", "Be kind.", "Be kind.\nBe brief.", "One.\n\nTwo."])
    return {"base": rng.choice(["llama3.1:8b", "qwen3:14b"]), "system": system, "parameters": parameters}


def draw_speed(rng: Random) -> Inputs:
    """A rate whose tenth of a millisecond is no matter of rounding; sometimes none."""
    if rng.random() < 0.15:
        return {"figures": {"ttft_s": round(rng.uniform(0.1, 2.0), 3), "output_tokens": 1}}
    while True:
        rate = round(rng.choice([rng.uniform(0.3, 9.0), rng.uniform(9.0, 300.0)]), 2)
        tenths = 10_000 / rate
        if abs(tenths - int(tenths) - 0.5) > 0.01:
            return {"figures": {"output_tokens_per_s": rate, "output_tokens": rng.randint(2, 300)}}


def draw_may(rng: Random) -> Inputs:
    """This machine or another name, no page, a page of ours or of others, with and without keys."""
    host = rng.choice(["127.0.0.1", "localhost", "spark-2", "gateway.example", "evil.example"])
    host += f":{rng.choice([8080, 9000, 11434])}"
    origin = rng.choice([None, None, f"http://{host}", "http://evil.example", "https://shop.example"])
    keys = rng.random() < 0.5
    return {"host": host, "origin": origin, "keys": keys, "valid": keys and rng.random() < 0.6}


DRAWS = {
    "ex1-read-chat": draw_chat,
    "ex2-ollama-rates": draw_rates,
    "ex3-pull-progress": draw_pull,
    "ex4-preset-request": draw_preset,
    "ex5-modelfile": draw_modelfile,
    "ex6-speed": draw_speed,
    "ex7-may-ask": draw_may,
}
