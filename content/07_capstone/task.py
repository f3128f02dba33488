"""The capstone: what is judged. Exercises with their visible cases; the milestone with its judge."""

from typing import Any

from helpers.capstone.judgement import Judgement, load_judgement
from helpers.course.task import Case, Evidence, Exercise, Milestone, Task, Verdict, not_reached, reached
from helpers.errors import CourseError

PLACES = Exercise(
    id="ex1-places",
    title="how many sequences at once",
    function="places_needed",
    hint="Little's law: what is in flight on average is the rate times the time each one stays. Half a place is none.",
    cases=(
        Case("a quiet service", {"rate_per_s": 2.0, "stay_s": 3.0, "headroom": 1.0}, 6),
        Case("with headroom", {"rate_per_s": 2.0, "stay_s": 3.0, "headroom": 1.5}, 9, hint="Arrivals come in clumps."),
        Case(
            "not a whole number", {"rate_per_s": 1.5, "stay_s": 1.5, "headroom": 2.0}, 5, hint="4.5 do not fit into 4."
        ),
        Case("hardly anybody", {"rate_per_s": 0.01, "stay_s": 2.0, "headroom": 2.0}, 1, hint="One is the least."),
        Case("long answers", {"rate_per_s": 0.5, "stay_s": 40.0, "headroom": 1.25}, 25),
    ),
)

GB = 10**9

ROOM = Exercise(
    id="ex2-room",
    title="the longest context that fits",
    function="longest_context",
    hint="Each replica has weights of its own, and a KV cache for all of its sequences at full length.",
    cases=(
        Case(
            "one replica",
            {
                "memory_bytes": 10 * GB,
                "weights_bytes": 8 * GB,
                "kv_bytes_per_token": 100_000,
                "sequences": 4,
                "replicas": 1,
            },
            5_000,
        ),
        Case(
            "two replicas",
            {
                "memory_bytes": 20 * GB,
                "weights_bytes": 8 * GB,
                "kv_bytes_per_token": 100_000,
                "sequences": 4,
                "replicas": 2,
            },
            5_000,
            hint="Weights are not shared between processes.",
        ),
        Case(
            "not even the weights",
            {
                "memory_bytes": 10 * GB,
                "weights_bytes": 8 * GB,
                "kv_bytes_per_token": 100_000,
                "sequences": 4,
                "replicas": 2,
            },
            0,
            hint="A context is never negative.",
        ),
        Case(
            "rounded down",
            {"memory_bytes": 1_000, "weights_bytes": 100, "kv_bytes_per_token": 7, "sequences": 3, "replicas": 1},
            42,
            hint="Part of a token does not help.",
        ),
        Case(
            "three small ones",
            {"memory_bytes": 3_000, "weights_bytes": 100, "kv_bytes_per_token": 9, "sequences": 5, "replicas": 3},
            20,
        ),
    ),
)

COST = Exercise(
    id="ex3-cost-of-good",
    title="what a good answer costs",
    function="eur_per_1000_good",
    hint="The machine is paid for the whole time; only requests within the bound count. None: it failed.",
    cases=(
        Case(
            "all good",
            {"eur_per_hour": 3.6, "duration_s": 10.0, "ttft_s": [0.2, 0.3, 0.4, 0.5], "bound_s": 1.0},
            2.5,
        ),
        Case(
            "some late",
            {"eur_per_hour": 3.6, "duration_s": 10.0, "ttft_s": [0.2, 1.3, 0.4, 2.5], "bound_s": 1.0},
            5.0,
            hint="A late answer was paid for all the same.",
        ),
        Case(
            "some failed",
            {"eur_per_hour": 7.2, "duration_s": 5.0, "ttft_s": [0.2, None, 1.0, None], "bound_s": 1.0},
            5.0,
            hint="At the bound is within it; None never is.",
        ),
        Case("none good", {"eur_per_hour": 3.6, "duration_s": 10.0, "ttft_s": [2.0, None], "bound_s": 1.0}, None),
    ),
)

HONEST = Exercise(
    id="ex4-honesty",
    title="points for an honest prediction",
    function="honesty",
    hint="Twice as much and half as much are equally wrong: that is what a logarithm is for.",
    cases=(
        Case("right", {"predicted": [2.0, 0.5], "measured": [2.0, 0.5]}, 1.0),
        Case("twice too much", {"predicted": [4.0], "measured": [2.0]}, 0.0),
        Case("half of it", {"predicted": [1.0], "measured": [2.0]}, 0.0, hint="Too low is as wrong as too high."),
        Case("off by the root of two", {"predicted": [2.0, 2.0], "measured": [2.0, 2.0**0.5]}, 0.75),
        Case("far off", {"predicted": [100.0, 3.0], "measured": [1.0, 3.0]}, 0.5, hint="No figure counts below 0."),
        Case("nothing said", {"predicted": [], "measured": []}, 0.0, hint="Silence is not honesty."),
    ),
)


