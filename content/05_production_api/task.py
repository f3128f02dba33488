"""Task 12.5: what is judged. Exercises with their visible cases; the milestones with their judges."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from helpers.bench.statistics import ENOUGH_SAMPLES, bootstrap
from helpers.client.answers import split_events
from helpers.client.mock_words import answer_text
from helpers.course.drill import in_flight, requests_ended
from helpers.course.task import Case, Evidence, Exercise, Milestone, Task, Verdict, not_reached, reached
from helpers.errors import CourseError

EVENT = Exercise(
    id="ex1-sse-event",
    title="one server-sent event",
    function="sse_event",
    hint="Each line of the data begins with 'data: ', and an empty line ends the event.",
    cases=(
        Case("JSON", {"data": '{"choices": []}'}, 'data: {"choices": []}\n\n'),
        Case("the end", {"data": "[DONE]"}, "data: [DONE]\n\n"),
        Case("two lines", {"data": "first\nsecond"}, "data: first\ndata: second\n\n", hint="What would end the event?"),
        Case("an empty line inside", {"data": "a\n\nb"}, "data: a\ndata: \ndata: b\n\n"),
        Case("nothing", {"data": ""}, "data: \n\n", hint="An event without words is an event."),
    ),
)

SPLIT = Exercise(
    id="ex2-split-events",
    title="events out of pieces",
    function="split_events",
    hint="Put the pieces together first; then take apart what is complete.",
    cases=(
        Case("two events in one piece", {"pieces": ["data: a\n\ndata: b\n\n"]}, ["a", "b"]),
        Case("one event in three pieces", {"pieces": ["da", "ta: hel", "lo\n\n"]}, ["hello"]),
        Case("cut between two newlines", {"pieces": ["data: a\n", "\ndata: b\n\n"]}, ["a", "b"]),
        Case("a heartbeat", {"pieces": [": waiting\n\n", "data: a\n\n"]}, ["a"], hint="A line that begins with ':'?"),
        Case("the stream broke off", {"pieces": ['data: a\n\ndata: {"ch']}, ["a"], hint="Half an event is none."),
        Case("two lines of data", {"pieces": ["data: one\ndata: two\n\n"]}, ["one\ntwo"]),
        Case("words with spaces", {"pieces": ["data:  x \n\n"]}, [" x "], hint="One space belongs to the format."),
    ),
)

KEYS = {"anna": "ck-1-aaaa", "ben": "ck-2-bbbb"}
DIGESTS = {name: sha256(key.encode()).hexdigest() for name, key in KEYS.items()}

KEY = Exercise(
    id="ex3-key-holder",
    title="whose key is it",
    function="key_holder",
    hint="Digest what was presented, and compare digests; the scheme is 'Bearer', in capital or small letters.",
    cases=(
        Case("a valid key", {"authorization": f"Bearer {KEYS['anna']}", "digests": DIGESTS}, "anna"),
        Case("another's", {"authorization": f"Bearer {KEYS['ben']}", "digests": DIGESTS}, "ben"),
        Case("a wrong key", {"authorization": "Bearer ck-1-aaab", "digests": DIGESTS}, None),
        Case("no header", {"authorization": None, "digests": DIGESTS}, None, hint="Most strangers send nothing."),
        Case("small letters", {"authorization": f"bearer {KEYS['ben']}", "digests": DIGESTS}, "ben"),
        Case("another scheme", {"authorization": f"Basic {KEYS['ben']}", "digests": DIGESTS}, None),
        Case(
            "a stolen digest",
            {"authorization": f"Bearer {DIGESTS['anna']}", "digests": DIGESTS},
            None,
            hint="Whoever reads the list of digests must not get in with one.",
        ),
    ),
)


def take(level: float, at_s: float, now_s: float, capacity: float, per_s: float) -> dict[str, Any]:
    """Inputs of a case of the bucket."""
    return {"bucket": {"level": level, "at_s": at_s}, "now_s": now_s, "capacity": capacity, "per_s": per_s}


def taken(allowed: bool, wait_s: float, level: float, at_s: float) -> dict[str, Any]:
    """The answer to a case of the bucket."""
    return {"allowed": allowed, "wait_s": wait_s, "bucket": {"level": level, "at_s": at_s}}


BUCKET = Exercise(
    id="ex4-take-token",
    title="token bucket",
    function="take_token",
    hint="First fill up for the time that has passed, at most to the brim; then see whether a whole token is there.",
    cases=(
        Case("full", take(5.0, 10.0, 10.0, 5.0, 1.0), taken(True, 0.0, 4.0, 10.0)),
        Case("filled up meanwhile", take(0.5, 10.0, 11.5, 5.0, 1.0), taken(True, 0.0, 1.0, 11.5)),
        Case(
            "long idle",
            take(3.0, 10.0, 1010.0, 5.0, 1.0),
            taken(True, 0.0, 4.0, 1010.0),
            hint="How many can a bucket hold?",
        ),
        Case("nearly", take(0.4, 10.0, 10.2, 5.0, 1.0), taken(False, 0.4, 0.6, 10.2), hint="What is still missing?"),
        Case("slow", take(0.0, 10.0, 11.0, 20.0, 0.25), taken(False, 3.0, 0.25, 11.0)),
        Case("the last one", take(1.0, 7.0, 7.0, 3.0, 2.0), taken(True, 0.0, 0.0, 7.0)),
    ),
)


def place(running: int, waiting: int, places: int = 2, max_waiting: int = 4) -> dict[str, Any]:
    """Inputs of a case of the queue."""
    return {"running": running, "waiting": waiting, "places": places, "max_waiting": max_waiting}


ADMIT = Exercise(
    id="ex5-admit",
    title="run, wait, or go away",
    function="admit",
    hint="Is a place free, and is nobody before you? Else: is there room to wait?",
    cases=(
        Case("all free", place(0, 0), "run"),
        Case("the last place", place(1, 0), "run"),
        Case("no place", place(2, 0), "wait"),
        Case("the last to wait", place(2, 3), "wait"),
        Case("full", place(2, 4), "refuse"),
        Case("a place, and a queue", place(1, 2), "wait", hint="Who waits already comes first."),
        Case("a place, and a full queue", place(1, 4), "refuse", hint="The free place belongs to one who waits."),
        Case("nobody may wait", place(2, 0, max_waiting=0), "refuse"),
    ),
)

RETRY_AFTER = Exercise(
    id="ex6-retry-after",
    title="when to come back",
    function="retry_after_s",
    hint="All who wait need a place before you, and then you need one; places become free side by side.",
    cases=(
        Case("four before", {"waiting": 4, "places": 2, "mean_held_s": 1.0}, 3, hint="Too early is refused again."),
        Case("soon", {"waiting": 0, "places": 8, "mean_held_s": 0.2}, 1, hint="0 would call all back at once."),
        Case("long", {"waiting": 1000, "places": 4, "mean_held_s": 2.0}, 60, hint="Is there a largest value?"),
        Case("in between", {"waiting": 5, "places": 2, "mean_held_s": 0.5}, 2),
        Case("one place", {"waiting": 9, "places": 1, "mean_held_s": 3.1}, 31),
    ),
)


def failure(cause: str, tried: int = 1, status: int = 0, bytes_sent: int = 0, left: bool = False) -> dict[str, Any]:
    """A failure with two engines."""
    return {
        "failure": {
            "cause": cause,
            "status": status,
            "bytes_sent": bytes_sent,
            "tried": tried,
            "engines": 2,
            "client_left": left,
        }
    }


FAILURE = Exercise(
    id="ex7-after-failure",
    title="what to do when an engine fails",
    function="after_failure",
    hint="Is anybody still there? Has the client seen a byte? Whose mistake is it? Is another engine left?",
    cases=(
        Case("no connection", failure("connect"), "retry"),
        Case("no connection to any", failure("connect", tried=2), "refuse"),
        Case("broke off", failure("lost", bytes_sent=812), "error-event", hint="Another engine writes other words."),
        Case("broke off before the first byte", failure("lost"), "retry"),
        Case("too slow", failure("timeout", tried=2), "refuse"),
        Case("the request is wrong", failure("status", status=400), "pass-on", hint="Would another engine like it?"),
        Case("the engine is broken", failure("status", status=503), "retry"),
        Case("the engine is busy", failure("status", status=429), "retry", hint="Another engine may be idle."),
        Case("all are busy", failure("status", status=429, tried=2), "refuse"),
        Case("nobody waits", failure("connect", left=True), "stop"),
        Case("nobody reads", failure("lost", bytes_sent=812, left=True), "stop", hint="To whom would you say it?"),
    ),
)


def again(attempt: int, retry_after_s: float | None, draw: float) -> dict[str, Any]:
    """Inputs of a case of the backoff."""
    return {"attempt": attempt, "retry_after_s": retry_after_s, "draw": draw}


BACKOFF = Exercise(
    id="ex8-backoff",
    title="how long a client waits",
    function="backoff_s",
    hint="Half a second, doubled with each attempt, at most 30 s; times the draw; after what the server asked for.",
    cases=(
        Case("first", again(1, None, 1.0), 0.5),
        Case("third, half drawn", again(3, None, 0.5), 1.0),
        Case("tenth", again(10, None, 1.0), 30.0),
        Case("the server said seven", again(2, 7, 0.5), 7.5, hint="Not before that, and not all at once after it."),
        Case("drew nothing", again(4, None, 0.0), 0.0),
        Case("late, and asked to wait", again(8, 60, 0.1), 63.0),
    ),
)

BOUNDS = [0.1, 0.2, 0.4]
QUANTILE = Exercise(
    id="ex9-quantile",
    title="a percentile from a histogram",
    function="quantile_s",
    hint="In which bucket does the request of that rank lie, and how far into it?",
    cases=(
        Case("the median", {"bounds_s": BOUNDS, "cumulative": [10, 30, 40, 40], "share": 0.5}, 0.15),
        Case("p90", {"bounds_s": BOUNDS, "cumulative": [10, 30, 40, 40], "share": 0.9}, 0.32),
        Case(
            "in the first bucket",
            {"bounds_s": BOUNDS, "cumulative": [10, 30, 40, 40], "share": 0.1},
            0.04,
            hint="The first bucket begins at zero.",
        ),
        Case(
            "beyond the last bound",
            {"bounds_s": BOUNDS, "cumulative": [0, 1, 2, 10], "share": 0.9},
            0.4,
            hint="More than the last bound is all that is known: Prometheus gives the bound.",
        ),
        Case("nothing counted", {"bounds_s": BOUNDS, "cumulative": [0, 0, 0, 0], "share": 0.5}, None),
    ),
)

INCREASE = Exercise(
    id="ex10-increase",
    title="how much a counter grew",
    function="increase",
    hint="A counter never falls; if it does, its process began anew at zero.",
    cases=(
        Case("grows", {"samples": [10, 15, 22]}, 12),
        Case("a restart", {"samples": [100, 130, 5, 9]}, 39, hint="What was counted between the restart and the 5?"),
        Case("two restarts", {"samples": [5, 2, 1]}, 3),
        Case("stands still", {"samples": [4, 4, 4]}, 0),
        Case("a single sample", {"samples": [7]}, 0, hint="Grown since when?"),
    ),
)

Json = dict[str, Any]


def judge_server(evidence: Evidence) -> Verdict:
    """Reached if every situation of the drill went as it must, by what clients got and the mocks recorded.

    The evidence is {"places": at the engine at once, "situations": what `helpers.Drill` returned}.
    """
    played = {record["situation"]: record for record in evidence.data["situations"]}
    places = evidence.data["places"]
    for situation, problem_of in SITUATIONS.items():
        if situation not in played:
            return not_reached(f"the situation {situation!r} was not played")
        record = played[situation]
        problem = problem_of(record) or uncounted(record)
        if not problem and record["peaks"]["steady"] > places:
            problem = f"{record['peaks']['steady']} requests were at the engine at once, of {places} places"
        if problem:
            return not_reached(f"{situation}: {problem}")
    late = [late_writes(played["client leaves"], number) for number in (0, 1)]
    return reached(requests=sum(record["asked"] for record in played.values()), writes_after_the_client_left=late)


def events_of(answer: Json) -> list[str]:
    """The data of a stream's events."""
    reads = [(at_s, text.encode()) for at_s, text in answer["pieces"]]
    return [data.decode() for _, data in split_events(reads)]


