"""What a plan is made of, and what cannot be planned."""

from __future__ import annotations

import pytest

from vetmail_core.address import Mailbox
from vetmail_core.bulk import plan_bulk
from vetmail_core.contexts import EmailContext, RecipientType
from vetmail_core.errors import AddressError, MessageError, RecipientsError
from vetmail_core.message import Content, Email
from vetmail_core.people import Person
from vetmail_core.preferences import EmailPreferences, Settings
from vetmail_core.sender import Sender

CC = RecipientType.CC
NOTICE = Content("Class on Monday", "See you there.")
ANN, BOB, JO, KIM = (Person(f"{name}@example.com", key=name.upper()) for name in ("ann", "bob", "jo", "kim"))


def row(email: Email) -> str:
    """An email's To, CC and BCC as "ann / jo / kim"."""
    boxes = (email.recipients.to, email.recipients.cc, email.recipients.bcc)
    return " / ".join(" ".join(mailbox.local_part for mailbox in box) or "-" for box in boxes)


def test_the_sender_s_reply_to_goes_with_each_email() -> None:
    """A resolved sender brings From and Reply-To."""
    sender = Sender("office@example.com", reply_to="desk@example.com")
    for email in plan_bulk(NOTICE, [ANN, BOB], sender=sender):
        assert email.sender == Mailbox("office@example.com")
        assert email.reply_to == (Mailbox("desk@example.com"),)


@pytest.mark.parametrize("sender", ["office@example.com", Mailbox("office@example.com")])
def test_a_sender_may_be_a_mailbox_or_its_text(sender: Mailbox | str) -> None:
    """No sender has to be resolved to plan."""
    (email,) = plan_bulk(NOTICE, [ANN], sender=sender)
    assert email.sender == Mailbox("office@example.com")
    assert email.reply_to == ()


@pytest.mark.parametrize(
    ("changes", "kind", "fault"),
    [
        ({"content": "Class on Monday"}, MessageError, "got str. Write Content"),
        ({"content": None}, MessageError, "got NoneType"),
        ({"people": "ann@example.com"}, RecipientsError, "got str"),
        ({"people": None}, RecipientsError, "got NoneType"),
        ({"copies": "every_recipient"}, RecipientsError, "^copies= needs BulkCopies.* got str"),
        ({"context_copies": 1}, RecipientsError, "^context_copies= needs BulkCopies.* got int"),
        ({"sender": None}, TypeError, "got NoneType"),
        ({"shared": {"class_staff": ["jo@example.com"]}}, RecipientsError, "got str"),
    ],
)
def test_what_cannot_be_planned_is_refused_when_planning(
    changes: dict[str, object], kind: type[Exception], fault: str
) -> None:
    """Not at the first email, and not by doing something else in silence."""
    given = {"content": NOTICE, "people": [ANN], "sender": "me@example.com", "context": "occurrence_class"}
    with pytest.raises(kind, match=fault):
        plan_bulk(**given | changes)  # type: ignore[arg-type]


def test_a_stranger_among_the_people_is_refused_at_their_turn() -> None:
    """The people are a stream, so nobody is looked at before."""
    steps = plan_bulk(NOTICE, [ANN, "bob@example.com"], sender="me@example.com").steps()  # type: ignore[list-item]
    assert isinstance(next(steps), Email)
    with pytest.raises(RecipientsError, match="got str"):
        next(steps)


def test_a_list_that_changes_does_not_change_the_plan() -> None:
    """The run writes to whom the preview showed."""
    people = [ANN]
    plan = plan_bulk(NOTICE, people, sender="me@example.com")
    assert plan.summary().emails == 1
    people.append(BOB)
    assert len(list(plan)) == 1


def test_one_person_is_as_good_as_a_list_of_one() -> None:
    """As one mailbox is for a copy."""
    alone = plan_bulk(
        NOTICE, ANN, sender="me@example.com", context="occurrence_class", shared={"class_staff": JO}
    )
    assert [row(email) for email in alone] == ["ann / jo / -"]
    assert [row(email) for email in alone] == ["ann / jo / -"]


