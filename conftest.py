"""Runs every example in README, docs and docstrings, each document in an empty folder of its own.

It also says what the plain test command leaves out. It imports nothing of the library: tests of the plugin,
which look at what is loaded, may run in folders below it.
"""

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
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    # Left before it is removed: a folder in which somebody stands cannot be removed everywhere.
    stack.callback(os.chdir, os.getcwd())  # noqa: PTH109 - the counterpart of chdir
    os.chdir(folder)
    namespace["_leave"] = stack.close


def _back(namespace: dict[str, object]) -> None:
    leave = namespace["_leave"]
    assert callable(leave)  # noqa: S101 - put there above
    leave()


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
