"""A desktop for tests: stand-ins for xdg-mime and xdg-open, alone on the path."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from pathlib import Path


class Desk:
    """Answers which programs open links and drafts, and keeps what was asked and opened.

    Args:
        folder: where the stand-ins lie; put its `bin` onto the path.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.has()

    def has(self, mailto: str = "thunderbird.desktop", rfc822: str | None = None) -> None:
        """Set the programs of links and of draft files; "" is none, None the same for both."""
        drafts = mailto if rfc822 is None else rfc822
        self.program(
            "xdg-mime",
            f'echo "$@" >> {self._folder}/asked\n'
            f'case "$3" in x-scheme-handler/mailto) echo "{mailto}";; *) echo "{drafts}";; esac',
        )
        self.program("xdg-open", f'echo "$1" >> {self._folder}/opened')

    def program(self, name: str, does: str) -> None:
        """Put a program there, or replace it."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        path.chmod(0o755)

    def lacks(self, name: str) -> None:
        """Take a program away."""
        (self.programs / name).unlink()

    @property
    def asked(self) -> list[str]:
        """The kinds that xdg-mime was asked for."""
        path = self._folder / "asked"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        assert all(line.startswith("query default ") for line in lines)
        return [line.removeprefix("query default ") for line in lines]

    @property
    def opened(self) -> list[str]:
        """The URIs that xdg-open was given."""
        path = self._folder / "opened"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def fields(self) -> dict[str, str]:
        """The fields of the one link that was opened, as they stand in it, the body decoded."""
        [uri] = self.opened
        assert uri.startswith("mailto:")
        to, _, query = uri.removeprefix("mailto:").partition("?")
        fields = {"to": to} | dict(field.split("=", 1) for field in query.split("&"))
        return fields | {"body": unquote(fields.get("body", ""))}

    def draft(self) -> str:
        """The path of the one draft file that was opened."""
        [uri] = self.opened
        assert uri.startswith("file:///")
        return url2pathname(urlsplit(uri).path)
