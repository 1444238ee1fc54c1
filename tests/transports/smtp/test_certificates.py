"""A certificate is for the names that it lists."""

from __future__ import annotations

import ssl

from vetmail_core.transports.own_tls import own_context


def test_a_common_name_alone_is_no_name() -> None:
    """The contexts that are made here look at the list of names only, in TLS 1.2 or later."""
    context = own_context()
    assert context.hostname_checks_common_name is False
    assert context.check_hostname is True
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
