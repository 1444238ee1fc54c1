"""Asking the desktop which programs open mailto links and draft files.

A run asks at most two questions, and the second only when an email wants a draft file. Nobody is asked
where the answer would not be true: outside Linux, inside a Snap or Flatpak (the host's programs cannot be
seen from there), or when the caller opens links in a way of their own.

The screen is looked for first. Without one, `xdg-open` starts a text browser, if the machine has one, and
says that all went well.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.errors import TransportError
from vetmail_core.transports.mailto.problems import NoScreenError
from vetmail_core.transports.mailto.programs import desktop_name, program_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from vetmail_core.transports.mailto.programs import MailProgram

__all__ = ["DRAFTS", "LINKS", "NOT_ASKED", "Handler", "Handlers", "LinuxDesktop", "found"]

LINKS: Final = "x-scheme-handler/mailto"
DRAFTS: Final = "message/rfc822"
_ANSWERS_WITHIN: Final = 30.0  # seconds for a question to the desktop's settings
_SCREENS: Final = ("DISPLAY", "WAYLAND_DISPLAY")
_SANDBOXES: Final = ("SNAP", "FLATPAK_ID")
# `snap_app.desktop`: a Snap's name has small letters, digits and hyphens (snapcraft.io, "Snap names").
_SNAP: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*_[A-Za-z0-9.-]+")


@attrs.frozen
class Handler:
    """The program that opens one kind of thing.

    Attributes:
        entry: its name on the desktop, "thunderbird.desktop"; "" when nobody was asked.
    """

    entry: str = ""

    @property
    def program(self) -> MailProgram | None:
        """What was measured of it; None for a program that nobody measured or asked for."""
        return program_named(self.entry)

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        if self.program is not None:
            return self.program.name
        return self.entry or "the mail program"

    @property
    def is_snap(self) -> bool:
        """True if it comes from a Snap, which reads no hidden files."""
        return _SNAP.fullmatch(self.entry.removesuffix(".desktop")) is not None

    def is_same(self, other: Handler) -> bool:
        """True if both names mean one program."""
        if self.program is not None:
            return self.program is other.program
        return desktop_name(self.entry) == desktop_name(other.entry)


NOT_ASKED: Final = Handler()


class Handlers:
    """What one run knows of the programs that open its emails; each is asked for at most once.

    Args:
        links: what opens mailto links.
        ask_for_drafts: asks what opens draft files; None in its answer when nothing does.
    """

    def __init__(
        self, links: Handler = NOT_ASKED, ask_for_drafts: Callable[[], Handler | None] | None = None
    ) -> None:
        self.links = links
        self._ask = ask_for_drafts
        self._drafts: Handler | None = NOT_ASKED

    @property
    def drafts(self) -> Handler | None:
        """What opens draft files; None when nothing does."""
        if self._ask is not None:
            self._drafts, self._ask = self._ask(), None
        return self._drafts


@attrs.frozen(kw_only=True)
class LinuxDesktop:
    """The desktop of Linux and other Unix systems.

    Args:
        answers_within: seconds that the desktop may take to say which program it has.
        flatpak_info: the file that every Flatpak has inside.
    """

    answers_within: float = _ANSWERS_WITHIN
    flatpak_info: Path = Path("/.flatpak-info")

    def handlers(self) -> Handlers:
        """Begin a run: look for the screen, then ask for the program of mailto links.

        Raises:
            TransportError: there is no screen, no program for mailto links, or xdg-utils are not installed.
        """
        if not any(os.environ.get(name) for name in _SCREENS):
            raise NoScreenError
        found("xdg-open")
        if any(os.environ.get(name) for name in _SANDBOXES) or self.flatpak_info.exists():
            return Handlers()
        links = self._handler(LINKS)
        if links is None:
            raise TransportError(
                f"This desktop has no program for mailto links ({LINKS})."
                " Install a mail program or choose one in the desktop's settings under default"
                f" applications (xdg-mime default PROGRAM.desktop {LINKS}), then try again."
            )
        return Handlers(links, lambda: self._handler(DRAFTS))

    def _handler(self, kind: str) -> Handler | None:
        asking = found("xdg-mime")
        try:
            answer = subprocess.run(  # noqa: S603 - found by name, two fixed words and one of two kinds
                [asking, "query", "default", kind],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self.answers_within,
                check=False,
            ).stdout.decode(errors="replace")
        except subprocess.TimeoutExpired:
            answer = ""
        # Some desktops answer with their whole list of preference; the first of it is the one that opens.
        entries = answer.replace(";", " ").split()
        return Handler(entries[0]) if entries else None


def found(program: str) -> str:
    """The path of a program of xdg-utils.

    Raises:
        TransportError: it is not installed.
    """
    path = shutil.which(program)
    if path is None:
        raise TransportError(
            f"Opening a mail program on a Linux desktop needs {program}, which was not found."
            " Install the package xdg-utils, then try again."
        )
    return path