def is_whole(answer: Json, tokens: int) -> bool:
    """True if a stream has the mock's words and its end."""
    *events, last = events_of(answer) or [""]
    choices = [choice for event in events for choice in json.loads(event).get("choices", [])]
    return last == "[DONE]" and "".join(c["delta"].get("content") or "" for c in choices) == answer_text(tokens)


def whole_problem(record: Json) -> str:
    """Both answers are right, and the stream flowed while the engine was still writing."""
    (streamed, plain), entries = record["answers"], record["truth"]["steady"]
    if [streamed["status"], plain["status"]] != [200, 200] or len(entries) != 2:
        return f"answered with status {streamed['status']} and {plain['status']}, {len(entries)} requests at the engine"
    if not streamed["kind"].startswith("text/event-stream") or not is_whole(streamed, entries[0]["tokens"]):
        return "the stream is not what the engine wrote, as server-sent events with [DONE] at the end"
    if streamed["pieces"][0][0] >= entries[0]["writes_s"][-1]:
        return "the first piece came only when the engine had written its last token: the stream does not flow"
    text = json.loads("".join(piece for _, piece in plain["pieces"]))["choices"][0]["message"]["content"]
    return "" if text == answer_text(entries[1]["tokens"]) else "the plain answer is not what the engine wrote"


