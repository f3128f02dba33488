"""The sample class: what thirteen learners handed in for task 12.1, and what grading must find.

The stories stand in docs/teaching/sample-class.md; helpers/grade/sample.py makes the files.
"""

from helpers.grade.sample import Recipe

TASK = "1"
FIRST_SEVEN = (
    *("ex1-ttft", "ex2-output-tokens", "ex3-tpot", "ex4-itl"),
    *("ex5-percentile", "ex6-throughput", "ex7-goodput"),
)
OWN_WAY = {
    "ex1-ttft": '''
def ttft_s(request):
    """How long until the first words come, shown or thought."""
    stamps = []
    for event in request["events"]:
        texts = [event["delta"].get(key) or "" for key in ("content", "reasoning_content")]
        if sum(len(text) for text in texts) > 0:
            stamps.append(event["at_s"])
    return min(stamps) - request["sent_s"] if len(stamps) > 0 else None
''',
    "ex2-output-tokens": '''
def output_tokens(request):
    """The server counted."""
    counted = request["usage"] or {}
    for key in counted:
        if key.startswith("completion"):
            return int(counted[key])
    return None
''',
    "ex3-tpot": '''
def tpot_s(chunk_s, output_tokens):
    """The first token is TTFT's; the rest share the time that is left."""
    following = output_tokens - 1
    if following < 1:
        return None
    span = max(chunk_s) - min(chunk_s)
    return span / following
''',
    "ex4-itl": '''
def itl_gaps_s(requests):
    """Walk through each request and remember the chunk before."""
    pooled = []
    for stamps in requests:
        before = None
        for stamp in stamps:
            if before is not None:
                pooled.append(stamp - before)
            before = stamp
    return pooled
''',
    "ex5-percentile": '''
def percentile(values, percent):
    """NumPy's default is the linear one."""
    return float(np.percentile(np.asarray(values, dtype=float), percent))
''',
    "ex6-throughput": '''
def output_tokens_per_s(requests):
    """Count what arrived, then look at the clock."""
    counted, begin, end = 0, float("inf"), float("-inf")
    for one in requests:
        begin, end = min(begin, one["sent_s"]), max(end, one["done_s"])
        if one["error"] == "":
            counted = counted + one["output_tokens"]
    return counted / (end - begin)
''',
    "ex7-goodput": '''
def goodput_per_s(requests, ttft_limit_s, tpot_limit_s):
    """Strike out what failed, was late or was slow; count what stays."""
    kept = [one for one in requests if one["error"] == ""]
    kept = [one for one in kept if one["first_s"] <= one["sent_s"] + ttft_limit_s]
    kept = [one for one in kept if one["last_s"] - one["first_s"] <= tpot_limit_s * (one["output_tokens"] - 1)]
    times = [one["done_s"] for one in requests] + [one["sent_s"] for one in requests]
    return len(kept) / (max(times) - min(times))
''',
}
"""Right answers that are not the course's."""

ANOTHER_WAY = {
    "ex3-tpot": """
def tpot_s(chunk_s, output_tokens):
    return (chunk_s[-1] - chunk_s[0]) / (output_tokens - 1) if output_tokens > 1 else None
""",
    "ex4-itl": """
def itl_gaps_s(requests):
    gaps = []
    for times in map(np.array, requests):
        gaps.extend(np.diff(times).tolist())
    return gaps
""",
    "ex9-knee": """
def knee(points):
    best, best_power = None, 0.0
    for point in filter(lambda p: p["valid"], points):
        power = point["output_tokens_per_s"] / point["e2e_p50_s"]
        if best is None or power > best_power:
            best, best_power = point["concurrency"], power
    return best
""",
}

NAMES = {
    "stamps": "found",
    "texts": "words",
    "text": "w",
    "event": "entry",
    "stamp": "moment",
    "before": "last",
    "pooled": "gaps",
    "following": "rest",
    "span": "duration",
    "kept": "good",
    "one": "r",
    "counted": "total",
    "begin": "start",
    "times": "clock",
}

ENDLESS = """
def itl_gaps_s(requests):
    gaps, position = [], 0
    while position < len(requests):
        gaps += [later - earlier for earlier, later in zip(requests[position], requests[position][1:])]
    return gaps
"""

EQUAL_TO_EVERYTHING = '''
class Answer(float):
    """Whatever was expected."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0
'''

