"""Does the capstone's judge tell good deployments from bad ones, and say why? All three briefs, on the laptop profile.

    python benchmarks/capstone.py [--quick] [--brief chat,agent]

Some 25 minutes. Each deployment is judged once; the reference ten times, each time with a load of its own. Goals: the
reference has twice the goodput of what runs today; wrong choices score less, and their reasons name the cause; the
reference has the same rank in nine judgements of ten; no judgement takes five minutes. Figures go to
results/capstone.json and README.md; --quick judges the reference twice, under small loads, and keeps nothing. Exit code
1 if a goal is missed.
"""

import argparse
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sitting import Bar, at_most, bar_table, circumstances, keep, markdown_table

from helpers.capstone.brief import brief_names, find_brief
from helpers.capstone.deployment import Deployment
from helpers.capstone.judging import judge

PROFILE = "laptop"
REFERENCE, TODAY = "reference", "today"
JUDGEMENTS, QUICK_JUDGEMENTS = 10, 2
SAME_RANK = 0.9
LEAST_GAIN = 2.0
LIMIT_S = 300.0

CHAT = {"engine": "nano", "model": "course", "max_num_seqs": 24, "max_model_len": 1280}
SLOTS = {"engine": "llama.cpp", "model": "course", "max_num_seqs": 16, "max_model_len": 1280}
EXTRACTION = {"engine": "nano", "model": "course-heavy", "max_num_seqs": 16, "max_model_len": 512}
AGENT = {
    "engine": "nano",
    "model": "course-heavy",
    "max_num_seqs": 1,
    "max_model_len": 512,
    "speculation": "eagle3",
    "draft_tokens": 6,
}


@dataclass(frozen=True)
class Choice:
    """A deployment of the field; `cause` begins the reason that must be given for it, empty if none must."""

    decisions: dict[str, Any]
    cause: str = ""


FIELD: dict[str, dict[str, Choice]] = {
    "chat": {
        REFERENCE: Choice(CHAT),
        TODAY: Choice(dict(find_brief("chat", PROFILE).default), "prefix caching has too few slots"),
        "no prefix caching": Choice({**CHAT, "prefix_caching": False}, "prefix caching is off"),
        "one slot": Choice({**CHAT, "max_num_seqs": 1}, "too few slots"),
        "tiny token budget": Choice({**SLOTS, "max_num_batched_tokens": 8}, "tiny token budget"),
        "a smaller model": Choice({**CHAT, "model": "course-draft"}, "quality"),
    },
    "extraction": {
        REFERENCE: Choice(EXTRACTION),
        TODAY: Choice(dict(find_brief("extraction", PROFILE).default), "prefix caching shares nothing side by side"),
        "one slot": Choice({**EXTRACTION, "max_num_seqs": 1}, "too few slots"),
        "no prefix caching": Choice({**EXTRACTION, "prefix_caching": False}, "prefix caching is off"),
        "speculation for 16": Choice(
            {**EXTRACTION, "speculation": "eagle3", "draft_tokens": 12}, "speculation under concurrency"
        ),
        "a smaller model": Choice({**EXTRACTION, "model": "course-draft"}, "quality"),
    },
    "agent": {
        REFERENCE: Choice(AGENT),
        TODAY: Choice(dict(find_brief("agent", PROFILE).default), "no speculation"),
        "drafts too long": Choice({**AGENT, "draft_tokens": 48}, "drafts too long"),
        "two replicas": Choice({**AGENT, "replicas": 2}, "idle replicas"),
        "a smaller model": Choice({**AGENT, "model": "course-draft", "speculation": "none"}, "quality"),
    },
}


def judge_once(name: str, choice: Choice, quick: bool) -> dict[str, Any]:
    """One judgement in figures."""
    began_s = time.monotonic()
    one = judge(name, Deployment.build(**choice.decisions), profile=PROFILE, quick=quick)
    return {
        "goodput": one.goodput_per_s,
        "score": one.score,
        "slo_met": one.slo_met,
        "quality": one.quality,
        "named": any(reason.startswith(choice.cause) for reason in one.reasons),
        "reasons": one.reasons,
        "pace": one.pace.factor,
        "seconds": time.monotonic() - began_s,
    }


