"""Runs every example in README, docs and docstrings, each document in an empty folder of its own."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING

from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.myst import PythonCodeBlockParser

if TYPE_CHECKING:
    import pytest


def _into_an_empty_folder(namespace: dict[str, object]) -> None:
    stack = ExitStack()
    before = os.getcwd()  # noqa: PTH109 - the counterpart of chdir
    stack.callback(os.chdir, before)
    os.chdir(stack.enter_context(tempfile.TemporaryDirectory()))
    namespace["_folder"] = stack


def _back(namespace: dict[str, object]) -> None:
    stack = namespace["_folder"]
    if isinstance(stack, ExitStack):
        # The folder can only be removed once nobody stands in it.
        stack.pop_all().__exit__(None, None, None)


_documents = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=_into_an_empty_folder,
    teardown=_back,
)
_docstrings = Sybil(
    parsers=[DocTestParser()],
    patterns=["src/vetmail_core/**/*.py", "src/vetmail_core/*.py"],
    document_types={".py": PythonDocStringDocument},
    setup=_into_an_empty_folder,
    teardown=_back,
)
pytest_collect_file = (_documents + _docstrings).pytest()


def pytest_report_header(config: pytest.Config) -> str:
    """Say what the plain test command leaves out, and how to run it."""
    del config
    return (
        "left out here: tests/integration (Postfix, Exim, OpenSMTPD, Dovecot, mail programs); "
        "run it with `nox -s integration` on a Debian machine that has the packages it lists"
    )
