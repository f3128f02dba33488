"""Counting and lists: predictable text."""

import random

from helpers.models.training.corpus.phrases import load_templates

Turn = tuple[str, str]

LISTS: dict[str, tuple[str, ...]] = {
    "days of the week": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "months of the year": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "letters of the alphabet": tuple("abcdefghijklmnopqrstuvwxyz"),
    "seasons of the year": ("spring", "summer", "autumn", "winter"),
    "planets": ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"),
    "engines of the course": ("Ollama", "llama.cpp", "vLLM", "TensorRT-LLM", "SGLang"),
    "latency metrics": ("TTFT", "ITL", "TPOT", "end-to-end latency"),
    "phases of a request": ("queue", "prefill", "decode"),
    "load shapes": ("closed loop", "constant rate", "Poisson arrivals", "burst", "ramp", "replay"),
    "low-precision formats": ("FP8", "NVFP4", "MXFP4", "INT4", "Q8_0", "Q4_K_M"),
    "floating-point formats": ("float32", "bfloat16", "float16", "FP8"),
    "model file formats": ("safetensors", "GGUF", "ONNX"),
    "kinds of parallelism": ("tensor parallelism", "pipeline parallelism", "data parallelism", "expert parallelism"),
    "drafting methods": ("draft model", "n-gram speculation", "Medusa", "EAGLE-3", "multi-token prediction"),
    "sampling settings": ("temperature", "top-p", "top-k", "repetition penalty", "seed"),
    "attention variants": (
        "multi-head attention",
        "multi-query attention",
        "grouped-query attention",
        "multi-head latent attention",
    ),
    "parts of a decoder layer": ("RMS norm", "attention", "residual connection", "feed-forward layer"),
    "tasks of the course": (
        "engine benchmark",
        "vLLM deployment",
        "TensorRT-LLM optimization",
        "speculative decoding",
        "production API",
        "web UI",
    ),
    "batching methods": ("static batching", "continuous batching", "chunked prefill"),
    "protections of a server": ("rate limiter", "timeout", "retry", "circuit breaker", "backpressure"),
}

_TEMPLATES = load_templates("lists")
_ORDERED = ("days of the week", "months of the year", "letters of the alphabet", "planets", "seasons of the year")


def ask(rng: random.Random, held_out: bool = False) -> list[Turn]:
    """One request to count or to list."""
    draw = rng.random()
    if draw < 0.3:
        return [_count(rng, held_out)]
    if draw < 0.42:
        return [_count_down(rng, held_out)]
    if draw < 0.55:
        return [_count_by(rng, held_out)]
    if draw < 0.6:
        return [_series(rng, held_out)]
    if draw < 0.66:
        return [_next_in_list(rng, held_out)]
    return [_list(rng, held_out)]


def _numbers(values: range) -> str:
    return ", ".join(str(value) for value in values)


def _count(rng: random.Random, held_out: bool) -> Turn:
    first = rng.choice((1, 1, 1, rng.randint(0, 20), rng.randint(0, 99), rng.randint(90, 200)))
    last = first + rng.randint(3, 22)
    return _TEMPLATES["count"].sample(rng, held_out, a=str(first), b=str(last)), _numbers(range(first, last + 1))


def _count_down(rng: random.Random, held_out: bool) -> Turn:
    last = rng.choice((0, 1, 1, rng.randint(0, 20), rng.randint(0, 99)))
    first = last + rng.randint(3, 20)
    return _TEMPLATES["count_down"].sample(rng, held_out, a=str(first), b=str(last)), _numbers(
        range(first, last - 1, -1)
    )


def _count_by(rng: random.Random, held_out: bool) -> Turn:
    step = rng.choice((2, 2, 3, 4, 5, 5, 10, 10, 20, 100))
    first = step * rng.randint(0, 8)
    last = first + step * rng.randint(3, 12)
    return _TEMPLATES["count_by"].sample(rng, held_out, s=str(step), a=str(first), b=str(last)), _numbers(
        range(first, last + 1, step)
    )


def _series(rng: random.Random, held_out: bool) -> Turn:
    size = rng.randint(4, 20)
    kind = rng.choice(("even", "odd"))
    first = 2 if kind == "even" else 1
    question = _TEMPLATES["series"].sample(rng, held_out, n=str(size), kind=kind)
    return question, _numbers(range(first, first + 2 * size, 2))


def _next_in_list(rng: random.Random, held_out: bool) -> Turn:
    name = rng.choice(_ORDERED)
    index = rng.randrange(len(LISTS[name]) - 1)
    return _TEMPLATES["after"].sample(rng, held_out, x=LISTS[name][index], l=name), LISTS[name][index + 1]


def _list(rng: random.Random, held_out: bool) -> Turn:
    name = rng.choice(list(LISTS))
    question = _TEMPLATES["list"].sample(rng, held_out, l=name)
    if rng.random() < 0.25:
        question = question.rstrip("?.") + _TEMPLATES["numbered"].sample(rng) + "."
        return question, "\n".join(f"{index}. {item}" for index, item in enumerate(LISTS[name], 1))
    if rng.random() < 0.2:
        question = question.lower()
    return question, ", ".join(LISTS[name])
