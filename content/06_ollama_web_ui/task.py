"""Task 12.6: what is judged. Exercises with their visible cases; the milestones with their judges."""

import json
import re
from typing import Any

from helpers.client.mock_words import answer_text
from helpers.course.browser import NEEDS
from helpers.course.task import Case, Evidence, Exercise, Milestone, Task, Verdict, not_reached, reached

Json = dict[str, Any]


def line(**fields: Any) -> str:
    """A line of NDJSON."""
    return json.dumps(fields) + "\n"


def said(content: str = "", **more: Any) -> str:
    """A line of /api/chat with some words."""
    return line(message={"role": "assistant", "content": content, **more}, done=False)


END = line(message={"role": "assistant", "content": ""}, done=True, done_reason="stop")


def chat(content: str, thinking: str = "", done: bool = True, error: str | None = None) -> Json:
    """The answer to a case of the stream."""
    return {"content": content, "thinking": thinking, "done": done, "error": error}


CHAT = Exercise(
    id="ex1-read-chat",
    title="an answer out of lines",
    function="read_chat",
    hint="Put the pieces together, take the lines apart, and read each as JSON; a line may carry words, thoughts, or "
    "an error.",
    cases=(
        Case("two lines and the end", {"pieces": [said("Hel"), said("lo"), END]}, chat("Hello")),
        Case("cut anywhere", {"pieces": [said("Hello")[:20], said("Hello")[20:] + END[:9], END[9:]]}, chat("Hello")),
        Case(
            "thoughts first",
            {"pieces": [said(thinking="Greet "), said(thinking="them."), said("Hello"), END]},
            chat("Hello", "Greet them."),
            hint="Where does a thinking model write before it answers?",
        ),
        Case(
            "broke off",
            {"pieces": [said("Half an"), said(" answer")[:30]]},
            chat("Half an", done=False),
            hint="Half a line is none; and nobody has said that it is the end.",
        ),
        Case(
            "an error inside",
            {"pieces": [said("Half"), line(error="the engine is gone")]},
            chat("Half", done=False, error="the engine is gone"),
            hint="The status was 200 long before; an error comes as a line of its own.",
        ),
        Case(
            "words in the last line",
            {"pieces": [said("Hel"), line(message={"role": "assistant", "content": "lo"}, done=True)]},
            chat("Hello"),
            hint="An engine may put words into the line that ends.",
        ),
    ),
)

FINAL = {
    "done": True,
    "total_duration": 4_500_000_000,
    "load_duration": 2_000_000_000,
    "prompt_eval_count": 120,
    "prompt_eval_duration": 300_000_000,
    "eval_count": 100,
    "eval_duration": 2_000_000_000,
}


def rates(prefill: float | None, decode: float | None, load_s: float) -> Json:
    """The answer to a case of the rates."""
    return {"prefill_tokens_per_s": prefill, "decode_tokens_per_s": decode, "load_s": load_s}


def without(*names: str) -> Json:
    """The last line without some of its fields."""
    return {name: value for name, value in FINAL.items() if name not in names}


RATES = Exercise(
    id="ex2-ollama-rates",
    title="tokens per second, and the trap",
    function="ollama_rates",
    hint="Nanoseconds; a field that is zero is left out; cached tokens were counted and not computed.",
    cases=(
        Case("a new prompt", {"final": FINAL, "cached_tokens": 0}, rates(400.0, 50.0, 2.0)),
        Case(
            "a prompt that was asked before",
            {"final": {**FINAL, "prompt_eval_duration": 30_000_000}, "cached_tokens": 108},
            rates(400.0, 50.0, 2.0),
            hint="How many of the 120 were computed in those 30 ms?",
        ),
        Case(
            "the model was loaded already",
            {"final": without("load_duration"), "cached_tokens": 0},
            rates(400.0, 50.0, 0.0),
            hint="What does Ollama write for a duration of zero?",
        ),
        Case(
            "nothing was computed",
            {"final": without("prompt_eval_duration"), "cached_tokens": 120},
            rates(None, 50.0, 2.0),
            hint="No work in no time is no rate.",
        ),
        Case(
            "an empty answer",
            {"final": without("eval_count", "eval_duration"), "cached_tokens": 0},
            rates(400.0, None, 2.0),
        ),
    ),
)


