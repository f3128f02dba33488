"""Which engines can run here, and what the others need."""

from dataclasses import asdict, dataclass

from helpers.engines import registry
from helpers.errors import EngineUnavailable


@dataclass(frozen=True, slots=True)
class EngineState:
    """One engine of the course on this machine.

    Attributes:
        state: `ready`, or `missing`.
        needs: what is missing; next_command: the step that brings it. Empty when it is ready.
    """

    engine: str
    state: str
    needs: str = ""
    next_command: str = ""

    def to_json(self) -> dict[str, str]:
        """A JSON-ready dictionary."""
        return asdict(self)


def survey_engines() -> list[EngineState]:
    """The state of every engine of the course; starts nothing."""
    states = []
    for engine in registry.names():
        try:
            registry.find(engine)
        except EngineUnavailable as error:
            states.append(EngineState(engine, "missing", error.cause.removeprefix("it needs "), error.next_command))
        else:
            states.append(EngineState(engine, "ready"))
    return states
