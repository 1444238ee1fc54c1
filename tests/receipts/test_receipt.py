"""A receipt answers for every recipient of its email, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import attrs
import pytest

from vetmail_core import (
    AddressError,
    Cause,
    Email,
    Mailbox,
    Outcome,
    Phase,
    Receipt,
    RecipientsError,
    Reply,
    Status,
)
from vetmail_core.receipts import only_for

if TYPE_CHECKING:
    from collections.abc import Callable

ANN, LEE, KIM = Mailbox("ann@example.com"), Mailbox("lee@example.com"), Mailbox("kim@example.com")


def all_of(email: Email, status: Status = Status.ACCEPTED) -> list[Outcome]:
    """One outcome for each recipient."""
    return [Outcome(mailbox, status) for mailbox in email.recipients.all]


def test_outcomes_in_the_emails_own_order_are_taken(email: Email) -> None:
    """The usual case: the transport answers with the email's own mailboxes, in their order."""
    receipt = Receipt(email, all_of(email))
    assert receipt.accepted == email.recipients.all
    assert receipt.ok


def test_outcomes_in_another_order_and_spelling_are_taken(email: Email) -> None:
    """Order does not matter, and neither does the case of the domain: it is the same address."""
    outcomes = [Outcome(Mailbox(f"{name}@EXAMPLE.com"), Status.REFUSED) for name in ("kim", "ann", "lee")]
    assert len(Receipt(email, outcomes).refused) == 3


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        ([ANN, LEE], "none for kim@example.com"),
        ([ANN, LEE, LEE], "lee@example.com has a second one"),
        ([ANN, LEE, KIM, Mailbox("eve@example.com")], "eve@example.com"),
        ([], "none for ann@example.com, lee@example.com, kim@example.com"),
    ],
    ids=["one left out", "one twice", "a stranger", "nobody"],
)
def test_a_receipt_that_does_not_match_its_email_cannot_be_made(
    email: Email, answered: list[Mailbox], said: str
) -> None:
    """Each recipient has exactly one outcome, and nobody else has any."""
    with pytest.raises(RecipientsError, match=said):
        Receipt(email, [Outcome(mailbox, Status.ACCEPTED) for mailbox in answered])


def test_the_same_object_twice_does_not_pass_for_two_recipients(email: Email) -> None:
    """Three outcomes for three recipients are not enough when one of them answers twice."""
    first = email.recipients.to[0]
    with pytest.raises(RecipientsError, match="second"):
        Receipt(email, [Outcome(first, Status.ACCEPTED)] * 3)


@pytest.mark.parametrize("status", list(Status))
def test_each_status_has_its_list(email: Email, status: Status) -> None:
    """One list of mailboxes for each status, the others empty."""
    receipt = Receipt(email, all_of(email, status))
    lists = {
        Status.ACCEPTED: receipt.accepted,
        Status.REFUSED: receipt.refused,
        Status.DEFERRED: receipt.deferred,
        Status.UNKNOWN: receipt.unknown,
        Status.NOT_ATTEMPTED: receipt.not_attempted,
        Status.HANDED_OVER: receipt.handed_over,
    }
    assert {kind: len(mailboxes) for kind, mailboxes in lists.items() if mailboxes} == {status: 3}
    assert receipt.ok is (status in {Status.ACCEPTED, Status.HANDED_OVER})


@pytest.mark.parametrize("status", Status)
def test_a_receipt_can_say_the_same_for_everybody(email: Email, status: Status) -> None:
    """One call answers for To, CC and BCC; what was not tried counts no attempt."""
    reply = Reply(421, "4.7.0", "Try again later")
    receipt = Receipt.for_all(
        email, status, cause=Cause.THROTTLED, reply=reply, phase=Phase.MAIL, warnings=["slow"]
    )
    assert receipt == Receipt(
        email,
        [
            Outcome(mailbox, status, cause=Cause.THROTTLED, reply=reply, phase=Phase.MAIL)
            for mailbox in email.recipients.all
        ],
        reply=reply,
        warnings=["slow"],
        attempts=0 if status is Status.NOT_ATTEMPTED else 1,
    )
    assert Receipt.for_all(email, status, attempts=3).attempts == 3


def test_one_recipient_in_doubt_spoils_ok(email: Email) -> None:
    """`ok` is about everyone."""
    outcomes = all_of(email)
    outcomes[1] = attrs.evolve(outcomes[1], status=Status.UNKNOWN)
    assert not Receipt(email, outcomes).ok


def test_any_iterable_is_kept_as_a_tuple(email: Email) -> None:
    """What is handed in may be spent afterwards."""
    receipt = Receipt(email, iter(all_of(email)), warnings=iter(["slow"]))
    assert len(receipt.outcomes) == 3
    assert receipt.warnings == ("slow",)


