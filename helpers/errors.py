"""The course's errors: what happened, the likely cause, and the next command.

CourseError
|-- UsageError          wrong use: an unknown option, a value out of range        exit code 2
|-- CheckFailed         a check ran and did not hold                              exit code 1
`-- MissingError        something needed is not there: a program, a file, memory  exit code 3
    |-- EngineUnavailable   this engine cannot run on this machine as it is
    `-- EngineFailed        the engine was started, or reached, and broke
"""


class CourseError(Exception):
    """An error a person can act on.

    Args:
        what: what happened, one line.
        cause: the likely cause, one line; empty if it is already said.
        next_command: a command, or one step, that leads on; empty if there is none.
    """

    exit_code = 1

    def __init__(self, what: str, cause: str = "", next_command: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.cause = cause
        self.next_command = next_command

    def __str__(self) -> str:
        lines = [self.what]
        if self.cause:
            lines.append(f"Likely cause: {self.cause}")
        if self.next_command:
            lines.append(f"Next: {self.next_command}")
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this: a notebook shows the three lines instead of a traceback.
        return [f"{type(self).__name__}: {self.what}", *str(self).removeprefix(self.what).lstrip("\n").splitlines()]

    def __reduce__(self) -> tuple[type["CourseError"], tuple[str, str, str]]:
        # Errors cross process borders (grader, engine children); the default would lose two of three lines.
        return type(self), (self.what, self.cause, self.next_command)


class UsageError(CourseError):
    """Wrong use: an unknown option or a value out of its range."""

    exit_code = 2


class CheckFailed(CourseError):
    """A check ran and did not hold."""

    exit_code = 1


class MissingError(CourseError):
    """Something needed is not there."""

    exit_code = 3


class EngineUnavailable(MissingError):
    """This engine cannot run on this machine as it is; the message says what it needs: a program, a GPU, memory."""


class EngineFailed(MissingError):
    """The engine was started or reached, and broke; the message carries the engine's own words."""
