"""What is asked of a program that forks with a resting connection."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import trustme
from tests.transports.smtp.program_that_forks import EMAILS
from tests.transports.smtp.scripted import Server

from vetmail_core.transports.smtp import Pipelining

if TYPE_CHECKING:
    from tests.transports.smtp.scripted import Received

    from vetmail_core.preferences import TlsMethod

PROGRAM = Path(__file__).with_name("program_that_forks.py")
PROCESSES = ("before", "child0", "child1", "parent")


def fork_and_send(folder: Path, tls: TlsMethod, rounds: int) -> None:
    """Let the program run, and compare what it was answered with what the server got."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    with Server(tls=tls, context=context) as server:
        arguments = [str(server.port), tls.value, str(folder / "authority.pem"), str(rounds)]
        ran = subprocess.run(
            [sys.executable, str(PROGRAM), *arguments],
            capture_output=True,
            check=False,
            text=True,
            timeout=900,
        )
        received = list(server.received)
    assert ran.returncode == 0, ran.stderr
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(answers) == rounds * len(Pipelining)
    for answer in answers:
        assert [name.rpartition("-")[2] for name in sorted(answer)] == list(PROCESSES)
        assert all(statuses == ["accepted"] * EMAILS for statuses in answer.values()), answer
    told = [
        f"{name}-{number}@example.com" for answer in answers for name in answer for number in range(EMAILS)
    ]
    assert sorted(to for message in received for to in message.recipients) == sorted(told)
    assert_no_session_was_shared(received)


def assert_no_session_was_shared(received: list[Received]) -> None:
    """Each email is for whom it was written, and a connection is of one process."""
    users: dict[int, set[str]] = {}
    for message in received:
        (to,) = message.recipients
        assert f"for {to} alone".encode() in message.data
        users.setdefault(message.connection, set()).add(to.rpartition("-")[0])
    for processes in users.values():
        # The parent goes on with the connection that rested, as if nobody had forked.
        assert len({process.replace("before", "parent") for process in processes}) == 1, processes
    before = {connection for connection, names in users.items() if any("before" in name for name in names)}
    assert before == {connection for connection, names in users.items() if any("parent" in n for n in names)}
