"""``send`` and ``preview``: one plan, shown or carried out.

What it is for: the main job from a shell. What it refuses: to write anything before the whole plan has
been walked once without a mistake. Its law: preview and send run the same plan.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vetmail_core.address import parse_mailbox, parse_mailbox_list
from vetmail_core.cli.people_file import PeopleFile
from vetmail_core.cli.show import ProgressLine, Rows, plain
from vetmail_core.credentials import EnvironmentSecret, Login
from vetmail_core.errors import AddressError, VetmailError
from vetmail_core.ledger import SqliteLedger
from vetmail_core.mailer import Mailer, Progress, RunInterrupted
from vetmail_core.message import Attachment, Content
from vetmail_core.people import Person, Staff
from vetmail_core.preferences import load_preferences
from vetmail_core.receipts import Status
from vetmail_core.recipients import Exclusion, ExclusionReason
from vetmail_core.transports import EmlTransport, transport_for

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from vetmail_core.address import Mailbox
    from vetmail_core.bulk import BulkPlan
    from vetmail_core.message import Email
    from vetmail_core.preferences import EmailPreferences
    from vetmail_core.receipts import Receipt, Report
    from vetmail_core.transports import Transport

__all__ = ["NothingTriedError", "preview", "send", "staff_of", "token_of"]

_COLUMNS = (("#", 5), ("to", 44), ("copies", 40), ("outcome", 10))


class NothingTriedError(VetmailError):
    """The command could not begin: the sentence is the one line for stderr."""


def staff_of(arguments: argparse.Namespace) -> Staff | None:
    """The staff member that the arguments describe, if any."""
    if arguments.staff is None:
        return None
    try:
        mailbox = parse_mailbox(arguments.staff)
    except AddressError as error:
        raise NothingTriedError(f"--staff {arguments.staff}: {error}") from error
    login = None
    if arguments.staff_username and arguments.staff_password_environment:
        login = Login(arguments.staff_username, EnvironmentSecret(arguments.staff_password_environment))
    return Staff(mailbox.display_name or mailbox.local_part, mailbox, login=login)


def token_of(arguments: argparse.Namespace) -> Callable[[], str] | None:
    """Where the OAuth access token comes from, if the arguments say so."""
    if arguments.token_environment is None:
        return None
    return EnvironmentSecret(arguments.token_environment).reveal


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


def _content(arguments: argparse.Namespace) -> Content:
    return Content(
        arguments.subject,
        _read(arguments.text),
        html=_read(arguments.html) if arguments.html else "",
        attachments=tuple(_attachment(path) for path in arguments.attach),
    )


def _shared(arguments: argparse.Namespace, preferences: EmailPreferences) -> dict[str, tuple[Person, ...]]:
    shared: dict[str, tuple[Person, ...]] = {}
    for entry in arguments.role:
        role, equals, text = entry.partition("=")
        if not equals or arguments.context is None:
            raise NothingTriedError(
                f"--role {plain(entry)}: expected ROLE=MAILBOXES beside a --context, "
                "for example --context occurrence_class --role class_staff=kim@example.com"
            )
        mailboxes = _typed("--role", text, preferences)
        shared[role] = tuple(Person(mailbox, name=mailbox.display_name) for mailbox in mailboxes)
    return shared


def _typed(option: str, text: str, preferences: EmailPreferences) -> tuple[Mailbox, ...]:
    try:
        return parse_mailbox_list(text, separator=preferences.settings.address_separator)
    except AddressError as error:
        raise NothingTriedError(f"{option} {text}: {error}") from error


def _plan(arguments: argparse.Namespace, mailer: Mailer, preferences: EmailPreferences) -> BulkPlan:
    people = PeopleFile(arguments.people)
    if people.checked() == 0:
        raise NothingTriedError(
            f"{arguments.people}: expected at least one person under the column titles, found none"
        )
    return mailer.plan_bulk(
        _content(arguments),
        people,
        cc=[mailbox for text in arguments.cc for mailbox in _typed("--cc", text, preferences)],
        bcc=[mailbox for text in arguments.bcc for mailbox in _typed("--bcc", text, preferences)],
        context=arguments.context,
        shared=_shared(arguments, preferences),
        batch=arguments.batch,
    )


def _copies(email: Email) -> str:
    recipients = email.recipients
    parts = [("cc " + m.addr_spec) for m in recipients.cc] + [("bcc " + m.addr_spec) for m in recipients.bcc]
    return ", ".join(parts) or "-"


def _to(email: Email) -> str:
    return ", ".join(
        f"{m.display_name} <{m.addr_spec}>" if m.display_name else m.addr_spec for m in email.recipients.to
    )


def _outcome(receipt: Receipt) -> str:
    words: list[str] = []
    for outcome in receipt.outcomes:
        if outcome.status in {Status.ACCEPTED, Status.HANDED_OVER}:
            word = outcome.status.name.lower().replace("_", " ")
        else:
            reply = f" ({outcome.reply.code} {outcome.reply.text})" if outcome.reply else ""
            advice = f": {outcome.cause.advice}" if outcome.cause else ""
            word = (
                f"{outcome.mailbox.addr_spec} {outcome.status.name.lower().replace('_', ' ')}{reply}{advice}"
            )
        if word not in words:
            words.append(word)
    return "; ".join(words)


def _left_out(exclusion: Exclusion) -> str:
    person = exclusion.person
    who = " ".join(part for part in (person.key, person.name) if part) or str(person.address)
    reason = exclusion.reason.name.lower().replace("_", " ")
    return f"left out: {plain(who)}: {reason}: {plain(' '.join(exclusion.detail.split()))}"


def _say_copies(copies: Mapping[str, int]) -> None:
    for address, count in sorted(copies.items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"copies: {plain(address)} gets {count} {'copy' if count == 1 else 'copies'}")


def _nobody(plan: BulkPlan) -> NothingTriedError:
    reasons = ", ".join(
        f"{count} {reason.name.lower().replace('_', ' ')}"
        for reason, count in plan.summary().exclusions.items()
    )
    return NothingTriedError(
        f"nobody to write to: everybody is left out ({reasons}); see `preview` for who and why"
    )


def preview(arguments: argparse.Namespace) -> int:
    """Show the plan of the arguments; write nothing.

    Returns:
        The exit status that ``send`` would have if every email went: 0, or 1 when somebody is left out.

    Raises:
        VetmailError: nothing could be tried.
    """
    preferences = load_preferences(arguments.preferences)
    with Mailer(
        preferences, staff=staff_of(arguments), transport=EmlTransport(arguments.outbox or Path("outbox"))
    ) as mailer:
        plan = _plan(arguments, mailer, preferences)
        summary = plan.summary()
        rows = Rows(sys.stdout, columns=_COLUMNS)
        rows.head()
        number = left_out = 0
        for step in plan.steps():
            if isinstance(step, Exclusion):
                left_out += 1
                print(_left_out(step), file=sys.stderr)
            else:
                number += 1
                rows.row(str(number), _to(step), _copies(step), "would go")
        print()
        print(f"{summary.emails} e-mails, {left_out} people left out; nothing was written")
        _say_copies(summary.copies)
        if summary.first is not None:
            print("\nthe first e-mail in full:\n")
            print(f"From: {plain(str(summary.first.sender))}")
            print(f"Subject: {plain(summary.first.content.subject)}\n")
            print(summary.first.content.text)
        if summary.emails == 0:
            raise _nobody(plan)
    return 1 if left_out else 0


def send(arguments: argparse.Namespace) -> int:
    """Carry the plan of the arguments out, into a folder or live.

    Returns:
        0 when all went and nobody was left out, else 1.

    Raises:
        VetmailError: nothing could be tried.
    """
    preferences = load_preferences(arguments.preferences)
    staff = staff_of(arguments)
    transport: Transport
    if arguments.live:
        transport = transport_for(preferences, staff=staff, token=token_of(arguments))
    else:
        transport = EmlTransport(arguments.outbox)
    with Mailer(preferences, staff=staff, transport=transport) as mailer:
        plan = _plan(arguments, mailer, preferences)
        summary = plan.summary()  # walks every person: a mistake at the last one stops before the first email
        if summary.emails == 0:
            raise _nobody(plan)
        report = _run(arguments, mailer, plan, total=summary.emails)
    if not report.ok and report.not_attempted == report.recipients:
        raise NothingTriedError(_why_nothing(report))
    print()
    _say_copies(summary.copies)
    print(report)
    if not arguments.live:
        print(f"the .eml files are in {plain(str(arguments.outbox))}")
    for exclusion in report.exclusions:
        print(_left_out(exclusion), file=sys.stderr)
    left_out = any(exclusion.reason is not ExclusionReason.ALREADY_SENT for exclusion in report.exclusions)
    return 0 if report.ok and not left_out else 1


def _run(arguments: argparse.Namespace, mailer: Mailer, plan: BulkPlan, *, total: int) -> Report:
    rows = Rows(sys.stdout, columns=_COLUMNS)
    line = ProgressLine(sys.stderr, total=total)

    def look(progress: Progress) -> None:
        line.show(progress.done, seconds_left=progress.seconds_left)

    progress = Progress(total, wait_ms=mailer.preferences.mail_server.wait_between_emails_ms, show=look)

    def seen(receipt: Receipt) -> None:
        line.clear()
        rows.row(str(progress.done + 1), _to(receipt.email), _copies(receipt.email), _outcome(receipt))
        progress(receipt)
        if not receipt.ok:
            failed = f"not sent: {_to(receipt.email)}: {_outcome(receipt)}"
            line.clear()
            print(plain(failed), file=sys.stderr)

    rows.head()
    try:
        if arguments.ledger is None:
            return mailer.send_bulk(plan, progress=seen)
        with SqliteLedger(arguments.ledger) as ledger:
            return mailer.send_bulk(plan, ledger=ledger, progress=seen)
    except RunInterrupted as interrupt:
        print("interrupted; nobody further was written to", file=sys.stderr)
        return interrupt.report
    finally:
        line.clear()


def _why_nothing(report: Report) -> str:
    outcome = report.failures[0].outcomes[0]
    reply = f" The server said: {outcome.reply.code} {outcome.reply.text}" if outcome.reply else ""
    advice = outcome.cause.advice if outcome.cause else "The reason is not known."
    phase = f" (at {outcome.phase.name})" if outcome.phase else ""
    return f"nothing was sent{phase}. {advice}{reply}"
