"""What is known of a server's software although it announces otherwise."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from vetmail_core import Content, Email, Mailbox, MailServer, Pipelining, Recipients, SmtpTransport

if TYPE_CHECKING:
    from collections.abc import Iterator


class Listener(threading.Thread):
    """Serves one connection, and notes what it was sent behind each body before the body was answered."""

    def __init__(self, greeting: str) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self._greeting = greeting
        self.port: int = self._listener.getsockname()[1]
        self.behind: list[bytes] = []
        self.start()

    def run(self) -> None:
        """Greet, announce PIPELINING, and take whatever comes."""
        line, _ = self._listener.accept()
        self._listener.close()
        with line:
            line.settimeout(10)
            line.sendall(self._greeting.encode() + b"\r\n")
            data = verb = b""
            while verb != b"QUIT":
                while b"\r\n" not in data:
                    data += line.recv(65536)
                verb, _, data = data.partition(b"\r\n")
                if verb.startswith(b"EHLO"):
                    line.sendall(b"250-mail.example.com\r\n250 PIPELINING\r\n")
                elif verb == b"DATA":
                    line.sendall(b"354 go ahead\r\n")
                    while b"\r\n.\r\n" not in data:
                        data += line.recv(65536)
                    data = data.partition(b"\r\n.\r\n")[2]
                    self.behind.append(data[:4])
                    line.sendall(b"250 2.0.0 queued\r\n")
                else:
                    line.sendall(b"250 2.0.0 ok\r\n")


def _emails() -> Iterator[Email]:
    for number in range(3):
        yield Email(
            sender=Mailbox("office@example.com"),
            recipients=Recipients(to=f"p{number}@example.com"),
            content=Content("Room 5"),
            key=f"{number}",
        )


@pytest.mark.parametrize(
    ("greeting", "behind"),
    [
        ("220 mail.example.com ESMTP Postfix (Debian/GNU)", [b"MAIL", b"MAIL", b""]),
        ("220 mail.example.com Dovecot (Debian) ready.", [b"", b"", b""]),
        ("220 dovecote.example.com ESMTP", [b"MAIL", b"MAIL", b""]),
    ],
)
def test_nothing_stands_behind_a_body_where_the_server_would_die_of_it(
    greeting: str, behind: list[bytes]
) -> None:
    """Dovecot's submission service passes a body on and dies of the next envelope, so it gets none early."""
    listener = Listener(greeting)
    server = MailServer(host="127.0.0.1", port=listener.port)
    with SmtpTransport(server, pipelining=Pipelining.AUTO) as transport:
        receipts = list(transport.deliver(_emails()))
    listener.join(10)
    assert all(receipt.ok for receipt in receipts)
    assert listener.behind == behind
