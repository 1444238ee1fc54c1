"""One email for each person: who gets one, who gets a copy, who is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core.address import Mailbox
from vetmail_core.bulk import BulkPlan, plan_bulk
from vetmail_core.contexts import EmailContext, RecipientType
from vetmail_core.errors import AddressError, MergeError, MessageError, RecipientsError
from vetmail_core.message import Content, Email
from vetmail_core.people import Person, merge_fields
from vetmail_core.preferences import BulkCopies, EmailPreferences, Settings
from vetmail_core.recipients import Exclusion, ExclusionReason
from vetmail_core.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST, EVERY = BulkCopies.FIRST_RECIPIENT, BulkCopies.EVERY_RECIPIENT
TO, CC, BCC, NONE = RecipientType.TO, RecipientType.CC, RecipientType.BCC, RecipientType.NONE
NOTICE = Content("Class on Monday", "See you there.")
ANN, BOB, CAT, JO, KIM, MUM, DAD, BOSS = (
    Person(f"{name}@example.com", key=name.upper())
    for name in ("ann", "bob", "cat", "jo", "kim", "mum", "dad", "boss")
)


def row(email: Email) -> str:
    """An email's To, CC and BCC as "ann / jo / kim"."""
    boxes = (email.recipients.to, email.recipients.cc, email.recipients.bcc)
    return " / ".join(" ".join(mailbox.local_part for mailbox in box) or "-" for box in boxes)


def with_related(person: Person, **roles: tuple[Person, ...]) -> Person:
    """A person with a guardian, an employer contact, ..."""
    return attrs.evolve(person, related=roles)


@attrs.frozen(kw_only=True)
class Case:
    """One row: a plan, and the To / CC / BCC of its emails."""

    promise: str
    people: tuple[Person, ...] = (ANN, BOB, CAT)
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    copies: BulkCopies = FIRST
    context: str | None = None
    rules: dict[str, RecipientType] | None = None
    shared: dict[str, tuple[Person, ...]] = attrs.field(factory=dict)
    context_copies: BulkCopies | None = None
    marketing: bool = False
    emails: tuple[str, ...]

    def plan(self) -> BulkPlan:
        """The plan of the row."""
        preferences = None
        if self.rules is not None and self.context is not None:
            preferences = EmailPreferences(contexts={self.context: self.rules})
        return plan_bulk(
            NOTICE,
            self.people,
            sender=Mailbox("office@example.com"),
            cc=self.cc,
            bcc=self.bcc,
            copies=self.copies,
            context=self.context,
            shared=self.shared,
            preferences=preferences,
            context_copies=self.context_copies,
            marketing=self.marketing,
        )


