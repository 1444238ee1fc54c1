"""A receipt in one sentence, in one line and as a dictionary."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from vetmail_core import (
    Attachment,
    Cause,
    Content,
    Email,
    Mailbox,
    Outcome,
    Phase,
    Receipt,
    Recipients,
    RecipientsError,
    Reply,
    Status,
    receipt_from_dict,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NO_USER = Reply(550, "5.1.1", "Nobody of that name")


@pytest.fixture
def receipt() -> Receipt:
    """One email to four people who ended in three ways."""
    email = Email(
        sender=Mailbox("office@example.com", "Riverside"),
        recipients=Recipients(
            [Mailbox("ann@example.com", "Ann"), "lee@example.com"], "kim@example.com", "gone@example.com"
        ),
        content=Content("Room 4", "secret words", attachments=[Attachment("a.txt", b"octets")]),
        reply_to=["desk@example.com"],
        key="class-7",
        headers={"X-Own": "value of a header"},
    )
    ann, lee, kim, gone = email.recipients.all
    taken = Reply(250, "2.0.0", "Ok: queued as 4XyZ12abc")
    outcomes = [
        Outcome(ann, Status.ACCEPTED, reply=taken, phase=Phase.DOT),
        Outcome(lee, Status.ACCEPTED, reply=taken, phase=Phase.DOT),
        Outcome(kim, Status.UNKNOWN, cause=Cause.CONNECTION, phase=Phase.DOT),
        Outcome(gone, Status.REFUSED, cause=Cause.BAD_RECIPIENT, reply=NO_USER, phase=Phase.RCPT),
    ]
    return Receipt(
        email, outcomes, attempts=2, reply=taken, warnings=["slow"], happened="the line broke (mail port 25)"
    )


@pytest.mark.parametrize("cause", list(Cause))
def test_every_reason_is_one_sentence_that_ends_with_what_to_do(
    answered: Callable[..., Receipt], cause: Cause
) -> None:
    """What happened comes from the server, what to do from the cause."""
    reason = answered(Status.DEFERRED, cause=cause, reply=Reply(451, "4.5.0", "not\nnow. ")).reason
    assert reason.startswith("The server answered 451 4.5.0 not now: ")
    assert reason.isprintable()
    assert cause.advice.endswith(reason.partition(": ")[2])
    assert len(reason) > 60


@pytest.mark.parametrize(
    ("status", "cause", "reply", "reason"),
    [
        (Status.ACCEPTED, None, Reply(250, "", "Ok"), ""),
        (Status.HANDED_OVER, None, None, ""),
        (Status.REFUSED, None, None, ""),
        (Status.REFUSED, None, Reply(550, "", "no"), "The server answered 550 no."),
        (Status.NOT_ATTEMPTED, Cause.CANCELLED, None, Cause.CANCELLED.advice),
        (Status.NOT_ATTEMPTED, Cause.OTHER, Reply(0, "", "Put the disk\nin."), "Put the disk in."),
    ],
)
def test_a_reason_holds_what_is_known_and_no_more(
    answered: Callable[..., Receipt], status: Status, cause: Cause | None, reply: Reply | None, reason: str
) -> None:
    """A transport's own words are a sentence already, and who was reached needs none."""
    assert answered(status, cause=cause, reply=reply).reason == reason


def test_the_reason_has_the_words_of_the_connection_first(answered: Callable[..., Receipt]) -> None:
    """Host and port are in them, which no reply has."""
    receipt = answered(Status.NOT_ATTEMPTED, cause=Cause.CONNECTION)
    told = attrs.evolve(receipt, happened="connection refused by mail.example.com port 587.")
    assert told.reason.startswith("Connection refused by mail.example.com port 587: check ")
    answered_too = attrs.evolve(told, outcomes=[attrs.evolve(told.outcomes[0], reply=NO_USER)])
    assert answered_too.reason.startswith("The server answered 550 5.1.1 Nobody of that name: ")
    assert told == receipt, "how it is told is not what became of it"


def test_a_receipt_comes_back_from_its_dictionary(receipt: Receipt) -> None:
    """Through JSON too, with the same outcomes, replies, reason and queue id, and without the text."""
    data = json.loads(json.dumps(receipt.to_dict()))
    again = receipt_from_dict(data)
    assert again.outcomes == receipt.outcomes
    assert again.to_dict() == data == receipt.to_dict()
    for name in ("reason", "queue_id", "attempts", "warnings", "reply", "remembered", "accepted", "ok"):
        assert getattr(again, name) == getattr(receipt, name)
    assert again.email.recipients == receipt.email.recipients
    assert (again.email.key, again.email.message_id) == (receipt.email.key, receipt.email.message_id)
    assert again.email.content == Content("Room 4")
    assert [outcome.is_open for outcome in again.outcomes] == [o.is_open for o in receipt.outcomes]


