import time

import psutil

from helpers.course.judge import Job, Source, ask
from helpers.course.task import Case

CASES = (Case("one", {"x": 1}, 2), Case("two", {"x": 2}, 4))


def job(code: str) -> Job:
    return Job([Source("cell", code)], "twice", CASES)


def ask_code(code: str, time_limit_s: float = 20.0) -> list[tuple[str, object]]:
    (outcomes,) = ask([job(code)], time_limit_s)
    assert [outcome.case for outcome in outcomes] == ["one", "two"]
    return [(outcome.error, outcome.value if not outcome.error else outcome.message) for outcome in outcomes]


def test_answers_come_back_as_json() -> None:
    assert ask_code("def twice(x):\n    return {'twice': (2 * x,)}") == [("", {"twice": [2]}), ("", {"twice": [4]})]


def test_prints_and_unclean_exits_cannot_forge_an_answer() -> None:
    forgery = "print('{}', flush=True)\nos.write(1, b'{\"case\": \"one\"}')"
    code = f"import os\n{forgery}\ndef twice(x):\n    print(x)\n    return 0"
    assert ask_code(code) == [("", 0), ("", 0)]


def test_a_dying_process_costs_the_unanswered_cases_only() -> None:
    code = "import os\ndef twice(x):\n    return 2 if x == 1 else os._exit(0)"
    assert ask_code(code) == [("", 2), ("ProcessDied", "the process ended before it answered")]


def test_an_endless_loop_is_ended_with_what_it_started() -> None:
    code = "import subprocess\ndef twice(x):\n    subprocess.Popen(['sleep', '98765'])\n    while True:\n        pass"
    started = time.monotonic()
    assert [error for error, _ in ask_code(code, time_limit_s=3.0)] == ["Timeout", "Timeout"]
    assert time.monotonic() - started < 60
    assert not [process for process in psutil.process_iter() if "98765" in _arguments(process)]


def test_a_missing_function_says_which_source_failed() -> None:
    sources = [Source("ex1", "import nothing_like_this"), Source("ex2", "y = 1")]
    (outcomes,) = ask([Job(sources, "twice", CASES)], 20.0)
    assert {outcome.error for outcome in outcomes} == {"Missing"}
    assert outcomes[0].message.startswith("ex1: ModuleNotFoundError")


def test_a_job_that_hangs_or_dies_costs_no_other_job_anything() -> None:
    good = "def twice(x):\n    return 2 * x"
    codes = [good, "while True: pass", good, "import os; os._exit(1)", good, "leak = 1", "twice = leak"]
    answers = ask([job(code) for code in codes], 5.0)
    assert [outcomes[-1].error for outcomes in answers] == ["", "Timeout", "", "ProcessDied", "", "Missing", "Missing"]
    assert [[outcome.value for outcome in outcomes] for outcomes in answers[::2]][:3] == [[2, 4]] * 3


def test_a_huge_answer_is_refused() -> None:
    assert [error for error, _ in ask_code("def twice(x):\n    return 'x' * 2_000_000")] == ["TooLarge", "TooLarge"]


def test_an_answer_that_cannot_be_written_down_costs_no_other_case() -> None:
    told = ask_code("def twice(x):\n    if x > 1:\n        return 2 * x\n    return 10 ** 5000")
    assert [error for error, _ in told] == ["TooLarge", ""]


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return []
