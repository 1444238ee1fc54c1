"""How many people all mailboxes of an organisation together may write to in a day.

``check`` says it for a provider that counts the organisation as a whole, and ``preview`` where a mailing
comes near it. Without a number of licences the figure is that of one, the least there is, and the line says
so.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from vetmail_core.cli.layout import tell
from vetmail_core.preferences import provider_for

if TYPE_CHECKING:
    from vetmail_core.preferences import EmailPreferences

__all__ = ["say_near_tenant_limit", "say_tenant_limit"]

_NEAR: Final = 0.8  # of the day's number: what else the organisation writes that day needs room too


def say_tenant_limit(preferences: EmailPreferences, licences: int | None) -> None:
    """Print the provider's limit, where it has one."""
    limit = _limit(preferences, licences)
    if limit is not None:
        _, sentence = limit
        tell(sentence, out=sys.stdout)


def say_near_tenant_limit(preferences: EmailPreferences, licences: int | None, *, recipients: int) -> None:
    """Print the provider's limit, where a mailing comes near it.

    Args:
        preferences: the organisation's.
        licences: as typed; None when nothing was.
        recipients: of all the emails, copies counted.
    """
    limit = _limit(preferences, licences)
    if limit is None or recipients < _NEAR * limit[0]:
        return
    number, sentence = limit
    over = "more than" if recipients > number else "near"
    tell(
        f"{recipients:,} recipients, {over} a day's limit: {sentence}; send over several days, with --first "
        "and --ledger",
        out=sys.stdout,
    )


def _limit(preferences: EmailPreferences, licences: int | None) -> tuple[int, str] | None:
    if not preferences.use_built_in_client:
        return None
    provider = provider_for(preferences.mail_server.host)
    number = None if provider is None else provider.tenant_recipients_per_day(licences or 1)
    if provider is None or number is None:
        return None
    with_licences = f"with {licences:,} licence{'s' * (licences > 1)}" if licences else "with 1 licence"
    more = "" if licences else ", and more people with more licences (--licences N says how many)"
    return number, (
        f"{provider.name} lets all mailboxes of the organisation together write to {number:,} people outside "
        f"it in 24 hours {with_licences}{more}"
    )
