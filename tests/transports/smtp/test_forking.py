"""A process that forks: what becomes of its connection, and of the copies."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.forking import fork_and_send
from tests.transports.smtp.scripted import PATIENCE, Server

from vetmail_core.errors import TransportError
from vetmail_core.preferences import TlsMethod
from vetmail_core.receipts import Phase
from vetmail_core.transports.smtp.rules.login import Lost
from vetmail_core.transports.smtp.wire.connection import Connection

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transports.smtp.scripted import Connect, MakeSome, Serve

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked here")


@forks
@pytest.mark.parametrize("tls", [TlsMethod.NONE, TlsMethod.IMPLICIT])
def test_parent_and_children_send_at_once_on_connections_of_their_own(tmp_path: Path, tls: TlsMethod) -> None:
    """Everything is accepted, nobody gets another person's email, and no connection is shared."""
    fork_and_send(tmp_path, tls, rounds=2)


IN_THE_MIDDLE = """
import json, os, sys
from tests.transports.smtp.scripted import some_emails
from vetmail_core.preferences import MailServer
from vetmail_core.transports.smtp import Pipelining, SmtpTransport

answers = {}
for mode in Pipelining:
    for ending in ("drops it", "goes on"):
        with SmtpTransport(MailServer(host="127.0.0.1", port=int(sys.argv[1])), pipelining=mode) as transport:
            run = transport.deliver(some_emails(6))
            statuses = [next(run).outcomes[0].status.value for _ in range(2)]
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    if ending == "drops it":
                        run.close()
                        status = 0
                    else:
                        next(run)
                except Exception as error:
                    status = 0 if "begun by another process" in str(error) else 2
                    fresh = list(transport.deliver(some_emails(1)))
                    status = status if fresh[0].ok else 3
                finally:
                    os._exit(status)
            _, ended = os.waitpid(child, 0)
            statuses += [receipt.outcomes[0].status.value for receipt in run]
            answers[f"{mode.value} {ending}"] = [ended, statuses]
print(json.dumps(answers))
"""


@forks
def test_a_run_stays_with_the_process_that_began_it() -> None:
    """A child that drops its copy disturbs nothing; one that goes on with it is told."""
    with Server() as server:
        ran = subprocess.run(
            [sys.executable, "-c", IN_THE_MIDDLE, str(server.port)],
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )
        received = [message.recipients[0] for message in server.received]
    assert ran.returncode == 0, ran.stderr
    answers = json.loads(ran.stdout)
    assert answers == {name: [0, ["accepted"] * 6] for name in answers}
    assert len(answers) == 8
    assert received.count("p5@example.com") == 8  # by the parents
    assert received.count("p0@example.com") == 12  # and one fresh email of each child that went on


def test_the_copy_of_a_connection_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing and takes nothing, not even the answers that have come."""
    ours, theirs = socket.socketpair()
    with theirs:
        connection = Connection(ours, host="mail.example.com", deadlines=PATIENCE, context=None)
        theirs.sendall(b"250 ok\r\n")
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(os, "getpid", lambda: -1)
            assert connection.is_stale()
            with pytest.raises(Lost, match="another process has opened"):
                connection.replies(Phase.MAIL, 5)
        assert connection.replies(Phase.MAIL, 5) == [b"250 ok"]
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(os, "getpid", lambda: -1)
            connection.quit()
        assert theirs.recv(100) == b""


def test_a_run_that_another_process_began_is_refused(
    serve: Serve, connect: Connect, emails: MakeSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do instead; and the transport takes a run of this process's own."""
    server = serve()
    transport = connect(server)
    run = transport.deliver(emails(3))
    assert next(run).ok
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(TransportError, match="begun by another process"):
        next(run)
    assert [receipt.ok for receipt in transport.deliver(emails(2))] == [True, True]
    assert server.connections == 2
