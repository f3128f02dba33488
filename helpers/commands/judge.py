"""`./course judge BRIEF --deployment FILE`: plays a brief's hidden load against a deployment and scores it."""

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.config import ROOT
from helpers.errors import UsageError

if TYPE_CHECKING:
    from helpers.capstone.brief import Brief
    from helpers.capstone.judgement import Judgement

BOARD = "leaderboard"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("brief", metavar="BRIEF", help="chat, extraction or agent; or leaderboard")
    parser.add_argument("folders", metavar="DIR", nargs="*", type=Path, help="of judgements, for the leaderboard")
    parser.add_argument("--deployment", type=Path, metavar="FILE", help="what is judged (TOML); without: the brief")
    parser.add_argument("--profile", default="", metavar="P", help="laptop, spark, two-sparks (another's is simulated)")
    parser.add_argument("--quick", action="store_true", help="fewer requests")
    parser.add_argument("--seed", type=int, metavar="N", help="play the load of an earlier judgement again")
    parser.add_argument("--out", type=Path, metavar="DIR", help="new folder for the judgement (default: below runs/)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Judge and print; 1 if the objective or the quality was missed."""
    if arguments.brief == BOARD:
        return _board(arguments)
    if arguments.folders:
        raise UsageError(f"{arguments.folders[0]} is one argument too many", "", "--deployment FILE")
    from helpers.capstone.brief import find_brief
    from helpers.hardware import choose_profile, read_hardware

    brief = find_brief(arguments.brief, arguments.profile or choose_profile(read_hardware()))
    if arguments.deployment is None:
        return _show(brief, arguments.json)
    from rich.console import Console

    from helpers.capstone.deployment import read_deployment
    from helpers.capstone.judging import judge

    out = arguments.out or ROOT / "runs" / f"judge-{brief.name}-{datetime.now():%Y%m%d-%H%M%S}"
    deployment = read_deployment(arguments.deployment)
    with Console(stderr=True).status("checking the deployment") as status:
        judgement = judge(
            brief.name,
            deployment,
            profile=brief.profile,
            quick=arguments.quick,
            seed=arguments.seed,
            out=out,
            told=status.update,
        )
    if arguments.json:
        _print_json({**judgement.to_json(), "bundle": str(out)})
    else:
        print(_render(judgement))
        print(f"kept in {out}")
    right = judgement.quality is None or judgement.quality >= brief.quality_floor
    return 0 if judgement.slo_met and right else 1


def _show(brief: "Brief", as_json: bool) -> int:
    if as_json:
        from dataclasses import asdict

        _print_json(asdict(brief))
        return 0
    print(brief.describe())
    print(f"\nA deployment is a TOML file; today's would be:\n\n{_toml(brief.default)}\n\n[prediction]")
    print("goodput_per_s = 1.0\nttft_p90_s = 1.0\noutput_tokens_per_s = 50.0")
    print(f"\nNext: ./course judge {brief.name} --deployment FILE")
    return 0


def _toml(values: Any) -> str:
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())


def _render(judgement: "Judgement") -> str:
    eur = judgement.cost.eur_per_1000_good
    quality = "not asked" if judgement.quality is None else f"{judgement.quality:.0%}"
    cost = (
        "-" if eur is None else f"{eur:.2g} EUR, {judgement.cost.joules_per_good or 0:.1f} J a request (stated power)"
    )
    points = ", ".join(
        f"{name} {value:.0f} of {judgement.brief.weights[name]}" for name, value in judgement.points.items()
    )
    predicted = [
        f"{name} {row['predicted']:g}, measured {row['measured']:.3g}"
        for name, row in judgement.predicted.items()
        if row["measured"] is not None
    ]
    lines = (
        f"{judgement.brief.title} ({judgement.brief.profile}), {judgement.origin}",
        f"deployment  {', '.join(f'{name}={value}' for name, value in judgement.deployment.decisions.items())}",
        f"goodput     {judgement.goodput_per_s:.2f} requests/s within the objective "
        f"({judgement.good} of {judgement.offered}; full marks at {judgement.brief.target_per_s:g})",
        f"objective   {'kept' if judgement.slo_met else 'missed'}",
        f"quality     {quality}",
        f"cost        of 1,000 good requests: {cost}",
        f"predicted   {'; '.join(predicted) or 'nothing'}",
        f"clock       {judgement.pace.factor:.2f} s here for 1 s of the brief; figures are on the brief's clock",
        f"score       {judgement.score:g} of 100 ({points})",
        *(f"  - {reason}" for reason in judgement.reasons),
    )
    return "\n".join(lines)


def _board(arguments: argparse.Namespace) -> int:
    from helpers.capstone.board import leaderboard

    if not arguments.folders:
        raise UsageError("the leaderboard needs folders", "", f"./course judge {BOARD} runs/")
    board = leaderboard(arguments.folders)
    if arguments.json:
        _print_json(board.to_json())
        return 0
    for row in board.rows:
        kept = "kept" if row["slo_met"] else "missed"
        print(
            f"{row['brief']:<11} {row['rank']:>3}. {row['name']:<16} {row['score']:>5.1f}  "
            f"{row['goodput']:.2f}/s, objective {kept}, {row['origin']}: {row['deployment']}"
        )
    for folder, why in board.unreadable.items():
        print(f"left out: {folder}: {why}", file=sys.stderr)
    return 0


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout)
    sys.stdout.write("\n")
