"""What the local server asks for, and what it heard.

The server and all its connections share this one record. Connections run in the server's thread and tests
look from theirs, so nothing is read half written.
"""

from __future__ import annotations

import hmac
import threading
from typing import TYPE_CHECKING, Final

from vetmail_core.credentials import Login, PlainSecret
from vetmail_core.preferences import TlsMethod
from vetmail_core.receipts import Phase

if TYPE_CHECKING:
    from vetmail_core.testing.faults import Faults
    from vetmail_core.testing.smtpd.received import ReceivedEmail

__all__ = ["Book"]

_MADE_UP: Final = Login("office@example.com", PlainSecret("made-up"))


class Book:
    """What a connection asks, and where it writes down what it hears.

    Args:
        faults: the script.
        size_limit: octets of the largest message taken.
        without: extensions that are not offered, in upper case.
        tls: how lines are encrypted, whatever the script needs besides.
        login: the login that is asked for, likewise.
        token: the bearer token that is asked for.
    """

    def __init__(
        self,
        *,
        faults: Faults,
        size_limit: int,
        without: frozenset[str],
        tls: TlsMethod,
        login: Login | None,
        token: str | None,
    ) -> None:
        self.faults = faults
        self.size_limit = size_limit
        self.without = without
        self._tls = tls
        self._login = login
        self._token = token
        self._emails: list[ReceivedEmail] = []
        self._verbs: list[str] = []
        self._news = threading.Condition()

    @property
    def tls(self) -> TlsMethod:
        """What was asked for; EXPLICIT where the script has a fault that nothing else would bring on."""
        if self._tls is TlsMethod.NONE and self._has_fault_at(Phase.STARTTLS, Phase.TLS):
            return TlsMethod.EXPLICIT
        return self._tls

    @property
    def login(self) -> Login | None:
        """What was asked for; a made-up one where the script has a fault that nothing else would bring on."""
        if self._login is None and self._token is None and self._has_fault_at(Phase.AUTH):
            return _MADE_UP
        return self._login

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """SASL mechanisms offered; none means that no login is asked for."""
        by_password = ("PLAIN", "LOGIN") if self.login is not None else ()
        by_token = ("XOAUTH2", "OAUTHBEARER") if self._token is not None else ()
        return (*by_password, *by_token)

    def password_is_right(self, username: str, password: str) -> bool:
        """Whether this is the login."""
        login = self.login
        return login is not None and _same(username, login.username) & _same(password, login.secret.reveal())

    def token_is_right(self, token: str) -> bool:
        """Whether this is the token."""
        return self._token is not None and _same(token, self._token)

    @property
    def emails(self) -> tuple[ReceivedEmail, ...]:
        """The messages that came whole."""
        with self._news:
            return tuple(self._emails)

    @property
    def verbs(self) -> tuple[str, ...]:
        """The commands that came."""
        with self._news:
            return tuple(self._verbs)

    def heard(self, verb: str) -> None:
        """A command came."""
        with self._news:
            self._verbs.append(verb)

    def received(self, email: ReceivedEmail) -> None:
        """A message came, whole."""
        with self._news:
            self._emails.append(email)
            self._news.notify_all()

    def wait_for(self, count: int, *, seconds: float) -> tuple[ReceivedEmail, ...]:
        """Wait until so many messages are here, or the time is over; give those that are."""
        with self._news:
            self._news.wait_for(lambda: len(self._emails) >= count, timeout=seconds)
            return tuple(self._emails)

    def _has_fault_at(self, *phases: Phase) -> bool:
        return any(fault.phase in phases for fault in self.faults.script)


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())
