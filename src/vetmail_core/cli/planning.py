"""From what was typed to a plan.

Whatever is wrong with the files and options is told here, in one sentence, before anything is written or
sent. An option that would have no effect is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vetmail_core.address import parse_mailbox, parse_mailbox_list
from vetmail_core.contexts import ROLE_LABELS, STANDARD_CONTEXTS, RecipientType
from vetmail_core.credentials import EnvironmentSecret, Login
from vetmail_core.errors import AddressError, MergeError, RecipientsError, VetmailError
from vetmail_core.message import Attachment, Content
from vetmail_core.people import Person, Staff
from vetmail_core.people_file import read_people
from vetmail_core.transports import EmlTransport, MailtoTransport, RedirectAll, transport_for

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from vetmail_core.address import Mailbox
    from vetmail_core.bulk import BulkPlan, PlanSummary
    from vetmail_core.clock import Clock
    from vetmail_core.mailer import Mailer
    from vetmail_core.message import Email
    from vetmail_core.people_file import PeopleFile
    from vetmail_core.preferences import EmailPreferences
    from vetmail_core.transports import Transport

__all__ = [
    "NothingTriedError",
    "check_written",
    "nobody",
    "one_email_of",
    "people_of",
    "plan_of",
    "redirected",
    "staff_of",
    "token_of",
    "transport_of",
]


class NothingTriedError(VetmailError):
    """The command could not begin: the sentence is the one line for stderr."""


def staff_of(arguments: argparse.Namespace) -> Staff | None:
    """The staff member that the arguments describe, if any.

    Raises:
        NothingTriedError: they contradict themselves, or name no mailbox.
    """
    username, variable = arguments.staff_username, arguments.staff_password_environment
    if bool(username) != bool(variable) or (username and arguments.staff is None):
        raise NothingTriedError(
            "expected --staff-username and --staff-password-environment together, beside --staff;"
            " a login needs all three"
        )
    if arguments.staff is None:
        return None
    try:
        mailbox = parse_mailbox(arguments.staff)
    except AddressError as error:
        raise NothingTriedError(f"--staff {arguments.staff}: {error}") from error
    login = Login(username, EnvironmentSecret(variable)) if username else None
    return Staff(mailbox.display_name or mailbox.local_part, mailbox, login=login)


def token_of(arguments: argparse.Namespace) -> Callable[[], str] | None:
    """Where the OAuth access token comes from, if the arguments say so."""
    if arguments.token_environment is None:
        return None
    return EnvironmentSecret(arguments.token_environment).reveal


def transport_of(
    arguments: argparse.Namespace,
    preferences: EmailPreferences,
    staff: Staff | None,
    *,
    clock: Clock | None = None,
) -> Transport:
    """Where the emails are to go. Nothing is opened or written yet.

    Args:
        arguments: as typed.
        preferences: the organisation's.
        staff: who sends.
        clock: asked for every wait; None for the machine's own.

    Raises:
        VetmailError: with ``--live``, the preferences lead nowhere.
    """
    windows = arguments.max_windows
    if windows is not None:
        if not arguments.live or preferences.use_built_in_client:
            raise NothingTriedError(
                f"--max-windows {windows}: needs --live and the built-in client off in the preferences,"
                " because nothing else opens windows; leave it out"
            )
        return MailtoTransport(separator=preferences.settings.address_separator, max_windows=windows)
    if arguments.live:
        return transport_for(preferences, staff=staff, token=token_of(arguments), clock=clock)
    return EmlTransport(arguments.outbox)


def people_of(arguments: argparse.Namespace) -> PeopleFile:
    """Look the people file over.

    Raises:
        VetmailError: it cannot be used, or nobody is in it.
    """
    columns: dict[str, str] = {}
    for entry in arguments.column:
        field, equals, title = entry.partition("=")
        if not (field.strip() and equals and title.strip()):
            raise NothingTriedError(
                f'--column {entry}: expected FIELD="Title in the file", such as address="E-mail Address"'
            )
        columns[field.strip()] = title
    people = read_people(arguments.people, columns=columns, encoding=arguments.encoding)
    if people.size == 0:
        raise NothingTriedError(
            f"{arguments.people}: expected at least one person under the column titles, found none"
        )
    return people


def check_written(arguments: argparse.Namespace, option: str, path: Path | None) -> None:
    """Refuse to write over a file that is read.

    Args:
        arguments: as typed.
        option: which names the file to write.
        path: that file; None when there is none.

    Raises:
        NothingTriedError: it is read too.
    """
    read = (arguments.people, arguments.text, arguments.html, arguments.preferences, *arguments.attach)
    if path is not None and path.resolve() in {one.resolve() for one in read if one is not None}:
        raise NothingTriedError(f"{option} {path}: is read as well; give it a name of its own")


def plan_of(arguments: argparse.Namespace, mailer: Mailer, people: PeopleFile) -> BulkPlan:
    """Read the other files and make the plan.

    Raises:
        VetmailError: something that was typed, or a file, cannot be used.
    """
    preferences = mailer.preferences
    if arguments.ledger is not None and not arguments.batch:
        raise NothingTriedError(
            f"--ledger {arguments.ledger}: expected --batch ID beside it;"
            " a ledger knows an e-mail again by the name of its mailing and the person's key"
        )
    _check_context(arguments.context, preferences)
    return mailer.plan_bulk(
        _content(arguments),
        people.people,
        cc=_typed("--cc", arguments.cc, preferences),
        bcc=_typed("--bcc", arguments.bcc, preferences),
        context=arguments.context,
        shared=_shared(arguments, preferences),
        marketing=arguments.marketing,
        batch=arguments.batch,
        headers=_headers(arguments.header),
        unsubscribe=arguments.unsubscribe,
        suppressed=vars(arguments).get("suppressed"),
    )


def one_email_of(plan: BulkPlan) -> Email:
    """The one email to everybody that ``--one-email`` asks for.

    Raises:
        VetmailError: the texts have merge fields, or the context is private.
    """
    try:
        return plan.as_one_email()
    except MergeError as error:
        raise NothingTriedError(
            f'--one-email: everybody reads the very same, and the field "{error.field}" of the texts differs'
            " from person to person; take it out, or leave out --one-email"
        ) from error
    except RecipientsError as error:
        raise NothingTriedError(
            "--one-email: the e-mail of a private context is for one person; leave out --one-email"
        ) from error


def redirected(arguments: argparse.Namespace, transport: Transport) -> Transport:
    """The transport, or one that sends everything to the address of ``--redirect``.

    Raises:
        NothingTriedError: there is a ledger beside it, or it is not an address.
    """
    if arguments.redirect is None:
        return transport
    if arguments.ledger is not None:
        raise NothingTriedError(
            "--redirect sends everybody's e-mail to one address, which no ledger should take for the "
            "mailing; leave --ledger out"
        )
    try:
        return RedirectAll(transport, arguments.redirect)
    except AddressError as error:
        raise NothingTriedError(f"--redirect {arguments.redirect}: {error}") from error


def _headers(entries: Iterable[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for entry in entries:
        name, colon, value = entry.partition(":")
        name = name.strip()
        if not (name and colon):
            raise NothingTriedError(f'--header {entry}: expected "NAME: VALUE", such as "Precedence: bulk"')
        if name.casefold() in map(str.casefold, headers):
            raise NothingTriedError(f"--header {entry}: {name} is given twice; write one of them")
        headers[name] = value.strip()
    return headers


def nobody(summary: PlanSummary) -> NothingTriedError:
    """The error for a plan without an email."""
    reasons = ", ".join(
        f"{count} {reason.value.replace('_', ' ')}" for reason, count in summary.exclusions.items()
    )
    return NothingTriedError(
        f"nobody to write to: everybody is left out ({reasons}); see `preview` for who and why"
    )


def _content(arguments: argparse.Namespace) -> Content:
    return Content(
        arguments.subject,
        _read(arguments.text),
        html=_read(arguments.html) if arguments.html else "",
        attachments=tuple(_attachment(path) for path in arguments.attach),
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NothingTriedError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise NothingTriedError(
            f"{path}: expected text in UTF-8, found byte 0x{error.object[error.start]:02x} at {error.start}; "
            "save the file as UTF-8"
        ) from error


def _attachment(path: Path) -> Attachment:
    try:
        return Attachment.from_path(path)
    except OSError as error:
        raise NothingTriedError(f"{path}: cannot be attached: {error.strerror or error}") from error


def _typed(option: str, texts: Iterable[str], preferences: EmailPreferences) -> tuple[Mailbox, ...]:
    mailboxes: list[Mailbox] = []
    for text in texts:
        try:
            mailboxes += parse_mailbox_list(text, separator=preferences.settings.address_separator)
        except AddressError as error:
            raise NothingTriedError(f"{option} {text}: {error}") from error
    return tuple(mailboxes)


def _check_context(context: str | None, preferences: EmailPreferences) -> None:
    """A library accepts a host's own contexts; of a word that was typed, a slip is likelier."""
    known = {**STANDARD_CONTEXTS, **preferences.contexts}
    if context is not None and context not in known:
        raise NothingTriedError(f"--context {context}: expected one of {', '.join(sorted(known))}")


def _shared(arguments: argparse.Namespace, preferences: EmailPreferences) -> dict[str, tuple[Person, ...]]:
    shared: dict[str, tuple[Person, ...]] = {}
    for entry in arguments.role:
        role, equals, text = entry.partition("=")
        if not equals or arguments.context is None:
            raise NothingTriedError(
                f"--role {entry}: expected ROLE=MAILBOXES beside a --context, "
                "for example --context occurrence_class --role class_staff=kim@example.com"
            )
        types = preferences.recipient_types(arguments.context)
        if types.get(role, RecipientType.NONE) is RecipientType.NONE:
            copied = [name for name, kind in types.items() if kind is not RecipientType.NONE] or ["nobody"]
            why = "copy nobody of that role" if role in {**ROLE_LABELS, **types} else "know no such role"
            raise NothingTriedError(
                f"--role {entry}: the preferences {why} in {arguments.context}; they write to "
                f"{', '.join(copied)}"
            )
        people = (
            Person(mailbox, name=mailbox.display_name) for mailbox in _typed("--role", [text], preferences)
        )
        shared[role] = (*shared.get(role, ()), *people)
    return shared
