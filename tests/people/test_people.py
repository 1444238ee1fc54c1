"""A person, as the record has them."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vetmail_core.address import Mailbox
from vetmail_core.bulk import plan_bulk
from vetmail_core.credentials import Login, PlainSecret
from vetmail_core.errors import AddressError, AddressErrorCode, RecipientsError
from vetmail_core.message import Content
from vetmail_core.people import Person, Staff, merge_fields

if TYPE_CHECKING:
    from collections.abc import Callable

BAD = ("ann", "ann@", "ann@@example.com", "ann@example.com\r\nBcc: eve@example.com", "ann at example.com")


@pytest.mark.parametrize("address", [*BAD, "", " \t", None])
def test_a_record_with_a_bad_address_is_still_a_person(address: str | None) -> None:
    """Building one never raises for the address; asking for the mailbox does."""
    person = Person(address, key="C1", name="Ann Lee")
    assert person.address == address
    with pytest.raises(AddressError):
        person.mailbox()


@pytest.mark.parametrize("address", ["", " \t", None])
def test_a_missing_address_is_named_with_its_person(address: str | None) -> None:
    """The error says whose record to look at."""
    for person, who in (
        (Person(address, key="C1", name="Ann Lee"), "Ann Lee"),
        (Person(address, key="C1"), "C1"),
        (Person(address), "This person"),
    ):
        assert not person.has_address
        with pytest.raises(AddressError, match=f"^{who} has no e-mail address") as caught:
            person.mailbox()
        assert caught.value.code is AddressErrorCode.EMPTY


@pytest.mark.parametrize(
    ("address", "name", "expected"),
    [
        ("ann@example.com", "", "ann@example.com"),
        ("ann@example.com", "Ann Lee", '"Ann Lee" <ann@example.com>'),
        ('"Annie" <ann@example.com>', "Ann Lee", '"Annie" <ann@example.com>'),
        (Mailbox("ann@example.com"), "Ann Lee", '"Ann Lee" <ann@example.com>'),
        (Mailbox("ann@example.com", "Annie"), "Ann Lee", '"Annie" <ann@example.com>'),
        (Mailbox("ann@example.com", "Annie"), "", '"Annie" <ann@example.com>'),
    ],
)
def test_the_display_name_is_the_address_s_own_else_the_person_s(
    address: Mailbox | str, name: str, expected: str
) -> None:
    """A name in the address goes over the name of the record."""
    assert str(Person(address, name=name).mailbox()) == expected


@pytest.mark.parametrize("address", ["ann@example.com", Mailbox("ann@example.com")])
def test_a_line_end_in_a_name_becomes_a_space(address: Mailbox | str) -> None:
    """It cannot become a header of its own, and it costs nobody their mail."""
    person = Person(address, name="Ann\r\nBcc: eve@example.com")
    assert person.mailbox() == Mailbox("ann@example.com", "Ann Bcc: eve@example.com")
    assert person.key == "ann@example.com"
    assert "line ends" in person.warnings[0]


@pytest.mark.parametrize(
    ("name", "shown", "said"),
    [
        ("\u200f\u0632\u0648\u064a", "\u0632\u0648\u064a", ["U+200F"]),
        ("\ufeffMia Tan", "Mia Tan", ["U+FEFF"]),
        ("Leo\u00ad Tan", "Leo Tan", ["U+00AD"]),
        ("Zoe \x00 Bar\u2028", "Zoe Bar", ["line ends"]),
        ("Kim\t\ud800Lee", "Kim Lee", ["line ends"]),
        ("Zoe\n\u200bBar", "Zoe Bar", ["line ends", "U+200B"]),
        ("\u0301Ann", "Ann", ["needs a letter"]),
        ("\u0301 \u0302", "", ["needs a letter"]),
        ("N" * 1001, "", ["1,001 characters"]),
        ("N" * 1000, "N" * 1000, []),
        ("Zo\u0065\u0308", "Zo\u00eb", []),
        ("  Ann\u00a0", "Ann", []),
        ("\n", "", []),
    ],
)
def test_a_name_is_cleaned_and_the_person_still_gets_their_mail(
    name: str, shown: str, said: list[str]
) -> None:
    """What is only display is taken out and told; the merge fields have the cleaned name."""
    person = Person("ann@example.com", name=name)
    assert person.mailbox().display_name == shown
    assert merge_fields(person).get("name", "") == shown
    assert len(person.warnings) == len(said)
    for words, warning in zip(said, person.warnings, strict=True):
        assert words in warning
    assert person.name == name
    assert pickle.loads(pickle.dumps(person)).warnings == person.warnings  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("address", "name", "shown", "fields_name"),
    [
        ("ann@example.com (old)", "Ann Lee", "Ann Lee", "Ann Lee"),
        ("ann@example.com (old)", "", "old", "old"),
        ('"Annie" <ann@example.com>', "Ann Lee", "Annie", "Ann Lee"),
    ],
)
def test_a_comment_in_an_address_is_a_note(address: str, name: str, shown: str, fields_name: str) -> None:
    """The name typed in the address goes first, then the record's, then a comment; a comment is told."""
    person = Person(address, name=name)
    assert person.mailbox().display_name == shown
    assert merge_fields(person)["name"] == fields_name
    assert [warning for warning in person.warnings if "(old)" in warning] == list(person.warnings)
    assert bool(person.warnings) is ("(old)" in address)
    assert Person("ann@@example.com (old)", name="\u200bAnn").warnings != ()


