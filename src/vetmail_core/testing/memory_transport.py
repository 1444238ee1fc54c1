"""The SMTP transport on a line without a socket.

Only where the line leads differs from ``SmtpTransport``, so receipts, limits, retries and pauses are the
real ones. A silent server has passed its deadline at once.
"""

from __future__ import annotations

import selectors
import ssl
from typing import TYPE_CHECKING, Final, cast

import attrs

from vetmail_core.credentials import PlainSecret
from vetmail_core.preferences import AuthenticationType, MailServer, TlsMethod
from vetmail_core.testing.memory_server import MemoryContext, MemorySocket
from vetmail_core.transports.smtp.session import Opener
from vetmail_core.transports.smtp.settings import Deadlines, Pipelining
from vetmail_core.transports.smtp.transport import SmtpTransport
from vetmail_core.transports.smtp.wire.connection import Connection

if TYPE_CHECKING:
    import socket

    from vetmail_core.clock import Clock
    from vetmail_core.testing.memory_server import MemoryServer
    from vetmail_core.transports.smtp.wire.waiting import Steps

__all__ = ["MemoryTransport"]

# Every phase is gone through, so that a fault at any of them can fire.
_SERVER: Final = MailServer(
    host="outbox.example",
    port=587,
    tls=TlsMethod.EXPLICIT,
    authentication=AuthenticationType.PASSWORD,
    username="outbox",
    password=PlainSecret("outbox"),
)


class MemoryTransport(SmtpTransport):
    """Delivers to a server in memory.

    Args:
        server: that server.
        clock: for pauses and dates.
        wait_between_emails_ms: as in the preferences.
    """

    def __init__(self, server: MemoryServer, *, clock: Clock, wait_between_emails_ms: int = 0) -> None:
        # One message at a time: what the server got belongs to the receipt that comes next.
        settings = attrs.evolve(_SERVER, wait_between_emails_ms=wait_between_emails_ms)
        super().__init__(settings, pipelining=Pipelining.ENVELOPE, clock=clock)
        self._memory = server
        self._opener = _Opener(server)

    def take_bodies(self) -> list[bytes]:
        """The messages that came to the server since the last call."""
        return self._memory.take_bodies()


class _Opener(Opener):
    def __init__(self, memory: MemoryServer) -> None:
        super().__init__(
            _SERVER,
            login=None,
            token=None,
            context=MemoryContext(ssl.PROTOCOL_TLS_CLIENT),
            deadlines=Deadlines(),
            ehlo_name="",
            allow_cleartext_auth=False,
        )
        self._memory = memory

    def dialling(self, *, known: bool) -> Steps[Connection]:  # noqa: ARG002 - a server in memory is always known
        yield from ()
        return _Line(MemorySocket(self._memory), deadlines=self.deadlines, context=self._tls())


class _Line(Connection):
    def __init__(self, memory: MemorySocket, *, deadlines: Deadlines, context: ssl.SSLContext | None) -> None:
        super().__init__(
            cast("socket.socket", memory), host=_SERVER.host, deadlines=deadlines, context=context
        )
        self._memory = memory

    def _wait(self, events: int, deadline: float) -> int:  # noqa: ARG002 - nobody waits for a silent server in memory
        return self._memory.ready & (events | selectors.EVENT_READ) if events else 0
