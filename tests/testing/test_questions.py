"""What can be asked of sent mail, and what an answer claims."""

from __future__ import annotations

import pytest

from vetmail_core import Attachment, Content, Mailbox
from vetmail_core.testing import Faults, Outbox, any_of, contains, email, matches


def test_each_field_can_be_asked_for() -> None:
    """One email with everything, found by every field, and not found by a wrong value."""
    outbox = Outbox(faults=Faults().refuse("old@example.com").defer("busy@example.com", 450, "4.2.0"))
    full = email(
        "Sam <sam@example.com>; old@example.com",
        cc="kim@example.com; busy@example.com",
        bcc="audit@example.org",
        content=Content("Moved", "Room 7\n", html="<p>Room 8</p>", attachments=[Attachment("map.txt", b"7")]),
        sender="trainer@example.com",
        reply_to=[Mailbox("office@example.com")],
        headers={"X-Batch": "7"},
        key="class/1",
    )
    list(outbox.deliver([full]))
    good: list[dict[str, object]] = [
        {"to": "sam@example.com"},
        {"to": '"Sam" <sam@example.com>'},
        {"to": Mailbox("sam@example.com")},
        {"to": contains("Sam")},
        {"to": ["old@example.com", Mailbox("sam@example.com")]},
        {"cc": "kim@example.com"},
        {"bcc": ("audit@example.org",)},
        {"recipient": any_of("audit@example.org", "x@example.com")},
        {"sender": "trainer@example.com"},
        {"reply_to": "office@example.com"},
        {"subject": "Moved"},
        {"subject": matches("^Mov")},
        {"text": contains("Room 7")},
        {"html": contains("Room 8")},
        {"body": contains("Room 8")},
        {"attachment": "map.txt"},
        {"headers": {"x-batch": matches("[0-9]")}},
        {"key": "class/1"},
        {"accepted": "sam@example.com"},
        {"refused": "old@example.com"},
        {"deferred": "busy@example.com"},
        {"unknown": ()},
        {"not_attempted": []},
    ]
    bad: list[dict[str, object]] = [
        {"to": '"Pat" <sam@example.com>'},
        {"to": ["sam@example.com"]},
        {"to": ["sam@example.com", "sam@example.com"]},
        {"bcc": ()},
        {"subject": "moved"},
        {"attachment": "plan.txt"},
        {"headers": {"X-Batch": "8"}},
        {"headers": {"X-Other": contains("")}},
        {"refused": "sam@example.com"},
    ]
    for fields in good:
        assert outbox.find(**fields) == (outbox.one(**fields),), fields  # type: ignore[arg-type] # a table of fields
    for fields in bad:
        assert outbox.find(**fields) == (), fields  # type: ignore[arg-type] # as above


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("to", None, "expected to=... an address"),
        ("to", [None], "expected to=... an address"),
        ("cc", 5, "expected cc=... an address"),
        ("subject", None, "expected a text for subject"),
        ("subject", ["Your class moved"], "expected a text for subject"),
        ("key", 3, "expected a text for key"),
        ("headers", "X-Batch", "expected headers="),
        ("headers", {"X-Batch": 3}, "expected a text for header X-Batch"),
    ],
)
def test_a_value_no_field_can_have_is_a_mistake_in_the_test(field: str, value: object, text: str) -> None:
    """It must not read as an email that was not sent."""
    outbox = Outbox()
    for ask in (outbox.find, outbox.one, outbox.assert_sent, outbox.assert_none, outbox.ignore):
        with pytest.raises(TypeError, match=text):
            ask(**{field: value})  # type: ignore[arg-type] # the mistake


