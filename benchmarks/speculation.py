"""Speculative decoding against the same engine without it: acceptance by prompt class, and speed at batch 1.

    python benchmarks/speculation.py [--repeats 5] [--quick] [--acceptance] [--engines nano,llama.cpp] [--card]

About twenty minutes with vLLM, five without; --acceptance counts tokens only, which a busy machine does not falsify;
with --card nano's figures of the EAGLE-3 head go on the card of the course model. The others go to
results/speculation.json and README.md; --quick makes one small repeat, prints it, and keeps nothing. Exit code 1 if a
goal is missed.

All methods of an engine run side by side on one machine, and each prompt goes through all of them before the next one;
an engine that waits takes no time. The answers of greedy prompts are compared with those without speculation.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sitting import Bar, at_least, at_most, bar_table, circumstances, describe, keep, markdown_table, rotated, spread

import helpers
from helpers.engines.server import Server
from helpers.engines.vllm import SAMPLED_SPECULATION_FAULT
from helpers.errors import CourseError
from helpers.hardware import choose_profile, read_hardware
from helpers.models.card import COURSE, HEAD, Quality, weights_digest
from helpers.models.prompts import PROMPT_CLASSES, prompt_class

SIDES = (("nano", "course"), ("nano", "course-heavy"), ("llama.cpp", "course-heavy"), ("vllm", "course"))
METHODS = ("none", "ngram", "draft", "eagle3")
GOALS = {"nano, course": 1.2, "nano, course-heavy": 1.8, "llama.cpp, course-heavy": 1.3, "vllm, course": 1.3}
"""Engine and model -> how many times as fast its best method has to make predictable answers."""
LENGTH_GOALS = {"predictable": 3.2, "free": 1.6}
"""Prompt class -> tokens per target pass that the EAGLE-3 head has to reach."""
DRAFT_TOKENS = 4
ANSWER_TOKENS = 96


@contextlib.contextmanager
def serve(engine: str, model: str) -> Iterator[dict[str, Server]]:
    """One server for each method, all at once."""
    with contextlib.ExitStack() as stack:
        yield {
            method: stack.enter_context(
                helpers.launch(
                    engine,
                    model,
                    precision="f32",
                    max_num_seqs=1,
                    max_model_len=512,
                    threads=1,
                    speculation=method,
                    draft_tokens=DRAFT_TOKENS,
                    timeout_s=900,
                )
            )
            for method in METHODS
        }


def ask(server: Server, prompt: str, temperature: float, seed: int) -> dict[str, Any]:
    """One answer: its text, its tokens, its time, and what the engine counted meanwhile."""
    before = server.metrics()
    started_s = time.perf_counter()
    reply = server.chat(prompt, temperature=temperature, seed=seed, max_tokens=ANSWER_TOKENS)
    duration_s = time.perf_counter() - started_s
    after = server.metrics()
    counted = {
        name: after.get(name, 0.0) - before.get(name, 0.0)
        for name in ("drafts_total", "draft_tokens_total", "accepted_tokens_total")
    }
    return {"text": reply.text, "tokens": reply.usage.output_tokens, "duration_s": duration_s, **counted}


def measure_acceptance(
    servers: dict[str, Server], share: float, sampled: bool = True
) -> dict[str, dict[str, dict[str, float]]]:
    """Method -> prompt class -> tokens that one pass of the target emits, over so many passes with proposals."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for method in METHODS[1:]:
        for name, temperature in PROMPT_CLASSES.items():
            if temperature > 0 and not sampled:
                continue
            prompts = prompt_class(name)[:: min(40, round(1 / share))]
            answers = [ask(servers[method], prompt, temperature, seed) for seed, prompt in enumerate(prompts)]
            accepted, passes = (
                sum(answer[what] for answer in answers) for what in ("accepted_tokens_total", "drafts_total")
            )
            length = 1 + accepted / passes if passes else 1.0
            found.setdefault(method, {})[name] = {"tokens_per_pass": length, "passes": passes}
    return found


