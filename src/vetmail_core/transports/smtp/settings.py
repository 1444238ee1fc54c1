"""What can be set about an SMTP session: patience, limits and how much to send before an answer.

The numbers of the transport, each with its unit. A deadline or limit that would hang or never send is
refused, so every wait has an end.
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Final, Self, TypeGuard

import attrs

from vetmail_core.errors import TransportValueError

if TYPE_CHECKING:
    from vetmail_core.preferences.providers import Provider

__all__ = ["MOST_RECIPIENTS", "ORDER", "Deadlines", "Limits", "Pipelining"]

MOST_RECIPIENTS: Final = 100
"""In a message, where nobody says otherwise: every server takes as many (RFC 5321, 4.5.3.1.8)."""


class Pipelining(enum.Enum):
    """How much is sent before the server has answered.

    A server that does not announce what a mode needs gets the next lower one; so does one that closes the
    line or loses count when it is used. A wait time between emails opens nothing ahead.
    """

    OFF = "off"
    """One command at a time, as `smtplib` does."""
    ENVELOPE = "envelope"
    """MAIL, RCPT and DATA in one group (RFC 2920)."""
    AUTO = "auto"
    """Also the next envelope behind the body; one round trip a message, one body in doubt at most."""
    CHUNKING = "chunking"
    """Whole messages behind one another (RFC 3030); no waiting, a window of messages in doubt at most."""


ORDER: Final = tuple(Pipelining)
"""From the least that is sent before an answer to the most."""


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _seconds(instance: object, attribute: attrs.Attribute[float], value: object) -> None:
    if not _is_time(value) or value <= 0:
        raise _unfit(instance, attribute.name, "a finite number of seconds above 0", value)


def _count(instance: object, attribute: attrs.Attribute[int], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _unfit(instance, attribute.name, "a whole number from 1", value)


def _not_negative(instance: object, attribute: attrs.Attribute[float], value: object) -> None:
    if not _is_time(value) or value < 0:
        raise _unfit(instance, attribute.name, "a finite number of seconds from 0", value)


def _unfit(instance: object, name: str, expected: str, value: object) -> TransportValueError:
    return TransportValueError(f"{name} of {type(instance).__name__} is {expected}, got {value!r}.")


@attrs.frozen(kw_only=True)
class Deadlines:
    """How long each answer may take, in seconds of real time and in total: trickling bytes do not extend it.

    Attributes:
        connect: finding the host and opening the line.
        greeting: the server's first words.
        command: each answer to EHLO, MAIL, RCPT and RSET.
        tls: STARTTLS and the TLS handshake together.
        auth: each answer of the login.
        data: the answer to DATA.
        body: handing over the bytes: each pause, and all of it for every MiB of a message.
        dot: the answer to the whole message (RFC 5321, 4.5.3.2.6: ten minutes).
        quit: the farewell; also how long an abandoned run listens for its last answers.

    Raises:
        TransportValueError: one of them is not a finite number above 0.
    """

    connect: float = attrs.field(default=30.0, validator=_seconds)
    greeting: float = attrs.field(default=60.0, validator=_seconds)
    command: float = attrs.field(default=60.0, validator=_seconds)
    tls: float = attrs.field(default=60.0, validator=_seconds)
    auth: float = attrs.field(default=60.0, validator=_seconds)
    data: float = attrs.field(default=120.0, validator=_seconds)
    body: float = attrs.field(default=180.0, validator=_seconds)
    dot: float = attrs.field(default=600.0, validator=_seconds)
    quit: float = attrs.field(default=5.0, validator=_seconds)


@attrs.frozen(kw_only=True)
class Limits:
    """How much one connection, one message and one run may take.

    Attributes:
        messages_per_connection: after so many a new connection is made.
        connection_seconds: a connection older than this is replaced before the next message.
        idle_seconds: one that was idle longer than this is replaced before the next message.
        recipients_per_message: an email to more is sent in parts; it stays one receipt. None is what the
            provider of the server states (`PROVIDERS`), else 100.
        message_bytes: a larger email is refused with TOO_LARGE before it is sent, as one is that is larger
            than the server says it takes. None is what the provider states.
        chunking_window: messages on the way at once in CHUNKING; as many may be in doubt.
        reconnect_seconds: how long a run may spend on making a connection again, pauses included.
        retry_seconds: the longest single pause, between two tries to connect or when the server throttles.
        connections: how many a run may use at once, and all runs of a transport together; never more than
            the provider of the server allows, and one with a wait between emails. Receipts stay in order;
            when the server dies, as many messages may be in doubt.

    Raises:
        TransportValueError: a count below 1, or seconds below 0.
    """

    messages_per_connection: int = attrs.field(default=100, validator=_count)
    connection_seconds: float = attrs.field(default=300.0, validator=_seconds)
    idle_seconds: float = attrs.field(default=30.0, validator=_seconds)
    recipients_per_message: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_count)
    )
    message_bytes: int | None = attrs.field(default=None, validator=attrs.validators.optional(_count))
    chunking_window: int = attrs.field(default=8, validator=_count)
    reconnect_seconds: float = attrs.field(default=300.0, validator=_not_negative)
    retry_seconds: float = attrs.field(default=60.0, validator=_not_negative)
    connections: int = attrs.field(default=1, validator=_count)

    def known(self, provider: Provider | None) -> Self:
        """The same, with what a provider states where nothing is set, and no more than it allows."""
        if provider is None:
            return self
        return attrs.evolve(
            self,
            recipients_per_message=self.recipients_per_message or provider.recipients_per_message,
            message_bytes=self.message_bytes or provider.message_bytes,
            connections=min(self.connections, provider.connections or self.connections),
        )
