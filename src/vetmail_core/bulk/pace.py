"""How long a mailing takes at least, and what the mail server's provider has against its size.

The preview, a host's page and the forecast of a shared limit say it by the same two functions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Self

import attrs

from vetmail_core.preferences import provider_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core.preferences import EmailPreferences, Provider

__all__ = ["Pace", "at_least", "least_seconds"]

_MINUTE: Final = 60.0
_HOUR: Final = 60  # minutes


def least_seconds(emails: int, *, wait_ms: int = 0, per_minute: float | None = None) -> float:
    """How long so many emails take, whatever the server and the line are like.

    Args:
        emails: how many.
        wait_ms: the wait between two of them, milliseconds.
        per_minute: what the server takes; None where that is not known.
    """
    return emails * max(wait_ms / 1000, _MINUTE / per_minute if per_minute else 0.0)


def at_least(seconds: float) -> str:
    """Say a time: "at least 3 min", "at least 11 h 06 min"; "" for none.

    Minutes are rounded up as long as they are few; of hours nobody counts the seconds.
    """
    if not seconds:
        return ""
    minutes = math.ceil(seconds / _MINUTE)
    if minutes < _HOUR:
        return f"at least {minutes} min"
    hours, minutes = divmod(max(_HOUR, int(seconds / _MINUTE)), _HOUR)
    return f"at least {hours} h {minutes:02} min"


@attrs.frozen(kw_only=True)
class Pace:
    """What the settings of the mail server mean for a mailing's length.

    Args:
        wait_ms: the wait between two emails, milliseconds.
        provider: whose limits hold; None where it is not known.
    """

    wait_ms: int = 0
    provider: Provider | None = None

    @classmethod
    def of(cls, preferences: EmailPreferences) -> Self:
        """The pace of the built-in client; of a mail program none is known."""
        if not preferences.use_built_in_client:
            return cls()
        server = preferences.mail_server
        return cls(wait_ms=server.wait_between_emails_ms, provider=provider_for(server.host))

    def seconds(self, emails: int) -> float:
        """How long a run takes at least."""
        per_minute = None if self.provider is None else self.provider.messages_per_minute
        return least_seconds(emails, wait_ms=self.wait_ms, per_minute=per_minute)

    def warnings(self, *, recipients: int, largest: int) -> Iterator[str]:
        """What the provider has against a mailing, in a sentence each.

        Args:
            recipients: of all its emails, copies counted.
            largest: the recipients of the email that has the most.
        """
        if self.provider is None:
            return
        name, a_day, a_message = (
            self.provider.name,
            self.provider.recipients_per_day,
            self.provider.recipients_per_message,
        )
        if a_day is not None and recipients > a_day:
            yield (
                f"{recipients:,} recipients; {name} takes {a_day:,} a day. Send over several days, with a "
                "ledger."
            )
        if a_message is not None and largest > a_message:
            yield (
                f"An email has {largest:,} recipients; {name} takes {a_message:,} a message, so it leaves in "
                "several parts."
            )
