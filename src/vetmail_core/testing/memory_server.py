"""A mail server without a socket, for the outbox.

It answers the very session that ``SmtpTransport`` holds with a server, in memory and at once, and refuses
what a submission server refuses. It asks the same script at the same moments as ``LocalSmtpServer``.
"""

from __future__ import annotations

import os
import selectors
import ssl
from typing import TYPE_CHECKING, Final

from vetmail_core.receipts import Phase
from vetmail_core.testing.fault import FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.testing.fault import Fault
    from vetmail_core.testing.faults import Faults

__all__ = ["MemoryContext", "MemoryServer", "MemorySocket"]

_END: Final = b"\r\n.\r\n"


class MemoryServer:
    """The server behind an outbox.

    Args:
        faults: the script.
        size_limit: octets of the largest message it takes.
    """

    def __init__(self, faults: Faults, *, size_limit: int) -> None:
        self.faults = faults
        self.size_limit = size_limit
        self._bodies: list[bytes] = []

    def received(self, body: bytes) -> None:
        """Note a message that came whole, taken or not."""
        self._bodies.append(body)

    def take_bodies(self) -> list[bytes]:
        """The messages that came since the last call."""
        bodies, self._bodies = self._bodies, []
        return bodies


class MemorySocket:
    """A client's end of a line to the server: what the connection calls on a socket, and no more.

    Args:
        server: whom the line leads to.
    """

    def __init__(self, server: MemoryServer) -> None:
        self._server = server
        self._faults = server.faults
        self._answers = bytearray()
        self._heard = bytearray()
        self._gone = False
        self._silent = False
        self._collecting = False
        self._sender = ""
        self._recipients: list[str] = []
        # Selectors want a file number; nothing is ever sent over this pipe.
        self._pipe: tuple[int, ...] = os.pipe()
        self._answer(Phase.CONNECT, "220 localhost ESMTP of a test")

    # -- what a connection asks of a socket ------------------------------------------------------------

    @property
    def ready(self) -> int:
        """What can be done now: the selectors' event bits."""
        heard = selectors.EVENT_READ if self._answers or self._gone else 0
        return heard | selectors.EVENT_WRITE

    def fileno(self) -> int:
        """A number for selectors."""
        return self._pipe[0]

    def setblocking(self, flag: bool, /) -> None:  # noqa: FBT001 - the standard library's signature
        """Nothing ever blocks here."""

    def setsockopt(self, *_option: int) -> None:
        """There is nothing to set."""

    def getpeername(self) -> tuple[str, int]:
        """The loopback address: the server is this very process."""
        return ("127.0.0.1", 25)

    def getsockname(self) -> tuple[str, int]:
        """Likewise."""
        return ("127.0.0.1", 49152)

    def recv(self, octets: int, /) -> bytes:
        """What the server has said."""
        if self._answers:
            piece = bytes(self._answers[:octets])
            del self._answers[:octets]
            return piece
        if self._gone:
            return b""
        raise BlockingIOError

    def send(self, octets: memoryview | bytes, /) -> int:
        """Say something to the server."""
        if self._gone:
            raise BrokenPipeError(32, "Broken pipe")
        self._heard += octets
        self._listen()
        return len(octets)

    def close(self) -> None:
        """Leave."""
        self._gone = True
        pipe, self._pipe = self._pipe, ()
        for number in pipe:
            os.close(number)

    __del__ = close  # a test may forget an outbox without a warning: there is no server to part from

    def do_handshake(self) -> None:
        """Shake hands, which takes no octets here; the script may have it fail."""
        fault = self._faults.next_at(Phase.TLS)
        if fault is not None:
            self._fail(fault)
        if self._silent:
            raise ssl.SSLWantReadError
        if self._gone:
            raise ssl.SSLEOFError(8, "EOF occurred in violation of protocol")

    def version(self) -> str:
        """The TLS version there would be."""
        return "TLSv1.3"

    # -- what the server does --------------------------------------------------------------------------

    def _say(self, line: str) -> None:
        self._answers += f"{line}\r\n".encode()
        if line.startswith("421"):
            self._gone = True

    def _answer(self, phase: Phase, line: str) -> None:
        if not self._say_instead(phase):
            self._say(line)

    def _say_instead(self, phase: Phase, addresses: Iterable[str] = ()) -> bool:
        """Whether the script took the place of the answer."""
        fault = self._faults.next_at(phase, addresses)
        if fault is None:
            return False
        self._fail(fault)
        return True

    def _fail(self, fault: Fault) -> None:
        if fault.reply is not None:
            self._say(str(fault.reply))
        elif fault.kind is FaultKind.DROP:
            self._gone = True
        else:
            self._silent = True

    def _listen(self) -> None:
        while not (self._gone or self._silent):
            end = _END if self._collecting else b"\r\n"
            # A message may be nothing but its end: the line before it counts as ended.
            place = (b"\r\n" + self._heard if self._collecting else self._heard).find(end)
            if place < 0:
                if self._collecting and self._heard:
                    self._in_the_body()
                return
            if self._collecting:
                if self._in_the_body():
                    return
                body = bytes(self._heard[:place])
                del self._heard[: place + len(end) - 2]
                self._collecting = False
                self._take((b"\r\n" + body).replace(b"\r\n.", b"\r\n")[2:])
            else:
                line = bytes(self._heard[:place]).decode()
                del self._heard[: place + 2]
                self._obey(line)

    def _in_the_body(self) -> bool:
        return self._say_instead(Phase.BODY, self._recipients)

    def _obey(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "EHLO":
                if not self._say_instead(Phase.GREETING):
                    self._forget()
                    self._greet()
            case "STARTTLS":
                self._answer(Phase.STARTTLS, "220 2.0.0 Ready to start TLS")
            case "AUTH":
                self._answer(Phase.AUTH, "235 2.7.0 Authentication successful")
            case "MAIL":
                self._mail(_address(rest))
            case "RCPT":
                self._rcpt(_address(rest))
            case "DATA":
                self._data()
            case "RSET":
                self._forget()
                self._say("250 2.0.0 Ok")
            case "QUIT":
                self._say("221 2.0.0 Bye")
                self._gone = True
            case _:
                self._say("502 5.5.2 Command not recognised")

    def _greet(self) -> None:
        offered = (
            "localhost",
            "PIPELINING",
            f"SIZE {self._server.size_limit}",
            "8BITMIME",
            "ENHANCEDSTATUSCODES",
            "SMTPUTF8",
            "STARTTLS",
            "AUTH PLAIN LOGIN",
        )
        self._say("\r\n".join([*(f"250-{extension}" for extension in offered), "250 HELP"]))

    def _mail(self, sender: str) -> None:
        if self._sender:
            self._say("503 5.5.1 A message has begun already")
        elif not self._say_instead(Phase.MAIL, [sender]):
            self._sender = sender
            self._say("250 2.1.0 Sender ok")

    def _rcpt(self, recipient: str) -> None:
        if not self._sender:
            self._say("503 5.5.1 MAIL comes first")
        elif not self._say_instead(Phase.RCPT, [recipient]):
            self._recipients.append(recipient)
            self._say("250 2.1.5 Recipient ok")

    def _data(self) -> None:
        if not self._recipients:
            self._say("554 5.5.1 No valid recipients" if self._sender else "503 5.5.1 MAIL comes first")
        elif not self._say_instead(Phase.DATA, self._recipients):
            self._collecting = True
            self._say("354 End data with <CR><LF>.<CR><LF>")

    def _take(self, body: bytes) -> None:
        recipients = tuple(self._recipients)
        self._forget()
        self._server.received(body)
        if len(body) > self._server.size_limit:
            self._say("552 5.3.4 Message too big")
        elif not self._say_instead(Phase.DOT, recipients):
            self._say("250 2.0.0 Ok: queued as TEST")

    def _forget(self) -> None:
        self._sender = ""
        self._recipients = []


class MemoryContext(ssl.SSLContext):
    """TLS for a line that never leaves this process."""

    def wrap_socket(self, sock: object, **_settings: object) -> object:  # type: ignore[override] # ours is no socket
        """The line itself."""
        return sock


def _address(rest: str) -> str:
    return rest.partition("<")[2].rpartition(">")[0]
