"""An answer's text, token by token: only whole characters leave, and nothing of a stop string does."""

from collections.abc import Callable, Sequence


class AnswerText:
    """The text of one answer while it is generated.

    Args:
        decode: text that a token completes, None while a character's bytes are incomplete (`Tokenizer.open_stream`).
        stops: strings that end the answer; they are not part of it.

    Attributes:
        stopped: a stop string has come; later tokens are ignored.
    """

    def __init__(self, decode: Callable[[int], str | None], stops: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def add(self, token: int) -> str:
        """The text that can be sent once this token is known; often empty, and empty after a stop string."""
        if self.stopped:
            return ""
        text = self._decode(token) or ""
        if not self._stops:
            return text
        text = self._held + text
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)]
        held = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def end(self) -> str:
        """What was held back because a stop string might have begun; the answer ends here."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of the text that is a beginning of the stop string, and not all of it."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-length:]):
            return length
    return 0
