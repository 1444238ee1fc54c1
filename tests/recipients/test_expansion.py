"""From "who holds which role" to To, CC and BCC."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vetmail_core.address import Mailbox
from vetmail_core.contexts import STANDARD_CONTEXTS, EmailContext, RecipientType
from vetmail_core.errors import RecipientsError
from vetmail_core.people import Person
from vetmail_core.preferences import EmailPreferences
from vetmail_core.recipients import (
    ExclusionReason,
    Recipients,
    expand_context,
    refuse_private_copies,
    why_excluded,
)

ANN = Person("ann@example.com", key="C1", name="Ann Lee")
BOB = Person("bob@example.com", key="C2", name="Bob Lee")
JO = Person("jo@example.com", key="S1", name="Jo Trainer")
MUM = Person("mum@example.com", key="C3")
TO, CC, BCC, NONE = RecipientType.TO, RecipientType.CC, RecipientType.BCC, RecipientType.NONE


def boxes(recipients: Recipients) -> tuple[str, str, str]:
    """The local parts in To, CC and BCC."""
    to, cc, bcc = (
        " ".join(mailbox.local_part for mailbox in box)
        for box in (recipients.to, recipients.cc, recipients.bcc)
    )
    return to, cc, bcc


@attrs.frozen(kw_only=True)
class Case:
    """One row: rules and people, then who stands where and which roles came to nobody."""

    promise: str
    context: str = "occurrence_class"
    rules: dict[str, RecipientType] = attrs.field(factory=dict)
    people: dict[str, list[Person]]
    boxes: tuple[str, str, str]
    empty: tuple[str, ...] = ()


CASES = (
    Case(
        promise="class staff are copied on mail to an occurrence class, as VETtrak's own example has it",
        people={"client": [ANN, BOB], "class_staff": [JO]},
        boxes=("ann bob", "jo", ""),
    ),
    Case(
        promise="a role without a rule receives nothing",
        people={"client": [ANN], "class_staff": [JO], "guardian": [MUM], "event_staff": [BOB]},
        boxes=("ann", "jo", ""),
    ),
    Case(
        promise="the preferences place each role",
        rules={"class_staff": BCC, "guardian": CC, "occurrence_staff": TO},
        people={"client": [ANN], "class_staff": [JO], "guardian": [MUM], "occurrence_staff": [BOB]},
        boxes=("ann bob", "mum", "jo"),
    ),
    Case(
        promise="the preferences can switch a default off",
        rules={"class_staff": NONE},
        people={"client": [ANN], "class_staff": [JO]},
        boxes=("ann", "", ""),
    ),
    Case(
        promise="somebody in two roles stands once, where it is seen best",
        rules={"class_staff": BCC, "guardian": CC},
        people={"client": [ANN], "class_staff": [ANN, MUM, JO], "guardian": [MUM, ANN]},
        boxes=("ann", "mum", "jo"),
    ),
    Case(
        promise="a role that comes to nobody is reported, named or not",
        rules={"guardian": CC, "occurrence_staff": BCC},
        people={"client": [ANN], "guardian": []},
        boxes=("ann", "", ""),
        empty=("class_staff", "guardian", "occurrence_staff"),
    ),
    Case(
        promise="a To role that comes to nobody is reported",
        people={"class_staff": [JO]},
        boxes=("", "jo", ""),
        empty=("client",),
    ),
    Case(
        promise="mail of an event goes to a client or to an employer, and one of them is enough",
        context="event",
        people={"employer": [BOB]},
        boxes=("bob", "", ""),
    ),
    Case(
        promise="a To role that is named and comes to nobody is reported all the same",
        context="event",
        people={"employer": [BOB], "client": []},
        boxes=("bob", "", ""),
        empty=("client",),
    ),
    Case(
        promise="mail of an event that goes to nobody lacks both",
        context="event",
        people={},
        boxes=("", "", ""),
        empty=("client", "employer"),
    ),
    Case(
        promise="a context that the catalogue does not know goes by the preferences alone",
        context="excursion",
        rules={"client": TO, "bus_driver": CC},
        people={"client": [ANN], "bus_driver": [BOB], "guardian": [MUM]},
        boxes=("ann", "bob", ""),
    ),
    Case(
        promise="a context that nobody knows goes to nobody",
        context="excursion",
        people={"client": [ANN]},
        boxes=("", "", ""),
    ),
    Case(
        promise="a private context is for the person alone",
        context="account",
        people={"client": [ANN], "class_staff": [JO], "guardian": [MUM]},
        boxes=("ann", "", ""),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=[case.promise for case in CASES])
def test_a_context_expands_by_the_table(case: Case) -> None:
    """Each row of the table holds, and nobody in it is left out."""
    preferences = EmailPreferences(contexts={case.context: case.rules})
    expansion = expand_context(case.context, case.people, preferences)
    assert boxes(expansion.recipients) == case.boxes
    assert expansion.empty_roles == case.empty
    assert expansion.exclusions == ()


EXCLUDED = (
    (Person(None, name="Ann"), ExclusionReason.NO_ADDRESS, "Ann has no e-mail address on record"),
    (Person("  ", key="C1"), ExclusionReason.NO_ADDRESS, "C1 has no e-mail address on record"),
    (Person(""), ExclusionReason.NO_ADDRESS, "A person without a name has no e-mail address on record"),
    (Person("ann@@example.com", name="Ann"), ExclusionReason.BAD_ADDRESS, "Ann has an e-mail address that"),
    (Person("n/a"), ExclusionReason.BAD_ADDRESS, "n/a has an e-mail address that cannot be used"),
    (Person("ann@example.com", name="Ann", active=False), ExclusionReason.INACTIVE, "Ann is archived"),
    (Person(None, name="Ann", active=False), ExclusionReason.INACTIVE, "Ann is archived"),
)  # fmt: skip


@pytest.mark.parametrize(("person", "reason", "detail"), EXCLUDED)
def test_whoever_cannot_be_written_to_leaves_with_a_reason(
    person: Person, reason: ExclusionReason, detail: str
) -> None:
    """The reason is for code, the sentence for people; their role may come to nobody by it."""
    expansion = expand_context("client", {"client": [ANN, person]}, EmailPreferences())
    (exclusion,) = expansion.exclusions
    assert (exclusion.person, exclusion.reason) == (person, reason)
    assert detail in exclusion.detail
    assert exclusion.detail.startswith("Client: ")
    assert expansion.recipients == Recipients(to=ANN.mailbox())
    assert expand_context("client", {"client": [person]}, EmailPreferences()).empty_roles == ("client",)


def test_opting_out_of_marketing_is_a_reason_for_marketing_alone() -> None:
    """The tick "Exclude from marketing email" bars marketing; class notices and invoices still go."""
    person = attrs.evolve(ANN, marketing=False)
    assert why_excluded(person) is None
    exclusion = why_excluded(person, marketing=True)
    assert exclusion is not None
    assert exclusion.reason is ExclusionReason.MARKETING_OPT_OUT
    assert why_excluded(ANN, marketing=True) is None


@pytest.mark.parametrize("context", [key for key, value in STANDARD_CONTEXTS.items() if value.private])
def test_a_private_email_for_two_is_refused(context: str) -> None:
    """A password for one person is never in another one's inbox: neither beside nor instead of theirs."""
    for people in ({"client": [ANN, BOB]}, {"client": [ANN], "staff": [JO]}):
        with pytest.raises(RecipientsError, match=r"is for one address .*plan_bulk"):
            expand_context(context, people, EmailPreferences())
    shared = Person("ann@example.com", key="C9")
    assert (
        boxes(expand_context(context, {"client": [ANN, shared]}, EmailPreferences()).recipients)[0] == "ann"
    )


