"""A program with a resting connection that forks twice; parent and children send at once.

Run as ``python program_that_forks.py PORT TLS CA ROUNDS``: the scripted server's port, "none" or "implicit",
the file of its certificate authority, and how often. Prints what each process had as answers: one JSON object
for each mode and round, from the name of the process to the statuses of its emails.
"""

from __future__ import annotations

import json
import os
import ssl
import sys

from vetmail_core.address import Mailbox
from vetmail_core.message import Content, Email
from vetmail_core.preferences import MailServer, TlsMethod
from vetmail_core.recipients import Recipients
from vetmail_core.transports.smtp import Pipelining, SmtpTransport

EMAILS = 4


def email(process: str, number: int) -> Email:
    """An email that says to whom it is written."""
    address = f"{process}-{number}@example.com"
    return Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(to=[address]),
        content=Content("Your class", f"for {address} alone"),
    )


def send(transport: SmtpTransport, process: str) -> list[str]:
    """The statuses of the emails of one process."""
    receipts = transport.deliver(email(process, number) for number in range(EMAILS))
    return [receipt.outcomes[0].status.value for receipt in receipts]


def one_round(transport: SmtpTransport, name: str) -> dict[str, list[str]]:
    """Fork twice over a resting connection, and send from all three."""
    answers = {f"{name}-before": send(transport, f"{name}-before")}
    children: dict[str, tuple[int, int]] = {}
    for number in range(2):
        child = f"{name}-child{number}"
        out, back = os.pipe()
        process = os.fork()
        if process == 0:
            try:
                os.write(back, json.dumps(send(transport, child)).encode())
                transport.close()
            finally:
                os._exit(0)
        os.close(back)
        children[child] = (process, out)
    answers[f"{name}-parent"] = send(transport, f"{name}-parent")
    for child, (process, out) in children.items():
        with os.fdopen(out, "rb") as pipe:
            answers[child] = json.loads(pipe.read() or b"[]")
        os.waitpid(process, 0)
    return answers


def main() -> None:
    """Every mode, as many rounds as asked for."""
    port, tls, authority, rounds = sys.argv[1:]
    server = MailServer(host="127.0.0.1", port=int(port), tls=TlsMethod(tls))
    context = None if tls == "none" else ssl.create_default_context(cafile=authority)
    for mode in Pipelining:
        for number in range(int(rounds)):
            with SmtpTransport(server, pipelining=mode, ssl_context=context) as transport:
                answers = one_round(transport, f"{mode.value}{number}")
            sys.stdout.write(f"{json.dumps(answers)}\n")


if __name__ == "__main__":
    main()