def strangers_problem(record: Json) -> str:
    """Refused, and no engine has seen them."""
    statuses = [answer["status"] for answer in record["answers"]]
    if statuses != [401, 401]:
        return f"without a key and with a wrong one the status was {statuses[0]} and {statuses[1]}, 401 was asked"
    return "an engine worked for a stranger" if any(record["truth"].values()) else ""


def crowd_problem(record: Json) -> str:
    """Some answered whole, the others refused with a time to come back; the engine saw only the former."""
    answered = [answer for answer in record["answers"] if answer["status"] == 200]
    refused = [answer for answer in record["answers"] if answer["status"] == 429]
    if not refused or not answered or len(answered) + len(refused) != record["asked"]:
        return f"of {record['asked']} requests {len(answered)} got 200 and {len(refused)} got 429"
    if not all(answer["retry_after"].isdigit() and int(answer["retry_after"]) >= 1 for answer in refused):
        return "a 429 came without a Retry-After of whole seconds, at least one"
    entries = [entry for entries in record["truth"].values() for entry in entries]
    if len(entries) != len(answered) or any(entry["outcome"] != "ok" for entry in entries):
        return f"{len(answered)} clients were answered, and the engine saw {len(entries)} requests"
    return ""


def leaves_problem(record: Json) -> str:
    """The engine's work ended with both clients."""
    ends = [entry["outcome"] for entry in record["truth"]["steady"]]
    if ends == ["cancelled", "cancelled"]:
        return ""
    return f"the engine's work for the stream and the plain answer ended as {' and '.join(ends) or 'nothing'}"