INACTIVE_ANN = attrs.evolve(ANN, active=False)
CASES = (
    Case(
        promise="each person gets an email of their own",
        emails=("ann / - / -", "bob / - / -", "cat / - / -"),
    ),
    Case(promise="nobody gives no email", people=(), cc=("jo@example.com",), emails=()),
    Case(
        promise="two persons who share an address get an email each",
        people=(ANN, Person("ann@example.com", key="ANN'S BROTHER")),
        emails=("ann / - / -", "ann / - / -"),
    ),
    # typed copies
    Case(
        promise="typed copies go with the first email",
        cc=("jo@example.com",),
        bcc=("kim@example.com",),
        emails=("ann / jo / kim", "bob / - / -", "cat / - / -"),
    ),
    Case(
        promise="typed copies go with every email when so set",
        cc=("jo@example.com",),
        bcc=("kim@example.com",),
        copies=EVERY,
        emails=("ann / jo / kim", "bob / jo / kim", "cat / jo / kim"),
    ),
    Case(
        promise="the copies move on when the first persons are left out",
        people=(INACTIVE_ANN, Person("bob@"), Person(None, key="X"), CAT, JO),
        cc=("kim@example.com",),
        emails=("cat / kim / -", "jo / - / -"),
    ),
    Case(
        promise="nobody is copied on an email that is To them",
        people=(ANN, JO, CAT),
        cc=("jo@EXAMPLE.com", "kim@example.com"),
        bcc=("ann@example.com",),
        copies=EVERY,
        emails=("ann / jo kim / -", "jo / kim / ann", "cat / jo kim / ann"),
    ),
    Case(
        promise="whoever gets the first email needs no copy of it, and gets none of another",
        people=(JO, ANN),
        cc=("jo@example.com",),
        emails=("jo / - / -", "ann / - / -"),
    ),
    Case(
        promise="an address typed twice is copied once, CC over BCC",
        people=(ANN,),
        cc=("jo@example.com", "jo@example.com"),
        bcc=("jo@example.com", "kim@example.com"),
        emails=("ann / jo / kim",),
    ),
    # contexts: shared roles
    Case(
        promise="class staff are copied on the first email to an occurrence class by default",
        people=(ANN, BOB),
        context="occurrence_class",
        shared={"class_staff": (JO, KIM)},
        emails=("ann / jo kim / -", "bob / - / -"),
    ),
    Case(
        promise="shared roles follow the choice for typed copies",
        people=(ANN, BOB),
        copies=EVERY,
        bcc=("boss@example.com",),
        context="occurrence_class",
        shared={"class_staff": (JO,)},
        emails=("ann / jo / boss", "bob / jo / boss"),
    ),
    Case(
        promise="shared roles may go with every email while typed copies go with the first",
        people=(ANN, BOB),
        cc=("boss@example.com",),
        context="occurrence_class",
        shared={"class_staff": (JO,)},
        context_copies=EVERY,
        emails=("ann / boss jo / -", "bob / jo / -"),
    ),
    Case(
        promise="shared roles may go with the first email while typed copies go with every one",
        people=(ANN, BOB),
        cc=("boss@example.com",),
        copies=EVERY,
        context="occurrence_class",
        shared={"class_staff": (JO,)},
        context_copies=FIRST,
        emails=("ann / boss jo / -", "bob / boss / -"),
    ),
    Case(
        promise="a shared role is placed as the preferences say, To among them",
        people=(ANN, BOB),
        copies=EVERY,
        context="occurrence_class",
        rules={"class_staff": BCC, "occurrence_staff": TO},
        shared={"class_staff": (JO,), "occurrence_staff": (KIM,), "guardian": (MUM,)},
        emails=("ann kim / - / jo", "bob kim / - / jo"),
    ),
    Case(
        promise="a shared role can be switched off",
        people=(ANN,),
        context="occurrence_class",
        rules={"class_staff": NONE},
        shared={"class_staff": (JO,)},
        emails=("ann / - / -",),
    ),
    Case(
        promise="somebody both typed and in a shared role is copied once, where it is seen best",
        people=(ANN, BOB),
        bcc=("jo@example.com",),
        copies=EVERY,
        context="occurrence_class",
        shared={"class_staff": (JO,)},
        emails=("ann / jo / -", "bob / jo / -"),
    ),
    Case(
        promise="shared people who cannot be written to are not copied",
        people=(ANN,),
        context="occurrence_class",
        shared={"class_staff": (attrs.evolve(JO, active=False), KIM, Person("no address"))},
        emails=("ann / kim / -",),
    ),
    # contexts: related roles
    Case(
        promise="related people go with the person's own email, whatever the choice for copies",
        people=(with_related(ANN, guardian=(MUM, DAD)), BOB, with_related(CAT, guardian=(MUM,))),
        context="client",
        rules={"guardian": CC},
        emails=("ann / mum dad / -", "bob / - / -", "cat / mum / -"),
    ),
    Case(
        promise="related people are placed by their own role",
        people=(with_related(ANN, guardian=(MUM,), employer_contact=(BOSS,), dean=(KIM,)),),
        context="occurrence_class",
        rules={"guardian": TO, "employer_contact": BCC},
        emails=("ann mum / - / boss",),
    ),
    Case(
        promise="related people are not copied without a rule",
        people=(with_related(ANN, guardian=(MUM,)),),
        context="client",
        emails=("ann / - / -",),
    ),
    Case(
        promise="related people are not copied without a context",
        people=(with_related(ANN, guardian=(MUM,)),),
        emails=("ann / - / -",),
    ),
    Case(
        promise="related people, shared roles and typed copies come together",
        people=(with_related(ANN, guardian=(MUM, JO)), with_related(BOB, guardian=(DAD,))),
        cc=("boss@example.com", "mum@example.com"),
        context="occurrence_class",
        rules={"guardian": BCC},
        shared={"class_staff": (JO,)},
        context_copies=EVERY,
        emails=("ann / boss mum jo / -", "bob / jo / dad"),
    ),
    Case(
        promise="a guardian who shares the student's address is not copied on it",
        people=(with_related(ANN, guardian=(Person("ann@example.com", key="MUM"), DAD)),),
        context="client",
        rules={"guardian": CC},
        emails=("ann / dad / -",),
    ),
    Case(
        promise="related people who cannot be written to are not copied",
        people=(with_related(ANN, guardian=(attrs.evolve(MUM, active=False), Person(None), DAD)),),
        context="client",
        rules={"guardian": CC},
        emails=("ann / dad / -",),
    ),
    Case(
        promise="related people who opted out of marketing are not copied on it",
        people=(with_related(ANN, guardian=(attrs.evolve(MUM, marketing=False), DAD)),),
        context="client",
        rules={"guardian": CC},
        marketing=True,
        emails=("ann / dad / -",),
    ),
    Case(
        promise="the role a context writes to is held by the people, so a related one gets nothing by it",
        people=(with_related(ANN, employer=(BOSS,)),),
        context="event",
        emails=("ann / - / -",),
    ),
    Case(
        promise="the role a context writes to can be copied by a rule of its own",
        people=(with_related(ANN, employer=(BOSS,)),),
        context="event",
        rules={"employer": CC},
        emails=("ann / boss / -",),
    ),
    Case(
        promise="a context that the catalogue does not know goes by the preferences alone",
        people=(with_related(ANN, bus_driver=(DAD,)),),
        context="excursion",
        rules={"bus_driver": CC, "leader": TO},
        shared={"leader": (KIM,)},
        emails=("ann kim / dad / -",),
    ),
    # private contexts
    Case(
        promise="a private context copies nobody",
        people=(with_related(ANN, guardian=(MUM,), staff=(JO,), client=(BOB,)), CAT),
        copies=EVERY,
        context="account",
        shared={"class_staff": (KIM,), "staff": (JO,)},
        emails=("ann / - / -", "cat / - / -"),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=[case.promise for case in CASES])
def test_a_plan_makes_the_emails_of_the_table(case: Case) -> None:
    """Each row of the table holds, on the first walk and on the next."""
    plan = case.plan()
    assert tuple(row(email) for email in plan) == case.emails
    assert tuple(row(email) for email in plan) == case.emails
    assert plan.summary().emails == len(case.emails)


LEFT_OUT = (
    (attrs.evolve(BOB, active=False), ExclusionReason.INACTIVE),
    (Person(None, key="BOB"), ExclusionReason.NO_ADDRESS),
    (Person("bob at example.com", key="BOB"), ExclusionReason.BAD_ADDRESS),
    (attrs.evolve(BOB, marketing=False), ExclusionReason.MARKETING_OPT_OUT),
    (attrs.evolve(ANN, address="other@example.com"), ExclusionReason.DUPLICATE_PERSON),
)


@pytest.mark.parametrize(("person", "reason"), LEFT_OUT)
def test_whoever_gets_no_email_is_a_step_with_a_reason(person: Person, reason: ExclusionReason) -> None:
    """The steps keep the order of the people, emails and exclusions alike."""
    plan = plan_bulk(NOTICE, [ANN, person, CAT], sender="office@example.com", marketing=True)
    first, second, third = plan.steps()
    assert isinstance(first, Email)
    assert isinstance(third, Email)
    assert isinstance(second, Exclusion)
    assert (second.person, second.reason) == (person, reason)
    assert second.detail


def test_opting_out_of_marketing_does_not_matter_for_other_mail() -> None:
    """Class notices still go."""
    plan = plan_bulk(NOTICE, [attrs.evolve(ANN, marketing=False)], sender="office@example.com")
    assert [row(email) for email in plan] == ["ann / - / -"]


def test_a_person_who_comes_again_is_left_out_each_further_time() -> None:
    """One email, and one exclusion for each further sighting, whatever the record holds by then."""
    again = attrs.evolve(ANN, address=None)
    plan = plan_bulk(NOTICE, [ANN, again, BOB, ANN, ANN], sender="office@example.com")
    summary = plan.summary()
    assert summary.emails == 2
    assert summary.exclusions == {ExclusionReason.DUPLICATE_PERSON: 3}
    assert [one.person for one in plan.steps() if isinstance(one, Exclusion)] == [again, ANN, ANN]


def test_people_without_a_key_are_told_apart_by_their_address() -> None:
    """And the sentence says what to do when they are two people all the same."""
    people = [Person("lee@example.com", name="Ann"), Person("lee@EXAMPLE.com", name="Bob")]
    _, exclusion = plan_bulk(NOTICE, people, sender="office@example.com").steps()
    assert isinstance(exclusion, Exclusion)
    assert exclusion.reason is ExclusionReason.DUPLICATE_PERSON
    assert "Bob comes again" in exclusion.detail
    assert "need a key of their own" in exclusion.detail


def test_people_with_neither_key_nor_address_are_not_taken_for_one_another() -> None:
    """Nothing says that they are the same person, so each is missing an address."""
    plan = plan_bulk(NOTICE, [Person(None, name="Ann"), Person("", name="Bob")], sender="office@example.com")
    assert plan.summary().exclusions == {ExclusionReason.NO_ADDRESS: 2}


def test_merge_fields_go_in_by_person() -> None:
    """Names, address and the record's own fields; HTML is escaped, text is not."""
    content = Content(
        "${course} for ${first_name}", "Dear ${name} (${address}), $5", html="<p>${last_name} & ${course}</p>"
    )
    people = [
        Person("ann@example.com", name="Lee, Ann", fields={"course": "Arts & <Crafts>"}),
        Person("bob@example.com", name="Bob O'Neil", fields={"course": "Barista", "first_name": "Bobby"}),
    ]
    ann, bob = plan_bulk(content, people, sender="office@example.com")
    assert ann.content.subject == "Arts & <Crafts> for Ann"
    assert ann.content.text == "Dear Lee, Ann (ann@example.com), $5"
    assert ann.content.html == "<p>Lee & Arts &amp; &lt;Crafts&gt;</p>"
    assert bob.content.subject == "Barista for Bobby"


def test_a_content_without_fields_is_one_value_for_everybody() -> None:
    """It is encoded once, however many people read it."""
    one, two = plan_bulk(NOTICE, [ANN, BOB], sender="office@example.com")
    assert one.content is two.content is NOTICE


def test_an_escaped_field_is_written_as_itself() -> None:
    """``$${`` is no field and still has to become ``${``."""
    (email,) = plan_bulk(Content("A $${name} field"), [ANN], sender="office@example.com")
    assert email.content.subject == "A ${name} field"


@pytest.mark.parametrize(
    ("content", "fields", "words"),
    [
        (Content("Hello ${nmae}"), {}, ("nmae", "subject", "Bob Lee (key C2)")),
        (Content("Hello", "Dear\n${course}"), {}, ("course", "text", "line 2")),
        (Content("Hello", html="<p>${course}</p>"), {}, ("course", "html")),
        (Content("Hello ${course}"), {"course": "A\r\nBcc: eve@example.com"}, ("course", "subject")),
    ],
)
def test_a_field_that_cannot_be_merged_names_itself_its_place_and_the_person(
    content: Content, fields: dict[str, object], words: tuple[str, ...]
) -> None:
    """Unknown fields, and line breaks for the subject; the summary finds them before anything is sent."""
    person = Person("bob@example.com", key="C2", name="Bob Lee", fields=fields)
    with pytest.raises(MergeError) as caught:
        plan_bulk(content, [person], sender="office@example.com").summary()
    for word in words:
        assert word in str(caught.value)
    assert caught.value.field in {"nmae", "course"}
    assert caught.value.place in words


def test_a_person_without_a_name_is_named_by_key_when_merging_fails() -> None:
    """Somebody has to find the record."""
    with pytest.raises(MergeError, match="the e-mail for C2 cannot be made"):
        plan_bulk(
            Content("${x}"), [Person("bob@example.com", key="C2")], sender="office@example.com"
        ).summary()


def _by_hand(person: Person) -> Content:
    return Content("Hello ${first_name}").merge({**merge_fields(person), "first_name": "${course}"})


@pytest.mark.parametrize(
    ("content", "subject"),
    [
        (lambda _: Content("Hello ${first_name}"), "Hello Ann"),
        (lambda person: Content(f"Hello {person.key}"), "Hello C1"),
        (_by_hand, "Hello ${course}"),
    ],
)
def test_a_function_gives_each_person_their_content(
    content: Callable[[Person], Content], subject: str
) -> None:
    """Fields go in; a content that is merged already is not merged twice, whatever its values hold."""
    person = Person("ann@example.com", key="C1", name="Ann Lee")
    (email,) = plan_bulk(content, [person], sender="office@example.com")
    assert email.content.subject == subject


def test_what_a_function_raises_says_whose_turn_it_was() -> None:
    """The host's own error comes through, with a note: one student of 500 has no certificate."""
    certificates = {"BOB": NOTICE}
    steps = plan_bulk(lambda person: certificates[person.key], [BOB, ANN], sender="me@example.com").steps()
    next(steps)
    with pytest.raises(KeyError) as caught:
        next(steps)
    assert caught.value.__notes__ == ["This happened while the e-mail for ANN was made."]


@pytest.mark.parametrize("given", [None, "Hello"])
def test_a_function_that_gives_no_content_is_named_with_the_person(given: Content) -> None:
    """None is no way of leaving somebody out: that would be an exclusion without a reason."""
    plan = plan_bulk(lambda _: given, attrs.evolve(ANN, name="Ann Lee"), sender="me@example.com")
    with pytest.raises(MessageError, match=rf"Ann Lee \(key ANN\).* but {type(given).__name__} came"):
        plan.summary()


def test_a_function_is_not_asked_for_those_who_are_left_out() -> None:
    """A certificate is not drawn up for somebody who cannot get it."""
    asked: list[str] = []

    def content(person: Person) -> Content:
        asked.append(person.key)
        return NOTICE

    people = [ANN, attrs.evolve(BOB, active=False), ANN, CAT]
    plan_bulk(content, people, sender="office@example.com").summary()
    assert asked == ["ANN", "CAT"]


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
        ({"content": "Class on Monday"}, MessageError, "here came str; write Content"),
        ({"content": None}, MessageError, "here came NoneType"),
        ({"people": "ann@example.com"}, RecipientsError, "here came str"),
        ({"people": None}, RecipientsError, "here came NoneType"),
        ({"copies": "every_recipient"}, RecipientsError, "copies is BulkCopies.* came 'every_recipient'"),
        ({"context_copies": 1}, RecipientsError, "context_copies is BulkCopies.* came 1"),
        ({"sender": None}, TypeError, "here came NoneType"),
        ({"shared": {"class_staff": ["jo@example.com"]}}, RecipientsError, "here came str"),
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
    with pytest.raises(RecipientsError, match="here came str"):
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
    plan = plan_bulk(NOTICE, ANN, sender="me@example.com", context=secret, shared={"driver": JO})
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