def measure_speed(servers: dict[str, Server], repeat: int, prompts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Method -> tokens/s over all prompts, and how many answers are those without speculation."""
    tokens, seconds, texts = dict.fromkeys(METHODS, 0), dict.fromkeys(METHODS, 0.0), {}
    same = dict.fromkeys(METHODS, 0)
    for number, prompt in enumerate(prompts):
        for method in rotated(METHODS, repeat + number):
            answer = ask(servers[method], prompt, 0.0, 0)
            tokens[method] += answer["tokens"]
            seconds[method] += answer["duration_s"]
            texts[method] = answer["text"]
        for method in METHODS:
            same[method] += texts[method] == texts["none"]
    return {
        method: {"tokens_per_s": tokens[method] / seconds[method], "same": same[method], "prompts": len(prompts)}
        for method in METHODS
    }


def sit(engines: Sequence[str], repeats: int, share: float) -> dict[str, Any]:
    """Measure everything, with `share` of the prompts; no speed with no repeats."""
    before = circumstances()
    acceptance: dict[str, Any] = {}
    speed: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for engine, model in SIDES:
        if engine not in engines:
            continue
        side = f"{engine}, {model}"
        try:
            with serve(engine, model) as servers:
                # The heavy variant says the same words, slowly.
                sampled = not (engine == "vllm" and choose_profile(read_hardware()) == "laptop")
                acceptance[side] = measure_acceptance(servers, share / 20 if "heavy" in model else share, sampled)
                if not sampled:
                    missing[f"{side}, sampled classes"] = f"not measured: {SAMPLED_SPECULATION_FAULT}"
                print(side, acceptance[side], file=sys.stderr)
                prompts = prompt_class("predictable")[:: min(40, round(10 / share))]
                for repeat in range(repeats):
                    for method, figures in measure_speed(servers, repeat, prompts).items():
                        speed.setdefault(side, {}).setdefault(method, []).append(figures)
                    print(side, {name: found[-1] for name, found in speed[side].items()}, file=sys.stderr)
        except CourseError as error:
            missing[side] = f"not run: {error.what}"
            print(f"{side}: not run: {error}", file=sys.stderr)
    return {
        "circumstances": before,
        "load_average_after": round(os.getloadavg()[0], 1),
        "repeats": repeats,
        "acceptance": acceptance,
        "speed": speed,
        "missing": missing,
    }


def find_bars(result: dict[str, Any]) -> list[Bar]:
    """The goals, of what was measured."""
    bars = []
    for name, goal in LENGTH_GOALS.items():
        lengths = {
            side: found["eagle3"][name]["tokens_per_pass"]
            for side, found in result["acceptance"].items()
            if name in found["eagle3"]
        }
        for side, length in lengths.items():
            bars.append(at_least(f"EAGLE-3 tokens per pass, {name}: {side}", [length], goal))
        if lengths:
            distance = max(lengths.values()) - min(lengths.values())
            bars.append(at_most(f"EAGLE-3 tokens per pass, {name}: most to least", [distance], 0.3))
    for side, methods in result["speed"].items():
        ratios = {method: _ratios(methods, method) for method in METHODS[1:]}
        best = max(ratios, key=lambda method: sorted(ratios[method])[len(ratios[method]) // 2])
        bars.append(at_least(f"{side}: {best}, times the speed without", ratios[best], GOALS[side]))
    return bars


def _ratios(methods: dict[str, list[dict[str, float]]], method: str) -> list[float]:
    pairs = zip(methods[method], methods["none"], strict=True)
    return [with_it["tokens_per_s"] / without["tokens_per_s"] for with_it, without in pairs]


def render(result: dict[str, Any]) -> str:
    """The tables in Markdown."""
    rows = [
        [
            side if method == METHODS[1] else "",
            method,
            *(
                f"{found[method][name]['tokens_per_pass']:.2f}" if name in found[method] else "-"
                for name in PROMPT_CLASSES
            ),
        ]
        for side, found in result["acceptance"].items()
        for method in METHODS[1:]
    ]
    head = ("tokens per target pass", "method", *(f"{name} (T {t:g})" for name, t in PROMPT_CLASSES.items()))
    line = describe(result["circumstances"], result["load_average_after"], result["repeats"])
    parts = [line + "\n", bar_table(find_bars(result)), markdown_table(head, rows)]
    if result["speed"]:
        rows = [
            [
                side if method == "none" else "",
                method,
                spread([found["tokens_per_s"] for found in methods[method]], 1),
                spread(_ratios(methods, method), 2),
                f"{min(found['same'] for found in methods[method]):.0f} of {methods[method][0]['prompts']:.0f}",
            ]
            for side, methods in result["speed"].items()
            for method in METHODS
        ]
        head = ("one request at a time, predictable prompts", "method", "tokens/s", "times without", "same answers")
        parts.append(markdown_table(head, rows))
    parts += [f"{side}: {reason}\n" for side, reason in result["missing"].items()]
    return "\n".join(parts)


def write_to_card(result: dict[str, Any]) -> None:
    """Puts the head's figures on the course model's card, in place of older ones."""
    path = COURSE / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    label = "EAGLE-3 head, tokens per target pass, {} prompts"
    kept = [quality for quality in card["quality"] if not quality["name"].startswith(label.partition(",")[0])]
    for name, figures in result["acceptance"]["nano, course"]["eagle3"].items():
        found = Quality(
            name=label.format(name),
            value=round(figures["tokens_per_pass"], 3),
            bar=LENGTH_GOALS.get(name),
            trials=round(figures["passes"]),
            unit="passes",
        )
        kept.append(asdict(found))
    digests = card["digests"] | {HEAD: weights_digest(COURSE / HEAD)}
    path.write_text(json.dumps(card | {"quality": kept, "digests": digests}, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one small repeat; nothing is kept")
    parser.add_argument("--acceptance", action="store_true", help="no speed; nothing is kept here")
    parser.add_argument("--engines", default="nano,llama.cpp,vllm", help="which of them (default: all)")
    parser.add_argument("--card", action="store_true", help="write the head's figures to the card")
    arguments = parser.parse_args()
    repeats = 0 if arguments.acceptance else 1 if arguments.quick else arguments.repeats
    result = sit(arguments.engines.split(","), repeats, 0.1 if arguments.quick else 1.0)
    if repeats and not arguments.quick:
        keep("speculation", result, render)
    if arguments.card:
        write_to_card(result)
    print(render(result))
    return 0 if all(bar.held for bar in find_bars(result)) else 1


if __name__ == "__main__":
    sys.exit(main())
