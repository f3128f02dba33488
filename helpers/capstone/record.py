"""The one-page decision record: numbers filled in from judgements, arguments left to the engineer."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Template

from helpers.capstone.judgement import Judgement
from helpers.errors import UsageError

_TEMPLATE = Path(__file__).with_name("decision_record.md")


def decision_record(judgements: Sequence[Judgement], chosen: int = 0) -> str:
    """The record in Markdown, with what only an engineer can say still in brackets.

    Args:
        judgements: the options, all of one brief.
        chosen: which of them is decided for.

    Raises:
        UsageError: no judgement, or those of several briefs.
    """
    if len({(judgement.brief.name, judgement.brief.profile) for judgement in judgements}) != 1:
        raise UsageError("a decision record needs judgements of one brief")
    decided = judgements[chosen]
    brief = decided.brief
    bounds = [
        f"{name} within {bound:g} s for {brief.share:.0%}"
        for name, bound in (("TTFT", brief.objective.ttft_s), ("TPOT", brief.objective.tpot_s))
        if bound is not None
    ]
    deadline_s = brief.deadline(decided.quick)
    bounds += [f"all done within {deadline_s:g} s"] if deadline_s is not None else []
    predicted = [
        f"{name} {row['predicted']:g} against {row['measured']:.3g}"
        for name, row in decided.predicted.items()
        if row["measured"] is not None
    ]
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=brief.title,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        name=decided.deployment.name or "(name)",
        profile=brief.profile,
        backend=decided.run.target.backend or decided.run.target.name if decided.run is not None else "nothing ran",
        origin=decided.origin,
        situation=brief.situation,
        objective="; ".join(bounds),
        options=_options(judgements),
        decisions=_decisions(decided),
        predicted="; ".join(predicted) or "nothing was predicted",
        reasons="; ".join(decided.reasons),
    )


def _options(judgements: Sequence[Judgement]) -> str:
    lines = [
        "| deployment | goodput, requests/s | objective | quality | EUR for 1,000 | score |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for judgement in judgements:
        eur = judgement.cost.eur_per_1000_good
        cells = (
            _decisions(judgement),
            f"{judgement.goodput_per_s:.2f}",
            "kept" if judgement.slo_met else "missed",
            "not asked" if judgement.quality is None else f"{judgement.quality:.0%}",
            "-" if eur is None else f"{eur:.2g}",
            f"{judgement.score:.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _decisions(judgement: Judgement) -> str:
    return ", ".join(f"{name}={value}" for name, value in judgement.deployment.decisions.items())
