"""What the chat UI keeps: conversations, their messages, presets. Values; the database is `store`'s."""

from dataclasses import dataclass, field, replace
from typing import Any

TITLE_CHARACTERS = 60
"""Of the first message, as a conversation's first title."""

OPTIONS: dict[str, tuple[type[int] | type[float], float, float]] = {
    "temperature": (float, 0.0, 2.0),
    "top_p": (float, 0.0, 1.0),
    "max_tokens": (int, 1, 32_768),
    "seed": (int, 0, 2**31 - 1),
}
"""Sampling parameters that the UI offers: type, least, most. One that is not set is the engine's own choice."""

LANES = 2
"""Models that can answer side by side."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A way of asking: system prompt and sampling parameters, and perhaps a model."""

    name: str
    system: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    model: str = ""


BUILT_IN = (
    Preset("Plain"),
    Preset("Reproducible", options={"temperature": 0.0, "seed": 0}),
    Preset("Short answers", system="Answer in at most three sentences.", options={"temperature": 0.2}),
    Preset(
        "Code",
        system="You write code. Put it into fenced blocks that name the language. Explain only what surprises.",
        options={"temperature": 0.2},
    ),
)
"""Presets that are there before anyone saves one."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation; `owner` is the id of the key it belongs to, empty where no keys are required.

    Attributes:
        models: one, or two that answer side by side; empty until one was chosen.
        system: the system prompt, sent before the messages.
        options: sampling parameters, names as in `OPTIONS`.
    """

    id: str
    owner: str
    title: str
    models: tuple[str, ...] = ()
    system: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    created_at: float = 0.0
    updated_at: float = 0.0

    def with_preset(self, preset: Preset) -> "Conversation":
        """The conversation, asked in a preset's way."""
        models = (preset.model, *self.models[1:]) if preset.model else self.models
        return replace(self, system=preset.system, options=dict(preset.options), models=models)


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        id: grows with time; 0 before it is stored.
        lane: which of the models side by side wrote it; 0 for a user's.
        state: done, writing, stopped (by the user), failed.
        error: what happened and what to do, where it failed.
        figures: what was measured of the answer, see `figures.measure`.
    """

    id: int
    conversation: str
    role: str
    text: str
    lane: int = 0
    thinking: str = ""
    model: str = ""
    state: str = "done"
    error: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    at: float = 0.0


def first_title(text: str) -> str:
    """A conversation's title from its first message: one line, cut at a word."""
    line = " ".join(text.split())
    if len(line) <= TITLE_CHARACTERS:
        return line or "New conversation"
    return line[:TITLE_CHARACTERS].rsplit(" ", 1)[0] + " …"
