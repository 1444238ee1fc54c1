"""What the reference takes out of the docstrings reads as it was meant."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vetmail_core
from vetmail_core import testing

if TYPE_CHECKING:
    from collections.abc import Iterator

CLASSES = {
    name: offered
    for module in (vetmail_core, testing)
    for name in module.__all__
    if isinstance(offered := getattr(module, name), type)
}
PACKAGE = Path(vetmail_core.__file__).parent
CODE = re.compile(r"``.+?``|`.+?`")


def first_lines(found: ast.ClassDef) -> Iterator[str]:
    """The lines in which "words: more words" would be read as a type and its description."""
    for statement, behind in zip(found.body, found.body[1:], strict=False):
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(behind, ast.Expr):
            yield from str(getattr(behind.value, "value", "")).strip().splitlines()[:1]
    for method in found.body:
        if isinstance(method, ast.FunctionDef):
            text = ast.get_docstring(method) or ""
            if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in method.decorator_list):
                yield from text.splitlines()[:1]
            yield from re.findall(r"^Returns:\n    (.*)$", text, re.MULTILINE)


def maps() -> Iterator[tuple[str, set[str], set[str]]]:
    """Of each package that draws a map in its docstring: the rooms on the map, and those in the folder."""
    for path in sorted(PACKAGE.rglob("__init__.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        drawn = set(re.findall(r"^    (\w+\.py|\w+(?=  ))", text, re.MULTILINE))
        if any(name.endswith(".py") for name in drawn):
            files = {other.name for other in path.parent.glob("*.py")} - {"__init__.py"}
            folders = {other.parent.name for other in path.parent.glob("*/__init__.py")}
            yield str(path.parent.relative_to(PACKAGE)), drawn, files | folders


@pytest.mark.parametrize(("package", "drawn", "there"), list(maps()))
def test_a_package_s_map_shows_every_room(package: str, drawn: set[str], there: set[str]) -> None:
    """And no other; whoever inherits it finds the way by the docstring."""
    assert drawn == there, package


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_no_first_words_are_taken_for_a_type(name: str) -> None:
    """A colon in the first line of a property, a choice or "Returns" would tear the sentence apart."""
    source = inspect.getsourcefile(CLASSES[name])
    assert source
    tree = ast.parse(Path(source).read_text(encoding="utf-8"))
    (found,) = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name]
    assert [line for line in first_lines(found) if ":" in CODE.sub("", line)] == []


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_public_class_says_what_it_is_and_so_does_each_of_its_methods(name: str) -> None:
    """Nothing in the reference stands there without a sentence."""
    offered = CLASSES[name]
    assert offered.__doc__
    silent = [
        key
        for key, member in vars(offered).items()
        if not key.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
        if not inspect.getdoc(getattr(offered, key))
    ]
    assert silent == []
