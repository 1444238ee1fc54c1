"""The TLS of whoever brings none of their own.

One context for everything that connects: TLS 1.2 or later, and a certificate that lists the server's name.
A host's own context is used as it is.
"""

from __future__ import annotations

import ssl

__all__ = ["own_context"]


def own_context() -> ssl.SSLContext:
    """Read the computer's certificate store, which takes a while.

    Returns:
        A context that asks for a certificate which lists the host's name: the common name alone, which older
        programs looked at, is not looked at (RFC 9525, section 2).
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    return context