def dies_problem(record: Json) -> str:
    """The client is told that its answer broke off."""
    answer, entries = record["answers"][0], record["truth"]["dropping"]
    if [entry["outcome"] for entry in entries] != ["dropped"]:
        return f"the engine saw {len(entries)} requests where one was to break off"
    events = events_of(answer)
    if "[DONE]" in events:
        return "an answer that broke off ended with [DONE]"
    told = events and events[-1].startswith("{") and json.loads(events[-1]).get("error")
    return "" if told else "the stream just ended: no event says that the answer broke off"


def failover_problem(record: Json) -> str:
    """Every client was served although one engine only fails."""
    standby = record["truth"]["standby"]
    if any(answer["status"] != 200 for answer in record["answers"]) or len(standby) != record["asked"]:
        return f"{len(standby)} of {record['asked']} requests reached the engine that works"
    if not record["truth"]["failing"]:
        return "the engine that fails was never asked"
    return (
        "" if all(is_whole(answer, standby[0]["tokens"]) for answer in record["answers"]) else "an answer is not whole"
    )


def uncounted(record: Json) -> str:
    """The server's own metrics know every request, and nothing is left in flight."""
    before, after = requests_ended(record["before"]), requests_ended(record["after"])
    if after - before != record["asked"]:
        return f"the metrics counted {after - before:.0f} requests where {record['asked']} were sent"
    return "the metrics show requests in flight after the end" if any(in_flight(record["after"])) else ""


