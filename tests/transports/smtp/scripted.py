# ruff: noqa: D102 - the steps of a server are named by their verbs
"""A mail server that answers by script, on a real socket, for one test."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, Self

import attrs
from tests.transports.door import Door

from vetmail_core.address import Mailbox
from vetmail_core.message import Content, Email
from vetmail_core.preferences import AuthenticationType, MailServer, TlsMethod
from vetmail_core.recipients import Recipients
from vetmail_core.transports.smtp import Deadlines

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

    from vetmail_core.transports.smtp import SmtpTransport

    Serve = Callable[..., "Server"]
    Connect = Callable[..., SmtpTransport]
    Make = Callable[..., Email]
    MakeSome = Callable[[int], list[Email]]


ALL = ("PIPELINING", "SIZE 1000000", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8", "DSN", "CHUNKING")
PATIENCE = Deadlines(connect=20, greeting=20, command=20, tls=20, auth=20, data=20, body=20, dot=20, quit=1)


def hurry(**seconds: float) -> Deadlines:
    """Deadlines that are short where the server is silent, and long elsewhere for a busy machine."""
    return attrs.evolve(PATIENCE, **{"quit": 0.2, **seconds})


class Received(NamedTuple):
    """A message as the server got it."""

    connection: int
    sender: str
    recipients: tuple[str, ...]
    data: bytes


class Act(NamedTuple):
    """Something the server does instead of answering."""

    # drop, stall, raw, raw_and_drop, raw_and_deaf, trickle, flood, no_reading;
    # at the dot also accept_and_drop and accept_and_stall
    kind: str
    octets: bytes = b""


class HungUp(Exception):  # noqa: N818 - the server's own control flow
    """The connection is over."""


class Line:
    """One connection, served in a thread of its own."""

    def __init__(self, server: Server, sock: socket.socket, number: int) -> None:
        self.server = server
        self.sock = sock
        self.number = number
        self.buffer = b""
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.chunks = b""
        self.secure = False

    def serve(self) -> None:
        with contextlib.suppress(HungUp, OSError, ValueError):
            if self.server.tls is TlsMethod.IMPLICIT:
                self.start_tls()
            self.say("connect", self.server.greeting)
            while True:
                self.obey(self.read_line())
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def start_tls(self) -> None:
        act = self.server.next_act("TLS")
        if isinstance(act, Act):
            self.perform(act)
        self.sock.getpeername()  # wrapping a line that is gone would leave half a socket behind
        self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
        self.secure = True

    # -- reading and writing ---------------------------------------------------------------------------

    def fill(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise HungUp
        self.buffer += data

    def read_line(self) -> str:
        while b"\r\n" not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line.decode()

    def read_exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self.fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_body(self) -> bytes:
        # The dot that ends the body may be the very first line.
        while not (self.buffer.startswith(b".\r\n") or b"\r\n.\r\n" in self.buffer):
            self.fill()
        if self.buffer.startswith(b".\r\n"):
            self.buffer = self.buffer[3:]
            return b""
        data, _, self.buffer = self.buffer.partition(b"\r\n.\r\n")
        return (b"\n" + data).replace(b"\n..", b"\n.")[1:] + b"\r\n"

    def send(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def say(self, step: str, reply: str) -> bool:
        """Answer, or do what the script says; whether the answer was the usual one."""
        act = self.server.next_act(step)
        if act is None:
            self.send(f"{reply}\r\n".encode())
            return True
        if isinstance(act, str):
            self.send(f"{act}\r\n".encode())
            if act.startswith("421") or "\n421" in act:
                self.farewell()
            return act.startswith("2")
        self.perform(act)
        return False

    def farewell(self) -> None:
        """Close as a server does: with what has not been read thrown away, but the answer delivered."""
        self.sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass
        raise HungUp

    def perform(self, act: Act) -> None:
        if act.kind == "drop":
            raise HungUp
        if act.kind in {"raw", "raw_and_drop", "raw_and_deaf"}:
            self.send(act.octets)
            if act.kind == "raw_and_drop":
                self.farewell()
            if act.kind == "raw_and_deaf":
                # Says no more, and takes no more; so a long message cannot have left.
                self.sock.shutdown(socket.SHUT_WR)
                self.server.closing.wait(30)
                raise HungUp
            return
        if act.kind == "flood":
            while True:
                self.send(act.octets)
        if act.kind == "trickle":
            for octet in act.octets:
                self.send(bytes((octet,)))
                if self.server.closing.wait(0.05):
                    raise HungUp
        if act.kind == "no_reading":
            self.server.closing.wait(30)
            raise HungUp
        while True:  # stall: until the client gives up
            self.fill()

    # -- commands --------------------------------------------------------------------------------------

    def obey(self, line: str) -> None:
        verb = line.split(" ", 1)[0].upper()
        self.server.heard.append(line)
        handler: Callable[[str], None] | None = getattr(self, f"do_{verb.lower()}", None)
        if handler is None:
            self.send(b"500 5.5.2 unknown command\r\n")
        else:
            handler(line)

    def do_ehlo(self, _line: str) -> None:
        words = list(self.server.extensions)
        if self.server.tls is TlsMethod.EXPLICIT and not self.secure and self.server.offer_tls:
            words.append("STARTTLS")
        if self.server.mechanisms:
            words.append(f"AUTH {' '.join(self.server.mechanisms)}")
        lines = ["server.example.com", *words]
        self.say("EHLO", "\r\n".join(f"250{'-' if word is not lines[-1] else ' '}{word}" for word in lines))

    def do_helo(self, _line: str) -> None:
        self.say("HELO", "250 server.example.com")

    def do_starttls(self, _line: str) -> None:
        if self.say("STARTTLS", "220 2.0.0 go ahead"):
            self.start_tls()

    def do_auth(self, line: str) -> None:
        _, mechanism, *first = line.split(" ")
        act = self.server.next_act("AUTH")
        if isinstance(act, str):
            self.send(f"{act}\r\n".encode())
            if act.startswith("421"):
                self.farewell()
            return
        if act is not None:
            self.perform(act)
            return
        if mechanism == "LOGIN":
            given = [self.challenge("VXNlcm5hbWU6"), self.challenge("UGFzc3dvcmQ6")]
            words = "\0".join(["", *(base64.b64decode(word).decode() for word in given)])
        else:
            words = base64.b64decode(first[0] if first else self.challenge("")).decode()
        good = words in self.server.good
        self.server.logins.append(words)
        if not good and mechanism in {"XOAUTH2", "OAUTHBEARER"}:
            self.server.heard.append(self.challenge(base64.b64encode(b'{"status":"401"}').decode()))
        self.send(b"235 2.7.0 welcome\r\n" if good else b"535 5.7.8 no such login\r\n")

    def challenge(self, words: str) -> str:
        self.send(f"334 {words}\r\n".encode())
        return self.read_line()

    def do_mail(self, line: str) -> None:
        if self.sender is not None:
            self.send(b"503 5.5.1 nested MAIL\r\n")
            return
        path = line.partition("<")[2].partition(">")[0]
        if self.say(f"MAIL {path}" if self.server.has_act(f"MAIL {path}") else "MAIL", "250 2.1.0 ok"):
            self.sender = path

    def do_rcpt(self, line: str) -> None:
        path = line.partition("<")[2].partition(">")[0]
        step = f"RCPT {path}" if self.server.has_act(f"RCPT {path}") else "RCPT"
        if self.sender is None and not self.server.lax:
            self.send(b"503 5.5.1 MAIL first\r\n")
        elif self.say(step, "250 2.1.5 ok"):
            self.recipients.append(path)

    def do_data(self, _line: str) -> None:
        if not self.recipients and not self.server.eager:
            if self.sender is None:
                self.send(b"503 5.5.1 MAIL first\r\n")
            else:
                self.send(b"554 5.5.1 no valid recipients\r\n")
            return
        act = self.server.next_act("DATA")
        if isinstance(act, str):
            self.send(f"{act}\r\n".encode())
            if act.startswith("421"):
                self.farewell()
            return
        if act is not None:
            self.perform(act)
            if act.kind != "raw":
                return
        else:
            self.send(b"354 go ahead\r\n")
        if self.server.has_act("BODY"):
            held = self.server.next_act("BODY")
            assert isinstance(held, Act)
            self.perform(held)
        self.finish(self.read_body())

    def do_bdat(self, line: str) -> None:
        words = line.split(" ")
        if self.server.has_act("BODY"):
            held = self.server.next_act("BODY")
            assert isinstance(held, Act)
            self.perform(held)
        self.chunks += self.read_exactly(int(words[1]))
        if not self.recipients:
            self.chunks = b""
            self.send(
                b"554 5.5.1 no valid recipients\r\n" if self.sender is not None else b"503 5.5.1 no\r\n"
            )
            return
        self.finish(self.chunks)

    def finish(self, data: bytes) -> None:
        received = Received(self.number, self.sender or "", tuple(self.recipients), data)
        self.sender, self.recipients, self.chunks = None, [], b""
        if not received.recipients:
            self.server.lone_dots += 1
            self.send(b"554 5.5.1 nobody\r\n")
            return
        kind = getattr(self.server.peek("dot"), "kind", "")
        if kind.startswith("accept"):
            self.server.next_act("dot")
            self.server.received.append(received)
            if kind == "accept_and_drop":
                raise HungUp
            self.perform(Act("stall"))
        act = self.server.peek("dot")
        # Written down before the client can know: a test may look as soon as it has its receipt.
        if act is None or (isinstance(act, str) and act.startswith("2")):
            self.server.received.append(received)
        self.say("dot", f"250 2.0.0 ok queued as Q{len(self.server.received)}")

    def do_rset(self, _line: str) -> None:
        if self.say("RSET", "250 2.0.0 ok"):
            self.sender, self.recipients, self.chunks = None, [], b""

    def do_quit(self, _line: str) -> None:
        self.say("QUIT", "221 2.0.0 bye")
        raise HungUp


class Server:
    """A mail server; ``script`` names what it does instead of the usual, step by step."""

    def __init__(
        self,
        *,
        tls: TlsMethod = TlsMethod.NONE,
        extensions: tuple[str, ...] = ALL,
        mechanisms: tuple[str, ...] = (),
        good: tuple[str, ...] = (),
        context: ssl.SSLContext | None = None,
        offer_tls: bool = True,
        eager: bool = False,
        lax: bool = False,
        greeting: str = "220 server.example.com ESMTP",
    ) -> None:
        self.tls = tls
        self.extensions = extensions
        self.mechanisms = mechanisms
        self.good = good
        self._context = context
        self.offer_tls = offer_tls
        self.eager = eager
        self.lax = lax
        self.greeting = greeting
        self.line: type[Line] = Line
        self.received: list[Received] = []
        self.heard: list[str] = []
        self.logins: list[str] = []
        self.lone_dots = 0
        self.connections = 0
        self.closing = threading.Event()
        self._script: dict[str, list[str | Act | None]] = defaultdict(list)
        self._always: dict[str, str | Act] = {}
        self._lock = threading.Lock()
        self._door = Door(socket.create_server(("127.0.0.1", 0)), self._meet)
        self.lines = self._door.lines
        self.port = self._door.port

    @property
    def context(self) -> ssl.SSLContext:
        assert self._context is not None
        return self._context

    def script(self, step: str, *acts: str | Act | None) -> Self:
        """The next answers of a step; None is the usual one."""
        self._script[step] += acts
        return self

    def always(self, step: str, act: str | Act) -> Self:
        """Every answer of a step from now on."""
        self._always[step] = act
        return self

    def has_act(self, step: str) -> bool:
        return bool(self._script.get(step)) or step in self._always

    def peek(self, step: str) -> str | Act | None:
        acts = self._script.get(step)
        return acts[0] if acts else self._always.get(step)

    def next_act(self, step: str) -> str | Act | None:
        with self._lock:
            acts = self._script.get(step)
            return acts.pop(0) if acts else self._always.get(step)

    @property
    def verbs(self) -> list[str]:
        return [line.split(" ", 1)[0].upper() for line in self.heard]

    def __enter__(self) -> Self:
        self._door.open()
        return self

    def _meet(self, sock: socket.socket) -> Line:
        self.connections += 1
        return self.line(self, sock, self.connections)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._door.close()

    def mail_server(
        self,
        *,
        host: str = "127.0.0.1",
        authentication: AuthenticationType = AuthenticationType.NONE,
        wait_ms: int = 0,
        **more: object,
    ) -> MailServer:
        """What a client enters to reach it."""
        return MailServer(
            host=host,
            port=self.port,
            tls=self.tls,
            authentication=authentication,
            wait_between_emails_ms=wait_ms,
            **more,  # type: ignore[arg-type]
        )


def an_email(
    to: str = "sam@example.com", *, key: str = "", subject: str = "Your class", text: str = "moved"
) -> Email:
    """An email to one or more, addresses joined by a blank."""
    return Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(to=to.split()),
        content=Content(subject, text),
        key=key,
    )


def some_emails(count: int) -> list[Email]:
    """Emails to different people, each with its number as text."""
    return [an_email(f"p{number}@example.com", subject=f"number {number}") for number in range(count)]


class Certificates(NamedTuple):
    """A certificate authority, and contexts made with it."""

    server: ssl.SSLContext
    wrong_name: ssl.SSLContext
    stranger: ssl.SSLContext
    client: ssl.SSLContext
