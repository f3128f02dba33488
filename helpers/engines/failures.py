"""From an engine's last words to an error that a person can act on."""

import re
import signal
from dataclasses import dataclass

from helpers.errors import EngineFailed

SHOWN_LINES = 4


@dataclass(frozen=True, slots=True)
class Symptom:
    """What a line in an engine's log means.

    Attributes:
        pattern: a regular expression; its groups fill {0}, {1} ... of the other three.
        what, cause, next_command: the error's three lines.
    """

    pattern: str
    what: str
    cause: str = ""
    next_command: str = ""

    def match(self, log: str) -> EngineFailed | None:
        """The error, if the log shows this symptom."""
        found = re.search(self.pattern, log)
        if found is None:
            return None
        groups = found.groups(default="")
        return EngineFailed(self.what.format(*groups), self.cause.format(*groups), self.next_command.format(*groups))


COMMON = (
    Symptom(
        r"course watchdog: ended, (\d+) MB",
        "it was ended before the host ran out of memory: {0} MB were left",
        "it needs more than this machine has free",
        "lower max_model_len or max_num_seqs, take a smaller precision, or stop other engines",
    ),
    Symptom(
        r"(?i)address already in use",
        "the engine's port is taken",
        "another server started there meanwhile",
        "launch again, or choose another port",
    ),
    Symptom(
        r"(?i)out of memory|bad_alloc|cannot allocate memory|MemoryError",
        "the engine ran out of memory",
        "model, context length and parallel sequences together are too large for this machine",
        "lower max_model_len or max_num_seqs, or take a smaller precision",
    ),
)
SIGNALS = {
    signal.SIGKILL: ("the system ended it, most often for lack of memory", "lower max_model_len or max_num_seqs"),
    signal.SIGILL: ("its program was built for a newer processor than this one", "attach to an engine elsewhere"),
}


def last_words(log: str) -> str:
    """The log's last lines on one line, without those that only underline; empty if it said nothing."""
    lines = [line.strip() for line in log.splitlines() if line.strip(" ^~-=\t")]
    return " | ".join(lines[-SHOWN_LINES:])


def explain(engine: str, log: str, exit_code: int | None, symptoms: tuple[Symptom, ...], log_path: str) -> EngineFailed:
    """The error for an engine that did not start, or that ended.

    Args:
        engine: its name.
        log: the end of its log.
        exit_code: as `EngineProcess.exit_code`; None if it still runs.
        symptoms: what its adapter knows; the common ones are tried after them.
        log_path: where the whole log is.
    """
    for symptom in (*symptoms, *COMMON):
        error = symptom.match(log)
        if error is not None:
            return EngineFailed(f"{engine}: {error.what}", error.cause, error.next_command or f"tail {log_path}")
    if exit_code is not None and exit_code > 128:
        number = signal.Signals(exit_code - 128)
        cause, next_command = SIGNALS.get(number, (f"it was ended by {number.name}", f"tail {log_path}"))
        return EngineFailed(
            f"{engine} ended by {number.name}; last words: {last_words(log) or 'none'}", cause, next_command
        )
    ended = "does not answer" if exit_code is None else f"ended with exit code {exit_code}"
    return EngineFailed(f"{engine} {ended}", f"its last words: {last_words(log) or 'none'}", f"tail {log_path}")
