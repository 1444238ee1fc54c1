"""The people of a training organisation: who can be written to, and who writes.

A person is known by their key, never by their address, because families and employers share addresses.
Records hold bad addresses, so a ``Person`` keeps one, and the plan that leaves the person out says why.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

import attrs

from vetmail_core._arguments import naming_the_nearest
from vetmail_core._shown import HALF_A_PAIR, has_surrogate
from vetmail_core.address import Mailbox, parse_mailbox
from vetmail_core.address.lists import as_mailbox
from vetmail_core.address.names import cleaned_name
from vetmail_core.credentials import Login
from vetmail_core.errors import AddressError, AddressErrorCode, RecipientsError, wrong_type

__all__ = ["Person", "Staff", "as_people", "by_role", "is_given", "merge_fields", "no_person"]

_People = TypeVar("_People")

_NAMES: Final = ("name", "first_name", "last_name")
_NO_FIELDS: Final[MappingProxyType[str, object]] = MappingProxyType({})
_NO_RELATED: Final[Mapping[str, tuple[Person, ...]]] = MappingProxyType({})


class _FromAddress(str):
    """A key that was taken from the address, to be taken anew when ``attrs.evolve`` gives another address."""

    __slots__ = ()


def _whole(text: str, *, what: str) -> str:
    if has_surrogate(text):
        raise RecipientsError(f"The {what} {text!r} holds {HALF_A_PAIR}. Read its source as UTF-8.")
    return text


def _key(key: str | float | None) -> str:
    if key is None or isinstance(key, _FromAddress):
        return ""
    # Hosts number their records: the number's digits are the key that it has in a file or a ledger. A table
    # with a gap in its column makes 1001 a 1001.0, and the gap a NaN: the same people keep the same keys.
    if isinstance(key, float):
        return "" if math.isnan(key) else f"{key:.0f}" if key.is_integer() else str(key)
    return _whole(key, what="key") if isinstance(key, str) else str(key)


def _name(name: str | None) -> str:
    return "" if name is None else name


def _read_only(fields: Mapping[str, object]) -> MappingProxyType[str, object]:
    return MappingProxyType(dict(fields)) if fields else _NO_FIELDS


def _read_only_related(
    related: Mapping[str, Iterable[Person] | Person],
) -> Mapping[str, tuple[Person, ...]]:
    if not related:
        return _NO_RELATED
    return MappingProxyType({role: as_people(people) for role, people in by_role(related).items()})


def _as_dict(mapping: Mapping[str, object]) -> str:
    return repr(dict(mapping))


def _read(address: object) -> Mailbox:
    if isinstance(address, Mailbox):
        return address
    if isinstance(address, str):
        return parse_mailbox(address)
    # Tables and databases mark a missing address in ways of their own, such as a float that is not a number.
    raise AddressError(
        f"an e-mail address must be text, got {type(address).__name__}",
        code=AddressErrorCode.NO_ADDRESS,
        text=str(address),
    )


@naming_the_nearest(email="address", mail="address", id="key")
@attrs.frozen
class Person:
    """Someone who can be written to: a student, an employer, a contact, a guardian.

    Building one never fails for a bad address. The address is read once, here; `mailbox` gives the result.

    Attributes:
        address: as the record holds it: a mailbox, a text, or None. "" and None both mean "has none".
        key: the host's identifier, VETtrak's client code. "" takes it from the address, if that is one, so
            two people without a key and with one address are one person: give each their own key. A
            number is taken by its digits.
        name: "Ann Lee" or "Lee, Ann"; None means "". What no header can carry is cleaned out of it where it
            is shown, and told in `warnings`.
        fields: merge field -> value, over those of `merge_fields`.
        related: role -> people ("guardian", "employer_contact", ...), one or several, who may get copies
            of their mail.
        active: False for an archived person or an ended relationship: nothing is sent.
        marketing: False for "Exclude from marketing email/SMS": no marketing mail, all other mail.
        notes: what the source of the record has to say about it, a sentence each; among `warnings`.

    Raises:
        RecipientsError: the key is no whole text, somebody related is not a `Person`, `related` has no
            roles, or `active` or `marketing` is a text.
    """

    address: Mailbox | str | None
    key: str = attrs.field(default="", converter=_key, kw_only=True)
    name: str = attrs.field(default="", converter=_name, kw_only=True)
    fields: MappingProxyType[str, object] = attrs.field(
        default=_NO_FIELDS, converter=_read_only, kw_only=True, hash=False, repr=_as_dict
    )
    related: Mapping[str, tuple[Person, ...]] = attrs.field(
        default=_NO_RELATED, converter=_read_only_related, kw_only=True, hash=False, repr=_as_dict
    )
    active: bool = attrs.field(default=True, kw_only=True)
    marketing: bool = attrs.field(default=True, kw_only=True)
    notes: tuple[str, ...] = attrs.field(
        default=(), converter=tuple[str, ...], kw_only=True, eq=False, repr=False
    )
    # Read once: a list of a million people is planned twice, for the preview and for the run.
    _mailbox: Mailbox | None = attrs.field(init=False, eq=False, repr=False, default=None)
    _said: tuple[str, ...] = attrs.field(init=False, eq=False, repr=False, default=())

    def __attrs_post_init__(self) -> None:
        if isinstance(self.active, str) or isinstance(self.marketing, str):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise _no_yes_or_no(self)
        name, said = cleaned_name(self.name) if self.name else ("", ())
        address = self.address
        if address is not None and address != "":
            try:
                mailbox = _read(address)
            except AddressError:
                pass  # the record stays as it is; `mailbox` says what is wrong
            else:
                if mailbox.note:
                    said = (*said, f'"({mailbox.note})" beside the address is a note, not part of it')
                if name and (mailbox.note or not mailbox.display_name):
                    mailbox = Mailbox(mailbox.addr_spec, name)
                object.__setattr__(self, "_mailbox", mailbox)
                if not self.key:
                    object.__setattr__(self, "key", _FromAddress(mailbox.address_key))
        object.__setattr__(self, "_said", said)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What somebody should look at, in plain sentences; none of it keeps the person from their mail."""
        said = self.notes + self._said
        return said if self._mailbox is None else said + self._mailbox.warnings

    @property
    def has_address(self) -> bool:
        """Whether the record holds anything where the address belongs; it may still be a bad one."""
        return self.address is not None and str(self.address).strip() != ""

    def mailbox(self) -> Mailbox:
        """The address to write to; its display name is the address's own, else `name`, else a comment's.

        Raises:
            AddressError: the record holds no address, or one that cannot be written to.
        """
        if self._mailbox is not None:
            return self._mailbox
        if not self.has_address:
            raise AddressError(
                f"{self.name or self.key or 'This person'} has no e-mail address; enter one in their record",
                code=AddressErrorCode.EMPTY,
                text="",
            )
        # Read again, for the error that says what is wrong and where.
        return _read(self.address)

    def __reduce__(self) -> tuple[functools.partial[Person], tuple[()]]:
        # A read-only mapping cannot be pickled or deep-copied, so a plain one travels and is wrapped again.
        plain = functools.partial(
            Person,
            self.address,
            key=self.key,
            name=self.name,
            fields=dict(self.fields),
            related=dict(self.related),
            active=self.active,
            marketing=self.marketing,
            notes=self.notes,
        )
        return plain, ()