def late_writes(record: Json, number: int) -> int:
    """Tokens that the engine wrote after a client had left."""
    left_s = record["answers"][number]["left_s"]
    return sum(at_s > left_s for at_s in record["truth"]["steady"][number]["writes_s"])


SITUATIONS: dict[str, Callable[[Json], str]] = {
    "whole": whole_problem,
    "strangers": strangers_problem,
    "burst": crowd_problem,
    "hasty": crowd_problem,
    "client leaves": leaves_problem,
    "upstream dies": dies_problem,
    "failover": failover_problem,
}
"""Situation -> what was wrong with it; empty if nothing."""

FEWEST_SERVERS = 2
EXACT = 1e-9


def judge_load(evidence: Evidence) -> Verdict:
    """Reached if servers were compared with going direct, all runs valid, each added TTFT as the records give it.

    The evidence is {"bundle": folder, "baseline": label, "added_ttft_s": {label: [mean, low, high]}}, seconds.
    """
    try:
        bundle = evidence.bundle(evidence.data["bundle"])
    except CourseError as error:
        return not_reached(error.what)
    direct, *servers = bundle.runs
    if bundle.kind != "comparison" or direct.label != evidence.data["baseline"] or len(servers) < FEWEST_SERVERS:
        return not_reached("asked is a comparison of going direct with your server and the course's gateway")
    for run in bundle.runs:
        if not run.valid:
            return not_reached(f"{run.label}: {run.notes[0].text}")
        if len(run.repeats) < ENOUGH_SAMPLES:
            return not_reached(f"{len(run.repeats)} repeats; an interval needs {ENOUGH_SAMPLES}")
    added = {}
    for run in servers:
        pairs = zip(direct.repeat_metrics, run.repeat_metrics, strict=True)
        found = bootstrap([through.ttft_s.p50 - base.ttft_s.p50 for base, through in pairs if base.ttft_s])
        told = evidence.data["added_ttft_s"].get(run.label)
        if told is None:
            return not_reached(f"{run.label} has no added TTFT with an interval")
        for one, other in zip(told, (found.estimate, found.low, found.high), strict=True):
            if abs(one - other) > EXACT:
                return not_reached(f"{run.label}: the added TTFT is {one} s in the evidence, {other} s by the records")
        added[run.label] = told
    return reached(added_ttft_s=added, requests=sum(len(run.records) for run in bundle.runs))


NEEDS = "a machine that can start servers"

TASK = Task(
    title="Production API",
    minutes=120,
    gpu_minutes=20,
    needs="2 cores, 2 GB of memory; no GPU",
    exercises=(EVENT, SPLIT, KEY, BUCKET, ADMIT, RETRY_AFTER, FAILURE, BACKOFF, QUANTILE, INCREASE),
    milestones=(
        Milestone("12.5.server", "production server", judge_server, needs=NEEDS),
        Milestone("12.5.load", "load-tested against going direct", judge_load, needs=NEEDS),
    ),
)
