"""Servers that do not keep their word: extensions that are none, answers too soon, lines that close."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from tests.transports.misbehaving.judge import an_email, complaints, deliver
from tests.transports.misbehaving.rogue import EVERY_TIME, Fault, Gone, Line, Rogue

from vetmail_core import Attachment, Cause, Pipelining
from vetmail_core.transports.smtp import Deadlines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core import Email

MODES = pytest.mark.parametrize("mode", list(Pipelining), ids=lambda mode: mode.value)
DATA_MODES = pytest.mark.parametrize(
    "mode", [Pipelining.OFF, Pipelining.ENVELOPE, Pipelining.AUTO], ids=lambda mode: mode.value
)


@pytest.mark.parametrize("kind", ["500", "early"])
def test_a_server_that_announces_chunking_and_does_not_know_it(kind: str) -> None:
    """BDAT is answered 500: the run goes on by DATA, and nothing is lost or doubled."""
    emails = [an_email(number) for number in range(4)]
    with Rogue() as server:
        server.hates_chunks = True
        if kind == "early":
            emails[0] = an_email(0, attachment=Attachment("a.bin", bytes(300_000)))
        trial = deliver(server, emails, mode=Pipelining.CHUNKING)
    assert complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 4


@pytest.mark.parametrize("answer", ["forgets", "complains", "drops"])
@pytest.mark.parametrize("mode", [Pipelining.ENVELOPE, Pipelining.AUTO], ids=lambda mode: mode.value)
def test_a_server_that_announces_pipelining_and_breaks_on_it(mode: Pipelining, answer: str) -> None:
    """Groups go wrong on the first connections: the run steps down and delivers everything in lockstep."""

    class Hasty(Line):
        def obey(self, line: str) -> None:
            # Whatever came together with a command is not for this server.
            if self.buffer:
                if answer == "drops":
                    raise Gone
                if answer == "complains":
                    self.send(b"554 5.5.0 SMTP synchronization error\r\n")
                    self.leave()
                self.buffer = b""
            super().obey(line)

    emails = [an_email(number) for number in range(4)]
    with Rogue() as server:
        server.line = Hasty
        trial = deliver(server, emails, mode=mode, deadlines=Deadlines(command=1, data=1, quit=1))
    assert complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 4


@pytest.mark.parametrize("answered", [0, 1, 3])
@pytest.mark.parametrize("end", ["drop", "rst", "stall"])
def test_half_a_window_answered_and_then_silence(answered: int, end: str) -> None:
    """CHUNKING: those that were answered are accepted, those that were taken without a word are in doubt."""
    emails = [an_email(number) for number in range(8)]
    with Rogue(Fault("dot", end, 1 + answered)) as server:
        trial = deliver(
            server, emails, mode=Pipelining.CHUNKING, deadlines=Deadlines(dot=1, command=1, quit=1)
        )
    assert complaints(trial) == []
    assert trial.statuses()[: 1 + answered] == ["accepted"] * (1 + answered)
    assert trial.statuses()[1 + answered] == "unknown"


@MODES
def test_a_yes_before_the_end_is_no_yes(mode: Pipelining) -> None:
    """A 250 in the middle of a body does not make a message accepted that never left."""
    emails = [
        an_email(0),
        an_email(1, attachment=Attachment("a.bin", bytes(4_500_000))),
        an_email(2),
    ]
    with Rogue(Fault("body", "early_yes", 1, EVERY_TIME)) as server:
        trial = deliver(server, emails, mode=mode, deadlines=Deadlines(quit=1))
    assert complaints(trial) == []
    assert "accepted" not in trial.statuses()[1]


@DATA_MODES
def test_a_no_before_the_end_is_believed_and_ends_the_body(mode: Pipelining) -> None:
    """552 in the middle of a body: refused as too large, once, and the next email goes out."""
    emails = [
        an_email(0),
        an_email(1, attachment=Attachment("a.bin", bytes(4_500_000))),
        an_email(2),
    ]
    with Rogue(Fault("body", "early_no", 1)) as server:
        trial = deliver(server, emails, mode=mode, deadlines=Deadlines(quit=1))
    assert complaints(trial) == []
    assert trial.statuses() == ["accepted", "refused", "accepted"]
    assert {o.cause for o in trial.receipts[1].outcomes} == {Cause.TOO_LARGE}


@MODES
@pytest.mark.parametrize("kind", ["drop", "rst", "421"])
def test_a_connection_closed_while_it_idled_costs_nothing(mode: Pipelining, kind: str) -> None:
    """The emails come slowly, and the server hangs up meanwhile: each arrives once, none is in doubt."""
    emails = [an_email(number) for number in range(4)]
    with Rogue(Fault("idle", kind, 0)) as server:

        def slowly() -> Iterator[Email]:
            for number, email in enumerate(emails):
                if number == 2:
                    server.acted.wait(0.3)
                    threading.Event().wait(0.05)
                yield email

        trial = deliver(server, emails, source=slowly(), mode=mode)
    assert complaints(trial) == []
    if mode is not Pipelining.CHUNKING:
        assert trial.statuses() == ["accepted"] * 4


@pytest.mark.parametrize("mode", [Pipelining.AUTO, Pipelining.CHUNKING], ids=lambda mode: mode.value)
def test_a_body_that_waits_for_the_next_email_is_not_written_into_a_closed_line(mode: Pipelining) -> None:
    """A slow source holds a body back for the next envelope; a server that tires meanwhile is no doubt."""
    emails = [an_email(number) for number in range(3)]
    gone = threading.Event()

    class Tired(Line):
        def do_data(self, line: str) -> None:
            if not gone.is_set():
                self.send(b"354 go ahead\r\n")
                self.server.invited.add(self.email)
                gone.set()
                raise Gone
            super().do_data(line)

    with Rogue() as server:
        server.line = Tired

        def slowly() -> Iterator[Email]:
            yield emails[0]
            gone.wait(1)
            threading.Event().wait(0.05)
            yield from emails[1:]

        trial = deliver(server, emails, source=slowly(), mode=mode)
    assert complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 3
