# ruff: noqa: D102 - the steps of a server are named by their verbs
"""A mail server that misbehaves on purpose.

The server keeps the truth: every message whose last octet it has read, with the answer it gave. It goes on
reading when it has stopped answering, so that whatever a client sends into the dark is counted too.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING, NamedTuple, Self

import attrs
from tests.transports.door import Door

from vetmail_core.preferences import TlsMethod

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

ANNOUNCED = ("PIPELINING", "SIZE 20000000", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8", "DSN", "CHUNKING")
EVERY_TIME = 1_000_000


class Fault(NamedTuple):
    """What the server does wrong.

    ``at`` is the number of the email, or of the connection for the steps before the first message; -1 is
    any of them.
    """

    step: str
    kind: str
    at: int = -1
    times: int = 1

    def __str__(self) -> str:
        when = "always" if self.times == EVERY_TIME else f"{self.times}x"
        return f"{self.step}/{self.kind}/at {self.at}/{when}"


@attrs.define
class Copy:
    """A message the server has read to its last octet.

    ``said`` is the code of the answer, 0 for none; ``clear`` tells whether the answer left whole and alone.
    ``line`` numbers the connections: what was refused early may be read to its end after the next one's copy.
    """

    number: int
    recipients: tuple[str, ...]
    data: bytes
    said: int = 0
    clear: bool = True
    line: int = 0


class Certificates(NamedTuple):
    """Server contexts, and the context of a client that knows one of their authorities."""

    good: ssl.SSLContext
    wrong_name: ssl.SSLContext
    stranger: ssl.SSLContext
    expired: ssl.SSLContext
    client: ssl.SSLContext


class Gone(Exception):  # noqa: N818 - the end of a connection, and no mistake
    """The connection is over."""


class Line:
    """One connection."""

    def __init__(self, server: Rogue, sock: socket.socket, number: int) -> None:
        self.server = server
        self.sock = sock
        self.number = number
        self.buffer = b""
        self.mute = False
        self.secure = False
        self.messages = 0
        self.email = -1
        self.open = False
        self.recipients: list[str] = []

    def serve(self) -> None:
        """Until one of the two has had enough."""
        with contextlib.suppress(Gone, OSError, ValueError):
            if self.server.fault("connect", self.number) is not None:
                self.reset()
            if self.server.tls is TlsMethod.IMPLICIT:
                self.shake_hands()
            self.answer("greeting", "220 rogue.example.com ESMTP", self.number)
            while True:
                self.obey(self.read_line())
        with contextlib.suppress(OSError):
            self.sock.close()

    # -- octets ----------------------------------------------------------------------------------------

    def fill(self) -> None:
        data = self.sock.recv(65_536)
        if not data:
            raise Gone
        self.buffer += data

    def read_line(self) -> str:
        while b"\r\n" not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line.decode("utf-8", "replace")

    def read_dotted(self) -> bytes:
        parts = [self.buffer]
        tail = b"\r\n" + self.buffer
        while b"\r\n.\r\n" not in tail:
            data = self.sock.recv(262_144)
            if not data:
                raise Gone
            parts.append(data)
            tail = tail[-4:] + data
        whole = b"\r\n" + b"".join(parts)
        body, _, self.buffer = whole.partition(b"\r\n.\r\n")
        return body[2:].replace(b"\r\n..", b"\r\n.") + b"\r\n"

    def read_exactly(self, count: int) -> bytes:
        parts, missing = [self.buffer], count - len(self.buffer)
        while missing > 0:
            data = self.sock.recv(262_144)
            if not data:
                raise Gone
            parts.append(data)
            missing -= len(data)
        whole = b"".join(parts)
        self.buffer = whole[count:]
        return whole[:count]

    def send(self, octets: bytes) -> None:
        if not self.mute:
            self.sock.sendall(octets)

    def reset(self) -> None:
        """Go without a farewell: what is under way is thrown away on both sides."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def leave(self) -> None:
        """Go so that what was said arrives."""
        with contextlib.suppress(OSError):
            sock = (
                self.sock.unwrap() if isinstance(self.sock, ssl.SSLSocket) and not self.buffer else self.sock
            )
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65_536):
                pass
        raise Gone

    def shake_hands(self) -> None:
        fault = self.server.fault("tls", self.number)
        if fault is not None:
            self.misbehave(fault.kind, "250 what handshake?")
            if self.mute:
                self.server.closing.wait(30)
                raise Gone
        context = self.server.context
        assert context is not None
        self.sock.getpeername()  # wrapping a line that is gone would leave half a socket behind
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.secure = True
        self.buffer = b""

    # -- answers ---------------------------------------------------------------------------------------

    def answer(self, step: str, reply: str, at: int) -> int:
        """Say the reply, or do what the plan has; returns the code that was said, 0 for none."""
        fault = None if self.mute else self.server.fault(step, at)
        if fault is None:
            self.send(f"{reply}\r\n".encode())
            return int(reply[:3])
        return self.misbehave(fault.kind, reply)

    def misbehave(self, kind: str, reply: str) -> int:
        said = said_by(kind, reply)
        whole = f"{reply}\r\n".encode()
        match kind:
            case "drop":
                raise Gone
            case "rst":
                self.reset()
            case "stall":
                self.mute = True
            case "garbage":
                self.send(b"\xff\x00\x07 nonsense \x80\r\n")
            case "blank":
                self.send(b"\r\n")
            case "long":
                self.send(reply.encode() + b"a" * 5_000 + b"\r\n")
            case "flood":
                self.flood(reply[:3].encode() + b"-more\r\n")
            case "replies":
                self.flood(whole)
            case "trickle":
                for octet in whole + b" " * 200:
                    self.send(bytes((octet,)))
                    if self.server.closing.wait(0.04):
                        raise Gone
            case "twice":
                self.send(whole * 2)
            case "twice_late":
                self.send(whole)
                self.server.closing.wait(0.02)
                self.send(whole)
            case "reply_close":
                self.send(whole)
                self.leave()
            case "4xx":
                self.send(b"451 4.3.2 not now\r\n")
            case "5xx":
                self.send(b"554 5.7.1 not ever\r\n")
            case "503":
                self.send(b"503 5.5.1 bad sequence\r\n")
            case "421":
                self.send(b"421 4.3.2 closing\r\n")
                self.leave()
            case "421_stay":
                self.send(b"421 4.3.2 closing\r\n")
            case "421_stall":
                self.send(b"421 4.3.2 closing\r\n")
                self.mute = True
            case "wrong":
                self.send(b"250 2.0.0 fine\r\n" if reply.startswith("354") else b"354 go ahead\r\n")
            case "1xx":
                self.send(b"150 perhaps\r\n")
            case _:
                raise AssertionError(kind)
        return said

    def flood(self, octets: bytes) -> None:
        octets *= 500
        for _ in range(2_000):
            self.send(octets)
        raise Gone

    # -- commands --------------------------------------------------------------------------------------

    def obey(self, line: str) -> None:
        verb = line.split(" ", 1)[0].upper()
        self.server.heard.append(line)
        handler: Callable[[str], None] | None = getattr(self, f"do_{verb.lower()}", None)
        if handler is None:
            self.send(b"500 5.5.2 what?\r\n")
        else:
            handler(line)

    def do_ehlo(self, _line: str) -> None:
        words = ["rogue.example.com", *self.server.announced]
        if self.server.tls is TlsMethod.EXPLICIT and not self.secure and self.server.offers_tls:
            words.append("STARTTLS")
        if self.server.login is not None:
            words.append("AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER")
        reply = "\r\n".join(f"250{' ' if word is words[-1] else '-'}{word}" for word in words)
        self.answer("ehlo", reply, self.number)

    def do_helo(self, _line: str) -> None:
        self.answer("ehlo", "250 rogue.example.com", self.number)

    def do_starttls(self, _line: str) -> None:
        if self.server.injected and self.number < self.server.injections:
            self.send(b"220 2.0.0 go ahead\r\n" + self.server.injected)
            self.shake_hands()
        elif self.answer("starttls", "220 2.0.0 go ahead", self.number) == 220 and not self.mute:
            self.shake_hands()

    def do_auth(self, line: str) -> None:
        login = self.server.login
        assert login is not None
        _, mechanism, *first = line.split(" ")
        if mechanism == "LOGIN":
            name, password = self.challenge("VXNlcm5hbWU6"), self.challenge("UGFzc3dvcmQ6")
            words = "\0" + "\0".join(base64.b64decode(word).decode() for word in (name, password))
        else:
            words = base64.b64decode(first[0] if first else self.challenge("")).decode()
        self.server.logins.append(words)
        self.answer("auth", login(words), self.number)

    def challenge(self, words: str) -> str:
        self.send(f"334 {words}\r\n".encode())
        return self.read_line()

    def do_mail(self, line: str) -> None:
        if self.open:
            self.send(b"503 5.5.1 nested MAIL\r\n")
            return
        found = re.search(r"<office\+(\d+)@", line)
        self.email = -1 if found is None else int(found[1])
        if 0 < self.server.per_connection <= self.messages:
            self.send(b"421 4.7.0 too many messages on this connection\r\n")
            self.leave()
        replies = self.server.mail_replies
        reply = replies.pop(0) if replies else "250 2.1.0 ok"
        self.open = 200 <= self.answer("mail", reply, self.email) < 300
        self.recipients = []

    def do_rcpt(self, line: str) -> None:
        address = line.partition("<")[2].partition(">")[0]
        reply = "250 2.1.5 ok"
        if not self.open:
            self.send(b"503 5.5.1 MAIL first\r\n")
            return
        if len(self.recipients) >= self.server.most_recipients:
            reply = "452 4.5.3 too many recipients"
        for word, answer in REFUSALS.items():
            if address.startswith(word):
                reply = answer
        if 200 <= self.answer("rcpt", reply, self.email) < 300:
            self.recipients.append(address)

    def do_data(self, _line: str) -> None:
        if not self.open:
            self.send(b"503 5.5.1 MAIL first\r\n")
        elif not self.recipients and not self.server.eager:
            self.send(b"554 5.5.1 no valid recipients\r\n")
        else:
            fault = self.server.peek("data", self.email)
            if fault is None or said_by(fault.kind, "354") == 354:
                self.server.invited.add(self.email)
            if self.answer("data", "354 go ahead", self.email) == 354 and not self.mute:
                early = self.in_body()
                self.take(self.read_dotted(), early)

    def do_bdat(self, line: str) -> None:
        if self.server.hates_chunks:
            self.send(b"500 5.5.2 what is BDAT?\r\n")
            return
        self.server.invited.add(self.email)
        early = self.in_body()
        data = self.read_exactly(int(line.split(" ")[1]))
        if not self.open or not self.recipients:
            self.send(b"503 5.5.1 MAIL first\r\n" if not self.open else b"554 5.5.1 no valid recipients\r\n")
            return
        self.take(data, early)

    def in_body(self) -> int:
        """Misbehave in the middle of a body; returns the code of an answer that was no, 0 for none."""
        fault = None if self.mute else self.server.fault("body", self.email)
        if fault is None:
            return 0
        match fault.kind:
            case "stall":
                self.server.closing.wait(30)
                raise Gone
            case "slow":
                while not self.server.closing.wait(0.05):
                    if not self.sock.recv(512):
                        break
                raise Gone
            case "early_yes":
                self.fill()
                self.send(b"250 2.0.0 ok, I have seen enough\r\n")
                self.fill()
                self.reset()
            case "early_yes_go_on":
                self.fill()
                self.send(b"250 2.0.0 ok, I have seen enough\r\n")
            case "early_no":
                self.fill()
                self.send(b"552 5.3.4 too large\r\n")
                self.leave()
            case _:
                self.fill()
                said = self.misbehave(fault.kind, "250 2.0.0 ok")
                return said if said >= 400 else 0
        return 0

    def take(self, data: bytes, early: int = 0) -> None:
        """The last octet has come: from here on the message is this server's."""
        email, recipients = self.email, tuple(self.recipients)
        self.open, self.recipients = False, []
        self.messages += 1
        if not recipients:
            self.send(b"554 5.5.1 nobody\r\n")
            return
        if early:
            # It has said no already, and that is its answer.
            self.server.copies.append(Copy(email, recipients, data, early, line=self.number))
            return
        fault = None if self.mute else self.server.peek("dot", email)
        reply = self.server.dot_reply
        said = 0 if self.mute else int(reply[:3]) if fault is None else said_by(fault.kind, reply)
        clear = fault is None or fault.kind in CLEAR
        # Written down before the client can know, so that a test may look as soon as it has its receipts.
        self.server.copies.append(Copy(email, recipients, data, said, clear, self.number))
        self.answer("dot", reply, email)
        idle = None if self.mute else self.server.fault("idle", email)
        if idle is not None:
            self.misbehave(idle.kind, "250 2.0.0 by the way")
            self.server.acted.set()

    def do_rset(self, _line: str) -> None:
        if self.answer("rset", "250 2.0.0 ok", self.number) < 300:
            self.open, self.recipients = False, []

    def do_quit(self, _line: str) -> None:
        self.answer("quit", "221 2.0.0 bye", self.number)
        raise Gone