@pytest.mark.parametrize("box", ["cc", "bcc"])
def test_typed_copies_of_a_private_email_are_refused(box: str) -> None:
    """Nobody is dropped in silence: the sender is told to take the copies out."""
    copies = Recipients(**{box: "eve@example.com"})
    with pytest.raises(RecipientsError, match=r"never copied, but it would also go to eve@example\.com"):
        refuse_private_copies("account", copies)
    refuse_private_copies("client", copies)
    refuse_private_copies("excursion", copies)
    refuse_private_copies(None, copies)
    refuse_private_copies("account", Recipients(to="ann@example.com"))
    with pytest.raises(RecipientsError, match=r"also go to bob@example\.com"):
        refuse_private_copies("account", Recipients(to=["ann@example.com", "bob@example.com"]))


people = st.builds(
    Person,
    st.sampled_from(["a@example.com", "b@example.com", "c@example.com", "d@EXAMPLE.com", "bad@", "", None]),
    key=st.sampled_from(["", "1", "2"]),
    active=st.booleans(),
)
roles = st.sampled_from(["client", "class_staff", "guardian", "employer_contact", "event_staff"])


@settings(deadline=None)  # a busy machine is not slow code
@given(
    held=st.dictionaries(roles, st.lists(people, max_size=4)),
    rules=st.dictionaries(roles, st.sampled_from(RecipientType)),
)
def test_everybody_with_a_role_that_receives_is_a_recipient_or_an_exclusion(
    held: dict[str, list[Person]], rules: dict[str, RecipientType]
) -> None:
    """Law: nobody is lost; boxes are disjoint; a role is empty when none of its people can be written to."""
    preferences = EmailPreferences(contexts={"occurrence_class": rules})
    expansion = expand_context("occurrence_class", held, preferences)
    types = preferences.recipient_types("occurrence_class")
    wanted = {role: held.get(role, []) for role, kind in types.items() if kind is not NONE}
    usable = {role: [one for one in some if why_excluded(one) is None] for role, some in wanted.items()}

    addresses = [mailbox.address_key for mailbox in expansion.recipients.all]
    assert len(addresses) == len(set(addresses))
    assert set(addresses) == {one.mailbox().address_key for some in usable.values() for one in some}
    assert len(expansion.exclusions) == sum(map(len, wanted.values())) - sum(map(len, usable.values()))
    assert set(expansion.empty_roles) == {role for role, some in usable.items() if not some}
    for kind, box in ((TO, expansion.recipients.to), (CC, expansion.recipients.cc)):
        here = {
            one.mailbox().address_key for role, some in usable.items() if types[role] is kind for one in some
        }
        assert here >= {mailbox.address_key for mailbox in box}


