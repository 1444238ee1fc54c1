"""What a server takes less of than was sent: recipients, messages, octets, mail in a minute."""

from __future__ import annotations

import pytest
from tests.transports.misbehaving.judge import an_email, causes, complaints, deliver
from tests.transports.misbehaving.rogue import Fault, Rogue

from vetmail_core import Attachment, Cause, Limits, Phase, Pipelining, Status

MODES = pytest.mark.parametrize("mode", list(Pipelining), ids=lambda mode: mode.value)


# -- recipients -------------------------------------------------------------------------------------------


@MODES
@pytest.mark.parametrize("eager", [False, True], ids=["strict", "says 354 to nobody"])
def test_refused_recipients_cost_the_others_nothing(mode: Pipelining, eager: bool) -> None:  # noqa: FBT001 - a row's value
    """Some, all or none of an email's recipients are refused; every other one gets it once."""
    emails = [
        an_email(0, to="bad0@example.com"),
        an_email(1, to="p1@example.com bad1@example.com later1@example.com full1@example.com"),
        an_email(2, to="later2@example.com bad2@example.com"),
        an_email(3),
        an_email(4, to="bad4@example.com", bcc="q4@example.com later4@example.com"),
        an_email(5, to="bad5@example.com"),
    ]
    with Rogue() as server:
        server.eager = eager
        trial = deliver(server, emails, mode=mode)
    assert complaints(trial) == []
    expected = {
        "bad": (Status.REFUSED, Cause.BAD_RECIPIENT, Phase.RCPT, 550),
        "later": (Status.DEFERRED, Cause.GREYLISTED, Phase.RCPT, 450),
        "full": (Status.DEFERRED, Cause.MAILBOX_FULL, Phase.RCPT, 452),
        "p": (Status.ACCEPTED, None, Phase.DOT, 250),
        "q": (Status.ACCEPTED, None, Phase.DOT, 250),
    }
    for receipt in trial.receipts:
        for outcome in receipt.outcomes:
            assert outcome.reply is not None
            word = outcome.mailbox.local_part.rstrip("0123456789")
            assert (outcome.status, outcome.cause, outcome.phase, outcome.reply.code) == expected[word]


@MODES
def test_an_email_to_many_is_split_and_its_blind_copies_stay_secret(mode: Pipelining) -> None:
    """A server that takes four recipients a message gets parts; each recipient gets one copy."""
    # No name of hexadecimal digits, such as bcc6, for which a Message-ID may be taken.
    many = " ".join(f"hidden{number}@example.com" for number in range(23))
    emails = [an_email(0, bcc=many), an_email(1), an_email(2, bcc=many)]
    with Rogue() as server:
        server.most_recipients = 4
        trial = deliver(server, emails, mode=mode, limits=Limits(recipients_per_message=7))
    assert complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 3
    got = [address for copy in server.copies if copy.number == 0 for address in copy.recipients]
    assert sorted(got) == sorted(["p0@example.com", *many.split()])


@MODES
def test_a_part_that_is_lost_on_the_way_does_not_touch_the_other_parts(mode: Pipelining) -> None:
    """One part of an email in doubt: its recipients are in doubt, and nobody else's."""
    many = " ".join(f"r{number}@example.com" for number in range(9))
    emails = [an_email(0), an_email(1, to=many), an_email(2)]
    with Rogue(Fault("dot", "drop", 1)) as server:
        trial = deliver(server, emails, mode=mode, limits=Limits(recipients_per_message=3))
    assert complaints(trial) == []
    receipt = trial.receipts[1]
    assert len(receipt.unknown) >= 3
    if mode is not Pipelining.CHUNKING:
        assert (len(receipt.unknown), len(receipt.accepted)) == (3, 6)
        assert receipt.warnings


# -- limits, throttling, pauses ---------------------------------------------------------------------------


@MODES
def test_a_limit_of_messages_on_a_connection_is_nobodys_fault(mode: Pipelining) -> None:
    """421 after three messages, again and again: everything arrives once."""
    emails = [an_email(number) for number in range(11)]
    with Rogue() as server:
        server.per_connection = 3
        trial = deliver(server, emails, mode=mode)
    assert complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 11
    assert server.connections >= 4


@MODES
def test_a_throttled_run_slows_down_and_recovers(mode: Pipelining) -> None:
    """Replies that say "slower" are heeded with growing pauses, which shrink once the server is content."""
    emails = [an_email(number) for number in range(12)]
    slow = "451 4.7.1 rate exceeded, slow down"
    with Rogue() as server:
        server.mail_replies = ["250 2.1.0 ok", slow, slow, slow]
        trial = deliver(server, emails, mode=mode)
    assert complaints(trial) == []
    deferred = [receipt for receipt in trial.receipts if receipt.deferred]
    assert len(deferred) == 3
    assert causes(tuple(deferred)) == {(Status.DEFERRED, Cause.THROTTLED, Phase.MAIL)}
    assert trial.statuses().count("accepted") == 9
    assert max(trial.slept) > trial.slept[-1] > 0


@MODES
def test_a_throttling_server_that_hangs_up_is_given_time(mode: Pipelining) -> None:
    """421 4.7.0 is a request to be slower, not a refusal."""
    emails = [an_email(number) for number in range(5)]
    with Rogue() as server:
        server.per_connection = 2
        trial = deliver(server, emails, mode=mode)
    assert complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 5
    assert trial.slept


@MODES
def test_the_wait_between_emails_is_kept_whatever_breaks(mode: Pipelining) -> None:
    """With a wait time nothing is opened ahead, and a broken line does not shorten the pauses."""
    emails = [an_email(number) for number in range(4)]
    with Rogue(Fault("mail", "drop", 2)) as server:
        trial = deliver(server, emails, mode=mode, wait_ms=2_000)
    assert complaints(trial) == []
    if mode is not Pipelining.CHUNKING:
        assert trial.statuses() == ["accepted"] * 4
    assert sum(trial.slept) >= 6


@MODES
def test_too_many_recipients_said_at_mail_gets_a_fresh_connection_first(mode: Pipelining) -> None:
    """452 4.5.3 at MAIL may mean the connection; a fresh one tells."""
    emails = [an_email(number) for number in range(3)]
    with Rogue() as server:
        server.mail_replies = ["250 2.1.0 ok", "452 4.5.3 too many recipients"]
        trial = deliver(server, emails, mode=mode)
    assert complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 3
    assert server.connections == 2


@MODES
def test_too_large_for_the_server_is_known_before_sending(mode: Pipelining) -> None:
    """SIZE is honoured: the email is refused with TOO_LARGE and not one octet of it is sent."""
    emails = [
        an_email(0),
        an_email(1, attachment=Attachment("a.bin", bytes(9_000))),
        an_email(2),
    ]
    with Rogue(announced=("PIPELINING", "CHUNKING", "SIZE 8000")) as server:
        trial = deliver(server, emails, mode=mode)
    assert complaints(trial) == []
    assert trial.statuses() == ["accepted", "refused", "accepted"]
    assert {o.cause for o in trial.receipts[1].outcomes} == {Cause.TOO_LARGE}
    assert not any("office+1@" in line for line in server.heard)