@pytest.mark.parametrize(
    ("address", "key", "expected"),
    [
        ("ann@example.com", "C1", "C1"),
        ("ann@example.com", "", "ann@example.com"),
        ("Ann@EXAMPLE.com", "", "Ann@example.com"),
        ('"Ann" <ann@example.com>', "", "ann@example.com"),
        (Mailbox("ann@example.com"), "", "ann@example.com"),
        (" ann@@example.com ", "", ""),
        ("n/a", "", ""),
        ("ann@@example.com", "C1", "C1"),
        ("", "", ""),
        (None, "C1", "C1"),
        (None, None, ""),
    ],
)
def test_a_person_without_a_key_takes_it_from_the_address(
    address: Mailbox | str | None, key: str | None, expected: str
) -> None:
    """Two spellings of one address give one key; the host's own key stands as it is."""
    assert Person(address, key=key).key == expected


def test_a_person_cannot_be_changed_from_outside() -> None:
    """The mappings and lists a person was made from may go on living their own lives."""
    fields: dict[str, object] = {"course": "Barista"}
    parents = [Person("mum@example.com")]
    related = {"guardian": tuple(parents)}
    person = Person("ann@example.com", fields=fields, related=related)
    fields["course"] = "Welding"
    related["guardian"] = ()
    assert person.fields == {"course": "Barista"}
    assert person.related == {"guardian": (Person("mum@example.com"),)}
    with pytest.raises(TypeError):
        person.fields["course"] = "Welding"  # type: ignore[index]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        person.name = "Bob"  # type: ignore[misc]


def test_related_people_may_come_from_any_iterable() -> None:
    """A list or a generator of guardians is kept as a tuple."""
    person = Person("ann@example.com", related={"guardian": (Person(f"{n}@example.com") for n in "ab")})
    assert person.related["guardian"] == (Person("a@example.com"), Person("b@example.com"))


def test_people_are_equal_and_hash_by_what_they_hold() -> None:
    """Two readings of one record are one value, and can be members of a set."""
    one = Person("ann@example.com", key="C1", fields={"course": "Barista"})
    two = Person("ann@example.com", key="C1", fields={"course": "Barista"})
    other = Person("ann@example.com", key="C1", fields={"course": "Welding"})
    assert one == two
    assert one != other
    assert "key='C1', name='', fields={'course': 'Barista'}, related={}" in repr(one)
    assert {one, two, other} == {one, other}


def test_a_person_travels_to_another_process() -> None:
    """Pickling and deep copies keep everything, the read-only mappings too."""
    person = Person(
        '"Ann" <ann@example.com>',
        key="C1",
        name="Ann Lee",
        fields={"course": "Barista"},
        related={"guardian": (Person("mum@example.com"),)},
        active=False,
        marketing=False,
    )
    assert pickle.loads(pickle.dumps(person)) == person  # noqa: S301 - our own bytes
    assert copy.deepcopy(person) == person
    assert person.mailbox() == copy.deepcopy(person).mailbox()


@pytest.mark.parametrize("kind", [Person, lambda address, **key: Staff("Ann", address, **key)])
def test_a_changed_person_has_the_changed_address(kind: Callable[..., Person]) -> None:
    """``attrs.evolve`` reads the new address; a key of the host's stays, one taken from the old does not."""
    coded = attrs.evolve(kind("ann@example.com", key="C1"), address="ann.lee@example.com")
    assert coded.mailbox().addr_spec == "ann.lee@example.com"
    assert coded.key == "C1"
    assert attrs.evolve(kind("ann@example.com"), address="ann.lee@example.com").key == "ann.lee@example.com"
    assert pickle.loads(pickle.dumps(kind("ann@example.com"))).key == "ann@example.com"  # noqa: S301 - our own bytes


