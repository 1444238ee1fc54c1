"""A mail server that throws mail away, in a process of its own, with a line as long as wanted.

It speaks PIPELINING and CHUNKING and answers each group in one write. The round trip is made by holding
back whatever arrives for so long: the same for every client, and without rights on the machine.

usage: python smtp_sink.py ROUND_TRIP_MS     (prints its port; ends with its standard input)
"""

from __future__ import annotations

import asyncio
import socket
import sys

_HELLO = b"250-sink.example.com\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250 HELP\r\n"
_OK = b"250 2.0.0 Ok\r\n"
_QUEUED = b"250 2.0.0 Ok: queued as 4C0FFEE\r\n"


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, round_trip: float) -> None:
        self._round_trip = round_trip
        self._buffer = bytearray()
        self._in_body = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._answer(b"220 sink.example.com ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Hear, one round trip later."""
        if self._round_trip:
            asyncio.get_running_loop().call_later(self._round_trip, self._hear, data)
        else:
            self._hear(data)

    def _answer(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _hear(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        answers: list[bytes] = []
        at = 0
        while True:
            if self._in_body:
                end = buffer.find(b"\r\n.\r\n", max(at - 2, 0))
                if end < 0:
                    break
                self._in_body = False
                answers.append(_QUEUED)
                at = end + 5
                continue
            end = buffer.find(b"\r\n", at)
            if end < 0:
                break
            verb = bytes(buffer[at : at + 4]).upper()
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
            elif verb == b"QUIT":
                self._answer(b"".join(answers) + b"221 2.0.0 Bye\r\n")
                assert self._transport is not None
                self._transport.close()
                return
            else:
                answers.append(_OK)
        # The last two octets of a body's end may be needed to recognise it.
        keep = max(at - 2, 0) if self._in_body else at
        del buffer[:keep]
        if answers:
            self._answer(b"".join(answers))


async def main(round_trip: float) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    print(listener.getsockname()[1], flush=True)
    server = await loop.create_server(lambda: Sink(round_trip), sock=listener)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) / 1000))
