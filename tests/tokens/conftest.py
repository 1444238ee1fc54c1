"""The endpoint, trusted; and nothing left in memory between two tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.tokens.endpoint import SECRET, TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """A certificate authority, and the file with it."""
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return ca, path


@pytest.fixture(scope="session")
def client_key() -> rsa.RSAPrivateKey:
    """The key of an application's certificate, or of a service account."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def endpoint(
    authority: tuple[trustme.CA, Path], client_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TokenEndpoint]:
    """A token endpoint that this process trusts, as it trusts the computer's store."""
    ca, path = authority
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VETMAIL_APP_SECRET", SECRET)
    with TokenEndpoint(ca) as server:
        server.client_keys.append(client_key.public_key())
        yield server