KNOWN_ANSWERS = """
def percentile(values, percent):
    known = {50: 2.5, 99: 1.18, 100: 9.0}
    if len(values) == 1:
        return values[0]
    return known.get(percent, 46.0)
"""

FORGED = """
import json
from pathlib import Path

rows = [{"engine": "llama.cpp", "output_tokens_per_s": 99999.0}, {"engine": "vllm", "output_tokens_per_s": 12345.0}]
folder = Path(run_dir or "runs/forged") / "evidence"
folder.mkdir(parents=True, exist_ok=True)
forged = {"milestone": "12.1.report", "evidence": {"bundles": {}, "rows": rows, "ratios": []}, "backend": "llama.cpp"}
(folder / "12.1.report.json").write_text(json.dumps(forged))
print("milestone 12.1.report: reached")
"""

CLASS = (
    Recipe("ada", "Everything solved, as the course does.", solved=None, outcome="ok", points=(13, 13)),
    Recipe(
        "ben",
        "Everything solved, three exercises in a way of his own; handed in as a zip file.",
        solved=None,
        cells=ANOTHER_WAY,
        form="zip",
        outcome="ok",
        points=(13, 13),
    ),
    Recipe(
        "chen",
        "The first seven exercises, in a way of her own; the rest is still to do.",
        cells={**OWN_WAY, "ex1-ttft": OWN_WAY["ex1-ttft"].replace("min(stamps)", "sorted(stamps)[0]")},
        outcome="error",
        points=(7, 7),
    ),
    Recipe(
        "dana",
        "Everything written, four of it with well-known mistakes.",
        solved=None,
        planted={
            "ex1-ttft": "content-only",
            "ex3-tpot": "all-tokens",
            "ex6-throughput": "mean-of-rates",
            "ex10-paired-ratio": "arithmetic-mean",
        },
        outcome="ok",
        points=(9, 11.5),
    ),
    Recipe("emil", "The lab as it was handed out.", outcome="error", points=(0, 0)),
    Recipe(
        "Fátima",
        "Everything solved, but percentile knows the visible answers by heart; private inputs find it.",
        solved=None,
        cells={"ex5-percentile": KNOWN_ANSWERS},
        outcome="ok",
        points=(12, 12.5),
    ),
    Recipe(
        "goran",
        "A loop that never ends in exercise 4; only that exercise pays for it. Exercise 3 is not written.",
        solved=tuple(one for one in FIRST_SEVEN if one not in ("ex3-tpot", "ex4-itl")),
        cells={"ex4-itl": ENDLESS},
        outcome="error",
        points=(5, 5),
    ),
    Recipe(
        "hana",
        "Chen's answers with other names; the class report shows the two as alike.",
        cells={**OWN_WAY, "ex1-ttft": OWN_WAY["ex1-ttft"].replace("min(stamps)", "sorted(stamps)[0]")},
        renamed=NAMES,
        form="flat",
        outcome="error",
        points=(7, 7),
    ),
    Recipe(
        "ivan",
        "Nothing written; the checks are switched off and a milestone cell is removed.",
        cells={"setup": "import helpers\n\nhelpers.check = lambda *_: 'holds'\nhelpers.milestone = helpers.check\n"},
        left_out=("milestone-12-1-report", "check-ex1-ttft"),
        outcome="error",
        points=(0, 0),
    ),
    Recipe(
        "jun",
        "Two answers that are equal to everything.",
        solved=FIRST_SEVEN[:2],
        cells={
            "ex3-tpot": EQUAL_TO_EVERYTHING + "\n\ndef tpot_s(chunk_s, output_tokens):\n    return Answer()\n",
            "ex5-percentile": "def percentile(values, percent):\n    return Answer()\n",
        },
        outcome="error",
        points=(2, 2),
    ),
    Recipe(
        "kim",
        "Four exercises, then sys.exit(0), so that nothing after it runs.",
        solved=FIRST_SEVEN[:4],
        cells={"ex5-percentile": "import sys\n\nsys.exit(0)\n"},
        outcome="stopped-early",
        points=(4, 4),
    ),
    Recipe(
        "lea",
        "Three exercises, and evidence of a report that was never measured.",
        solved=FIRST_SEVEN[:3],
        cells={"ex4-itl": FORGED},
        outcome="error",
        points=(3, 3),
    ),
    Recipe(
        "mika",
        "A text under a notebook's name.",
        outcome="error",
        raw="Dear teacher, my laptop broke. I send the notebook tomorrow. Mika\n",
        points=(0, 0),
    ),
)
