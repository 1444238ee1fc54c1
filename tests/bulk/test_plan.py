"""One email for each person: who gets one, who gets a copy, who is left out."""

from __future__ import annotations

import attrs
import pytest

from vetmail_core.address import Mailbox
from vetmail_core.bulk import BulkPlan, plan_bulk
from vetmail_core.contexts import RecipientType
from vetmail_core.message import Content, Email
from vetmail_core.people import Person
from vetmail_core.preferences import BulkCopies, EmailPreferences
from vetmail_core.recipients import Exclusion, ExclusionReason

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
        people=(with_related(ANN, guardian=(MUM,), employer_contact=(BOSS,), event_staff=(KIM,)),),
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
    exclusions = [step for step in plan.steps() if isinstance(step, Exclusion)]
    assert [one.person for one in exclusions] == [again, ANN, ANN]
    assert {one.detail for one in exclusions} == {"ANN comes again: key ANN was met before in this list"}


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