def test_a_person_is_written_to_unless_the_record_says_otherwise() -> None:
    """Active, open to marketing, nameless and unrelated: what is not given is never a reason to leave out."""
    person = Person("ann@example.com")
    assert (person.active, person.marketing) == (True, True)
    assert (person.name, dict(person.fields), dict(person.related)) == ("", {}, {})


@pytest.mark.parametrize(
    ("kind", "given"), [(Person, ("a@example.com", "C1")), (Staff, ("Jo", "a@example.com", "S1"))]
)
def test_all_but_name_and_address_is_named(kind: Callable[..., object], given: tuple[str, ...]) -> None:
    """Key, name and flags cannot be taken for one another."""
    with pytest.raises(TypeError, match="positional"):
        kind(*given)


def test_people_made_from_one_by_another_address_are_several() -> None:
    """A test, or an import, that varies the address of one record writes to all of them."""
    people = [attrs.evolve(Person("x@example.com", name="Ann"), address=f"{n}@example.com") for n in "abc"]
    assert plan_bulk(Content("Hello"), people, sender="office@example.com").summary().emails == len(people)


@pytest.mark.parametrize("address", [float("nan"), 0, b"ann@example.com", ["ann@example.com"]])
def test_an_address_that_is_no_text_is_a_bad_address(address: str) -> None:
    """Tables bring missing addresses in as numbers; the person stands, and is left out with a reason."""
    person = Person(address)
    assert person.key == ""
    assert person.has_address
    with pytest.raises(AddressError, match=f"must be text, got {type(address).__name__}") as caught:
        person.mailbox()
    assert caught.value.code is AddressErrorCode.NO_ADDRESS
    assert caught.value.text == str(address)


def test_a_name_that_a_record_leaves_empty_is_no_name() -> None:
    """None comes from databases; it means the same as an empty text."""
    assert Person("ann@example.com", name=None) == Person("ann@example.com")


def test_related_people_are_one_or_several() -> None:
    """A student has one guardian, or two, or a query's result."""
    mum = Person("mum@example.com")
    assert Person(None, related={"guardian": mum}).related == {"guardian": (mum,)}
    assert Person(None, related={"guardian": iter([mum])}).related == {"guardian": (mum,)}


@pytest.mark.parametrize(
    "related", ["mum@example.com", ["mum@example.com"], [Mailbox("mum@example.com")], None, 5]
)
def test_related_people_are_persons(related: list[Person]) -> None:
    """An address has no key and no name; the error shows how to make a person of it."""
    with pytest.raises(RecipientsError, match=r"got (str|Mailbox|NoneType|int)\.") as caught:
        Person(None, related={"guardian": related})
    assert 'Person("ann@example.com", key="C1001", name="Ann Lee")' in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "who"),
    [
        (
            {"active": "N", "name": "Ann Lee", "key": "C1"},
            "^active= of Ann Lee must be True or False, got 'N'",
        ),
        ({"marketing": "False", "key": "C1"}, "^marketing= of C1 must be True or False, got 'False'"),
        ({"active": ""}, "^active= of a person must be True or False, got ''"),
    ],
)
def test_a_word_is_no_yes_or_no(flags: dict[str, str], who: str) -> None:
    """Python counts every word as a yes, so an export's "N" would be written to against the record."""
    with pytest.raises(RecipientsError, match=who):
        Person(None, **flags)  # type: ignore[arg-type]


@pytest.mark.parametrize("address", [None, 5, b"jo@example.com"])
def test_staff_have_an_address(address: str) -> None:
    """Who writes is typed into the program, not read from a table of students: it must be right."""
    with pytest.raises(TypeError, match=f"got {type(address).__name__}"):
        Staff("Jo Trainer", address)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ann Lee", "Ann", "Lee"),
        ("Lee, Ann", "Ann", "Lee"),
        ("  Lee ,  Ann ", "Ann", "Lee"),
        ("Ann Mary van der Lee", "Ann", "Lee"),
        ("van der Lee, Ann Mary", "Ann Mary", "van der Lee"),
        ("Sukarno", "Sukarno", "Sukarno"),
        ("Sukarno,", "Sukarno", "Sukarno"),
        (", Ann", "Ann", "Ann"),
    ],
)
def test_first_and_last_name_come_from_the_name(name: str, first: str, last: str) -> None:
    """The name "Lee, Ann" is last name first; otherwise the first and the last word; one word is both."""
    fields = merge_fields(Person("<ann@example.com>", name=name))
    assert (fields["first_name"], fields["last_name"]) == (first, last)


