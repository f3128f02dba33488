"""The shapes that an engine is built for: how many sequences, how many new tokens of each, how much before them."""

from dataclasses import dataclass

from helpers.errors import UsageError

KINDS = ("range", "fixed")


@dataclass(frozen=True, slots=True)
class ShapeProfile:
    """What one run of an engine takes.

    Attributes:
        kind: `range`: up to the figures below; `fixed`: exactly those, so that whatever is smaller is filled up to
            them, and all of it is computed.
        sequences: in one run.
        tokens: new ones of each sequence.
        past: tokens of each sequence that are in the KV cache already.

    Raises:
        UsageError: a figure is below 1, or there is no such kind.
    """

    kind: str
    sequences: int
    tokens: int
    past: int

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"a shape profile cannot be {self.kind!r}", f"it is one of {', '.join(KINDS)}")
        for name in ("sequences", "tokens", "past"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} of a shape profile cannot be {getattr(self, name)}", "it is at least 1")

    @property
    def fixed(self) -> bool:
        """Whether every run has the same shape."""
        return self.kind == "fixed"

    def shape_of(self, sequences: int, tokens: int, past: int) -> tuple[int, int, int]:
        """The shape that a run of so much gets.

        Raises:
            UsageError: it is more than the engine was built for.
        """
        wanted = {"sequences": sequences, "tokens": tokens, "past": past}
        for name, value in wanted.items():
            if value > getattr(self, name):
                raise UsageError(
                    f"{value} {name} do not fit into an engine that was built for {getattr(self, name)}",
                    f"its shape profile is {self}",
                    "build one with a larger profile, or give it less at a time",
                )
        return (self.sequences, self.tokens, self.past) if self.fixed else (sequences, tokens, past)

    def __str__(self) -> str:
        low = "" if self.fixed else "1 to "
        past = f"{self.past}" if self.fixed else f"0 to {self.past}"
        return f"{low}{self.sequences} sequences x {low}{self.tokens} tokens after {past}"
