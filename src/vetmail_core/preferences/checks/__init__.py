"""What will go wrong with these preferences, and what to do about it.

The checks tell an administrator on the settings screen what a mail server would only tell the first class
that gets no mail. Nothing is connected to. Each problem names its setting, what is wrong and what to do,
the gravest first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core.errors import Problem, Severity
from vetmail_core.people import Staff
from vetmail_core.preferences.checks import connection, login, sending, tokens, typed
from vetmail_core.preferences.checks.case import Case
from vetmail_core.preferences.providers import provider_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vetmail_core.preferences.model import EmailPreferences

__all__ = ["check_preferences"]

_BUILT_IN_RULES: Final[tuple[Callable[[Case], Iterator[Problem]], ...]] = (
    connection.host,
    typed.host_slip,
    connection.port,
    connection.tls_fits_port,
    connection.implicit_tls,
    connection.in_clear,
    login.way_of_signing_in,
    login.login_without_use,
    typed.plain_secret,
    login.staff_logins,
    login.shared_login,
    tokens.source_is_there,
    tokens.source_is_whole,
    tokens.source_fits_server,
    tokens.source_mailbox,
    tokens.unused,
    sending.wait,
    sending.from_is_login,
    sending.default_from,
    typed.mailboxes,
    sending.reply_to,
    sending.bulk_copies,
    sending.context_rules,
    typed.unknown_settings,
)
_MAIL_PROGRAM_RULES: Final[tuple[Callable[[Case], Iterator[Problem]], ...]] = (
    sending.separator,
    typed.unknown_settings,
)
_GRAVITY: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.HINT: 2}


def check_preferences(
    preferences: EmailPreferences, *, staff: Staff | Iterable[Staff] | None = None
) -> tuple[Problem, ...]:
    """Find what will stop or spoil mail under these preferences. Connects to nothing.

    Args:
        preferences: the ones to look at; settings that do not apply are left alone.
        staff: who will send: one staff member or several. Without, only the shared login is looked at.

    Returns:
        The problems, errors first, then warnings, then hints; each group in the order of the screen.
    """
    people = () if staff is None else (staff,) if isinstance(staff, Staff) else tuple(staff)
    case = Case(preferences, people, provider_for(preferences.mail_server.host))
    rules = _BUILT_IN_RULES if preferences.use_built_in_client else _MAIL_PROGRAM_RULES
    found = [problem for rule in rules for problem in rule(case)]
    return tuple(sorted(found, key=lambda problem: _GRAVITY[problem.severity]))
