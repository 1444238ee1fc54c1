"""An IMAP server that throws drafts away, in a process of its own; so small that nobody waits for it.

usage: python imap_sink.py     (prints its port; ends with its standard input)
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from typing import Final

_GREETING: Final = b"* OK sink\r\n"
_SAID: Final = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n",
    b"LIST": b'* LIST (\\HasNoChildren \\Drafts) "/" Drafts\r\n',
    b"LOGOUT": b"* BYE\r\n",
}


def _listen_on(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as heard, contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(_GREETING)
        while line := heard.readline():
            tag, command = line.split(None, 2)[:2]
            if command == b"APPEND":
                connection.sendall(b"+ go on\r\n")
                heard.read(int(line[line.rindex(b"{") + 1 : line.rindex(b"}")]))
                heard.readline()
            connection.sendall(_SAID.get(command, b"") + tag + b" OK done\r\n")
            if command == b"LOGOUT":
                return


def _accept_from(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_listen_on, args=(connection,), daemon=True).start()


def main() -> None:
    """Serve until standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=10)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_accept_from, args=(listener,), daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
