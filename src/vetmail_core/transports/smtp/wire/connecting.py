"""Opening a line: the name server, the addresses of a host, and TLS from the first byte.

A connection comes within its deadline, whatever the name server does. What is given up is closed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import threading
from collections import deque
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from vetmail_core.clock import SystemClock
from vetmail_core.preferences import TlsMethod
from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp.rules.login import MANY, Failure
from vetmail_core.transports.smtp.wire.connection import Connection
from vetmail_core.transports.smtp.wire.ends import reason
from vetmail_core.transports.smtp.wire.waiting import Wait

if TYPE_CHECKING:
    import ssl

    from vetmail_core.preferences import MailServer
    from vetmail_core.transports.smtp.settings import Deadlines
    from vetmail_core.transports.smtp.wire.waiting import Steps

__all__ = ["connecting"]

_monotonic: Final = SystemClock().monotonic
_LOOK_SECONDS: Final = 0.01  # between two looks whether the name server has answered, beside other lines
_ATTEMPT_SECONDS: Final = 0.25  # RFC 8305, 5: "Connection Attempt Delay"
# Connected at once; on its way; on its way as Windows says it.
_UNDER_WAY: Final = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0)})
_Place = tuple[int, tuple[str | int | bytes, ...]]


def connecting(
    server: MailServer,
    *,
    deadlines: Deadlines,
    context: ssl.SSLContext | None,
    known: bool = False,
    first: str = "",
) -> Steps[Connection]:
    """Open a line; for IMPLICIT with TLS on it.

    Args:
        server: where to.
        deadlines: ``connect`` covers the name server and all addresses of the host together.
        context: for TLS; None in the clear.
        known: the host has been reached before, so a name server's silence will pass.
        first: the internet address that answered before; it is tried before the others.

    Raises:
        Failure: nobody there.
    """
    deadline = _monotonic() + deadlines.connect
    try:
        addresses = yield from _addresses(server.wire_host, server.port, deadlines.connect)
    except (socket.gaierror, UnicodeError) as error:
        passing = known and getattr(error, "errno", None) == socket.EAI_AGAIN
        raise Failure(
            f"no server of the name {server.host} was found",
            phase=Phase.CONNECT,
            cause=Cause.CONNECTION,
            tries=MANY if passing else 1,
        ) from error
    if not addresses:
        raise Failure(
            f"the name server did not answer within {deadlines.connect:g} s",
            phase=Phase.CONNECT,
            cause=Cause.CONNECTION,
            tries=MANY,
        )
    try:
        sock = yield from _first_to_answer(_in_turn(addresses, first), deadline)
    except OSError as error:
        raise Failure(
            _named(error, f"{server.host} port {server.port}"),
            phase=Phase.CONNECT,
            cause=Cause.CONNECTION,
            tries=MANY,
        ) from error
    connection = Connection(sock, host=server.wire_host, deadlines=deadlines, context=context)
    if server.tls is TlsMethod.IMPLICIT:
        try:
            yield from connection.securing()
        except BaseException:
            connection.close()
            raise
    return connection


def _named(error: OSError, there: str) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"connection refused by {there}"
    return f"{there} did not answer ({reason(error)})"


def _in_turn(addresses: list[_Place], first: str) -> list[_Place]:
    """Order addresses so that IPv6 and IPv4 alternate (RFC 8305, 4), and one that has answered goes first."""
    families: dict[int, list[_Place]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    mixed = [address for group in zip_longest(*families.values()) for address in group if address is not None]
    return sorted(mixed, key=lambda address: str(address[1][0]).partition("%")[0] != first)


def _first_to_answer(addresses: list[_Place], deadline: float) -> Steps[socket.socket]:
    """Try one address after the other, without waiting for the end of a try; the first that answers wins.

    An address that is dead keeps silent, and the next one is tried after a quarter of a second. One that
    refuses is followed at once.

    Raises:
        OSError: none answered; the last one's reason.
    """
    waiting = deque(addresses)
    tried: set[socket.socket] = set()
    fault: OSError | None = None
    start = now = _monotonic()
    with selectors.DefaultSelector() as selector:
        try:
            while (waiting or tried) and now < deadline:
                if waiting and now >= start:
                    start = now + _ATTEMPT_SECONDS
                    try:
                        sock = _begun(*waiting.popleft())
                    except OSError as error:
                        fault, start = error, now
                        continue
                    tried.add(sock)
                    selector.register(sock, selectors.EVENT_WRITE)
                until = min(start, deadline) if waiting else deadline
                files = tuple((sock, selectors.EVENT_WRITE) for sock in tried)
                yield Wait(files, until, partial(_any_of, selector, until - now))
                for key, _ in selector.select(0):
                    sock = next(one for one in tried if one is key.fileobj)
                    selector.unregister(sock)
                    tried.remove(sock)
                    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if number == 0:
                        return sock
                    sock.close()
                    fault, start = OSError(number, os.strerror(number)), now
                now = _monotonic()
        finally:
            for sock in tried:
                sock.close()
    raise TimeoutError(errno.ETIMEDOUT, "it kept silent") if tried or fault is None else fault


def _any_of(selector: selectors.BaseSelector, seconds: float) -> int:
    return selectors.EVENT_WRITE if selector.select(seconds) else 0


def _begun(family: int, place: tuple[str | int | bytes, ...]) -> socket.socket:
    """Begin to connect; this computer may not even know the kind of address, as of IPv6."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    with contextlib.ExitStack() as undone:
        undone.callback(sock.close)
        sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
        number = sock.connect_ex(place)
        if number not in _UNDER_WAY:
            raise OSError(number, os.strerror(number))
        undone.pop_all()
    return sock


def _addresses(host: str, port: int, seconds: float) -> Steps[list[_Place]]:
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
    deadline = _monotonic() + seconds
    while asking.is_alive() and (now := _monotonic()) < deadline:
        yield Wait((), min(now + _LOOK_SECONDS, deadline), partial(_joined, asking, deadline - now))
    if errors:
        raise errors[0]
    return list(found)


def _joined(asking: threading.Thread, seconds: float) -> int:
    asking.join(seconds)
    return 0
