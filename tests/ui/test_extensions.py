import asyncio
from pathlib import Path

import pytest

from helpers.errors import MissingError, UsageError
from helpers.ui import extensions
from helpers.ui.records import Message


def test_the_example_in_the_documentation_works(tmp_path: Path) -> None:
    assert extensions.__doc__ is not None
    example = extensions.__doc__.split("\n\n", 1)[1].split("\nThree places")[0]
    file = tmp_path / "example.py"
    file.write_text("\n".join(line.removeprefix("    ") for line in example.splitlines()))
    found = extensions.load_extensions([file])
    (action,) = found.actions
    assert (action.title, action.icon) == ("Count words", "pin")
    said = asyncio.run(extensions.run_extension(action.run, Message(1, "c", "assistant", "two words")))
    assert said == "2 words"
    assert asyncio.run(extensions.run_extension(found.commands["time"][1], "")).startswith("It is ")
    assert list(found.panels) == ["Notes"]


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no extension"):
        extensions.load_extensions([tmp_path / "none.py"])


@pytest.mark.parametrize(
    ("code", "cause"),
    [("x = 1", "register"), ("def register(ui):\n    1 / 0", "ZeroDivisionError"), ("def (", "SyntaxError")],
)
def test_a_broken_extension_is_named(tmp_path: Path, code: str, cause: str) -> None:
    file = tmp_path / "broken.py"
    file.write_text(code)
    with pytest.raises(UsageError, match=r"broken\.py cannot be loaded") as wrong:
        extensions.load_extensions([file])
    assert cause in wrong.value.cause
