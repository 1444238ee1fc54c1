"""What stops a hand-over where the way out depends on who reads the sentence.

A programmer can raise `max_windows`; whoever works at the command line has an option for it. So these
errors keep what happened apart from what to do.
"""

from __future__ import annotations

from typing import Final

from vetmail_core.errors import TransportError

__all__ = ["BUILT_IN", "NoScreenError", "TooManyWindowsError"]

BUILT_IN: Final = 'turn on "Use built-in VETtrak email client"'


class NoScreenError(TransportError):
    """There is no screen on which a mail program could open.

    Attributes:
        problem: what happened, in one sentence.
    """

    problem = (
        "A mail program needs a screen, and this process has none"
        " (DISPLAY and WAYLAND_DISPLAY are not set); nothing was opened."
    )

    def __init__(self) -> None:
        super().__init__(
            f"{self.problem} {BUILT_IN[0].upper()}{BUILT_IN[1:]}, or file the emails as drafts with"
            " ImapDrafts."
        )


class TooManyWindowsError(TransportError):
    """A run would open more windows than it may.

    Attributes:
        allowed: how many it may open.
        problem: what happened, in one sentence.
    """

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed
        self.problem = (
            f"More than {allowed} emails were to open a window each in the mail program; nothing was opened."
        )
        super().__init__(
            f"{self.problem} Raise max_windows, write to everybody in one email with as_one_email of the"
            f" plan, or {BUILT_IN}."
        )
