"""What the local server was handed.

The envelope and the exact bytes, as a server sees them. BCC is in the envelope; if it is in the bytes as
well, a test can see that too.
"""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from email.message import EmailMessage

__all__ = ["ReceivedEmail"]


@attrs.frozen(kw_only=True)
class ReceivedEmail:
    """One message as it came over the socket.

    Attributes:
        sender: the address of MAIL FROM.
        recipients: the addresses of RCPT TO that the server accepted, in order.
        data: the message, CRLF lines, dots unstuffed.
        tls: whether the line was encrypted.
        username: who had logged in; "" without a login.
        answered: False when a fault kept the server from confirming what it had received.
    """

    sender: str
    recipients: tuple[str, ...]
    data: bytes = attrs.field(repr=False)
    tls: bool = False
    username: str = ""
    answered: bool = True

    @property
    def message(self) -> EmailMessage:
        """The bytes, parsed by the standard library."""
        return message_from_bytes(self.data, policy=policy.default)

    @property
    def subject(self) -> str:
        """The subject as a reader sees it; "" without one."""
        return str(self.message.get("Subject", ""))

    @property
    def text(self) -> str:
        """The plain text as a reader sees it, lines ending in LF; "" without one."""
        body = self.message.get_body(("plain",))
        return "" if body is None else str(body.get_content()).replace("\r\n", "\n")