REFUSALS = {
    "bad": "550 5.1.1 no such user",
    "later": "450 4.2.0 greylisted",
    "full": "452 4.2.2 mailbox full",
}
# After these the client knows what the server has decided.
CLEAR = {"4xx", "5xx", "503", "421", "421_stay", "421_stall", "reply_close"}


def said_by(kind: str, reply: str) -> int:
    """The code that counts as the server's decision."""
    match kind:
        case "4xx":
            return 451
        case "5xx":
            return 554
        case "503":
            return 503
        case "421" | "421_stay" | "421_stall":
            return 421
        case "wrong":
            return 250 if reply.startswith("354") else 354
        case "twice" | "twice_late" | "reply_close":
            return int(reply[:3])
        case "trickle" | "long" | "replies":
            return int(reply[:3])
        case _:
            return 0


class Rogue:
    """The server. Its settings may be changed until somebody connects."""

    def __init__(
        self,
        *faults: Fault,
        tls: TlsMethod = TlsMethod.NONE,
        context: ssl.SSLContext | None = None,
        login: Callable[[str], str] | None = None,
        announced: tuple[str, ...] = ANNOUNCED,
    ) -> None:
        self.tls = tls
        self.context = context
        self.login = login
        self.announced = announced
        self.line: type[Line] = Line
        self.offers_tls = True
        self.injected = b""
        self.injections = 1_000  # connections, from the first on
        self.eager = False
        self.hates_chunks = False
        self.per_connection = 0
        self.most_recipients = 1_000
        self.mail_replies: list[str] = []
        self.dot_reply = "250 2.0.0 ok queued as Q1"
        self.copies: list[Copy] = []
        self.invited: set[int] = set()
        self.heard: list[str] = []
        self.logins: list[str] = []
        self.connections = 0
        self.acted = threading.Event()
        self.closing = threading.Event()
        self._faults = [[fault, fault.times] for fault in faults]
        self._lock = threading.Lock()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        self._door = Door(listener, self._meet)
        self.port = self._door.port

    def peek(self, step: str, at: int) -> Fault | None:
        """What comes next at a step."""
        for entry in self._faults:
            fault, left = entry
            assert isinstance(fault, Fault)
            assert isinstance(left, int)
            if fault.step == step and left > 0 and fault.at in {-1, at}:
                return fault
        return None

    def fault(self, step: str, at: int) -> Fault | None:
        """What comes next at a step, used up."""
        with self._lock:
            found = self.peek(step, at)
            for entry in self._faults:
                if entry[0] is found and isinstance(entry[1], int):
                    entry[1] -= 1
                    break
            return found

    def settled(self) -> None:
        """Wait until everything that was sent has been read and judged; the client has gone."""
        self._door.settled(2)

    def __enter__(self) -> Self:
        self._door.open()
        return self

    def _meet(self, sock: socket.socket) -> Line:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = self.line(self, sock, self.connections)
        self.connections += 1
        return line

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._door.close()
