"""A mail server that can be killed: keeps what it took in a file, one line an email, before it says 250.

Run as ``python server_to_kill.py PORT FILE LIMIT``; port 0 is any. Prints the port when it listens. LIMIT is
a file of eight octets: while FILE is as long as the number in it, the server takes and then keeps silent, so
that no client gets further than a test wants, however slowly the test is served by a busy machine.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time

RECORD = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
LIMIT = os.open(sys.argv[3], os.O_RDONLY)


def record(recipients: list[bytes]) -> None:
    """Keep an email for good; return when the client may hear of it."""
    os.write(RECORD, b",".join(recipients) + b"\n")
    while os.fstat(RECORD).st_size >= int.from_bytes(os.pread(LIMIT, 8, 0)):
        time.sleep(0.001)


def serve(line: socket.socket) -> None:
    """One connection, until it ends."""
    with line, line.makefile("rb") as said:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.sendall(b"220 server.example.com ESMTP\r\n")
        recipients: list[bytes] = []
        for command in said:
            if not command.endswith(b"\n"):
                return  # the line was cut in the middle of a command
            verb = command[:4].upper()
            answer = b"250 2.0.0 Ok\r\n"
            if verb == b"EHLO":
                answer = b"250-server.example.com\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 8BITMIME\r\n"
            elif verb == b"RCPT":
                recipients.append(command.split(b"<")[1].split(b">")[0])
            elif verb == b"DATA":
                line.sendall(b"354 Go on\r\n")
                for body in said:
                    if body == b".\r\n":
                        break
                else:
                    return
                record(recipients)
                recipients = []
            elif verb == b"BDAT":
                size = int(command.split()[1])
                if len(said.read(size)) < size:
                    return
                record(recipients)
                recipients = []
            elif verb == b"QUIT":
                answer = b"221 2.0.0 Bye\r\n"
            line.sendall(answer)
            if verb == b"QUIT":
                return


def main() -> None:
    """Listen for ever."""
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            threading.Thread(target=survived, args=(listener.accept()[0],), daemon=True).start()


def survived(line: socket.socket) -> None:
    """A connection that breaks is the client's business."""
    with contextlib.suppress(OSError):
        serve(line)


main()
