"""From the cells of a notebook to a Python file that another process can load.

A server must run in a process of its own, and the functions and classes it is made of stand in cells. `app_source`
collects them: a factory, every function and class of the notebook that it uses, directly or not, as they stand in
their cells, with the imports and plain constants they need.
"""

import ast
import inspect
import linecache
import symtable
import sys
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from helpers.errors import UsageError

HEAD = '''"""Written from the cells of a notebook; the next run writes it anew."""

from __future__ import annotations'''
"""Annotations stay unevaluated, as two definitions may name each other."""


def app_source(factory: Callable[..., Any]) -> str:
    """The source of a module that holds the factory and all it uses.

    Raises:
        UsageError: it uses something whose source cannot be found, or a value that is no plain constant.
    """
    if not isinstance(factory, FunctionType):
        raise UsageError(f"{factory!r} is not a function", "a server is made by a function that returns the app", "")
    parts = _Parts(factory.__globals__, factory.__module__)
    parts.add(factory.__name__, factory)
    heads = "\n".join([HEAD, "", *sorted(parts.heads)])
    return "\n\n\n".join([heads, *parts.definitions]) + "\n"


class _Parts:
    """What has been collected so far, what others rest on first."""

    def __init__(self, namespace: Mapping[str, Any], module: str) -> None:
        self.heads: set[str] = set()
        self.definitions: list[str] = []
        self._namespace = namespace
        self._module = module
        self._seen: set[str] = set()

    def add(self, name: str, value: Any) -> None:
        """Take in what a name stands for, and whatever that uses."""
        if name in self._seen:
            return
        self._seen.add(name)
        if isinstance(value, ModuleType):
            self.heads.add(f"import {value.__name__}" + (f" as {name}" if value.__name__ != name else ""))
        elif isinstance(value, type | FunctionType) and value.__module__ == self._module:
            source = definition_source(value)
            for used in global_names(source):
                if used in self._namespace:
                    self.add(used, self._namespace[used])
            self.definitions.append(source)
        elif line := import_line(name, value) or constant_line(name, value):
            self.heads.add(line)
        else:
            what = f"the server uses {name}, which is no function, class, import or plain constant"
            raise UsageError(what, f"it is {value!r:.60}; a process of its own cannot see it", "make it an argument")


def definition_source(definition: Any) -> str:
    """The text of a top-level function or class, decorators included.

    Raises:
        UsageError: the text cannot be found.
    """
    for code in _codes(definition):
        text = "".join(linecache.getlines(code.co_filename))
        try:
            tree = ast.parse(text)
        except SyntaxError:  # a cell with a magic
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and (
                node.name == definition.__name__
            ):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    raise UsageError(
        f"the source of {definition.__name__} cannot be found",
        "it must stand at the left margin of a cell without magics; a class needs a method of its own",
        "",
    )


def global_names(source: str) -> set[str]:
    """Names that a piece of top-level source takes from outside itself, built-in ones included."""

    def tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
        yield table
        for child in table.get_children():
            yield from tables(child)

    top, *nested = tables(symtable.symtable(source, "cell", "exec"))
    names = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    return names | {symbol.get_name() for table in nested for symbol in table.get_symbols() if symbol.is_global()}


def import_line(name: str, value: Any) -> str:
    """The import that gives a name its value; empty if there is none."""
    module, own = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not isinstance(module, str) or "." in own or not own:
        return ""
    for candidate in (module.partition(".")[0], module):  # the shorter name is the public one
        if getattr(sys.modules.get(candidate), own, None) is value:
            return f"from {candidate} import {own}" + (f" as {name}" if own != name else "")
    return ""


def constant_line(name: str, value: Any) -> str:
    """The assignment of a plain constant; empty if it is none."""
    try:
        return f"{name} = {value!r}" if ast.literal_eval(repr(value)) == value else ""
    except (ValueError, SyntaxError):
        return ""


def _codes(definition: Any) -> Iterator[Any]:
    members = vars(definition).values() if isinstance(definition, type) else [definition]
    for member in members:
        function = inspect.unwrap(member) if callable(member) else getattr(member, "fget", None)
        if isinstance(function, FunctionType):
            yield function.__code__