@pytest.mark.parametrize("name", ["", "  ", " , ", "\u200b"])
def test_without_a_name_its_fields_are_not_given(name: str) -> None:
    """An empty first name is none: the greeting must not be "Dear ,"."""
    fields = {"first_name": " ", "last_name": None, "name": "", "room": ""}
    person = Person("ann@example.com", name=name, fields=fields)
    assert merge_fields(person) == {"address": "ann@example.com", "room": ""}


def test_a_blank_field_of_a_name_is_made_from_the_name() -> None:
    """The record's own value goes first where there is one."""
    person = Person("ann@example.com", name="Ann Lee", fields={"first_name": "", "last_name": "Ng"})
    assert merge_fields(person)["first_name"] == "Ann"
    assert merge_fields(person)["last_name"] == "Ng"


def test_merge_fields_are_the_standard_ones_and_the_person_s_own_over_them() -> None:
    """name, first_name, last_name and address; a field of the record goes over them."""
    person = Person("ann@example.com", name="Ann Lee", fields={"first_name": "Annie", "course": "Barista"})
    assert merge_fields(person) == {
        "name": "Ann Lee",
        "first_name": "Annie",
        "last_name": "Lee",
        "address": "ann@example.com",
        "course": "Barista",
    }


def test_a_person_without_a_name_is_called_as_their_address_says() -> None:
    """The display name of the address is the best name there is."""
    fields = merge_fields(Person('"Lee, Ann" <ann@example.com>'))
    assert (fields["name"], fields["first_name"]) == ("Lee, Ann", "Ann")


def test_a_person_is_called_as_their_record_says() -> None:
    """What they call themselves in their address is for the header."""
    assert merge_fields(Person('"Annie" <ann@example.com>', name="Ann Lee"))["name"] == "Ann Lee"


def test_a_person_without_an_address_has_no_merge_fields() -> None:
    """Nothing can be merged for somebody who cannot be written to."""
    with pytest.raises(AddressError):
        merge_fields(Person(None, name="Ann Lee"))


@settings(deadline=None)  # a busy machine is not slow code
@given(address=st.none() | st.text(), key=st.text(), name=st.text())
def test_any_record_makes_a_person(address: str | None, key: str, name: str) -> None:
    """Whatever a record holds, the person is made, and the mailbox is there or an AddressError is."""
    person = Person(address, key=key, name=name)
    assert person.key == key or not key
    try:
        mailbox = person.mailbox()
    except AddressError:
        return
    assert person.has_address
    assert person.key
    assert mailbox == person.mailbox()


def test_a_staff_member_is_valid_or_refused() -> None:
    """Staff write mail, so their address must be good, and so must the name beside it."""
    for name, address in (("Jo", "jo"), ("Jo\r\nBcc: eve@example.com", "jo@example.com")):
        with pytest.raises(AddressError):
            Staff(name, address)


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("Jo Trainer", "jo@example.com", '"Jo Trainer" <jo@example.com>'),
        ("Jo Trainer", '"J." <jo@example.com>', '"Jo Trainer" <jo@example.com>'),
        ("", Mailbox("jo@example.com", "J."), '"J." <jo@example.com>'),
    ],
)
def test_a_staff_member_s_mailbox_has_their_name(name: str, address: Mailbox | str, expected: str) -> None:
    """The name of the staff record goes over the one in the address."""
    assert str(Staff(name, address).mailbox()) == expected


def test_a_staff_member_s_key_is_the_host_s_or_the_address() -> None:
    """As for any person."""
    assert Staff("Jo", "jo@EXAMPLE.com").key == "jo@example.com"
    assert Staff("Jo", "jo@example.com", key="S1").key == "S1"


def test_a_staff_member_shows_no_password() -> None:
    """The repr keeps the secret."""
    assert "hidden" not in repr(Staff("Jo", "jo@example.com", login=Login("jo", PlainSecret("hidden"))))


@pytest.mark.parametrize(
    ("given", "key"),
    [
        (1001, "1001"),
        (1001.0, "1001"),
        (0.5, "0.5"),
        (0, "0"),
        (float("inf"), "inf"),
        (None, "ann@example.com"),
        ("", "ann@example.com"),
        (float("nan"), "ann@example.com"),
    ],
)
def test_a_key_may_be_a_number_or_missing(given: str | float | None, key: str) -> None:
    """Hosts number their records; None, and NaN in a table, is what a record without a key gives.

    A table of numbers with one missing holds them as floats: another key would be another mailing's.
    """
    assert Person("ann@example.com", key=given).key == key
    assert Staff("Ann", "ann@example.com", key=given).key == key
