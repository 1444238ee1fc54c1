"""The TLS handshake: one step at a time, and what it means when it fails.

What it is for: telling a certificate that is not to be trusted from a server that hung up. What it refuses:
to wait; whoever calls it has the deadline. Its law: whatever fails here is a matter of TLS.
"""

from __future__ import annotations

import contextlib
import selectors
import ssl
from typing import TYPE_CHECKING

from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp.ends import reason
from vetmail_core.transports.smtp.opening import MANY, Failure

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["failures_named", "shake_hands", "too_slow"]


def shake_hands(sock: ssl.SSLSocket) -> int:
    """Go as far as the bytes allow.

    Returns:
        What to wait for, as `selectors` has it; 0 when it is done.
    """
    try:
        sock.do_handshake()
    except ssl.SSLWantReadError:
        return selectors.EVENT_READ
    except ssl.SSLWantWriteError:  # pragma: no cover - needs a send buffer filled by a handshake
        return selectors.EVENT_WRITE
    return 0


def too_slow(seconds: float) -> Failure:
    """The handshake has not come to an end."""
    return _failure(f"the TLS handshake was not over within {seconds:g} s", tries=MANY)


@contextlib.contextmanager
def failures_named() -> Generator[None, None, None]:
    """Say what it means when the system or OpenSSL gives up.

    Raises:
        Failure: the certificate is not to be trusted, or no TLS came about.
    """
    try:
        yield
    except OSError as error:
        _close_what_is_left(error)
        raise _named(error) from error


def _named(error: OSError) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        words = error.verify_message.rstrip(".")
        return _failure(f"the server's certificate is not to be trusted: {words}")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError):
        return _failure("the server closed the connection during the TLS handshake", tries=MANY)
    why = reason(error)
    if why == "WRONG_VERSION_NUMBER":
        why = "the server does not speak TLS at this point"
    return _failure(f"no TLS came about ({why})")


def _failure(note: str, *, tries: int = 1) -> Failure:
    return Failure(note, phase=Phase.TLS, cause=Cause.TLS, tries=tries)


def _close_what_is_left(error: OSError) -> None:
    """Close the socket that `ssl` was making: when a reset comes just then, nobody else has it."""
    trace = error.__traceback__
    while trace is not None:
        left: object = trace.tb_frame.f_locals.get("self")
        if isinstance(left, ssl.SSLSocket):
            left.close()
        trace = trace.tb_next
