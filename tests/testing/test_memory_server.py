"""The server behind an outbox refuses what a real one refuses."""

from __future__ import annotations

import pytest

from vetmail_core.receipts import Phase
from vetmail_core.testing import Faults
from vetmail_core.testing.memory_server import MemoryServer, MemorySocket


def test_a_command_out_of_order_is_refused_in_memory() -> None:
    """The server in memory keeps the rules of SMTP, whoever talks to it."""
    line = MemorySocket(MemoryServer(Faults().drop(Phase.RCPT), size_limit=1_000))

    def said(command: bytes) -> bytes:
        line.send(command)
        return line.recv(1_000)

    assert line.recv(100).startswith(b"220")
    assert said(b"RCPT TO:<sam@example.com>\r\n").startswith(b"503")
    assert said(b"DATA\r\n").startswith(b"503")
    assert said(b"VRFY sam\r\n").startswith(b"502")
    assert said(b"MAIL FROM:<a@example.com>\r\n").startswith(b"250")
    assert said(b"MAIL FROM:<a@example.com>\r\n").startswith(b"503")
    assert said(b"DATA\r\n").startswith(b"554")
    assert said(b"RSET\r\nMAIL FROM:<a@example.com>\r\n").count(b"250") == 2
    assert said(b"RCPT TO:<sam@example.com>\r\n") == b""
    with pytest.raises(BrokenPipeError):
        line.send(b"QUIT\r\n")
    assert line.getsockname()[0] == line.getpeername()[0] == "127.0.0.1"
    assert line.version() == "TLSv1.3"
    line.close()


def test_a_body_may_come_in_pieces_and_be_too_big() -> None:
    """The end is found wherever the pieces break; the size counts, whoever announces none."""
    server = MemoryServer(Faults(), size_limit=5)
    line = MemorySocket(server)
    for body, code in ((b"..\r\n.\r\n", b"250"), (b"far too long\r\n.\r\n", b"552")):
        line.send(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n")
        line.recv(10_000)
        for octet in body:
            line.send(bytes([octet]))
        assert line.recv(100).startswith(code)
    assert server.take_bodies() == [b".\r\n", b"far too long\r\n"]
    line.close()
