'''Where your own features go in. An extension is a Python file; `./course serve --extension FILE` loads it.

    """Word count: a button under each answer, and /time in the composer."""

    def register(ui):
        @ui.message_action("Count words", icon="pin")
        def count_words(message):
            return f"{len(message.text.split())} words"

        @ui.command("time", "the time on the server")
        async def time(argument):
            import datetime
            return f"It is {datetime.datetime.now():%H:%M}. "

        @ui.panel("Notes")
        def notes():
            from nicegui import ui
            ui.textarea("Notes").classes("w-full")

Three places:

- `message_action(title, icon)`: a button under each answer. The function gets the `records.Message` (text, thinking,
  model, figures); what it returns is shown below the message as Markdown, sanitised like an answer. None shows nothing.
- `command(name, help)`: `/name argument` in the composer. The function gets the argument; what it returns replaces
  the composer's text, to be edited and sent. None leaves it empty.
- `panel(title)`: a section in the sidebar. The function builds it with NiceGUI elements.

Functions may be async. An exception is shown to the user with the extension's name, and the page goes on.
'''

import importlib.util
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from helpers.errors import MissingError, UsageError
from helpers.ui.records import Message

Action = Callable[[Message], str | Awaitable[str | None] | None]
Command = Callable[[str], str | Awaitable[str | None] | None]
Panel = Callable[[], Awaitable[None] | None]
Registered = TypeVar("Registered", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class MessageAction:
    """A button under each answer."""

    title: str
    icon: str
    run: Action


@dataclass(slots=True)
class Extensions:
    """What extensions have registered: what a `register` function gets as its argument."""

    actions: list[MessageAction] = field(default_factory=list)
    commands: dict[str, tuple[str, Command]] = field(default_factory=dict)
    panels: dict[str, Panel] = field(default_factory=dict)

    def message_action(self, title: str, icon: str = "extension") -> Callable[[Registered], Registered]:
        """Register a button under each answer; `icon` is a Material icon's name."""

        def register(function: Registered) -> Registered:
            self.actions.append(MessageAction(title, icon, function))
            return function

        return register

    def command(self, name: str, help: str = "") -> Callable[[Registered], Registered]:
        """Register `/name` in the composer."""

        def register(function: Registered) -> Registered:
            self.commands[name.removeprefix("/")] = (help, function)
            return function

        return register

    def panel(self, title: str) -> Callable[[Registered], Registered]:
        """Register a section of the sidebar."""

        def register(function: Registered) -> Registered:
            self.panels[title] = function
            return function

        return register


def load_extensions(files: Sequence[Path]) -> Extensions:
    """Run each file's `register`.

    Raises:
        MissingError: no such file. UsageError: it is no extension, or broke.
    """
    found = Extensions()
    for file in files:
        if not file.is_file():
            raise MissingError(f"there is no extension {file}", "", "./course serve --extension FILE")
        spec = importlib.util.spec_from_file_location(f"ui_extension_{file.stem}", file)
        if spec is None or spec.loader is None:
            raise UsageError(f"{file} is no Python file", "an extension's name ends in .py")
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
            module.register(found)
        except Exception as error:
            raise UsageError(
                f"the extension {file.name} cannot be loaded",
                f"{type(error).__name__}: {error}",
                "see helpers/ui/extensions.py for what an extension looks like",
            ) from error
    return found


async def run_extension(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call an extension's function, async or not, and return what it returns."""
    result = function(*arguments)
    return await result if inspect.isawaitable(result) else result
