"""A mail server that throws mail away, in a process of its own, with a line as long as wanted.

It speaks PIPELINING and CHUNKING and answers each group in one write. The round trip is made by holding
back whatever arrives for so long: the same for every client, and without rights on the machine. Without one
it is a plain loop of recv and send for each connection, so that it is never what a client waits for.

usage: python smtp_sink.py ROUND_TRIP_MS     (prints its port; ends with its standard input)
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from typing import Final

_GREETING: Final = b"220 sink.example.com ESMTP\r\n"
_HELLO: Final = (
    b"250-sink.example.com\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n"
    b"250-SMTPUTF8\r\n250-CHUNKING\r\n250-AUTH XOAUTH2\r\n250 HELP\r\n"
)
_OK: Final = b"250 2.0.0 Ok\r\n"
_QUEUED: Final = b"250 2.0.0 Ok: queued as 4C0FFEE\r\n"
_READ_OCTETS: Final = 1 << 20


class Ear:
    """What one connection has heard.

    Attributes:
        over: the client has said goodbye.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._in_body = False
        self.over = False

    def hear(self, data: bytes) -> bytes:
        """Take octets in, and give the answers to what is complete."""
        buffer = self._buffer + data if self._buffer else data
        answers: list[bytes] = []
        at = 0
        while not self.over:
            if self._in_body:
                end = buffer.find(b"\r\n.\r\n", at)
                if end < 0:
                    # The last octets may be the beginning of a body's end.
                    at = max(at, len(buffer) - 4)
                    break
                self._in_body = False
                answers.append(_QUEUED)
                at = end + 5
                continue
            end = buffer.find(b"\r\n", at)
            if end < 0:
                break
            verb = buffer[at : at + 4].upper()
            if verb == b"BDAT":
                after = end + 2 + int(buffer[at:end].split()[1])
                if after > len(buffer):
                    break
                answers.append(_QUEUED)
                at = after
                continue
            at = end + 2
            if verb == b"DATA":
                answers.append(b"354 End with a dot\r\n")
                self._in_body = True
            elif verb == b"EHLO":
                answers.append(_HELLO)
            elif verb == b"AUTH":
                answers.append(b"235 2.7.0 Ok\r\n")
            elif verb == b"QUIT":
                answers.append(b"221 2.0.0 Bye\r\n")
                self.over = True
            else:
                answers.append(_OK)
        self._buffer = buffer[at:]
        return b"".join(answers)


def _listen_on(connection: socket.socket) -> None:
    """Serve one connection without a delay."""
    ear = Ear()
    with connection, contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(_GREETING)
        while not ear.over:
            data = connection.recv(_READ_OCTETS)
            if not data:
                break
            answer = ear.hear(data)
            if answer:
                connection.sendall(answer)


def _accept_from(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_listen_on, args=(connection,), daemon=True).start()


class Far(asyncio.Protocol):
    """One connection from far away."""

    def __init__(self, round_trip: float) -> None:
        self._round_trip = round_trip
        self._ear = Ear()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(_GREETING)

    def data_received(self, data: bytes) -> None:
        """Hear, one round trip later."""
        asyncio.get_running_loop().call_later(self._round_trip, self._hear, data)

    def _hear(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        answer = self._ear.hear(data)
        if answer:
            transport.write(answer)
        if self._ear.over:
            transport.close()


async def _serve_far(listener: socket.socket, round_trip: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Far(round_trip), sock=listener)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main(round_trip: float) -> None:
    """Serve until standard input ends.

    Args:
        round_trip: seconds.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    print(listener.getsockname()[1], flush=True)
    if round_trip:
        asyncio.run(_serve_far(listener, round_trip))
    else:
        threading.Thread(target=_accept_from, args=(listener,), daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main(float(sys.argv[1]) / 1000)
