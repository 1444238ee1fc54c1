"""Certificates, good and bad, for every test of this folder."""

from __future__ import annotations

import datetime as dt
import ssl

import pytest
import trustme
from tests.transports.misbehaving.rogue import Certificates


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    """A good certificate and three bad ones."""
    authority, stranger = trustme.CA(), trustme.CA()
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    contexts: list[ssl.SSLContext] = []
    for certificate in (
        authority.issue_cert("localhost"),
        authority.issue_cert("other.example.com"),
        stranger.issue_cert("localhost"),
        authority.issue_cert("localhost", not_before=long_ago, not_after=long_ago + dt.timedelta(days=9)),
    ):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        contexts.append(context)
    good, wrong_name, unknown, expired = contexts
    return Certificates(good, wrong_name, unknown, expired, client)
