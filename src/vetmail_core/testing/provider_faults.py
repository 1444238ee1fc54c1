"""Faults in the words of the big providers.

Code, enhanced code and moment are those of the pages of Microsoft 365, Gmail and Amazon SES.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from vetmail_core.receipts import Phase

if TYPE_CHECKING:
    from vetmail_core.testing.faults import Faults

__all__ = ["AmazonSesFaults", "GmailFaults", "Office365Faults"]


@attrs.frozen
class Office365Faults:
    """What Microsoft 365 answers, in its own words (learn.microsoft.com, Exchange Online error pages)."""

    _faults: Faults

    def basic_retired(self) -> Faults:
        """Password logins are switched off, by default from the end of December 2026."""
        return self._faults.auth_fails(
            550, "5.7.30", text="Basic authentication is not supported for Client Submission."
        )

    def smtp_auth_disabled(self) -> Faults:
        """Authenticated SMTP is switched off for the tenant."""
        return self._faults.auth_fails(
            535,
            "5.7.139",
            text="Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
        )

    def throttled(self, *, times: int | None = 1) -> Faults:
        """Too many connections at once for this mailbox.

        Args:
            times: how often at most; None is always.
        """
        return self._faults.throttle(432, "4.3.2", times=times, text="Concurrent connections limit exceeded.")

    def send_as_denied(self) -> Faults:
        """This login may not send as this From address; said after the message."""
        return self._faults.refuse(
            None,
            554,
            "5.2.252",
            at=Phase.DOT,
            text="SendAsDenied; the login is not allowed to send as the From address.",
        )


@attrs.frozen
class GmailFaults:
    """What Gmail and Google Workspace answer (support.google.com/a/answer/3726730)."""

    _faults: Faults

    def app_password_needed(self) -> Faults:
        """The account's own password does not do."""
        return self._faults.auth_fails(534, "5.7.9", text="Application-specific password required.")

    def daily_quota(self) -> Faults:
        """The user's limit for 24 hours is reached."""
        return self._faults.refuse(
            None, 550, "5.4.5", at=Phase.MAIL, text="Daily user sending limit exceeded."
        )


@attrs.frozen
class AmazonSesFaults:
    """What Amazon SES answers, after the message (docs.aws.amazon.com/ses/latest/dg/quotas.html)."""

    _faults: Faults

    def throttled(self, *, times: int | None = 1) -> Faults:
        """More messages a second than the account may send.

        Args:
            times: how often at most; None is always.
        """
        return self._faults.defer(
            None,
            454,
            "",
            times,
            at=Phase.DOT,
            text="Throttling failure: Maximum sending rate exceeded.",
        )

    def daily_quota(self) -> Faults:
        """The account's limit for 24 hours is reached."""
        return self._faults.defer(
            None, 454, "", at=Phase.DOT, text="Throttling failure: Daily message quota exceeded."
        )

    def sender_not_verified(self) -> Faults:
        """The From address was never verified with SES."""
        return self._faults.refuse(
            None,
            554,
            "",
            at=Phase.DOT,
            text="Message rejected: Email address is not verified.",
        )
