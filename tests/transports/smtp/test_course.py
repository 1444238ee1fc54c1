"""Whether a run goes on, and how fast, by what different people hear in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.outcomes import statuses
from tests.transports.smtp.scripted import an_email, some_emails

from vetmail_core.ledger import SqliteLedger, deliver_once
from vetmail_core.receipts import Cause
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports import Retrying
from vetmail_core.transports.smtp import Pipelining

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transports.smtp.scripted import Act, Connect, MakeSome, Serve

    from vetmail_core.message import Email

OFF, ENVELOPE, AUTO, CHUNKING = Pipelining
UNCLEAR = "550 5.7.1 Access denied"


# -- the run ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("RCPT", ["550 5.7.1 Access denied"] * 3),
        ("MAIL", ["554 Transaction failed"] * 3),
        ("dot", ["554 5.7.1 Message rejected as spam"] * 3),
        ("RCPT", [f"550 5.7.1 <p{number}@example.com>: denied, 4bTx{number}93y2" for number in range(3)]),
        # somebody unknown in between is no word about us
        ("RCPT", [UNCLEAR, UNCLEAR, "550 5.1.1 user unknown", UNCLEAR]),
    ],
)
def test_the_same_unclear_words_to_three_people_end_the_run(
    serve: Serve, connect: Connect, emails: MakeSome, step: str, words: list[str]
) -> None:
    """Everybody who is left is open, for the same cause and with the same reply."""
    # Without parameters of ours that could be what was refused, each person is asked once.
    server = serve(extensions=("PIPELINING",)).script(step, *words, *[None] * 9)
    receipts = list(connect(server, pipelining=OFF).deliver(emails(7)))
    asked = len(words)
    assert statuses(receipts) == ["refused"] * asked + ["not_attempted"] * (7 - asked)
    assert {receipt.outcomes[0].cause for receipt in receipts[asked:]} == {receipts[0].outcomes[0].cause}
    assert receipts[-1].reply == receipts[asked - 1].reply
    assert receipts[0].outcomes[0].is_open


@pytest.mark.parametrize(
    "words",
    [
        [UNCLEAR, UNCLEAR, None, UNCLEAR, UNCLEAR],
        [UNCLEAR, UNCLEAR, "554 Rejected", UNCLEAR, UNCLEAR],
        ["550 5.1.1 user unknown"] * 6,
        ["552 5.2.2 mailbox full"] * 6,
        ["450 4.7.1 Greylisted"] * 6,
    ],
)
def test_anything_else_goes_on(
    serve: Serve, connect: Connect, emails: MakeSome, words: list[str | None]
) -> None:
    """An acceptance in between begins anew, and what is about one person never ends a run."""
    server = serve().script("RCPT", *words)
    receipts = list(connect(server, pipelining=OFF).deliver(emails(7)))
    assert "not_attempted" not in statuses(receipts)
    assert receipts[-1].ok


def test_one_person_who_gets_many_copies_is_one_person(serve: Serve, connect: Connect) -> None:
    """The office is in every copy, and its mailbox refuses in unclear words."""
    server = serve()
    server.always("RCPT office@x.com", UNCLEAR)
    emails = [an_email(f"office@x.com p{number}@x.com") for number in range(6)]
    receipts = list(connect(server).deliver(emails))
    assert all(len(receipt.accepted) == 1 for receipt in receipts)


# -- emails in vain ---------------------------------------------------------------------------------------


def _poisoned(count: int, total: int) -> list[Email]:
    return [
        an_email(f"{'poison' if number < count else 'p'}{number}@x.com", key=f"m:{number}")
        for number in range(total)
    ]


def test_a_head_of_poisoned_emails_does_not_end_the_run(
    serve: Serve, connect: Connect, mode: Pipelining
) -> None:
    """Before the fifth in a row, one from further on tells that the server takes others."""
    server = serve()
    for number in range(5):
        server.always(f"RCPT poison{number}@x.com", "421 4.4.2 bye")
    receipts = list(connect(server, pipelining=mode).deliver(_poisoned(5, 65)))
    assert statuses(receipts) == ["deferred"] * 5 + ["accepted"] * 60
    assert len(server.received) == 60


def test_where_nothing_gets_through_the_fifth_is_one_from_further_on(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Five different emails, each after its own three tries; the others are untried."""
    server = serve()
    server.always("MAIL", "421 4.4.2 bye")
    found = statuses(connect(server, pipelining=OFF).deliver(emails(40)))
    assert found == ["deferred"] * 4 + ["not_attempted"] * 19 + ["deferred"] + ["not_attempted"] * 16
    assert server.connections == 15