def test_the_dictionary_has_the_agreed_shape(receipt: Receipt) -> None:
    """Its keys are a promise to every program that reads it."""
    data: Any = receipt.to_dict()
    assert list(data) == [
        "schema", "key", "message_id", "subject", "sender", "reply_to", "attempts", "remembered", "reason",
        "queue_id", "reply", "warnings", "recipients",
    ]  # fmt: skip
    assert [one["kind"] for one in data["recipients"]] == ["to", "to", "cc", "bcc"]
    assert data["sender"] == '"Riverside" <office@example.com>'
    assert data["recipients"][3] == {
        "address": "gone@example.com",
        "name": "",
        "kind": "bcc",
        "status": "refused",
        "cause": "bad_recipient",
        "advice": Cause.BAD_RECIPIENT.advice,
        "phase": "rcpt",
        "reply": {"code": 550, "enhanced": "5.1.1", "text": "Nobody of that name"},
    }


def test_nothing_that_was_said_in_the_email_is_in_its_dictionary(receipt: Receipt) -> None:
    """A log is read by more people than a letter."""
    text = json.dumps(receipt.to_dict())
    assert not [word for word in ("secret words", "octets", "a.txt", "X-Own", "value of") if word in text]


def test_what_an_earlier_version_wrote_down_stays_as_it_was(receipt: Receipt) -> None:
    """Advice, reason and queue id may be worded differently one day; a record does not change for that."""
    data: Any = receipt.to_dict()
    data["recipients"][3]["advice"] = "Ask."
    data |= {"reason": "It was gone.", "queue_id": "", "unknown": "passed over"}
    again = receipt_from_dict(data)
    assert (again.reason, again.queue_id, again.outcomes[3].advice) == ("It was gone.", "", "Ask.")
    del data["unknown"]
    assert again.to_dict() == data


def _damaged(data: Any, path: str, value: object) -> None:  # noqa: ANN401 - any JSON
    *way, last = re.findall(r"[a-z_]+|[0-9]+", path)
    for step in way:
        data = data[int(step) if step.isdigit() else step]
    if value is KeyError:
        del data[last]
    else:
        data[int(last) if last.isdigit() else last] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("schema", 2, "written by a later version"),
        ("schema", 0, "no known schema"),
        ("schema", "1", "schema of a receipt needs a whole number, got '1'"),
        ("key", KeyError, "key of a receipt is missing"),
        ("attempts", True, "attempts of a receipt needs a whole number, got True"),
        ("remembered", 0, "remembered of a receipt needs True or False, got 0"),
        ("reply_to", "a@b.example", "reply_to of a receipt needs a list"),
        ("warnings[0]", 5, "warnings[0] of a receipt needs text, got 5"),
        ("sender", "nobody", "cannot be read"),
        ("message_id", "id", "cannot be read"),
        ("recipients", {}, "recipients of a receipt needs a list, got dict"),
        ("recipients", [], "recipient"),
        ("recipients[0]", None, "recipients[0] of a receipt needs a dictionary, got NoneType"),
        ("recipients[1].status", "lost", "recipients[1].status of a receipt needs the value of a Status"),
        ("recipients[1].status", KeyError, "recipients[1].status of a receipt is missing"),
        ("recipients[1].cause", 7, "recipients[1].cause of a receipt needs text, got 7"),
        ("recipients[1].phase", "x", "recipients[1].phase"),
        ("recipients[2].kind", "fcc", "recipients[2].kind of a receipt needs"),
        ("recipients[2].address", "kim", "recipients[2].address of a receipt cannot be read"),
        ("recipients[3].reply.code", "550", "recipients[3].reply.code of a receipt needs a whole number"),
        ("reply", "250 Ok", "reply of a receipt needs a dictionary"),
    ],
)  # fmt: skip
def test_a_damaged_dictionary_names_the_place(receipt: Receipt, path: str, value: object, words: str) -> None:
    """One key among fifty; whoever mends it should not have to search."""
    data = copy.deepcopy(receipt.to_dict())
    _damaged(data, path, value)
    with pytest.raises(RecipientsError) as caught:
        receipt_from_dict(data)
    assert words in str(caught.value)


def test_what_is_no_dictionary_is_said(receipt: Receipt) -> None:
    """A receipt itself, or its JSON, is easily given instead."""
    wrong: Any = receipt
    with pytest.raises(RecipientsError, match="A receipt needs a dictionary, got Receipt"):
        receipt_from_dict(wrong)


def test_a_receipt_is_printed_in_a_line_for_each_kind_of_outcome(
    receipt: Receipt, answered: Callable[..., Receipt]
) -> None:
    """Never a repr; of a great many the first are named."""
    assert str(receipt) == (
        '"Room 4" to 4 recipients\n  ann@example.com, lee@example.com: accepted\n'
        "  kim@example.com: in doubt (connection)\n  gone@example.com: refused (bad recipient)"
    )
    assert str(answered(Status.ACCEPTED)) == '"Your class moved" to ann@example.com: accepted'
    email = attrs.evolve(receipt.email, recipients=Recipients([f"p{n}@example.com" for n in range(9)]))
    many = Receipt(email, [Outcome(mailbox, Status.ACCEPTED) for mailbox in email.recipients.all])
    assert str(many) == '"Room 4" to p0@example.com, p1@example.com, p2@example.com and 6 more: accepted'
