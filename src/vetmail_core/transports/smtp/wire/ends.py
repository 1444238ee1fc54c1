"""The two ends of a line, and what the system says when it breaks.

Addresses as SMTP writes them, and words for people. No name server is asked. A line that is gone has no
ends, and asking for them is no error.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

__all__ = ["is_loopback", "own_literal", "peer_of", "reason"]


def peer_of(sock: socket.socket) -> str:
    """The other end's internet address; "" when the line is gone."""
    with contextlib.suppress(OSError):
        return str(sock.getpeername()[0]).partition("%")[0]
    return ""


def own_literal(sock: socket.socket) -> str:
    """This end as an address literal (RFC 5321, 4.1.3): "[192.0.2.7]", "[IPv6:2001:db8::7]"."""
    import ipaddress  # noqa: PLC0415 - a computer with a name of its own tells that

    try:
        address = ipaddress.ip_address(str(sock.getsockname()[0]).partition("%")[0])
    except (OSError, ValueError):
        return "[127.0.0.1]"
    return f"[IPv6:{address}]" if ":" in str(address) else f"[{address}]"


def is_loopback(address: str) -> bool:
    """Whether an internet address is this very machine."""
    import ipaddress  # noqa: PLC0415 - asked only for a login without TLS

    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def reason(error: OSError) -> str:
    """What the system says, without numbers and file names."""
    reason = getattr(error, "reason", None)
    return str(reason or error.strerror or type(error).__name__)
