"""An email as a mailto link (RFC 6068).

Only `to`, `cc`, `bcc`, `subject` and `body`, each once, written in `[A-Za-z0-9-._~%@,;?&=:]` alone. What a
link cannot carry (attachments, formatted text alone, an address in quotes, control characters) is refused
and never stripped.

One encoder serves all: UTF-8, every character percent-encoded but letters, digits and `-._~`. So a space is
`%20`, a plus `%2B`, a comma in a text `%2C`; only the `@` of an address and the separator of a list stand
raw, because programs look for them before they decode. The body comes last: a program that cuts a link
cuts text, not a recipient.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import attrs

from vetmail_core.errors import MessageError, TransportError, TransportValueError
from vetmail_core.transports.mailto.controls import refuse_control_characters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.address import Mailbox
    from vetmail_core.message import Email

__all__ = ["Obstacle", "check_separator", "checked_uri", "mailto_uri", "obstacle"]

_ALPHABET: Final = re.compile(r"mailto:[A-Za-z0-9\-._~%@,;?&=:]*")
# U+000B and U+000C end a line too: no program shows them, and a soft line break of Word is a line break.
_LINE_END: Final = re.compile(r"\r\n|\r|\n|\x0b|\x0c")


@attrs.frozen
class Obstacle:
    """Something that keeps an email from being opened in one form.

    Attributes:
        why: as it follows "because it": "has attachments".
        instead: what its sender can do to the email itself: "leave the attachments out".
    """

    why: str
    instead: str


def mailto_uri(email: Email, *, separator: str = ";") -> str:
    """Write an email as a mailto link.

    Pure, and of any length: whether a mail program takes a link that long is for the caller to decide,
    as `MailtoTransport` does. Display names, Reply-To and further headers have no place in a link, nor has
    HTML that stands beside a text.

    Example:
        >>> from vetmail_core import Content, Email, Mailbox, Recipients, mailto_uri
        >>> mailto_uri(
        ...     Email(
        ...         sender=Mailbox("office@example.com"),
        ...         recipients=Recipients(to=["sam@example.com", "pat@example.com"], bcc="audit@example.org"),
        ...         content=Content("Your class moved", "Room 7 & 8"),
        ...     )
        ... )
        'mailto:sam@example.com;pat@example.com?bcc=audit@example.org&subject=Your%20class%20moved&body=Room%207%20%26%208'

    Args:
        email: what to write.
        separator: ";" or ",", the preferences' "Email address separator".

    Returns:
        The link, ASCII.

    Raises:
        MessageError: it has attachments, HTML without a text, an address in quotes or a control character
            other than U+000B and U+000C, which become line ends.
        TransportError: another separator.
    """
    check_separator(separator)
    refuse_control_characters(email.content)
    hindrance = obstacle(email)
    if hindrance is not None:
        raise MessageError(
            f'The email "{email.content.subject}" cannot be written as a mailto link, because it'
            f" {hindrance.why}. Use MailtoTransport, which makes a draft file of it, or {hindrance.instead}."
        )
    recipients = email.recipients
    fields = (
        ("cc", _addresses(recipients.cc, separator)),
        ("bcc", _addresses(recipients.bcc, separator)),
        ("subject", quote(email.content.subject, safe="")),
        ("body", quote(_LINE_END.sub("\r\n", email.content.text), safe="")),
    )
    query = "&".join([f"{name}={value}" for name, value in fields if value])
    to = _addresses(recipients.to, separator)
    return f"mailto:{to}?{query}" if query else f"mailto:{to}"


def obstacle(email: Email) -> Obstacle | None:
    """What no link can carry, whatever the program; None when there is nothing."""
    content = email.content
    if content.attachments:
        return Obstacle("has attachments", "leave the attachments out")
    if content.invitation is not None:
        return Obstacle("has a calendar invitation", "leave the invitation out")
    if content.html and not content.text:
        return Obstacle("has formatted text (HTML) alone", "give it a plain text too")
    for mailbox in email.recipients.all:
        if mailbox.local_part.startswith('"'):
            return Obstacle(
                f"has an address in quotes, {mailbox.addr_spec}", "write to that person at another address"
            )
    return None


def check_separator(separator: str) -> None:
    """Refuse what does not separate addresses in a link.

    Raises:
        TransportValueError: neither ";" nor ",".
    """
    if separator not in {";", ","}:
        raise TransportValueError(
            f'The separator of addresses in a mailto link is ";" or ",", not {separator!r}.'
            ' Set "Email address separator" in Email preferences > Settings to one of them.'
        )


def checked_uri(uri: str) -> str:
    """The link itself, looked at once more just before it leaves.

    Raises:
        TransportError: a character that no link of ours holds.
    """
    if _ALPHABET.fullmatch(uri) is None:
        raise TransportError(
            "A mailto link holds a character that a mail program or the system could take for a command;"
            " it was not opened. Please report this with the recipients and the subject."
        )
    return uri


def _addresses(mailboxes: Iterable[Mailbox], separator: str) -> str:
    return separator.join(
        [f"{quote(one.local_part, safe='')}@{quote(one.ascii_domain, safe='')}" for one in mailboxes]
    )
