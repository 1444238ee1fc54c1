"""``test``: one real email, sent the way the preferences say."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.address import parse_mailbox
from vetmail_core.cli.layout import tell
from vetmail_core.cli.planning import NothingTriedError, staff_of, token_of
from vetmail_core.clock import SystemClock
from vetmail_core.errors import AddressError, DeliveryError
from vetmail_core.mailer import Mailer
from vetmail_core.message import Content
from vetmail_core.preferences import AuthenticationType, default_preferences_path, load_preferences
from vetmail_core.receipts import Status
from vetmail_core.sender import resolve_sender
from vetmail_core.transports import transport_for

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from vetmail_core.people import Staff
    from vetmail_core.preferences import EmailPreferences
    from vetmail_core.receipts import Receipt

__all__ = ["send_test"]

_SUBJECT: Final = "Test email"
_WORDS: Final = (
    "This is a test email. If you can read it, the e-mail preferences work.\n\n"
    "It was sent by an administrator with `vetmail test`, and nobody else got it.\n"
)


def send_test(arguments: argparse.Namespace) -> int:
    """Send one email to one address.

    Returns:
        0 when it was accepted or handed over, 1 when it was refused or put off, or nobody knows.

    Raises:
        VetmailError: nothing could be tried.
    """
    preferences = load_preferences(arguments.preferences)
    staff = staff_of(arguments)
    try:
        to = parse_mailbox(arguments.to)
    except AddressError as error:
        raise NothingTriedError(f"--to {arguments.to}: {error}") from error
    way = transport_for(preferences, staff=staff, token=token_of(arguments), clock=_Impatient())
    with closing(way) as transport:
        mailer = Mailer(preferences, staff=staff, transport=transport)
        for line in _used(preferences, staff, arguments):
            tell(line, out=sys.stdout)
        try:
            receipt = mailer.send(Content(_SUBJECT, _WORDS), to=to)
        except DeliveryError as error:
            receipt = error.receipt
    return _say(receipt)


@attrs.define
class _Impatient:
    """A clock that passes every wait at once: whoever looks on wants the first answer, not the tenth."""

    _clock: SystemClock = attrs.field(init=False, factory=SystemClock)
    _passed: float = attrs.field(init=False, default=0.0)

    def now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._clock.monotonic() + self._passed

    def sleep(self, seconds: float, /) -> None:
        self._passed += seconds


def _say(receipt: Receipt) -> int:
    (outcome,) = receipt.outcomes
    if outcome.status is Status.NOT_ATTEMPTED:
        raise NothingTriedError(receipt.reason)
    if receipt.reply is not None or outcome.said:
        tell(f"server:  {outcome.said or receipt.reply}", out=sys.stdout)
    for warning in receipt.warnings:
        tell(f"warning: {warning}", out=sys.stderr)
    if receipt.ok:
        word = "handed over to the mail program" if receipt.handed_over else "accepted; look into the mailbox"
        tell(f"result:  {word}", out=sys.stdout)
        return 0
    tell(f"result:  {outcome.status.value.replace('_', ' ')}", out=sys.stdout)
    tell(f"vetmail test: {receipt.reason}", out=sys.stderr)
    return 1


def _used(preferences: EmailPreferences, staff: Staff | None, arguments: argparse.Namespace) -> Iterator[str]:
    """What the email is sent with."""
    server = preferences.mail_server
    yield f"file:    {arguments.preferences or default_preferences_path()}"
    if not preferences.use_built_in_client:
        yield "way:     the mail program of this computer, as the built-in client is off"
        return
    yield f"host:    {server.host}"
    yield f"port:    {server.port}"
    yield f"TLS:     {server.tls.value}"
    if server.authentication is AuthenticationType.NONE:
        login = "no login"
    elif server.use_staff_logins and staff is not None and staff.login is not None:
        login = staff.login.username
    else:
        login = server.username
    yield f"login:   {login} ({server.authentication.value})" if login != "no login" else f"login:   {login}"
    yield f"from:    {resolve_sender(preferences, staff).mailbox}"
