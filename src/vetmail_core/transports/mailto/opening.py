"""Asking the system to open a link or a draft file: Windows, macOS and Linux, each in its own way.

No shell is involved, and nobody waits until a person has written their mail. What is opened is one argument,
a `mailto:` or `file:` URI, that no program on the way can take for an option or a command.

`webbrowser.open` is not used: it starts the web browser and says that all went well. `xdg-email` is not
used: it can be made to attach files (CVE-2020-27748).
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote, urlsplit

import attrs

from vetmail_core.errors import TransportError
from vetmail_core.transports.mailto.desktop import found

__all__ = ["LinuxOpener", "MacOpener", "OpenUri", "WindowsOpener", "opener_for", "windows_path"]

OpenUri = Callable[[str], None]
"""Opens one URI, or raises TransportError or OSError when no program does."""

_HANDED_OVER_AFTER: Final = 2.0  # seconds: a program that runs so long is up, and runs until it is closed
_THIS_MACHINE: Final = frozenset({"", "localhost"})  # hosts of a file URI (RFC 8089, section 2)


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
        if self.startfile is None:
            raise TransportError(
                "WindowsOpener() needs os.startfile, and this is not Windows. Use opener_for(sys.platform)."
            )
        # A file goes by its path: not every program that Windows starts can read a file URI.
        target = windows_path(uri) if uri.startswith("file:") else uri
        try:
            self.startfile(target)
        except OSError as error:
            # Not chained: Windows' error shows the URI, which names people, in every traceback.
            raise TransportError(
                f"Windows has no program for {_kind(uri)}: {error.strerror}."
                " Choose one in Settings > Apps > Default apps, then try again."
            ) from None


def windows_path(uri: str) -> str:
    r"""Write a file URI as a path of Windows (RFC 8089, appendix E). Pure, and the same on every system.

    `urllib.request.url2pathname` is not used: it drops the host, so a file on a file server is not found.

    Example:
        >>> print(windows_path("file://fileserver/home/kim/draft.eml"))
        \\fileserver\home\kim\draft.eml
        >>> print(windows_path("file:///C:/Users/Kim/draft.eml"))
        C:\Users\Kim\draft.eml
    """
    parts = urlsplit(uri)
    path = unquote(parts.path).replace("/", "\\")
    if parts.netloc not in _THIS_MACHINE:
        return rf"\\{unquote(parts.netloc)}{path}"
    return path.removeprefix("\\") if path[2:3] == ":" else path


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

    Make sure first that it has one (`LinuxDesktop`): without, xdg-open starts the web browser and says that
    all went well.

    Args:
        patience: seconds after which a program that still runs is taken to be up.
    """

    patience: float = _HANDED_OVER_AFTER

    def __call__(self, uri: str, /) -> None:
        """Open one URI.

        Raises:
            TransportError: it cannot be opened, or xdg-utils are not installed.
        """
        code = _start([found("xdg-open"), uri], self.patience)
        if code:
            raise TransportError(
                f"The mail program could not be opened for {_kind(uri)}: xdg-open ended with {code}."
                " Open the mail program by hand and see what it says, then try again."
            )


def _kind(uri: str) -> str:
    """What is to be opened; never the URI itself, which names people."""
    return "draft files (.eml)" if uri.startswith("file:") else "mailto links"


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
