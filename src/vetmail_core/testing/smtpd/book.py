"""What a session of the local server knows of the server.

What it is for: the seam between one connection and the server it belongs to. What it refuses: to let a
session at anything else. Its law: whatever a session asks or writes down goes through here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from vetmail_core.testing.faults import Faults
    from vetmail_core.testing.smtpd.received import ReceivedEmail

__all__ = ["Book"]


class Book(Protocol):
    """What a session asks, and where it writes down what it hears."""

    @property
    def faults(self) -> Faults:
        """The script."""
        ...

    @property
    def size_limit(self) -> int:
        """Octets of the largest message taken."""
        ...

    @property
    def without(self) -> frozenset[str]:
        """Extensions that are not offered."""
        ...

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """SASL mechanisms offered; none means that no login is asked for."""
        ...

    def password_is_right(self, username: str, password: str, /) -> bool:
        """Whether this is the login."""
        ...

    def token_is_right(self, token: str, /) -> bool:
        """Whether this is the token."""
        ...

    def heard(self, verb: str, /) -> None:
        """A command came."""
        ...

    def received(self, email: ReceivedEmail, /) -> None:
        """A message came, whole."""
        ...