def option(name: str, quality: float, kept: bool, eur: float) -> dict[str, Any]:
    """A deployment that was judged."""
    return {"name": name, "quality": quality, "slo_met": kept, "eur_per_1000": eur}


CHOICE = Exercise(
    id="ex5-decide",
    title="decide",
    function="decide",
    hint="Two conditions, then a price. What if nothing keeps the conditions?",
    cases=(
        Case(
            "the cheaper of two",
            {"options": [option("big", 1.0, True, 2.0), option("small", 0.95, True, 1.0)], "floor": 0.9},
            "small",
        ),
        Case(
            "cheap and broken",
            {"options": [option("tiny", 0.4, True, 0.2), option("big", 1.0, True, 2.0)], "floor": 0.9},
            "big",
            hint="A wrong answer is worth nothing, however cheap.",
        ),
        Case(
            "cheap and late",
            {"options": [option("one slot", 1.0, False, 0.5), option("many", 1.0, True, 0.8)], "floor": 0.9},
            "many",
            hint="The objective is a condition, not a wish.",
        ),
        Case(
            "at the floor",
            {"options": [option("a", 0.9, True, 1.0), option("b", 1.0, True, 1.5)], "floor": 0.9},
            "a",
        ),
        Case(
            "nothing will do",
            {"options": [option("a", 0.5, True, 1.0), option("b", 1.0, False, 1.5)], "floor": 0.9},
            None,
            hint="To say that no option will do is a decision too.",
        ),
    ),
)

LEAST_GAIN = 2.0
"""Times the goodput of today's deployment that a decision must bring."""

EXACT = 1e-9


def judge_brief(evidence: Evidence) -> Verdict:
    """Reached if one deployment keeps a brief's objective and quality at twice the goodput of what runs today.

    The evidence is {"rows": [{"brief", "today": folder, "mine": folder, "goodput", "score"}]}; a row without `today`
    shows a brief and proves nothing. Every figure is computed again from the records.
    """
    rows = evidence.data["rows"]
    if not rows:
        return not_reached("no deployment was judged")
    why, shown = "", {}
    for row in rows:
        try:
            mine = load_judgement(evidence.folder / row["mine"])
            today = load_judgement(evidence.folder / row["today"]) if row.get("today") else None
        except CourseError as error:
            return not_reached(error.what)
        if abs(mine.goodput_per_s - row["goodput"]) > EXACT or abs(mine.score - row["score"]) > EXACT:
            return not_reached(f"{row['brief']}: goodput and score are not what the records say")
        problem = problem_of(mine, today, row["brief"])
        if not problem:
            shown[row["brief"]] = {"goodput": mine.goodput_per_s, "score": mine.score}
        why = why or problem
    return reached(**shown) if shown else not_reached(why)


def problem_of(mine: Judgement, today: Judgement | None, brief: str) -> str:
    """What a row lacks; empty if it shows what is asked."""
    if mine.brief.name != brief or (today is not None and today.brief.name != brief):
        return f"{brief}: the judgement is one of another brief"
    if today is None:
        return f"{brief}: nothing to compare with: today's deployment was not judged"
    if today.deployment.decisions != dict(today.brief.default):
        return f"{brief}: what stands for today's deployment is not the brief's"
    if "simulated" in (mine.origin, today.origin):
        return f"{brief}: simulated, not judged"
    if mine.quality is None or mine.quality < mine.brief.quality_floor:
        return f"{brief}: the quality is below {mine.brief.quality_floor:.0%}"
    if not mine.slo_met:
        return f"{brief}: {mine.reasons[0]}"
    if not mine.predicted:
        return f"{brief}: nothing was predicted: a deployment takes a prediction along"
    if mine.goodput_per_s < LEAST_GAIN * today.goodput_per_s:
        return f"{brief}: less than {LEAST_GAIN:g} times today's goodput"
    return ""


TASK = Task(
    title="Capstone: select a deployment",
    minutes=180,
    needs="2 cores, 4 GB of memory; no GPU",
    exercises=(PLACES, ROOM, COST, HONEST, CHOICE),
    milestones=(
        Milestone("capstone.brief", "a brief, decided and judged", judge_brief, needs="engines that can start here"),
    ),
    gpu_minutes=40,
)
