"""``check`` and ``paths``: the settings, looked at before mail depends on them.

Nothing is changed and nothing is sent. Status 1 means that mail would not leave with these settings.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Final

from vetmail_core.cli.findings import say_findings
from vetmail_core.cli.layout import tell
from vetmail_core.cli.planning import NothingTriedError, staff_of, token_of
from vetmail_core.cli.show import one_line
from vetmail_core.cli.tenant import say_tenant_limit
from vetmail_core.credentials import PlainSecret
from vetmail_core.errors import PreferencesError, Problem, Severity, TransportError
from vetmail_core.preferences import check_preferences, default_preferences_path, load_preferences
from vetmail_core.preferences.oauth import OAUTH
from vetmail_core.sender import resolve_sender
from vetmail_core.tokens import default_sign_ins_path
from vetmail_core.transports import transport_for
from vetmail_core.transports.base import ask

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vetmail_core.address import Mailbox
    from vetmail_core.people import Staff
    from vetmail_core.preferences import EmailPreferences
    from vetmail_core.transports import ConnectionCheck

__all__ = ["check", "paths"]

_NO_CHECK: Final[Callable[..., ConnectionCheck] | None] = None
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def check(arguments: argparse.Namespace) -> int:
    """Check the settings, and with ``--connect`` the server.

    Returns:
        0 when mail can leave, 1 when it cannot.

    Raises:
        VetmailError: there are no settings to check, or an option that would be passed over.
    """
    if arguments.recipient is not None and not arguments.connect:
        raise NothingTriedError(
            f"--recipient {arguments.recipient}: expected --connect beside it; only the server can say"
        )
    preferences = load_preferences(arguments.preferences)
    staff = staff_of(arguments)
    token = token_of(arguments)
    problems = (
        *(
            problem
            for problem in check_preferences(preferences, staff=staff)
            if token is None or problem.setting != OAUTH  # it comes from what was typed
        ),
        *_readable_by_others(preferences, arguments.preferences or default_preferences_path()),
    )
    errors = say_findings(problems)
    say_tenant_limit(preferences, arguments.licences)
    if not arguments.connect:
        return 1 if errors else 0
    if errors:
        _say("not connected: the errors come first")
        return 1
    with closing(transport_for(preferences, staff=staff, token=token)) as transport:
        check_connection = ask(transport, "check", default=_NO_CHECK)
        if check_connection is None:
            _say("nothing to connect to: the built-in client is off, drafts go to the mail program")
            return 0
        try:
            found = check_connection(arguments.recipient, sender=_sender(preferences, staff))
        except TransportError as error:
            _say(f"the connection failed: {one_line(error)}")
            return 1
    for line in str(found).splitlines():
        _say(line)
    return 0 if found.ok else 1


def _readable_by_others(preferences: EmailPreferences, path: Path) -> Iterator[Problem]:
    """A file with a secret in clear text is for its owner alone; Windows keeps such rights elsewhere."""
    if not isinstance(preferences.mail_server.password, PlainSecret) or os.name == "nt":
        return
    if path.stat().st_mode & _OTHERS:
        yield Problem(
            severity=Severity.WARNING,
            setting="mail_server.password",
            message="The file holds the password in clear text, and others on this machine can read it.",
            advice=f"Take their right away: chmod 600 {path}",
        )


def _sender(preferences: EmailPreferences, staff: Staff | None) -> Mailbox | None:
    """Whom mail would be from; None when only the staff member who sends will tell."""
    try:
        return resolve_sender(preferences, staff).mailbox
    except PreferencesError:
        return None


def paths(arguments: argparse.Namespace) -> int:
    """Print where the shared preferences are looked for, and where sign-ins of this account are kept.

    Returns:
        0.
    """
    del arguments
    path = default_preferences_path()
    _say(f"preferences: {path} ({'is there' if path.exists() else 'not there'})")
    kept = default_sign_ins_path()
    _say(f"sign-ins: {kept} ({'is there' if kept.exists() else 'not there'})")
    return 0


def _say(line: str) -> None:
    tell(line, out=sys.stdout)
