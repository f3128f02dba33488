"""From definitions to a module: what is collected, and what is refused."""

import asyncio
import contextlib
import linecache
from collections.abc import Callable
from typing import Any

import pytest

from helpers.course.app_source import app_source, global_names
from helpers.errors import UsageError

CELLS = '''
import asyncio
import json as words
from collections.abc import AsyncIterator
from typing import Any

LIMIT = 3
UNUSED = 4


class Layer:
    """Names the function below, which names it."""

    def __init__(self) -> None:
        self.limit = LIMIT

    def call(self) -> int:
        return helper(self)


def helper(layer: Layer) -> int:
    unused = 1
    return layer.limit + unused


@contextlib.contextmanager
def held():
    yield words.dumps({})


def factory() -> Any:
    LATER = 5
    with held():
        return Layer().call(), LATER


def stranger():
    return LOOP


class Empty(Exception):
    pass


def raises():
    raise Empty
'''


@pytest.fixture
def cells() -> dict[str, Any]:
    """The definitions as a kernel would have them: compiled from text that only linecache knows."""
    name = "<cell-of-a-test>"
    linecache.cache[name] = (len(CELLS), None, CELLS.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"__name__": "__main__", "contextlib": contextlib, "LOOP": asyncio.Lock()}
    exec(compile(CELLS, name, "exec"), namespace)
    return namespace


def load(factory: Callable[..., Any]) -> dict[str, Any]:
    module: dict[str, Any] = {"__name__": "app"}
    exec(app_source(factory), module)
    return module


def test_a_factory_brings_all_that_it_uses_and_nothing_else(cells: dict[str, Any]) -> None:
    module = load(cells["factory"])
    assert module["factory"]() == (4, 5)
    assert {"Layer", "helper", "held", "LIMIT", "words", "contextlib"} <= set(module)
    assert "UNUSED" not in module


def test_an_import_is_written_by_its_shortest_public_name(cells: dict[str, Any]) -> None:
    lines = app_source(cells["factory"]).splitlines()
    assert "import json as words" in lines
    assert "from typing import Any" in lines


def test_the_latest_definition_counts(cells: dict[str, Any]) -> None:
    exec("LIMIT = 7", cells)
    assert load(cells["factory"])["factory"]() == (8, 5)


def test_a_value_that_another_process_cannot_have_is_refused(cells: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="LOOP"):
        app_source(cells["stranger"])


def test_a_class_whose_source_cannot_be_found_is_refused(cells: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Empty"):
        app_source(cells["raises"])


def test_only_functions_make_apps() -> None:
    with pytest.raises(UsageError, match="not a function"):
        app_source(print)


def test_local_names_are_not_taken_for_global_ones() -> None:
    source = "def f(given):\n    own = given\n    return own + outer(lambda inner: inner)\n"
    assert global_names(source) == {"outer"}