def test_the_second_run_begins_with_those_whom_the_first_did_not_try(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    """Twenty-five poisoned emails at the head, sixty behind: the sixty arrive by the second run."""
    server = serve()
    for number in range(25):
        server.always(f"RCPT poison{number}@x.com", "421 4.4.2 bye")
    emails = _poisoned(25, 85)
    with SqliteLedger(tmp_path / "run.sqlite") as ledger:
        for _ in range(2):
            list(deliver_once(ledger, connect(server), emails))
        list(deliver_once(ledger, connect(server), emails))
    assert len(server.received) == len({one.recipients for one in server.received}) == 60


# -- a server that is not well ----------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "dot"])
def test_a_server_that_is_not_well_gets_one_new_connection(
    serve: Serve, connect: Connect, emails: MakeSome, step: str, mode: Pipelining
) -> None:
    """As postscreen wants it after its deep test: all arrive, and nothing waits."""
    if step == "DATA" and mode is CHUNKING:
        step = "dot"
    server, clock = serve().script(step, "450 4.3.2 Service currently unavailable"), FakeClock()
    receipts = list(connect(server, pipelining=mode, clock=clock).deliver(emails(30)))
    assert statuses(receipts) == ["accepted"] * 30
    assert server.connections == 2
    assert clock.slept == ()


def test_one_of_several_who_meets_it_gets_a_message_on_the_next_connection(
    serve: Serve, connect: Connect, mode: Pipelining
) -> None:
    """The others have theirs already."""
    server = serve().script("RCPT b@x.com", "451 4.3.0 Temporary lookup failure")
    receipts = list(connect(server, pipelining=mode).deliver([an_email("a@x.com b@x.com"), an_email()]))
    assert all(receipt.ok for receipt in receipts)
    assert [(one.connection, one.recipients) for one in server.received][:2] == [
        (1, ("a@x.com",)),
        (2, ("b@x.com",)),
    ]


def test_one_that_stays_so_slows_the_run_and_ends_it(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Each email on two connections, longer pauses, five different emails."""
    server, clock = serve(), FakeClock()
    server.always("RCPT", "452 4.3.1 Insufficient system storage")
    receipts = list(connect(server, pipelining=OFF, clock=clock).deliver(emails(9)))
    assert statuses(receipts) == ["deferred"] * 5 + ["not_attempted"] * 4
    assert receipts[-1].outcomes[0].cause is receipts[0].outcomes[0].cause
    assert str(receipts[-1].reply) == "452 4.3.1 Insufficient system storage"
    assert server.connections == 6
    assert clock.slept == (1.0, 2.0, 4.0, 8.0)


# -- pauses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", ["451 4.7.1 Greylisted, try again in 300 s", "450 4.2.0 Greylisted"])
def test_greylisting_costs_no_pause(serve: Serve, connect: Connect, mode: Pipelining, reply: str) -> None:
    """Sixty emails of which ten are put off, one behind another."""
    server, clock = serve(), FakeClock()
    for number in range(20, 30):
        server.always(f"RCPT p{number}@example.com", reply)
    receipts = list(connect(server, pipelining=mode, clock=clock).deliver(some_emails(60)))
    assert statuses(receipts).count("accepted") == 50
    assert {o.cause for r in receipts for o in r.outcomes if r.deferred} == {Cause.GREYLISTED}
    assert clock.slept == ()
    assert server.connections == 1


def test_the_same_passing_words_to_three_people_slow_the_run(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Two may be chance."""
    server, clock = serve().script("RCPT", *["450 4.7.1 try later"] * 4), FakeClock()
    list(connect(server, pipelining=OFF, clock=clock).deliver(emails(6)))
    assert clock.slept[:2] == (1.0, 2.0)


def test_retrying_hangs_up_before_it_waits(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """A server that is not well on two connections: the third, after the wait, is taken."""
    server, clock = serve().script("RCPT", "451 4.3.2 later", "451 4.3.2 later"), FakeClock()
    transport = Retrying(connect(server, clock=clock), delays=[3, 3, 3], clock=clock)
    (receipt,) = transport.deliver(emails(1))
    assert receipt.ok
    assert server.connections == 3
    assert clock.slept[0] == 3
    assert server.verbs.index("QUIT") > 0


def test_a_line_that_is_lost_to_the_very_end_says_so_at_the_end(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act]
) -> None:
    """The cause of the last five emails stands for those that were not tried."""
    server = serve().always("MAIL", act("drop"))
    receipts = list(connect(server).deliver(emails(8)))
    assert statuses(receipts) == ["deferred"] * 5 + ["not_attempted"] * 3
    assert receipts[-1].outcomes[0].cause is Cause.CONNECTION
