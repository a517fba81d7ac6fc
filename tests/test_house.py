"""The house rules of CONTRIBUTING.md, held by a test; the few exceptions stand here with their reasons."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.places import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = sorted(
    path for package in ("edge", "facegate_hub") for path in (REPOSITORY / package).rglob("*.py")
)

MOST_LINES = 40
"""Of a function's body, without its docstring."""

MOST_PARAMETERS = 6
MOST_FILE_LINES = 480

FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base", "core"}
"""Names that say nothing about what is inside."""

LONG = {
    ("facegate_hub/community/migrations/versions/v0001_first.py", "upgrade"): "generated: every table once",
}
MANY_PARAMETERS = {
    ("edge/relay/supervised.py", "__init__"): "the guard's ports, one each",
    ("edge/store/shared.py", "__init__"): "what tells one shared database from another, by keyword",
    ("edge/sync/follower.py", "__init__"): "the ports of a follower, one each",
}

DOUBLED = {
    "Message": "one from the broker, one for a reader: each is the field's own word",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def where(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, Function)]


def body_lines(function: Function) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def parameters(function: Function) -> int:
    named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return sum(one.arg not in {"self", "cls"} for one in named)


def test_functions_are_short():
    found = {
        (where(path), function.name): body_lines(function)
        for path in SOURCES
        for function in functions(path)
        if body_lines(function) > MOST_LINES
    }
    assert {name: lines for name, lines in found.items() if name not in LONG} == {}
    assert set(LONG) <= set(found), "an exception that is not needed any more"


def test_functions_take_few_parameters():
    """Commands are left out: their parameters are the user's options."""
    found = {
        (where(path), function.name)
        for path in SOURCES
        if "/cli/" not in where(path)
        for function in functions(path)
        if parameters(function) > MOST_PARAMETERS
    }
    assert found - set(MANY_PARAMETERS) == set()
    assert set(MANY_PARAMETERS) <= found, "an exception that is not needed any more"


def test_files_are_read_in_one_sitting():
    lengths = {where(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_FILE_LINES} == {}


@pytest.mark.parametrize("path", SOURCES, ids=where)
def test_everything_public_says_what_the_caller_gets(path):
    tree = ast.parse(path.read_text())
    if path.read_text().strip():
        assert ast.get_docstring(tree), "a file says what it is for"
    named = [node for node in tree.body if isinstance(node, (Function, ast.ClassDef))]
    public = [node for node in named if not node.name.startswith("_")]
    methods = [
        one
        for node in public
        if isinstance(node, ast.ClassDef)
        for one in node.body
        if isinstance(one, Function) and not one.name.startswith("_")
    ]
    assert [node.name for node in (*public, *methods) if not ast.get_docstring(node)] == []


def test_no_module_has_a_name_that_says_nothing():
    names = {where(path): {path.stem, *path.relative_to(REPOSITORY).parts[:-1]} for path in SOURCES}
    assert {name for name, parts in names.items() if parts & FORBIDDEN} == set()


def test_one_name_means_one_thing():
    """A public class name stands once in both packages, or a reader has to ask which one is meant."""
    seen: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                seen.setdefault(node.name, []).append(where(path))
    doubled = {name: places for name, places in seen.items() if len(places) > 1}
    assert {name: places for name, places in doubled.items() if name not in DOUBLED} == {}
    assert set(DOUBLED) <= set(doubled), "an exception that is not needed any more"
