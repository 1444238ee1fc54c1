"""The caller's side in bad hours: emails that raise, walking away, closing, deadlines."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest
from tests.transports.misbehaving.judge import an_email, causes, complaints, deliver
from tests.transports.misbehaving.rogue import Fault, Rogue

from vetmail_core import Cause, Phase, Pipelining, SmtpTransport, Status
from vetmail_core.preferences import MailServer
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Deadlines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core import Email

MODES = pytest.mark.parametrize("mode", list(Pipelining), ids=lambda mode: mode.value)


@MODES
def test_emails_that_raise_in_the_middle_get_the_receipts_of_what_was_on_the_way(mode: Pipelining) -> None:
    """The caller's own error comes out after the receipts of everything that was pulled."""
    emails = [an_email(number) for number in range(6)]

    def source() -> Iterator[Email]:
        yield from emails[:4]
        raise LookupError("the class list is gone")

    with Rogue() as server:
        trial = deliver(server, emails, source=source(), mode=mode)
    assert complaints(trial, error_expected=True) == []
    assert isinstance(trial.error, LookupError)
    assert trial.statuses() == ["accepted"] * 4
    assert len(server.copies) == 4


@MODES
def test_a_caller_that_walks_away_leaves_no_second_copy_behind(mode: Pipelining) -> None:
    """Closed after two receipts, started again with the rest: nobody gets two copies, nobody is forgotten."""
    emails = [an_email(number) for number in range(9)]
    with (
        Rogue() as server,
        SmtpTransport(
            MailServer(host="127.0.0.1", port=server.port),
            pipelining=mode,
            clock=FakeClock(),
            deadlines=Deadlines(quit=1),
        ) as transport,
    ):
        run = transport.deliver(emails)
        answered = [next(run), next(run)]
        assert isinstance(run, Generator)
        run.close()
        assert all(receipt.ok for receipt in answered)
        server_has = {copy.number for copy in server.copies}
        rest = [email for number, email in enumerate(emails) if number not in server_has]
        receipts = list(transport.deliver(rest))
        assert all(receipt.ok for receipt in receipts)
        numbers = sorted(copy.number for copy in server.copies)
    assert numbers == list(range(9))


@MODES
def test_a_transport_closed_in_the_middle_answers_for_everything(mode: Pipelining) -> None:
    """close() during a run: what was on the way is heard out, the rest is CANCELLED and not attempted."""
    emails = [an_email(number) for number in range(30)]
    with Rogue() as server:
        transport = SmtpTransport(
            MailServer(host="127.0.0.1", port=server.port), pipelining=mode, clock=FakeClock()
        )
        receipts = []
        for receipt in transport.deliver(emails):
            receipts.append(receipt)
            if len(receipts) == 2:
                transport.close()
        server.settled()
        assert [receipt.email for receipt in receipts] == emails
        accepted = [number for number, receipt in enumerate(receipts) if receipt.ok]
        assert sorted(copy.number for copy in server.copies) == accepted
        rest = causes(tuple(receipt for receipt in receipts if not receipt.ok))
    assert rest == {(Status.NOT_ATTEMPTED, Cause.CANCELLED, Phase.MAIL)}


@MODES
def test_two_runs_over_a_server_that_hangs_up_between_them(mode: Pipelining) -> None:
    """A resting connection that died is replaced without a word."""
    emails = [an_email(number) for number in range(4)]
    with Rogue(Fault("idle", "drop", 1)) as server:
        with SmtpTransport(
            MailServer(host="127.0.0.1", port=server.port), pipelining=mode, clock=FakeClock()
        ) as transport:
            first = list(transport.deliver(emails[:2]))
            server.acted.wait(1)
            threading.Event().wait(0.05)
            second = list(transport.deliver(emails[2:]))
        assert [receipt.ok for receipt in (*first, *second)] == [True] * 4
        assert [receipt.attempts for receipt in second] == [1, 1]
        assert server.connections == 2


def test_nobody_listening_is_not_attempted_and_ends() -> None:
    """A closed port: tried for the time there is for reconnecting, then everybody is answered for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    clock = FakeClock()
    emails = [an_email(number) for number in range(3)]
    with SmtpTransport(MailServer(host="127.0.0.1", port=port), clock=clock) as transport:
        receipts = tuple(transport.deliver(emails))
    assert causes(receipts) == {(Status.NOT_ATTEMPTED, Cause.CONNECTION, Phase.CONNECT)}
    assert 60 < sum(clock.slept) <= 300


@MODES
@pytest.mark.parametrize("wrong", ["trickle", "stall"])
def test_a_trickle_does_not_extend_a_deadline(mode: Pipelining, wrong: str) -> None:
    """An octet now and then is as good as silence: the last dot's deadline ends the wait, in doubt."""
    emails = [an_email(0)]
    with Rogue(Fault("dot", wrong, 0)) as server:
        trial = deliver(server, emails, mode=mode, deadlines=Deadlines(dot=0.4, quit=0.3))
    assert complaints(trial, at_most=8) == []
    assert causes(trial.receipts) == {(Status.UNKNOWN, Cause.CONNECTION, Phase.DOT)}
