"""The reference page and --help tell of the same commands and options."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from vetmail_core.cli.arguments import parser

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")


def _commands(root: argparse.ArgumentParser, name: str = "") -> dict[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = {}
    for action in root._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, command in action.choices.items():
                whole = f"{name} {word}".strip()
                found |= _commands(command, whole) or {whole: command}
    return found


def test_each_command_and_option_is_on_the_page_and_no_other() -> None:
    """Whoever reads the page can type what it says, and finds what can be typed."""
    commands = _commands(parser())
    options = {
        option
        for command in commands.values()
        for action in command._actions
        for option in action.option_strings
        if option.startswith("--")
    }
    assert options - {"--help"} == set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE)) - {"--help"}
    missing = [name for name in commands if f"vetmail_core {name}" not in PAGE and f"`{name}`" not in PAGE]
    assert missing == []