def rank(score: float, others: dict[str, dict[str, Any]]) -> int:
    """1 for the best."""
    return 1 + sum(other["score"] > score for other in others.values())


def find_bars(result: dict[str, Any]) -> list[Bar]:
    """The goals."""
    bars = []
    for name, figures in result["figures"].items():
        field, again = figures["field"], figures["again"]
        reference, today = field[REFERENCE]["goodput"], field[TODAY]["goodput"]
        gain = reference / today if today else float(reference > 0) * 99.0
        bars.append(
            Bar(f"{name}: goodput / today's (99: today's is 0)", f">= {LEAST_GAIN:g}", gain, gain >= LEAST_GAIN)
        )
        others = {label: one for label, one in field.items() if label != REFERENCE}
        lost = [label for label, one in others.items() if one["score"] < field[REFERENCE]["score"] and one["named"]]
        share = len(lost) / len(others)
        bars.append(Bar(f"{name}: other choices that lose, by their cause", ">= 1", share, share >= 1))
        ranks = Counter(rank(one["score"], others) for one in again)
        same = ranks.most_common(1)[0][1] / len(again)
        bars.append(Bar(f"{name}: judgements with the same rank", f">= {SAME_RANK:g}", same, same >= SAME_RANK))
        slowest = max(one["seconds"] for one in [*field.values(), *again])
        bars.append(at_most(f"{name}: slowest judgement", [slowest], LIMIT_S, " s"))
    return bars


def render(result: dict[str, Any]) -> str:
    """The README's section."""
    before = result["circumstances"]
    lines = [
        f"Measured {before['date'][:16].replace('T', ' ')} UTC on {before['processor']} ({before['cores']} cores, "
        f"{before['memory_gib']} GiB), commit {before['git_commit']}; load average {before['load_average']} before and "
        f"{result['load_average_after']} after. Goodput is on the brief's clock.",
        "",
        bar_table(find_bars(result)),
    ]
    for name, figures in result["figures"].items():
        scores = ", ".join(f"{one['score']:.0f}" for one in figures["again"])
        lines += [f"**{name}**; scores of the reference, judged again: {scores}", ""]
        rows = []
        for label, one in figures["field"].items():
            cause = FIELD[name][label].cause
            named = f"{cause}{'' if one['named'] else ' (not named)'}" if cause else "-"
            kept = "kept" if one["slo_met"] else "missed"
            cells = (f"{one['goodput']:.2f}", kept, f"{one['quality']:.0%}", f"{one['score']:.0f}")
            rows.append([label, *cells, named, f"{one['pace']:.2f}"])
        head = ("deployment", "goodput, requests/s", "objective", "quality", "score", "cause", "clock")
        lines += [markdown_table(head, rows)]
    return "\n".join(lines)


def main() -> int:
    """Judge everything; keep what there is after each brief."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small loads, the reference twice; nothing is kept")
    parser.add_argument("--brief", default=",".join(brief_names()), help="only these")
    arguments = parser.parse_args()
    before, figures = circumstances(), {}
    result: dict[str, Any] = {}
    for name in arguments.brief.split(","):
        field = {}
        for label, choice in FIELD[name].items():
            field[label] = judge_once(name, choice, arguments.quick)
            print(name, label, field[label], file=sys.stderr)
        again = [field[REFERENCE]]
        while len(again) < (QUICK_JUDGEMENTS if arguments.quick else JUDGEMENTS):
            again.append(judge_once(name, FIELD[name][REFERENCE], arguments.quick))
            print(name, "again", again[-1]["score"], file=sys.stderr)
        figures[name] = {"field": field, "again": again}
        result = {
            "circumstances": before,
            "load_average_after": round(os.getloadavg()[0], 1),
            "figures": figures,
        }
        if not arguments.quick:
            keep("capstone", result, render)
    print(render(result))
    return 0 if all(bar.held for bar in find_bars(result)) else 1


if __name__ == "__main__":
    sys.exit(main())
