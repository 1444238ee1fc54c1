"""Errors of the mail program, with what somebody at the command line can do about them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from vetmail_core.cli.planning import NothingTriedError
from vetmail_core.transports.mailto.problems import BUILT_IN, NoScreenError, TooManyWindowsError

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["mail_program_at_the_command_line"]


@contextlib.contextmanager
def mail_program_at_the_command_line() -> Generator[None]:
    """Put what to do into the words of the command line.

    Raises:
        NothingTriedError: there is no screen, or a run would open more windows than it may.
    """
    try:
        yield
    except TooManyWindowsError as error:
        raise NothingTriedError(
            f"{error.problem} Allow more with --max-windows N, write to everybody in one email with"
            f" --one-email, or {BUILT_IN} in the preferences."
        ) from None
    except NoScreenError as error:
        raise NothingTriedError(
            f"{error.problem} Run this on a computer with a screen, leave out --live to write .eml files, or"
            f" {BUILT_IN} in the preferences."
        ) from None
