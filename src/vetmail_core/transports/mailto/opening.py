"""Asking the system to open a link or a draft file.

What it is for: Windows, macOS and Linux, each by its own door. What it refuses: a shell, the web browser,
and to wait until a person has written their mail. Its law: one argument, a `mailto:` or `file:` URI, that
no program on the way can take for an option or a command.

`webbrowser.open` is not used: it starts the web browser and says that all went well. `xdg-email` is not
used: it can be made to attach files (CVE-2020-27748).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import attrs

from vetmail_core.errors import TransportError

__all__ = ["LinuxOpener", "MacOpener", "OpenUri", "WindowsOpener", "opener_for"]

OpenUri = Callable[[str], None]
"""Opens one URI, or raises TransportError or OSError when no program does."""

_HANDED_OVER_AFTER: Final = 2.0  # seconds: a program that runs so long is up, and runs until it is closed
_ANSWERS_WITHIN: Final = 30.0  # seconds for a question to the desktop's settings


def opener_for(platform: str) -> OpenUri:
    """Choose the door.

    Args:
        platform: as `sys.platform` says it; what is neither Windows nor macOS is treated as Linux.
    """
    if platform == "win32":
        return WindowsOpener()
    if platform == "darwin":
        return MacOpener()
    return LinuxOpener()


def _startfile() -> Callable[[str], None] | None:
    return getattr(os, "startfile", None)


@attrs.frozen(kw_only=True)
class WindowsOpener:
    """By the program that Windows has for mailto, or for .eml files.

    Args:
        startfile: `os.startfile`.
    """

    startfile: Callable[[str], None] | None = attrs.field(factory=_startfile)

    def __call__(self, uri: str, /) -> None:
        """Open one URI.

        Raises:
            TransportError: no program is set for it.
        """
        from urllib.request import url2pathname  # noqa: PLC0415 - brings HTTP and TLS with it

        if self.startfile is None:
            raise TransportError(
                "Windows' way of opening a mail program was asked for, but this is no Windows."
            )
        parts = urlsplit(uri)
        # A file goes by its path: not every program that Windows starts can read a file URI.
        target = url2pathname(parts.path) if parts.scheme == "file" else uri
        try:
            self.startfile(target)
        except OSError as error:
            # Not chained: Windows' error shows the URI, which names people, in every traceback.
            raise TransportError(
                f"Windows has no program for {_kind(uri)}: {error.strerror}."
                " Choose one in Settings > Apps > Default apps, then try again."
            ) from None


@attrs.frozen(kw_only=True)
class MacOpener:
    """By the program that macOS has for mailto, or for .eml files.

    Args:
        program: the system's own `open`.
        patience: seconds after which a program that still runs is taken to be up.
    """

    program: str = "/usr/bin/open"
    patience: float = _HANDED_OVER_AFTER

    def __call__(self, uri: str, /) -> None:
        """Open one URI.

        Raises:
            TransportError: no program is set for it.
        """
        code = _start([self.program, uri], self.patience)
        if code:
            raise TransportError(
                f"macOS could not open a mail program for {_kind(uri)} (open ended with {code})."
                " Choose one in Mail > Settings > General > Default email reader, then try again."
            )


@attrs.frozen(kw_only=True)
class LinuxOpener:
    """By the program that the desktop has for mailto, or for .eml files.

    The desktop is asked first whether it has one: without, xdg-open starts the web browser and says that
    all went well.

    Args:
        patience: seconds after which a program that still runs is taken to be up.
        answers_within: seconds that the desktop may take to say which program it has.
    """

    patience: float = _HANDED_OVER_AFTER
    answers_within: float = _ANSWERS_WITHIN

    def __call__(self, uri: str, /) -> None:
        """Open one URI.

        Raises:
            TransportError: no program is set for it, or xdg-utils are not installed.
        """
        asking, opening = _found("xdg-mime"), _found("xdg-open")
        kind = "message/rfc822" if uri.startswith("file:") else "x-scheme-handler/mailto"
        try:
            answer = subprocess.run(  # noqa: S603 - found by name, two fixed words and one of two kinds
                [asking, "query", "default", kind],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self.answers_within,
                check=False,
            ).stdout.strip()
        except subprocess.TimeoutExpired:
            answer = b""
        if not answer:
            raise TransportError(
                f"This desktop has no program for {_kind(uri)} ({kind})."
                " Install a mail program or choose one in the desktop's settings under default"
                f" applications (xdg-mime default PROGRAM.desktop {kind}), then try again."
            )
        code = _start([opening, uri], self.patience)
        if code:
            raise TransportError(
                f"The mail program could not be opened for {_kind(uri)}: xdg-open ended with {code}."
                " Open the mail program by hand and see what it says, then try again."
            )


def _kind(uri: str) -> str:
    """What is to be opened; never the URI itself, which names people."""
    return "draft files (.eml)" if uri.startswith("file:") else "mailto links"


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise TransportError(
            f"{program} was not found, by which a Linux desktop is asked to open a mail program."
            " Install the package xdg-utils, then try again."
        )
    return path


def _start(arguments: list[str], patience: float) -> int:
    """Start a program that shall outlive us.

    Returns:
        Its exit code; 0 too when it still runs after that many seconds, because then it is up.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - an absolute path and one URI of a fixed alphabet
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise TransportError(
            f"{arguments[0]} could not be started: {error.strerror}. Open the mail program by hand."
        ) from error
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        # Somebody has to hear of its end, or it stays in the process table as long as we live.
        threading.Thread(target=process.wait, daemon=True).start()
        return 0