def test_a_slip_in_a_question_is_not_no_such_email() -> None:
    """An unknown field, an address that is not valid, times below one: said at once."""
    outbox = Outbox()
    with pytest.raises(TypeError, match="no field 'subjet'; did you mean 'subject'"):
        outbox.find(subjet="Moved")  # type: ignore[call-arg] # the slip
    with pytest.raises(TypeError, match=r"no field 'zzz'\."):
        outbox.find(zzz="Moved")  # type: ignore[call-arg] # the slip
    with pytest.raises(ValueError, match="sam"):
        outbox.find(to="sam")
    with pytest.raises(ValueError, match="assert_none"):
        outbox.assert_sent(times=0)
    with pytest.raises(TypeError, match=r"expected times, a number, got 'sam@example.com': write .* as to="):
        outbox.assert_sent("sam@example.com")  # type: ignore[arg-type] # the slip
    with pytest.raises(ValueError, match="at least one option"):
        any_of()
    with pytest.raises(TypeError, match=r"expected a text for each option of any_of, .* got 3"):
        any_of("Moved", 3)  # type: ignore[arg-type] # the slip
    with pytest.raises(TypeError, match=r"expected a text in contains\(\.\.\.\), got 3"):
        contains(3)  # type: ignore[arg-type] # the slip


def test_sent_means_accepted_by_whom_it_is_about() -> None:
    """Refused for Pat is not sent to Pat; it was sent to Sam."""
    outbox = Outbox(faults=Faults().refuse("pat@example.com"))
    list(outbox.deliver([email("sam@example.com; pat@example.com")]))
    outbox.assert_sent(to="sam@example.com")
    outbox.assert_sent(subject="Your class moved", refused="pat@example.com")
    for fields in ({"to": "pat@example.com"}, {"to": ["sam@example.com", "pat@example.com"]}):
        with pytest.raises(AssertionError, match="did not arrive"):
            outbox.assert_sent(**fields)


def test_whoever_asks_for_a_refusal_or_for_the_only_email_has_looked() -> None:
    """Mail that reached nobody is found by what became of it, and the answer claims it."""
    outbox = Outbox(faults=Faults().refuse("old@example.com"))
    list(outbox.deliver([email("old@example.com"), email("sam@example.com")]))
    outbox.assert_sent(refused="old@example.com", times=1)
    outbox.one(to="sam@example.com")
    assert not outbox.unclaimed


def test_a_leak_behind_the_sender_in_bcc_is_found() -> None:
    """Who writes to themselves is passed over, and the others are looked for all the same."""
    outbox = Outbox()
    one = email(bcc="office@example.com; audit@example.org", headers={"X-Copy": "audit@example.org"})
    list(outbox.deliver([one]))
    with pytest.raises(AssertionError, match=r"shows audit@example\.org in its header X-Copy"):
        outbox.assert_bcc_hidden()


def test_who_writes_to_themselves_in_bcc_stands_in_from_by_right() -> None:
    """That is no leak."""
    outbox = Outbox()
    list(outbox.deliver([email(sender="office@example.com", bcc="office@example.com")]))
    outbox.assert_bcc_hidden()
    assert outbox.assert_sent(recipient="office@example.com", subject="Your class moved").receipt.ok


def test_no_mail_means_none_was_handed_over() -> None:
    """Refused mail is mail all the same, for somebody who expects none."""
    outbox = Outbox(faults=Faults().refuse())
    outbox.assert_none()
    list(outbox.deliver([email()]))
    outbox.assert_none(to="pat@example.com")
    with pytest.raises(AssertionError, match="expected no email; 1 came"):
        outbox.assert_none()


def test_a_block_has_its_own_mail() -> None:
    """What came before and after is not in it, also when the block fails."""
    outbox = Outbox()
    list(outbox.deliver([email()]))
    with outbox.during() as sent:
        sent.assert_none()
        list(outbox.deliver([email("pat@example.com")]))
        assert len(sent) == 1
    list(outbox.deliver([email("lee@example.com")]))
    assert sent.one().email.recipients.to[0].addr_spec == "pat@example.com"
    assert sent.exclusions == ()
    assert bool(Outbox()), "an empty outbox is not falsy"
    with pytest.raises(RuntimeError), outbox.during() as broken:
        raise RuntimeError
    assert len(broken) == 0


def test_ignored_mail_need_not_be_looked_at() -> None:
    """Past and to come, by fields or all."""
    outbox = Outbox()
    list(outbox.deliver([email("audit@example.org")]))
    outbox.ignore(to=contains("example.org"))
    list(outbox.deliver([email("log@example.org"), email("sam@example.com")]))
    assert [record.number for record in outbox.unclaimed] == [3]
    outbox.ignore()
    outbox.verify()