def test_opting_out_of_marketing_keeps_nobody_from_mail_of_a_context() -> None:
    """A context's mail is about the person's own matters."""
    expansion = expand_context(
        "client", {"client": Person("ann@example.com", marketing=False)}, EmailPreferences()
    )
    assert boxes(expansion.recipients) == ("ann", "", "")
    assert expansion.exclusions == ()


def test_a_host_s_own_context_expands() -> None:
    """With the roles and defaults it brings; a private one is for one address."""
    people = {"client": Person("ann@example.com"), "driver": Person("dan@example.com")}
    excursion = EmailContext(
        "excursion", "Excursion", to_roles="client", roles="driver", defaults={"driver": CC}
    )
    assert boxes(expand_context(excursion, people, EmailPreferences()).recipients) == ("ann", "dan", "")
    secret = EmailContext("exam", "Exam Results", to_roles=("client", "driver"), private=True)
    with pytest.raises(RecipientsError, match=r'"Exam Results" e-mail .* never copied'):
        expand_context(secret, people, EmailPreferences())


def test_one_person_is_as_good_as_several() -> None:
    """A record's one client is not a list."""
    expansion = expand_context("client", {"client": Person("ann@example.com")}, EmailPreferences())
    assert boxes(expansion.recipients) == ("ann", "", "")


def test_who_is_no_person_is_refused() -> None:
    """An address alone has no key and no name: nobody could be named if it were bad."""
    with pytest.raises(RecipientsError, match="got str"):
        expand_context("client", {"client": ["ann@example.com"]}, EmailPreferences())  # type: ignore[list-item]


def test_a_mailbox_is_as_good_as_a_text() -> None:
    """People may bring a parsed address."""
    expansion = expand_context("client", {"client": [Person(Mailbox("ann@example.com"))]}, EmailPreferences())
    assert boxes(expansion.recipients) == ("ann", "", "")