@pytest.mark.parametrize(
    ("text", "queue_id"),
    [
        ("Ok: queued as 4XyZ12abcdz9", "4XyZ12abcdz9"),
        ("Ok: queued as 8C1F2A04D7.", "8C1F2A04D7"),
        ("OK id=1rABcd-000Abc-2C", "1rABcd-000Abc-2C"),
        (
            "<a@b.example.com> [InternalId=123456789, Hostname=SY1.prod.outlook.com] 1209 bytes in 0.1",
            "123456789",
        ),
        ("OK  1700000000 d9443c01a7336-1cf8a3sm12345.12 - gsmtp", "d9443c01a7336-1cf8a3sm12345.12"),
        (
            "Ok 0102018abcdef012-0123abcd-0123-4567-89ab-0123456789ab-000000",
            "0102018abcdef012-0123abcd-0123-4567-89ab-0123456789ab-000000",
        ),
        ("3A1bCdEf012345 Message accepted for delivery", "3A1bCdEf012345"),
        (": 7c2b6a1f Message accepted for delivery", "7c2b6a1f"),
        ("ok 1700000000 qp 12345", "qp 12345"),
        ("Message queued with id 2f9a.", "2f9a"),
        ("Message Queued (0A1B2C3D-0A1B-2C3D-4E5F-0A1B2C3D4E5F.1)", "0A1B2C3D-0A1B-2C3D-4E5F-0A1B2C3D4E5F.1"),
        ("Ok 000001a2-b3c4-d5e6-f708-1a2b-000000", "000001a2-b3c4-d5e6-f708-1a2b-000000"),
        ("OK:00f1e2d3c4b5a697", "00f1e2d3c4b5a697"),
        ("OK: everything", ""),
        ("Queued (0.5 seconds)", ""),
        ("Great success", ""),
        ("OK", ""),
    ],
)
def test_the_queue_id_of_known_servers_is_found(email: Email, text: str, queue_id: str) -> None:
    """The server's own name for the message is what its administrator searches the log for."""
    assert Receipt(email, all_of(email), reply=Reply(250, "2.0.0", text)).queue_id == queue_id


def test_without_a_reply_there_is_no_queue_id(email: Email) -> None:
    """An empty string, as for every text that is not there."""
    assert not Receipt(email, all_of(email)).queue_id


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(550, "5.1.1", "No such user"), "550 5.1.1 No such user"),
        (Reply(421), "421"),
        (Reply(0, "", "The ledger cannot be written"), "The ledger cannot be written"),
    ],
)
def test_a_reply_reads_as_the_server_said_it(reply: Reply, said: str) -> None:
    """Code, enhanced code and words, as far as there are any."""
    assert str(reply) == said


def test_an_outcome_carries_the_advice_of_its_cause() -> None:
    """What to do about it is at hand where the failure is."""
    assert Outcome(ANN, Status.REFUSED, cause=Cause.TLS).advice == Cause.TLS.advice
    assert not Outcome(ANN, Status.ACCEPTED).advice


def test_our_own_words_say_what_to_do_and_are_nobodys_reply() -> None:
    """A folder that cannot be written: no server said so, and there is more to say than "other"."""
    full = Reply(0, "", "The disk is full: make room.")
    outcome = Outcome(ANN, Status.NOT_ATTEMPTED, cause=Cause.OTHER, reply=full)
    assert (outcome.advice, outcome.said) == ("The disk is full: make room.", "")
    answered = Outcome(ANN, Status.REFUSED, cause=Cause.OTHER, reply=Reply(554, "", "No"))
    assert (answered.advice, answered.said) == (Cause.OTHER.advice, "554 No")
    assert Outcome(ANN, Status.ACCEPTED).said == ""
    refused = Outcome(
        ANN, Status.NOT_ATTEMPTED, cause=Cause.CONNECTION, reply=Reply(0, "", "Connection refused")
    )
    assert refused.advice == Cause.CONNECTION.advice, "where the cause says more, it is what to go by"


def test_the_advice_of_a_doubt_is_to_end_it() -> None:
    """Whatever caused it; "send again" would be the wrong thing to say."""
    advice = Outcome(ANN, Status.UNKNOWN, cause=Cause.CONNECTION).advice
    assert "it may have arrived: ask the recipient" in advice
    assert Cause.CONNECTION.advice not in advice


def test_an_email_can_be_narrowed_to_some_of_its_recipients(email: Email) -> None:
    """The others are gone from it, while key and Message-ID stay."""
    narrowed = only_for(email, {LEE.address_key, KIM.address_key})
    assert (narrowed.recipients.to, narrowed.recipients.cc, narrowed.recipients.bcc) == ((), (LEE,), (KIM,))
    assert (narrowed.key, narrowed.message_id) == (email.key, email.message_id)


def test_narrowing_to_everyone_gives_the_very_email(email: Email) -> None:
    """Nothing to change, nothing made."""
    assert only_for(email, {mailbox.address_key for mailbox in email.recipients.all}) is email


def test_an_outcome_takes_a_text() -> None:
    """Wherever a mailbox goes, its text goes too, parsed strictly."""
    assert Outcome("ann@example.com", Status.ACCEPTED) == Outcome(ANN, Status.ACCEPTED)
    with pytest.raises(AddressError):
        Outcome("ann", Status.ACCEPTED)


@pytest.mark.parametrize("status", ["accepted", None, Cause.OTHER])
def test_an_outcome_has_one_of_the_six_statuses(status: object) -> None:
    """A text in its place would count as none of them, and its recipient would be in no count."""
    with pytest.raises(RecipientsError, match=r"needs a Status such as Status\.ACCEPTED, got"):
        Outcome(ANN, status)  # type: ignore[arg-type]


def test_what_is_said_beside_the_result_goes_by_name(email: Email) -> None:
    """A reply in the place of a cause, or attempts in that of a reply, would pass unnoticed."""
    outcome, receipt = cast("Callable[..., object]", Outcome), cast("Callable[..., object]", Receipt)
    with pytest.raises(TypeError, match="positional"):
        outcome(ANN, Status.REFUSED, Cause.OTHER)
    for wrong in (2, Reply(250)):
        with pytest.raises(TypeError, match="positional"):
            receipt(email, all_of(email), wrong)