def layer(name: str, total: int, completed: int | None = None) -> Json:
    """A line about a layer."""
    found: Json = {"status": f"pulling {name}", "digest": f"sha256:{name}", "total": total}
    return found if completed is None else {**found, "completed": completed}


def pulled(share: float | None, status: str, error: str | None = None, done: bool = False) -> Json:
    """The answer to a case of the pull."""
    return {"share": share, "status": status, "error": error, "done": done}


PULL = Exercise(
    id="ex3-pull-progress",
    title="how far a pull has come",
    function="pull_progress",
    hint="Keep the latest of each layer, by its digest; then add up what is there and what is to come.",
    cases=(
        Case("just begun", {"lines": [{"status": "pulling manifest"}]}, pulled(None, "pulling manifest")),
        Case(
            "half of one layer",
            {"lines": [{"status": "pulling manifest"}, layer("aa", 400, 100), layer("aa", 400, 200)]},
            pulled(0.5, "pulling aa"),
        ),
        Case(
            "two layers",
            {"lines": [layer("aa", 900, 900), layer("bb", 100), layer("bb", 100, 50)]},
            pulled(0.95, "pulling bb"),
            hint="A layer of nine tenths and one of one tenth are not two halves.",
        ),
        Case(
            "side by side",
            {"lines": [layer("aa", 300, 100), layer("bb", 300, 200), layer("aa", 300, 300)]},
            pulled(500 / 600, "pulling aa"),
        ),
        Case(
            "the disk is full",
            {"lines": [layer("aa", 400, 200), {"error": "no space left on device"}]},
            pulled(0.5, "pulling aa", "no space left on device"),
        ),
        Case(
            "the end",
            {"lines": [layer("aa", 400, 400), {"status": "verifying sha256 digest"}, {"status": "success"}]},
            pulled(1.0, "success", done=True),
            hint="Which word says that the model is there? Not that the last byte is.",
        ),
        Case(
            "all bytes, and no end",
            {"lines": [layer("aa", 400, 400), {"status": "verifying sha256 digest"}]},
            pulled(1.0, "verifying sha256 digest"),
        ),
    ),
)


def preset(system: str = "", **options: Any) -> Json:
    """A preset."""
    return {"system": system, "options": options}


ASK = Exercise(
    id="ex4-preset-request",
    title="a preset on the wire",
    function="preset_request",
    hint="The system prompt is the first message; options have Ollama's names; what was not set is not sent.",
    cases=(
        Case(
            "plain",
            {"model": "m", "preset": preset(), "question": "Hi"},
            {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True},
        ),
        Case(
            "a system prompt",
            {"model": "m", "preset": preset("Be short."), "question": "Hi"},
            {
                "model": "m",
                "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}],
                "stream": True,
            },
        ),
        Case(
            "options",
            {"model": "m", "preset": preset(temperature=0, max_tokens=64), "question": "Hi"},
            {
                "model": "m",
                "messages": [{"role": "user", "content": "Hi"}],
                "stream": True,
                "options": {"temperature": 0, "num_predict": 64},
            },
            hint="max_tokens is OpenAI's name. And a temperature of 0 was set.",
        ),
        Case(
            "not set",
            {"model": "m", "preset": preset(temperature=None, seed=7), "question": "Hi"},
            {
                "model": "m",
                "messages": [{"role": "user", "content": "Hi"}],
                "stream": True,
                "options": {"seed": 7},
            },
        ),
    ),
)