def _no_yes_or_no(person: Person) -> RecipientsError:
    # Exports write such columns as words, and Python counts every word as a yes: "N" would be written to.
    name = "active" if isinstance(person.active, str) else "marketing"  # pyright: ignore[reportUnnecessaryIsInstance] - as above
    return RecipientsError(
        f"{name}= of {person.name or person.key or 'a person'} must be True or False, got "
        f'{getattr(person, name)!r}. Convert it first: {name}=value == "Y".'
    )


def no_person(value: object) -> TypeError:
    """Make the error for something that is not a person; an address alone has no key and no name."""
    return wrong_type(
        "people=",
        "Person values",
        value,
        'Make one of each record: Person("ann@example.com", key="C1001", name="Ann Lee").',
        error=RecipientsError,
    )


def as_people(value: Iterable[Person] | Person) -> tuple[Person, ...]:
    """Take one person or several.

    Raises:
        RecipientsError: one of them is not a person.
    """
    if isinstance(value, Person):
        return (value,)
    if not isinstance(value, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise no_person(value)
    people = tuple(value)
    for one in people:
        if not isinstance(one, Person):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise no_person(one)
    return people


def by_role(people: Mapping[str, _People]) -> Mapping[str, _People]:
    """Take people by their roles as they are.

    Raises:
        RecipientsError: they are no mapping, so nothing says which role they hold; or a role is no whole
            text.
    """
    if not isinstance(people, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            "people_by_role=",
            "a mapping of roles to people",
            people,
            'Say which role they hold: {"client": [Person(...)]}.',
            error=RecipientsError,
        )
    for role in people:
        _whole(str(role), what="role")
    return people


def _own_login(_instance: object, _attribute: object, login: Login | None) -> None:
    if login is not None and not isinstance(login, Login):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            "Staff(login=...)",
            "a Login",
            login,
            'Write login=Login("kim@example.com", EnvironmentSecret("NAME")).',
        )


@attrs.frozen
class Staff:
    """A staff member who sends mail.

    Attributes:
        name: shown as the sender's name when the preferences say so; None means "".
        address: the e-mail address of the staff record.
        key: the host's identifier; "" takes it from the address.
        login: the Email Username and Password of the staff record; None when it has none.

    Raises:
        AddressError: the address, or the name beside it, is not valid in a header.
        TypeError: the address is not text, or the login is not a `Login`.
    """

    name: str = attrs.field(converter=_name)
    address: Mailbox = attrs.field(converter=as_mailbox)
    key: str = attrs.field(default="", converter=_key, kw_only=True)
    login: Login | None = attrs.field(default=None, kw_only=True, validator=_own_login)
    _mailbox: Mailbox = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        mailbox = Mailbox(self.address.addr_spec, self.name) if self.name else self.address
        object.__setattr__(self, "_mailbox", mailbox)
        if not self.key:
            object.__setattr__(self, "key", _FromAddress(mailbox.address_key))

    def mailbox(self) -> Mailbox:
        """The staff member's own address under their name."""
        return self._mailbox


def merge_fields(person: Person) -> dict[str, object]:
    """What ``${...}`` can say about a person: name, first_name, last_name, address, then their own fields.

    "Lee, Ann" gives Ann and Lee; otherwise first_name is the first word and last_name the last, and a single
    name is both. A field of these three that is blank counts as none: without a name to make them from they
    are not given at all.

    Raises:
        AddressError: the person has no usable address.
    """
    mailbox = person.mailbox()
    merged: dict[str, object] = {}
    name = cleaned_name(person.name)[0] or mailbox.display_name
    if name.strip(", "):
        if "," in name:
            last, _, first = name.partition(",")
            first, last = first.strip(), last.strip()
        else:
            words = name.split()
            first, last = words[0], words[-1]
        merged = {"name": name, "first_name": first or last, "last_name": last or first}
    merged["address"] = mailbox.addr_spec
    for field, value in person.fields.items():
        if field not in _NAMES or is_given(value):
            merged[field] = value
    return merged


def is_given(value: object) -> bool:
    """True if the value of a merge field says something: it is neither None nor blank."""
    return value is not None and (not isinstance(value, str) or value.strip() != "")
