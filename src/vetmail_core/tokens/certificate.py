"""A certificate and its key out of one file: .pem, or .pfx (PKCS #12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

from vetmail_core._files import read_whole
from vetmail_core.errors import TokenError

if TYPE_CHECKING:
    from pathlib import Path

    from vetmail_core.tokens.hidden import HiddenText

__all__ = ["read_certificate"]

_PKCS12: Final = frozenset({".pfx", ".p12"})
_EXPECTED: Final = "a certificate and its RSA key"


def read_certificate(path: Path, passphrase: HiddenText | None) -> dict[str, object]:
    """Read the file, in the form in which msal takes it.

    Args:
        path: the file; .pfx and .p12 are PKCS #12, everything else PEM.
        passphrase: of the key; None when it has none.

    Raises:
        TokenError: the file cannot be read, or is something else.
    """
    octets = _octets(path)
    key: object = None
    certificate: x509.Certificate | None = None
    fault = ""
    try:
        word = None if passphrase is None else passphrase.encode()
        if path.suffix.lower() in _PKCS12:
            found = load_key_and_certificates(octets, word)
            key, certificate = found[0], found[1]
        else:
            key = _pem_key(octets, word)
            certificate = x509.load_pem_x509_certificate(octets) if b"BEGIN CERTIFICATE" in octets else None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # Its text may quote the file.
        fault = "it is damaged, or the passphrase is wrong or missing"
        if isinstance(error, TypeError) and passphrase is not None:
            fault = "its key has no passphrase, but a secret is given"
    if not fault and certificate is None:
        fault = "there is no certificate in it"
    if not fault and not isinstance(key, RSAPrivateKey):
        fault = "there is no RSA key in it"
    if not fault and isinstance(key, RSAPrivateKey) and certificate is not None:
        fault = (
            "" if certificate.public_key() == key.public_key() else "its key belongs to another certificate"
        )
    if fault or certificate is None:
        raise TokenError(
            f"The file {path} was expected to hold {_EXPECTED}, but {fault}.",
            advice="Put both into one .pem or .pfx file, with the passphrase of the key as the secret if "
            "it has one.",
        )
    public = certificate.public_bytes(Encoding.PEM).decode()
    return {"private_key": key, "public_certificate": public}


def _pem_key(octets: bytes, passphrase: bytes | None) -> object:
    return load_pem_private_key(octets, passphrase) if b"PRIVATE KEY" in octets else None


def _octets(path: Path) -> bytes:
    reason = ""
    try:
        return read_whole(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise TokenError(
        f"The file {path}, expected to hold {_EXPECTED}, cannot be read ({reason}).",
        advice="Let the account that sends the mail read it, or name the right file.",
    )