FILE = Exercise(
    id="ex5-modelfile",
    title="a Modelfile",
    function="modelfile",
    hint="One instruction a line, FROM first; a text of several lines stands between triple quotes; each stop has a "
    "line of its own.",
    cases=(
        Case("only a base", {"base": "qwen3:8b", "system": "", "parameters": {}}, "FROM qwen3:8b\n"),
        Case(
            "a system prompt",
            {"base": "m", "system": "Be short.", "parameters": {}},
            'FROM m\nSYSTEM """Be short."""\n',
        ),
        Case(
            "two lines of it",
            {"base": "m", "system": "Be short.\nBe right.", "parameters": {}},
            'FROM m\nSYSTEM """Be short.\nBe right."""\n',
            hint="Without triple quotes the second line would be an instruction that nobody knows.",
        ),
        Case(
            "parameters",
            {"base": "m", "system": "", "parameters": {"num_ctx": 4096, "temperature": 0}},
            "FROM m\nPARAMETER num_ctx 4096\nPARAMETER temperature 0\n",
        ),
        Case(
            "two stops",
            {"base": "m", "system": "", "parameters": {"stop": ["<|im_end|>", "User:"]}},
            'FROM m\nPARAMETER stop "<|im_end|>"\nPARAMETER stop "User:"\n',
        ),
    ),
)

SPEED = Exercise(
    id="ex6-speed",
    title="what your button says",
    function="speed",
    hint="The time per token is one over the rate. Where there is no rate, there is nothing to say.",
    cases=(
        Case("known", {"figures": {"output_tokens_per_s": 50.0, "output_tokens": 90}}, "20.0 ms per token"),
        Case("fast", {"figures": {"output_tokens_per_s": 400.0, "output_tokens": 90}}, "2.5 ms per token"),
        Case("slow", {"figures": {"output_tokens_per_s": 0.8, "output_tokens": 9}}, "1250.0 ms per token"),
        Case(
            "one token",
            {"figures": {"ttft_s": 0.2, "output_tokens": 1}},
            None,
            hint="Between which two tokens is that?",
        ),
    ),
)

MAY = Exercise(
    id="ex7-may-ask",
    title="who may ask",
    function="may_ask",
    hint="Where a key is required, a valid one is all that counts, except that a page of another site never may. "
    "Without keys the name in Host must be this machine's own.",
    cases=(
        Case(
            "a program on this machine", {"host": "127.0.0.1:8080", "origin": None, "keys": False, "valid": False}, True
        ),
        Case(
            "a page of this server",
            {"host": "localhost:8080", "origin": "http://localhost:8080", "keys": False, "valid": False},
            True,
        ),
        Case(
            "a page of another site",
            {"host": "localhost:8080", "origin": "http://news.example", "keys": False, "valid": False},
            False,
            hint="Your browser is on this machine too, and sends requests for any page.",
        ),
        Case(
            "another name for this machine",
            {"host": "trick.example:8080", "origin": None, "keys": False, "valid": False},
            False,
            hint="A stranger's name may lead to 127.0.0.1; the browser then believes it is the stranger's.",
        ),
        Case("a key", {"host": "spark:8080", "origin": None, "keys": True, "valid": True}, True),
        Case("a wrong key", {"host": "127.0.0.1:8080", "origin": None, "keys": True, "valid": False}, False),
        Case(
            "a key, and a page of another site",
            {"host": "spark:8080", "origin": "http://news.example", "keys": True, "valid": True},
            False,
            hint="A browser may send its cookie along, whichever page asks.",
        ),
        Case(
            "a key, and the page of this server",
            {"host": "spark:8080", "origin": "http://spark:8080", "keys": True, "valid": True},
            True,
        ),
    ),
)

FEWEST_STEPS = 5
"""Lengths of an answer that must have been seen on the way, for it to have streamed."""

TOLERANCE = 0.25
"""The page's clock against the engine's: what lies between them is the gateway, the page, and the machine's mood."""


