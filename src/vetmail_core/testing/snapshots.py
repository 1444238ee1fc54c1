"""Whole emails held against an approved file.

A new or changed text fails until somebody has looked and approved it. What differs from run to run (Date,
Message-ID, boundaries) is made plain, and nothing else.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from contextvars import ContextVar
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Generator

    from vetmail_core.message import Email

__all__ = ["approve", "approving", "normalise", "render"]

# The files that this run has approved; None where a person has to.
_APPROVED: Final[ContextVar[list[Path] | None]] = ContextVar("approved", default=None)

_HEADER: Final = re.compile(
    rb"^(Date|Message-ID):[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE
)
_BOUNDARY: Final = re.compile(rb"boundary=\"?([^\"\r\n;]+)\"?", re.IGNORECASE)
_PLAIN: Final = {b"date": b"Date: (date)", b"message-id": b"Message-ID: (message id)"}


def normalise(data: bytes) -> bytes:
    r"""The bytes of a message with Date, Message-ID and boundaries made plain, lines ending in LF.

    Args:
        data: a message as on the wire, or as a file.

    >>> normalise(b"Date: Mon, 2 Mar 2026 09:00:00 +0000\r\nSubject: Hi\r\n\r\nText\r\n")
    b'Date: (date)\nSubject: Hi\n\nText\n'
    """
    head, gap, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    head = _HEADER.sub(lambda found: _PLAIN[found[1].lower()], head)
    whole = head + gap + body
    for number, boundary in enumerate(dict.fromkeys(_BOUNDARY.findall(whole)), start=1):
        whole = whole.replace(boundary, b"(boundary %d)" % number)
    return whole


def render(email: Email | bytes) -> str:
    """A message as a person would check it: who, what, and each part; the same on every run.

    Args:
        email: an email, rendered with its BCC, as this is for the sender's eyes; or the bytes a server got.
            Date and Message-ID do not show.

    Returns:
        Text that ends with a line end.

    >>> from vetmail_core.testing import email
    >>> print(render(email(bcc="audit@example.org")), end="")
    From: office@example.com
    To: sam@example.com
    Bcc: audit@example.org
    Subject: Your class moved
    <BLANKLINE>
    --- text ---
    It is in room 7 now.
    """
    lines = _lines_of_bytes(email) if isinstance(email, bytes) else _lines_of_email(email)
    return "\n".join(lines) + "\n"


def approve(path: Path | str, got: str | bytes | Email) -> None:
    """Hold a text against the approved one in a file.

    What differs, or was never approved, is written beside it as ``<name>.received``. Look at it; to approve,
    rename it over the file. ``pytest --vetmail-approve`` approves all that a run comes to, and lists them.

    Args:
        path: the approved file, UTF-8, kept with the tests.
        got: a text; an email, which is rendered; or the bytes of a message, which are normalised.

    Raises:
        AssertionError: it is not what was approved; says where they differ.
    """
    approved = Path(path)
    received = approved.with_name(f"{approved.name}.received")
    if isinstance(got, bytes):
        text = normalise(got).decode("utf-8", "backslashreplace")
    else:
        text = got if isinstance(got, str) else render(got)
    wanted = approved.read_bytes().decode().replace("\r\n", "\n") if approved.exists() else ""
    if approved.exists() and text == wanted:
        received.unlink(missing_ok=True)
        return
    changed = _APPROVED.get()
    if changed is not None:
        approved.write_bytes(text.encode())
        received.unlink(missing_ok=True)
        changed.append(approved)
        return
    received.write_bytes(text.encode())
    what = "is not what was approved" if approved.exists() else "was never approved"
    difference = difflib.unified_diff(
        wanted.splitlines(), text.splitlines(), approved.name, received.name, lineterm=""
    )
    raise AssertionError(
        "\n".join(
            [
                f"this email {what}.",
                *difference,
                f"hint: if it is right now, rename {received.name} to {approved.name} in {approved.parent}",
                "or approve all that a run comes to: pytest --vetmail-approve",
            ]
        )
    )


@contextlib.contextmanager
def approving() -> Generator[list[Path]]:
    """Approve whatever `approve` is given within the block, in this thread.

    Yields:
        The files that were written, as they come.
    """
    changed: list[Path] = []
    token = _APPROVED.set(changed)
    try:
        yield changed
    finally:
        _APPROVED.reset(token)


def _lines_of_email(email: Email) -> list[str]:
    recipients = email.recipients
    lines = [f"From: {email.sender}"]
    for name, people in (
        ("Reply-To", email.reply_to),
        ("To", recipients.to),
        ("Cc", recipients.cc),
        ("Bcc", recipients.bcc),
    ):
        if people:
            lines.append(f"{name}: {'; '.join(map(str, people))}")
    lines += [f"{name}: {value}" for name, value in sorted(email.headers.items())]
    lines.append(f"Subject: {email.content.subject}")
    for name, part in (("text", email.content.text), ("html", email.content.html)):
        if part:
            lines += _part(name, part)
    for attachment in email.content.attachments:
        lines += _attachment(attachment.filename, attachment.media_type, len(attachment.data))
    return lines


def _lines_of_bytes(data: bytes) -> list[str]:
    message = message_from_bytes(data, policy=policy.default)
    names = ("From", "Reply-To", "To", "Cc", "Bcc", "Subject")
    lines = [f"{name}: {message[name]}" for name in names if message[name] is not None]
    for part in message.walk():
        kind = part.get_content_type()
        if part.is_multipart():
            continue
        if part.get_content_disposition() == "attachment":
            octets = cast("bytes", part.get_payload(decode=True))
            lines += _attachment(part.get_filename(""), kind, len(octets))
        else:
            name = "text" if kind == "text/plain" else kind.removeprefix("text/")
            lines += _part(name, str(part.get_content()))
    return lines


def _part(name: str, text: str) -> list[str]:
    return ["", f"--- {name} ---", text.replace("\r\n", "\n").removesuffix("\n")]


def _attachment(filename: str, kind: str, octets: int) -> list[str]:
    return ["", f"--- attachment {filename} ({kind}, {octets} octets) ---"]
