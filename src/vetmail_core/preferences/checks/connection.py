"""Checks of the way to the mail server: name, port and TLS.

Only the settings are looked at; nothing is connected to.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from vetmail_core.preferences.checks.case import hint, warning
from vetmail_core.preferences.model import TlsMethod
from vetmail_core.preferences.rules import error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core.errors import Problem
    from vetmail_core.preferences.checks.case import Case

__all__ = ["host", "implicit_tls", "in_clear", "port", "tls_fits_port"]

_EXPLICIT_PORTS: Final = frozenset({25, 587, 2525, 2587})
_IMPLICIT_PORTS: Final = frozenset({465, 2465})
_METHOD: Final = {TlsMethod.NONE: "None", TlsMethod.EXPLICIT: "Explicit", TlsMethod.IMPLICIT: "Implicit"}


def host(case: Case) -> Iterator[Problem]:
    """A server must be there."""
    if not case.server.host:
        yield error(
            "mail_server.host",
            "No mail server is entered, so no mail can leave.",
            "Enter the server your mail provider names for outgoing mail (SMTP), such as smtp.office365.com.",
        )


def port(case: Case) -> Iterator[Problem]:
    """A known provider answers at known ports (the pages in the provider's data)."""
    provider, port = case.provider, case.server.port
    if provider is not None and port not in provider.ports:
        yield error(
            "mail_server.port",
            f"{provider.name} does not answer at port {port}.",
            f"Enter {provider.ports[0]} and choose the connection method {_METHOD[provider.tls]}.",
        )


def tls_fits_port(case: Case) -> Iterator[Problem]:
    """Ports have a custom: 465 speaks TLS at once, 25 and 587 when asked (RFC 8314 section 3)."""
    tls, port = case.server.tls, case.server.port
    if tls is not TlsMethod.IMPLICIT and port in _IMPLICIT_PORTS:
        yield error(
            "mail_server.tls",
            f"Servers at port {port} start with TLS at once, which {_METHOD[tls]} does not.",
            "Enter port 587 and choose Explicit, or choose Implicit where only this port is offered.",
        )
    if tls is TlsMethod.IMPLICIT and port in _EXPLICIT_PORTS:
        yield error(
            "mail_server.tls",
            f"Servers at port {port} start in clear and change to TLS when asked, which Implicit does not.",
            "Choose Explicit, or enter port 465 for Implicit.",
        )


def implicit_tls(case: Case) -> Iterator[Problem]:
    """VETtrak marks it as not recommended, as the Trainer Portal runs on .NET, which cannot do it."""
    if case.server.tls is TlsMethod.IMPLICIT:
        yield warning(
            "mail_server.tls",
            "VETtrak does not recommend Implicit: the Trainer Portal cannot use it and will send no mail.",
            "Choose Explicit with port 587, which all products can use.",
        )


def in_clear(case: Case) -> Iterator[Problem]:
    """Nothing secret may cross a network unprotected; this computer itself is no network."""
    server, provider = case.server, case.provider
    if server.tls is not TlsMethod.NONE or not server.host or _is_this_computer(server.wire_host):
        return
    if case.signs_in:
        yield error(
            "mail_server.tls",
            f"The login would cross the network to {server.host} in clear, where others can read the "
            "password; nothing is sent like that.",
            "Choose Explicit and enter port 587.",
        )
    elif provider is not None and provider.tls_required:
        yield error(
            "mail_server.tls",
            f"{provider.name} takes no mail on a connection in clear.",
            f"Choose {_METHOD[provider.tls]} and enter port {provider.ports[0]}.",
        )
    elif server.port not in _IMPLICIT_PORTS:  # nothing at all gets through there, as is said above
        yield hint(
            "mail_server.tls",
            f"Mail crosses the network to {server.host} in clear, where others can read it.",
            "Choose Explicit if the server offers it.",
        )


def _is_this_computer(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
