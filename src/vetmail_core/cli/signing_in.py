"""``sign-in``: a person signs in once with a code, and mail can be sent as them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vetmail_core.cli.layout import tell
from vetmail_core.cli.planning import NothingTriedError, staff_of
from vetmail_core.cli.show import one_line, say
from vetmail_core.errors import TokenError
from vetmail_core.preferences import load_preferences
from vetmail_core.preferences.oauth import OAUTH, kind_of
from vetmail_core.tokens import MicrosoftSignIn
from vetmail_core.tokens.settings import same_mailbox

if TYPE_CHECKING:
    import argparse

__all__ = ["sign_in"]


def sign_in(arguments: argparse.Namespace) -> int:
    """Show the code, and wait until the person has signed in.

    Returns:
        0 when they have, 1 when they have not.

    Raises:
        VetmailError: there are no preferences, or nothing in them to sign in to.
    """
    server = load_preferences(arguments.preferences).mail_server
    source = server.oauth
    if not isinstance(source, MicrosoftSignIn):
        kind = kind_of(source)
        found = f"they have {kind}, which needs no sign-in" if kind else f"{OAUTH} is not set"
        raise NothingTriedError(
            f"the preferences have nothing to sign in to: {found}; expected microsoft_sign_in"
        )
    staff = staff_of(arguments)
    mailbox = source.mailbox or server.username if staff is None else staff.address.addr_spec
    if not mailbox:
        raise NothingTriedError(
            "expected --staff MAILBOX, the mailbox that signs in; the preferences name none"
        )
    own = source.of(mailbox)
    if not same_mailbox(own.mailbox, mailbox):
        raise NothingTriedError(
            f"--staff {mailbox}: the preferences sign everybody in as {own.mailbox}; clear "
            f"{OAUTH}.microsoft_sign_in.mailbox"
        )
    try:
        own.sign_in(_say)
    except TokenError as error:
        say(f"vetmail sign-in: not signed in: {one_line(error)}", out=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("vetmail sign-in: not signed in: interrupted, and nothing was changed", out=sys.stderr)
        return 1
    _say(f"signed in: mail can be sent as {own.mailbox}")
    return 0


def _say(line: str) -> None:
    # Broken between words, because a code that stands on two lines is typed wrongly.
    tell(line, out=sys.stdout)
