"""Logging in: PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER, without a socket.

A mechanism that the server does not offer is not used, and neither are CRAM-MD5 and its kin, whose servers
must keep passwords in the clear. A secret is in nothing but the octets that are sent, and the first refusal
(535) is the last try.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Bearer", "Credentials", "Hidden", "Password", "oauth_status", "scrubbed"]

_LINE_OCTETS: Final = 12_288  # RFC 4954, section 4
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NUMBER: Final = re.compile(r"[0-9]{3}")
# RFC 6750, 3.1; RFC 6749, 5.2; RFC 7628, 3.2.2 points there.
_STATUSES: Final = frozenset(
    {"invalid_token", "invalid_request", "insufficient_scope", "invalid_grant", "expired_token"}
)
_TOKEN: Final = re.compile(r"[!-~]+")


class Hidden(bytes):
    """Octets that show nothing of themselves, not even among the local variables of a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} hidden octets>"

    __str__ = __repr__


@attrs.frozen(repr=False)
class Password:
    """A user name with its password.

    Attributes:
        username: as the server knows it.
        password: in the clear; lives as long as the login takes.
    """

    username: str
    password: str = attrs.field(repr=False)  # some programs show the fields of a class whatever its repr

    mechanisms = ("PLAIN", "LOGIN")

    def words(self, mechanism: str) -> tuple[bytes, ...]:
        """What to answer, in order; the first goes with the command where the mechanism allows it."""
        if mechanism == "LOGIN":
            return _base64(self.username.encode()), _base64(self.password.encode())
        if _CONTROL.search(self.username + self.password):
            raise TransportError(
                "The login holds a control character (a line end from a file, perhaps), which no password or "
                "user name may hold (RFC 4013, 2.3); enter it again."
            )
        return (_base64(f"\0{self.username}\0{self.password}".encode()),)

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """Everything that must not be seen in what a server says back."""
        return (*self.words("PLAIN"), *self.words("LOGIN"), Hidden(self.password.encode()))


@attrs.frozen(repr=False)
class Bearer:
    """A user name with an OAuth 2 access token.

    Attributes:
        username: the mailbox to act for.
        token: the access token, in the clear.
        host: the server, for OAUTHBEARER.
        port: likewise.
    """

    username: str
    token: str = attrs.field(repr=False)
    host: str = ""
    port: int = 0

    mechanisms = ("XOAUTH2", "OAUTHBEARER")

    def words(self, mechanism: str) -> tuple[bytes, ...]:
        """What to answer, in order."""
        if not _TOKEN.fullmatch(self.token) or _CONTROL.search(self.username):
            raise TransportError(
                "The token is empty, or it or its user name holds a character no OAuth login can carry (a "
                "line end from a file, perhaps; RFC 6750, 2.1); have a new token made."
            )
        if mechanism == "XOAUTH2":
            return (_base64(f"user={self.username}\x01auth=Bearer {self.token}\x01\x01".encode()),)
        user = self.username.replace("=", "=3D").replace(",", "=2C")
        fields = f"n,a={user},\x01host={self.host}\x01port={self.port}\x01auth=Bearer {self.token}\x01\x01"
        return (_base64(fields.encode()),)

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """Everything that must not be seen in what a server says back."""
        return (*self.words("XOAUTH2"), *self.words("OAUTHBEARER"), Hidden(self.token.encode()))


Credentials = Password | Bearer


def fits_in_command(mechanism: str, word: bytes) -> bool:
    """Whether the first word can go with the AUTH command; LOGIN's never does."""
    return mechanism != "LOGIN" and len(word) + len(mechanism) + 8 <= _LINE_OCTETS


def refusal_answer(mechanism: str) -> bytes:
    """What to answer to the challenge in which a server explains why a token is refused.

    RFC 7628, section 3.2.3 wants one octet of value 1; XOAUTH2 an empty line.
    """
    return b"AQ==" if mechanism == "OAUTHBEARER" else b""


def oauth_status(challenge: bytes) -> str:
    """The status in the JSON of that challenge, "401" or "invalid_token"; "" when there is no known one.

    Any other could be the token, said back.
    """
    try:
        import json  # noqa: PLC0415 - only some refusals of a token hold it

        facts: object = json.loads(base64.b64decode(challenge[4:], validate=True))
    except (binascii.Error, ValueError):
        return ""
    status: object = facts.get("status", "") if isinstance(facts, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
    said = str(status)  # pyright: ignore[reportUnknownArgumentType] - as above
    return said if said in _STATUSES or _NUMBER.fullmatch(said) else ""


def scrubbed(raw: bytes, secrets: Iterable[bytes]) -> bytes:
    """A raw reply without the secrets a server may repeat ("unknown command AUTH PLAIN AGpv...")."""
    lines = raw.split(b"\n")
    for number, line in enumerate(lines):
        code, words = line[:4], line[4:]
        for secret in secrets:
            words = words.replace(secret, b"***")
        lines[number] = code + words
    return b"\n".join(lines)


def _base64(octets: bytes) -> Hidden:
    return Hidden(base64.b64encode(octets))