def judge_ui(evidence: Evidence) -> Verdict:
    """Reached if the page did in a browser what a chat page must, compared with what the engine behind it did.

    The evidence is {"tour": what `helpers.tour` returned, "truth": what the mock server recorded, "tokens": of a whole
    answer, "secured": {request: status}}.
    """
    tour, truth = evidence.data["tour"], evidence.data["truth"]
    words = answer_text(evidence.data["tokens"])
    asked = tour["asked"]
    if asked["answer"] != words:
        return not_reached(f"the page shows {asked['answer'][:40]!r}..., the engine wrote {words[:40]!r}...")
    seen = {length for _, length in asked["samples"] if length < len(words)}
    if len(seen) < FEWEST_STEPS:
        return not_reached(f"the answer was seen growing in {len(seen)} steps: it does not stream")
    if tour["reloaded"] != words:
        return not_reached("after a reload the answer was gone")
    cancelled = [entry for entry in truth if entry["outcome"] == "cancelled"]
    if not cancelled or tour["stopped"]["later"] != tour["stopped"]["at_stop"]:
        return not_reached("stop did not end the answer, or the engine went on working for nobody")
    if tour["trapped"]:
        return not_reached(f"a script ran that a message contained: {tour['trapped'][0]!r}")
    if tour["hosts"]:
        return not_reached(f"the page loads from {tour['hosts'][0]}: it needs the Internet, and others see who reads")
    if tour["phone_width"] > PHONE_WIDTH:
        return not_reached(f"on a phone of {PHONE_WIDTH} pixels the page is {tour['phone_width']} wide")
    problem = feature_problem(tour["feature"], truth) or secured_problem(evidence.data["secured"])
    return not_reached(problem) if problem else reached(paint_s=tour["paint_s"], page_bytes=tour["bytes"])


PHONE_WIDTH = 375
NUMBER = re.compile(r"([\d.]+) ms per token")


def feature_problem(feature: Json | None, truth: list[Json]) -> str:
    """The button is there and tells the time per token that the engine really took."""
    if feature is None:
        return "the page has no feature of your own"
    found = NUMBER.findall(feature["after"])
    if len(found) <= len(NUMBER.findall(feature["before"])):
        return f"after the button {feature['name']!r} nothing on the page says how many ms per token"
    writes_s = next(entry["writes_s"] for entry in truth if entry["outcome"] == "ok")
    true_ms = (writes_s[-1] - writes_s[0]) / (len(writes_s) - 1) * 1000
    told_ms = float(found[-1])
    if abs(told_ms - true_ms) > TOLERANCE * true_ms:
        return f"the button says {told_ms} ms per token, the engine took {true_ms:.1f} ms"
    return ""


ASKED_STATUSES = {"no key": 401, "wrong key": 401, "key": 200, "key, page of another site": 403}


def secured_problem(statuses: Json) -> str:
    """Requests with and without a key got what they should."""
    for request, status in ASKED_STATUSES.items():
        if statuses.get(request) != status:
            return f"secured: {request}: status {statuses.get(request)}, expected {status}"
    return ""


FEWEST_ANSWERS = 2


def judge_ollama(evidence: Evidence) -> Verdict:
    """Reached if a real Ollama answered as the model that was made from a Modelfile, timed by itself and by the client.

    The evidence is {"version", "show": of the created model, "system": its system prompt, "answers": [{"prompt",
    "lines", "wall_s"}]}: the raw lines of /api/chat and the seconds that each answer took.
    """
    data = evidence.data
    if data["system"] not in str(data["show"].get("system", "")) + str(data["show"].get("modelfile", "")):
        return not_reached("the model that was created does not have the system prompt of its Modelfile")
    if len(data["answers"]) < FEWEST_ANSWERS:
        return not_reached(f"{len(data['answers'])} answers; at least {FEWEST_ANSWERS} are needed")
    decode = []
    for answer in data["answers"]:
        final = answer["lines"][-1]
        if not final.get("done") or not final.get("eval_duration"):
            return not_reached("an answer has no last line with its durations")
        if final["total_duration"] > answer["wall_s"] * 1e9:
            return not_reached("an answer took Ollama longer than the client waited for it")
        decode.append(final["eval_count"] / final["eval_duration"] * 1e9)
    return reached(version=data["version"], decode_tokens_per_s=decode)


TASK = Task(
    title="Ollama web UI",
    minutes=120,
    gpu_minutes=20,
    needs="2 cores, 2 GB of memory; Chromium or Chrome for the milestone; no GPU",
    exercises=(CHAT, RATES, PULL, ASK, FILE, SPEED, MAY),
    milestones=(
        Milestone("12.6.ui", "web UI enhanced and verified in a browser", judge_ui, needs=NEEDS),
        Milestone(
            "12.6.ollama",
            "a model of your own in a real Ollama",
            judge_ollama,
            needs="an installed Ollama (./course engines install ollama)",
            embedded="not-run",
        ),
    ),
)