@pytest.mark.parametrize("separator", [";", ","])
def test_typed_copies_are_split_at_the_preferences_separator(separator: str) -> None:
    """Whoever hands the preferences over need not split beforehand."""
    preferences = EmailPreferences(settings=Settings(address_separator=separator))
    typed = f"jo@example.com{separator} kim@example.com"
    plan = plan_bulk(NOTICE, ANN, sender="me@example.com", cc=typed, bcc="", preferences=preferences)
    assert [row(email) for email in plan] == ["ann / jo kim / -"]


def test_a_batch_may_be_a_number() -> None:
    """Hosts number their mailings as they number their records."""
    numbered, named = (plan_bulk(NOTICE, ANN, sender="me@example.com", batch=name) for name in (17, "17"))
    assert list(numbered) == list(named)
    assert numbered.person_key(next(iter(numbered))) == "ANN"


def test_a_copy_that_is_no_mailbox_is_refused_when_planning() -> None:
    """A slip in CC is found before anything is sent."""
    with pytest.raises(AddressError):
        plan_bulk(NOTICE, [ANN], sender="office@example.com", cc="jo")
    with pytest.raises(AddressError):
        plan_bulk(NOTICE, [ANN], sender="office@example.com", bcc=["kim@example.com", "jo"])


def test_typed_copies_of_private_mail_are_refused_when_planning() -> None:
    """A password is not copied, and the sender learns that it is not."""
    for box in ({"cc": "eve@example.com"}, {"bcc": "eve@example.com"}):
        with pytest.raises(RecipientsError, match="never copied"):
            plan_bulk(NOTICE, [ANN], sender="office@example.com", context="account", **box)  # type: ignore[arg-type]


def test_shared_roles_need_a_context() -> None:
    """Without one, nothing says whether class staff are CC or BCC; leaving them out would be silent."""
    with pytest.raises(RecipientsError, match="class_staff, but no context"):
        plan_bulk(NOTICE, [ANN], sender="office@example.com", shared={"class_staff": [JO]})


def test_the_people_of_a_class_are_not_a_shared_role() -> None:
    """All students in To of one email would see each other's addresses."""
    with pytest.raises(RecipientsError, match="addressed to the role Client"):
        plan_bulk(
            NOTICE, [ANN], sender="office@example.com", context="occurrence_class", shared={"client": [BOB]}
        )


def test_a_host_s_own_context_makes_copies() -> None:
    """As one of the catalogue does: its To roles are the people's, a private one copies nobody."""
    excursion = EmailContext(
        "excursion", "Excursion", to_roles="client", roles="driver", defaults={"driver": CC}
    )
    plan = plan_bulk(NOTICE, ANN, sender="me@example.com", context=excursion, shared={"driver": JO})
    assert [row(email) for email in plan] == ["ann / jo / -"]
    with pytest.raises(RecipientsError, match='"Excursion" e-mail is addressed to the role Client'):
        plan_bulk(NOTICE, ANN, sender="me@example.com", context=excursion, shared={"client": JO})
    secret = EmailContext("exam", "Exam Results", to_roles="client", private=True)
    plan = plan_bulk(NOTICE, ANN, sender="me@example.com", context=secret, shared={"class_staff": JO})
    assert [row(email) for email in plan] == ["ann / - / -"]
    with pytest.raises(RecipientsError, match="never copied"):
        plan_bulk(NOTICE, ANN, sender="me@example.com", context=secret, cc="jo@example.com")


def test_shared_people_may_come_from_a_generator() -> None:
    """They are read once, when the plan is made."""
    plan = plan_bulk(
        NOTICE,
        [ANN],
        sender="office@example.com",
        context="occurrence_class",
        shared={"class_staff": (one for one in (JO, KIM))},
    )
    assert [row(email) for email in plan] == [row(email) for email in plan] == ["ann / jo kim / -"]


def test_a_plan_shows_neither_its_people_nor_its_text() -> None:
    """The repr of a plan for a million people is a line."""
    plan = plan_bulk(Content("Results", "You passed."), [ANN] * 1000, sender="office@example.com")
    assert "ann" not in repr(plan)
    assert "passed" not in repr(plan)
