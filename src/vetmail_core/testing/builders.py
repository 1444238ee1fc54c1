"""People, preferences, content and emails that are valid as they are; change what the test is about.

The same call always gives the same value, and what a builder gives is valid everywhere in the library.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from vetmail_core.address import Mailbox, parse_mailbox_list
from vetmail_core.message import Content, Email
from vetmail_core.people import Person, Staff
from vetmail_core.preferences import EmailPreferences, MailServer, Settings
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from vetmail_core.contexts import RecipientType
    from vetmail_core.credentials import Login
    from vetmail_core.message import Attachment

__all__ = ["a_staff_member", "a_student", "an_employer", "content", "email", "preferences"]

_DOMAIN: Final = "example.com"
_SENDER: Final = "office@example.com"

_Who = Mailbox | str
_People = str | Mailbox | Iterable[str | Mailbox]


class _PersonChanges(TypedDict, total=False):
    key: str
    fields: Mapping[str, object]
    related: Mapping[str, tuple[Person, ...]]
    active: bool
    marketing: bool


def a_student(name: str = "Sam", address: _Who | None = "", **changes: Unpack[_PersonChanges]) -> Person:
    """A student.

    Args:
        name: "Sam", "Sam Lee"; the address follows from it.
        address: "" is the first name at example.com; None is a record without one.
        **changes: whatever else `Person` takes.

    >>> print(a_student("Sam Lee").mailbox())
    "Sam Lee" <sam@example.com>
    """
    return Person(_address(name, address), name=name, **changes)


def an_employer(
    name: str = "Brick & Co", address: _Who | None = "", **changes: Unpack[_PersonChanges]
) -> Person:
    """An employer.

    Args:
        name: the organisation's.
        address: "" is accounts@ at a domain made of the name; None is a record without one.
        **changes: whatever else `Person` takes.

    >>> print(an_employer().mailbox())
    "Brick & Co" <accounts@brick-co.example>
    """
    if address == "":
        address = f"accounts@{_slug(name, 'employer')}.example"
    return Person(address, name=name, **changes)


def a_staff_member(
    name: str = "Trainer Kim", address: _Who = "", *, key: str = "", login: Login | None = None
) -> Staff:
    """A staff member.

    Args:
        name: theirs; the address follows from its last word.
        address: "" is that word at example.com.
        key: the host's identifier.
        login: their own e-mail login.

    >>> print(a_staff_member().mailbox())
    "Trainer Kim" <kim@example.com>
    """
    last = name.rsplit(maxsplit=1)[-1] if name.split() else ""
    return Staff(name, address or f"{_slug(last, 'staff')}@{_DOMAIN}", key=key, login=login)


def preferences(
    *,
    use_built_in_client: bool = True,
    mail_server: MailServer | None = None,
    settings: Settings | None = None,
    contexts: Mapping[str, Mapping[str, RecipientType]] | None = None,
) -> EmailPreferences:
    """Preferences of an organisation that sends by its own server, from office@example.com.

    Args:
        use_built_in_client: False for an organisation that sends by its mail program.
        mail_server: the mail server tab.
        settings: the settings tab.
        contexts: the email context tab.
    """
    return EmailPreferences(
        use_built_in_client=use_built_in_client,
        mail_server=mail_server or MailServer(host="mail.example.com"),
        settings=settings or Settings(default_from=Mailbox(_SENDER, "Student Office")),
        contexts=contexts or {},
    )


def content(
    subject: str = "Your class moved",
    text: str = "It is in room 7 now.\n",
    *,
    html: str = "",
    attachments: Iterable[Attachment] = (),
) -> Content:
    """What is read.

    Args:
        subject: one line.
        text: the plain text.
        html: the same for programs that show it.
        attachments: files.
    """
    return Content(subject, text, html=html, attachments=attachments)


class _EmailChanges(TypedDict, total=False):
    reply_to: Iterable[Mailbox]
    key: str
    message_id: str
    date: datetime | None
    headers: Mapping[str, str]


def email(
    to: _People = "sam@example.com",
    *,
    cc: _People = (),
    bcc: _People = (),
    subject: str = "Your class moved",
    text: str = "It is in room 7 now.\n",
    html: str = "",
    attachments: Iterable[Attachment] = (),
    recipients: Recipients | None = None,
    content: Content | None = None,
    sender: _Who = _SENDER,
    **changes: Unpack[_EmailChanges],
) -> Email:
    """An email, ready for a transport.

    Args:
        to: a mailbox, several in one text with ";" between them, or an iterable.
        cc: likewise.
        bcc: likewise.
        subject: of the content, unless that is given.
        text: likewise.
        html: likewise.
        attachments: likewise.
        recipients: who gets it, instead of the three.
        content: what is read, instead of the four.
        sender: From.
        **changes: whatever else `Email` takes.

    >>> email("sam@example.com; pat@example.com", bcc="audit@example.org").recipients.bcc[0].addr_spec
    'audit@example.org'
    """
    return Email(
        sender=Mailbox(sender) if isinstance(sender, str) else sender,
        recipients=Recipients(_listed(to), _listed(cc), _listed(bcc)) if recipients is None else recipients,
        content=content or Content(subject, text, html=html, attachments=attachments),
        **changes,
    )


def _listed(people: _People) -> tuple[Mailbox | str, ...]:
    if isinstance(people, str):
        return parse_mailbox_list(people)
    return (people,) if isinstance(people, Mailbox) else tuple(people)


def _slug(words: str, otherwise: str) -> str:
    # Zoë is zoe@, not zo@: accents are taken off their letters.
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain.lower())) or otherwise


def _address(name: str, address: _Who | None) -> _Who | None:
    if address != "":
        return address
    first = name.split(maxsplit=1)[0] if name.split() else ""
    return f"{_slug(first, 'student')}@{_DOMAIN}"
