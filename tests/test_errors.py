"""An expected failure shows three lines: in a terminal, in a notebook, under papermill, across processes."""

import pickle

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from helpers.errors import CourseError, EngineUnavailable, MissingError

CODE = """
import helpers
from helpers.errors import MissingError
try:
    open("/nowhere/at/all")
except OSError as error:
    raise MissingError("the file is not there", "nobody made it", "./course build") from error
"""


def test_the_three_lines() -> None:
    assert str(CourseError("what", "cause", "next")) == "what\nLikely cause: cause\nNext: next"
    assert str(CourseError("what")) == "what"


def test_an_error_crosses_a_process_border_whole() -> None:
    copy = pickle.loads(pickle.dumps(EngineUnavailable("what", "cause", "next")))
    assert isinstance(copy, MissingError)
    assert str(copy) == "what\nLikely cause: cause\nNext: next"


@pytest.mark.parametrize("code", [CODE, "import asyncio\n" + CODE + "\nawait asyncio.sleep(0)"])
def test_a_notebook_shows_no_traceback(code: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    with pytest.raises(CellExecutionError):
        NotebookClient(notebook, timeout=120).execute()
    (output,) = notebook.cells[0].outputs
    lines = [line for entry in output["traceback"] for line in entry.splitlines()]
    assert lines == [
        "MissingError: the file is not there",
        "Likely cause: nobody made it",
        "Next: ./course build",
    ]
