"""Kinds of results: how it ended, where it happened, why, and what to do about it.

Three small vocabularies that every transport shares, so that a host can act on a result without reading a
server's prose. Every cause has advice that a help desk can act on; it names the setting when a setting is
the cure.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REACHED", "Cause", "Phase", "Status"]


class Status(enum.Enum):
    """How it ended for one recipient.

    `ACCEPTED` means the server took responsibility (RFC 5321, 4.2.5), not that the person has read it.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DEFERRED = "deferred"
    UNKNOWN = "unknown"
    NOT_ATTEMPTED = "not_attempted"
    HANDED_OVER = "handed_over"


REACHED: Final = frozenset({Status.ACCEPTED, Status.HANDED_OVER})
"""It went as it should, as far as a sender can see."""


class Phase(enum.Enum):
    """Where on the way it happened; SMTP's steps in their order, and the hand-over to another program."""

    CONNECT = "connect"
    GREETING = "greeting"
    STARTTLS = "starttls"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    DOT = "dot"
    HAND_OVER = "hand_over"


class Cause(enum.Enum):
    """Why it did not simply go through.

    Whether to try again is the `Status`'s matter (`DEFERRED`); the cause says what to do.
    """

    BAD_RECIPIENT = "bad_recipient"
    MAILBOX_FULL = "mailbox_full"
    RECIPIENT_THROTTLED = "recipient_throttled"
    SENDER_NOT_ALLOWED = "sender_not_allowed"
    AUTHENTICATION = "authentication"
    BASIC_AUTH_RETIRED = "basic_auth_retired"
    APP_PASSWORD_NEEDED = "app_password_needed"  # noqa: S105 - the name of a cause, not a password
    TOKEN = "token"  # noqa: S105 - the name of a cause: no access token could be had
    EHLO_NAME = "ehlo_name"
    TLS = "tls"
    GREYLISTED = "greylisted"
    THROTTLED = "throttled"
    DAILY_QUOTA = "daily_quota"
    BLOCKED = "blocked"
    TOO_LARGE = "too_large"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    CONTENT_REFUSED = "content_refused"
    CONNECTION = "connection"
    PROTOCOL = "protocol"
    CANCELLED = "cancelled"
    HELD_ELSEWHERE = "held_elsewhere"
    OTHER = "other"

    @property
    def advice(self) -> str:
        """What to do about it, in words for a help desk; names the VETtrak setting where there is one."""
        return _ADVICE[self]

    @property
    def is_about_us(self) -> bool:
        """True if it lies with us, whoever is written to; such a reply ends a run.

        What is final is another question: `Outcome.is_open` answers it.
        """
        return self in _ABOUT_US


_ABOUT_US: Final = frozenset(
    {
        Cause.SENDER_NOT_ALLOWED,
        Cause.AUTHENTICATION,
        Cause.BASIC_AUTH_RETIRED,
        Cause.APP_PASSWORD_NEEDED,
        Cause.TOKEN,
        Cause.EHLO_NAME,
        Cause.TLS,
        Cause.DAILY_QUOTA,
        Cause.BLOCKED,
    }
)


