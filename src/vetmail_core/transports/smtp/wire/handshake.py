"""The TLS handshake: one step at a time, and what it means when it fails.

A certificate that is not to be trusted is told apart from a server that hung up. Whoever calls it has the
deadline.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import ssl
from typing import TYPE_CHECKING, Final

from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp.rules.login import MANY, Failure
from vetmail_core.transports.smtp.wire.ends import reason

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["broken_off", "failures_named", "shake_hands", "too_slow"]

_ENTER_ITS_NAME: Final = (
    'enter the name that the certificate is for as "Mail server address (SMTP)"; where the certificate lists '
    "no host names (subjectAltName), have one issued that lists this one"
)
_KNOW_THE_AUTHORITY: Final = (
    "this computer does not know the authority that signed it: install that authority's certificate here, or "
    "give it to the transport as ssl_context"
)
_RENEW: Final = "have the server's administrator renew it, and check the clock of this computer"
_ISSUE_ANEW: Final = "have the server's administrator get it issued anew, in the form that is asked for today"
# OpenSSL's numbers (X509_V_ERR_...); all others are about the form of a certificate: weak keys and digests,
# extensions that are missing or do not fit.
_CURES: Final[tuple[tuple[frozenset[int], str], ...]] = (
    (frozenset({62, 63, 64}), _ENTER_ITS_NAME),
    (frozenset({2, 18, 19, 20, 21, 27, 28}), _KNOW_THE_AUTHORITY),
    (frozenset({9, 10}), _RENEW),
)
# What a server says about certificates is about the client's.
_ALERTS: Final = (
    (
        re.compile(r"ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED)$", re.ASCII),
        (
            "the server asks for a client certificate: load the one that it knows into the ssl_context "
            "(load_cert_chain), or have the server's administrator ask for none"
        ),
    ),
    (
        re.compile(r"PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE|VERSION_TOO_LOW"),
        (
            "the server and this computer have no version of TLS in common: have the server updated to TLS "
            "1.2 or later"
        ),
    ),
    (re.compile(r"UNRECOGNIZED_NAME"), 'enter a name that the server knows as "Mail server address (SMTP)"'),
    (re.compile(r"KEY_TOO_SMALL|MD_TOO_WEAK"), f"the server's certificate is too weak: {_ISSUE_ANEW}"),
)


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


def broken_off(error: OSError | None) -> Failure:
    """What it means when the line ends after the handshake and before the server's first word over TLS.

    In TLS 1.3 the client is through with the handshake before the server has looked at the client's
    certificate (RFC 8446, 4.4.2.4), so a refusal comes where the first answer is expected.

    Args:
        error: what the system or OpenSSL said; None when the server just closed.
    """
    if error is None or _is_a_close(error):
        return _failure(
            "the server closed the connection right after the TLS handshake, as one may that asks for a "
            "client certificate",
            tries=MANY,
        )
    return _named(error)


def _is_a_close(error: OSError) -> bool:
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError)


def _named(error: OSError) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        words = error.verify_message.rstrip(".")
        cure = next((cure for codes, cure in _CURES if error.verify_code in codes), _ISSUE_ANEW)
        return _failure(f"the server's certificate is not to be trusted: {words}; {cure}")
    if _is_a_close(error):
        return _failure("the server closed the connection during the TLS handshake", tries=MANY)
    why = reason(error)
    if why == "WRONG_VERSION_NUMBER":
        why = "the server does not speak TLS at this point"
    cure = next((f"; {cure}" for pattern, cure in _ALERTS if pattern.search(why)), "")
    return _failure(f"no TLS came about ({why}){cure}")


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
