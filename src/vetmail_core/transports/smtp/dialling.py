"""Opening a line: the name server, the addresses of a host, and TLS from the first byte.

What it is for: a connection within its deadline, whatever the name server does. What it refuses: to wait
for a name server longer than that. Its law: what is given up is closed.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Final

from vetmail_core.clock import SystemClock
from vetmail_core.preferences import TlsMethod
from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp.connection import Connection
from vetmail_core.transports.smtp.ends import reason
from vetmail_core.transports.smtp.opening import MANY, Failure

if TYPE_CHECKING:
    import ssl

    from vetmail_core.preferences import MailServer
    from vetmail_core.transports.smtp.settings import Deadlines

__all__ = ["connect"]

_monotonic: Final = SystemClock().monotonic
_Place = tuple[int, tuple[str | int | bytes, ...]]


def connect(
    server: MailServer, *, deadlines: Deadlines, context: ssl.SSLContext | None, known: bool = False
) -> Connection:
    """Open a line; for IMPLICIT with TLS on it.

    Args:
        server: where to.
        deadlines: ``connect`` covers the name server and all addresses of the host together.
        context: for TLS; None in the clear.
        known: the host has been reached before, so a name server's silence will pass.

    Raises:
        Failure: nobody there.
    """
    deadline = _monotonic() + deadlines.connect
    try:
        addresses = _addresses(server.host, server.port, deadlines.connect)
    except (socket.gaierror, UnicodeError) as error:
        passing = known and getattr(error, "errno", None) == socket.EAI_AGAIN
        raise Failure(
            f"no server of the name {server.host} was found",
            phase=Phase.CONNECT,
            cause=Cause.CONNECTION,
            tries=MANY if passing else 1,
        ) from error
    note = f"the name server did not answer within {deadlines.connect:g} s"
    for number, (family, place) in enumerate(addresses):
        share = (deadline - _monotonic()) / (len(addresses) - number)
        try:
            sock = _reached(family, place, max(0.001, share))
        except OSError as error:
            note = _named(error, f"{server.host} port {server.port}")
            continue
        connection = Connection(sock, host=server.host, deadlines=deadlines, context=context)
        if server.tls is TlsMethod.IMPLICIT:
            try:
                connection.start_tls()
            except BaseException:
                connection.close()
                raise
        return connection
    raise Failure(note, phase=Phase.CONNECT, cause=Cause.CONNECTION, tries=MANY)


def _named(error: OSError, there: str) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"connection refused by {there}"
    return f"{there} did not answer ({reason(error)})"


def _reached(family: int, place: tuple[str | int | bytes, ...], seconds: float) -> socket.socket:
    """Open a line to one address; this computer may not even know its kind, as of IPv6."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.connect(place)
    except BaseException:
        sock.close()
        raise
    return sock


def _addresses(host: str, port: int, seconds: float) -> list[_Place]:
    """Ask the name server; in a thread of its own, because asking cannot be given a deadline."""
    found: list[_Place] = []
    errors: list[Exception] = []

    def look_up() -> None:
        try:
            found.extend(
                (family, place)
                for family, _, _, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
        except (socket.gaierror, UnicodeError) as error:
            errors.append(error)

    asking = threading.Thread(target=look_up, name="vetmail-name-server", daemon=True)
    asking.start()
    asking.join(seconds)
    if errors:
        raise errors[0]
    return list(found)