_ADVICE: Final[Mapping[Cause, str]] = MappingProxyType(
    {
        Cause.BAD_RECIPIENT: (
            "The receiving server does not know this address: ask the person for their e-mail "
            "address, correct it on their VETtrak record and send to them again."
        ),
        Cause.MAILBOX_FULL: (
            "The person's mailbox is full: reach them another way (telephone or SMS) and send again "
            "when they have made room."
        ),
        Cause.RECIPIENT_THROTTLED: (
            "The person's mailbox is receiving more mail than its provider allows: send to them again "
            "in an hour."
        ),
        Cause.SENDER_NOT_ALLOWED: (
            "The mail server does not let this login send from this address: in Email preferences > "
            'Settings set "Default from address" to the address of the login, or clear it when "Use '
            'individual staff member email logins" is ticked; or have the mail administrator allow the '
            'login to "Send as" that address, and check SPF, DKIM and DMARC of its domain.'
        ),
        Cause.AUTHENTICATION: (
            'The mail server did not accept the login: check "Email login username", "Email login '
            'password", "Authentication type" and "SSL/TLS connection method" (Explicit where STARTTLS is '
            'asked for) in Email preferences > Mail server, with individual logins "Email Username" and '
            '"Password" on the staff record, and that the mailbox may send by SMTP.'
        ),
        Cause.BASIC_AUTH_RETIRED: (
            "Microsoft no longer accepts a username and password for this mailbox: set "
            '"Authentication type" in Email preferences > Mail server to OAuth 2, or ask the '
            "Microsoft 365 administrator to turn basic authentication for SMTP on again while that is "
            "still offered."
        ),
        Cause.APP_PASSWORD_NEEDED: (
            "Google does not accept the account's own password here: turn on 2-Step Verification for "
            'that account, make an app password and enter it as "Email login password" in Email '
            "preferences > Mail server."
        ),
        Cause.TOKEN: (
            "No access token could be had, so the mail server was not asked: sign in again, or have the "
            'permission or the client secret of the account in "Email login username" (Email preferences > '
            "Mail server) renewed, and send again."
        ),
        Cause.EHLO_NAME: (
            "The mail server does not accept the name that this computer gives: set "
            '"EHLO name" in Email preferences > Mail server (advanced) to the full name of this computer '
            "on the internet, such as mail.college.example, and send again."
        ),
        Cause.TLS: (
            'No secure connection could be made: check "SSL/TLS connection method" and "Email port" '
            "in Email preferences > Mail server (Explicit goes with port 587, Implicit with 465) and "
            'that "Mail server address (SMTP)" is the name on the server\'s certificate.'
        ),
        Cause.GREYLISTED: (
            "The receiving server has not seen this sender and recipient before, and takes the email at a "
            "later attempt: send to them again in a quarter of an hour."
        ),
        Cause.THROTTLED: (
            'The mail server is being sent too much at once: raise "Wait time between emails" in '
            "Email preferences > Mail server (2000 milliseconds suits Microsoft 365) and send the "
            "rest again in a few minutes."
        ),
        Cause.DAILY_QUOTA: (
            "The account has sent all it may for today: send the rest again after 24 hours, or have "
            'the mail provider raise the limit of the account in "Email login username" (Email '
            "preferences > Mail server)."
        ),
        Cause.BLOCKED: (
            "The mail provider has blocked this sender, login or internet address: stop sending and "
            "pass the server's reply to the administrator of the mail account; sending more makes a "
            "block last longer."
        ),
        Cause.TOO_LARGE: (
            "The email is larger than the server takes: remove or shrink attachments, or put the "
            "files in the portal and send a link."
        ),
        Cause.TOO_MANY_RECIPIENTS: (
            "The server takes fewer recipients in one email: send to fewer people at once, and set "
            '"For bulk email, send legacy CC/BCC for" in Email preferences > Settings to "Only the '
            'first recipient".'
        ),
        Cause.CONTENT_REFUSED: (
            "The server took the text or an attachment for spam or malware: change the wording, "
            "links or attachment, and have the administrator check SPF, DKIM and DMARC for the "
            'domain of "Default from address" (Email preferences > Settings).'
        ),
        Cause.CONNECTION: (
            'The mail server could not be reached or the connection broke: check "Mail server address '
            '(SMTP)" and "Email port" in Email preferences > Mail server, the internet connection and '
            "the firewall, then send the rest again."
        ),
        Cause.PROTOCOL: (
            'The server did not answer the way a mail server does: check that "Mail server address '
            '(SMTP)" and "Email port" in Email preferences > Mail server point at the mail server, '
            "and that no virus scanner or firewall stands between."
        ),
        Cause.CANCELLED: (
            "The run was stopped before this email's turn: start it again to send the rest; with a "
            "ledger nobody is mailed twice."
        ),
        Cause.HELD_ELSEWHERE: (
            "Another run is sending this email at this moment: wait until it has ended, and start this one "
            "again; what the other has sent is not sent twice."
        ),
        Cause.OTHER: (
            "The reply says what happened: do what it says, or pass it to the administrator of the server "
            'in "Mail server address (SMTP)" (Email preferences > Mail server).'
        ),
    }
)
