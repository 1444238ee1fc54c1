"""``send`` and ``preview``: one plan, shown or carried out.

What it is for: the main job from a shell. What it refuses: to write anything before the whole plan has
been walked once without a mistake. Its law: preview and send run the same plan.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import attrs

from vetmail_core.cli.chosen import chosen_emails, myself, to_myself
from vetmail_core.cli.left_out import write_left_out
from vetmail_core.cli.page import preview_page, write_page
from vetmail_core.cli.planning import (
    NothingTriedError,
    check_written,
    nobody,
    people_of,
    plan_of,
    staff_of,
    transport_of,
)
from vetmail_core.cli.show import ProgressLine, Rows, plain, say
from vetmail_core.cli.warnings import say_warnings, shared_addresses, warnings_of
from vetmail_core.clock import SystemClock
from vetmail_core.ledger import SqliteLedger
from vetmail_core.mailer import Mailer, Progress, RunInterrupted
from vetmail_core.mailer.new_keys import refuse_new_keys
from vetmail_core.preferences import load_preferences
from vetmail_core.receipts import Status
from vetmail_core.recipients import Exclusion, ExclusionReason
from vetmail_core.transports import MailtoTransport
from vetmail_core.transports.base import SaysTrouble

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from vetmail_core.bulk import BulkPlan, PlanSummary
    from vetmail_core.message import Email
    from vetmail_core.receipts import Outcome, Receipt, Report

__all__ = ["preview", "send"]

_WENT = frozenset({Status.ACCEPTED, Status.HANDED_OVER})
_SHOWN = 20  # emails on a page
_COLUMNS = (("#", 9), ("to", 44), ("copies", 40), ("outcome", 11))


def preview(arguments: argparse.Namespace) -> int:
    """Show the plan of the arguments; write nothing.

    Returns:
        The exit status that ``send`` would have if every email went: 0, or 1 when somebody is left out.

    Raises:
        VetmailError: nothing could be tried, or ``send`` would say so before the first email.
    """
    preferences = load_preferences(arguments.preferences)
    staff = staff_of(arguments)
    check_written(arguments, "--html-preview", arguments.html_preview)
    check_written(arguments, "--left-out", arguments.left_out)
    if arguments.person and arguments.html_preview is None:
        raise NothingTriedError(
            "--person chooses whose email is on the page; expected --html-preview beside it"
        )
    people = people_of(arguments)
    with closing(transport_of(arguments, preferences, staff)) as transport:
        plan = plan_of(arguments, Mailer(preferences, staff=staff, transport=transport), people)
    summary = plan.summary()
    if arguments.ledger is not None and arguments.ledger.exists() and not arguments.new_keys:
        with SqliteLedger(arguments.ledger) as ledger:
            refuse_new_keys(plan, ledger)
    page = chosen_emails(plan, arguments.person, most=_SHOWN) if arguments.html_preview is not None else []
    # Of a run that goes on, only the ledger knows how many windows are left to open.
    if isinstance(transport, MailtoTransport) and (arguments.ledger is None or not arguments.ledger.exists()):
        transport.check_windows(summary.emails)
    if summary.emails:
        say_warnings(people, summary, everything=arguments.verbose)
    rows = Rows(sys.stdout, columns=_COLUMNS)
    number = left_out = 0
    excluded: list[Exclusion] = []
    for step in plan.steps():
        if isinstance(step, Exclusion):
            left_out += 1
            if arguments.html_preview is not None:
                excluded.append(step)
            # Of a plan that comes to nobody stderr tells the one reason, and who and why is the plan itself.
            say(_left_out(step), out=sys.stderr if summary.emails else sys.stdout)
        else:
            number += 1
            rows.row(f"{number}/{summary.emails}", _to(step), _copies(step), "would go")
    if arguments.left_out is not None:
        write_left_out(arguments.left_out, people, plan)
    if arguments.html_preview is not None:
        said = [one for kind in warnings_of(people, summary) for one in kind]
        said += filter(None, [shared_addresses(summary)])
        write_page(arguments.html_preview, preview_page(page, excluded, summary=summary, warnings=said))
    if summary.first is None:
        raise nobody(summary)
    emails = "1 email" if summary.emails == 1 else f"{summary.emails} emails"
    written = "sent" if arguments.html_preview is not None or arguments.left_out is not None else "written"
    say(f"\n{emails}; left out: {left_out}; nothing was {written}", out=sys.stdout)
    if arguments.ledger is not None and arguments.ledger.exists():
        say(f"send will pass over whoever {plain(str(arguments.ledger))} has as sent already", out=sys.stdout)
    _say_copies(summary.copies)
    _say_shared(summary)
    _say_email(summary.first)
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
    clock = _WatchedClock()
    if arguments.to_myself is not None and arguments.ledger is not None:
        raise NothingTriedError(
            "--to-myself sends test copies, which no ledger should take for the mailing; leave --ledger out"
        )
    check_written(arguments, "--left-out", arguments.left_out)
    if arguments.person and arguments.to_myself is None:
        raise NothingTriedError("--person chooses whose email is a test copy; expected --to-myself beside it")
    people = people_of(arguments)
    transport = transport_of(arguments, preferences, staff, clock=clock)
    mailer = Mailer(preferences, staff=staff, transport=transport)
    copies: Counter[str] = Counter()
    try:
        with closing(transport):
            plan = plan_of(arguments, mailer, people)
            # Walks every person, so that a mistake at the last one stops before the first email.
            summary = plan.summary()
            if summary.emails == 0:
                raise nobody(summary)
            if arguments.left_out is not None:
                write_left_out(arguments.left_out, people, plan)
            if arguments.to_myself is not None:
                say_warnings(people, summary, everything=arguments.verbose)
                return _send_to_myself(arguments, mailer, plan)
            shown = _Shown(mailer, total=summary.emails, copies=copies)
            if isinstance(transport, SaysTrouble):
                clock.watcher = lambda seconds: shown.waits(seconds, transport.trouble)
            report = _run(
                arguments,
                mailer,
                plan,
                shown,
                lambda: say_warnings(people, summary, everything=arguments.verbose),
            )
    except KeyboardInterrupt:
        # Once a run has begun "nothing was sent" would be a lie that mails somebody twice: this is a further
        # Ctrl-C, of somebody who will not wait for the goodbye to the server.
        if mailer.last_report is None:
            raise
        report = mailer.last_report
    if report.failures and report.not_attempted == report.recipients:
        raise NothingTriedError(_why_nothing(report))
    try:
        _say_what_became(report, copies, None if arguments.live else arguments.outbox)
    except KeyboardInterrupt:
        say("interrupted after the run; what stands above is not all of its report", out=sys.stderr)
    left_out = any(exclusion.reason is not ExclusionReason.ALREADY_SENT for exclusion in report.exclusions)
    return 0 if report.ok and not left_out else 1


def _send_to_myself(arguments: argparse.Namespace, mailer: Mailer, plan: BulkPlan) -> int:
    """Send the emails of single people to one address, and to nobody else."""
    me = myself(arguments.to_myself)
    most = vars(arguments).get("first") or 1
    copies = [to_myself(email, me) for email in chosen_emails(plan, arguments.person, most=most)]
    report = mailer.send_bulk(copies)
    say(str(report), out=sys.stdout)
    say(f"test copies to {plain(me.addr_spec)} alone; nobody else was written to", out=sys.stdout)
    _say_who_was_not_sent_to(report)
    return 0 if report.ok else 1


def _run(
    arguments: argparse.Namespace,
    mailer: Mailer,
    plan: BulkPlan,
    shown: _Shown,
    warn: Callable[[], None],
) -> Report:
    with ExitStack() as opened:
        ledger = None if arguments.ledger is None else opened.enter_context(SqliteLedger(arguments.ledger))
        if ledger is not None and not arguments.new_keys:
            refuse_new_keys(plan, ledger)
        warn()
        opened.enter_context(shown)
        try:
            # Whether people have other keys now was looked at above, before the first line is printed.
            return mailer.send_bulk(plan, ledger=ledger, progress=shown, new_keys=True)
        except RunInterrupted as interrupt:
            return interrupt.report


def _say_what_became(report: Report, copies: Mapping[str, int], folder: Path | None) -> None:
    say(out=sys.stdout)
    _say_copies(copies)
    say(str(report), out=sys.stdout)
    if report.handed_over and folder is not None:
        say(f"the .eml files are in {plain(str(folder))}", out=sys.stdout)
    _say_who_was_not_sent_to(report)


@attrs.define
class _WatchedClock:
    """The machine's clock, which says when it is about to wait.

    Attributes:
        watcher: told the seconds, before the wait.
    """

    watcher: Callable[[float], None] = attrs.field(default=lambda _: None)
    _clock: SystemClock = attrs.field(init=False, factory=SystemClock)

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float, /) -> None:
        self.watcher(seconds)
        self._clock.sleep(seconds)


class _Shown(Progress):
    """What is seen of a run while it goes on: a row for each email, and the line that moves.

    Until something has been tried there are no rows: when nothing can be, the one sentence that says why
    is all there is.

    Args:
        mailer: which sends.
        total: emails to come.
        copies: counts who got how many.
    """

    def __init__(self, mailer: Mailer, *, total: int, copies: Counter[str]) -> None:
        wait_ms = mailer.preferences.mail_server.wait_between_emails_ms
        super().__init__(total, wait_ms=wait_ms, show=lambda _: self._draw())
        self._rows = Rows(sys.stdout, columns=_COLUMNS)
        self._line = ProgressLine(sys.stderr, total=total)
        self._held: list[tuple[int, Receipt]] = []
        self._tried = False
        self._copies = copies

    def __enter__(self) -> None:
        self._line.show(0)

    def __exit__(self, *_error: object) -> None:
        self._line.clear()

    def __call__(self, receipt: Receipt) -> None:
        self._held.append((self.done + 1, receipt))
        self._tried = self._tried or len(receipt.not_attempted) < len(receipt.outcomes)
        if self._tried:
            self._line.clear()
            for number, held in self._held:
                self._say(number, held)
            self._held.clear()
        super().__call__(receipt)

    def waits(self, seconds: float, trouble: str) -> None:
        """Say why nothing happens for a while: a server that does not answer is tried for minutes."""
        if trouble:
            self._line.say(f"{trouble}; next try in {round(seconds)} s, Ctrl-C ends")

    def _draw(self) -> None:
        self._line.show(self.done, seconds_left=self.seconds_left)

    def _say(self, number: int, receipt: Receipt) -> None:
        email = receipt.email
        said = dict.fromkeys(map(_briefly, receipt.outcomes))
        self._rows.row(f"{number}/{self.total}", _to(email), _copies(email), "; ".join(said))
        for mailbox in (*receipt.accepted, *receipt.handed_over):
            if mailbox not in email.recipients.to:
                self._copies[mailbox.addr_spec] += 1


def _to(email: Email) -> str:
    return ", ".join(
        f"{m.display_name} <{m.addr_spec}>" if m.display_name else m.addr_spec for m in email.recipients.to
    )


def _copies(email: Email) -> str:
    recipients = email.recipients
    parts = [("cc " + m.addr_spec) for m in recipients.cc] + [("bcc " + m.addr_spec) for m in recipients.bcc]
    return ", ".join(parts) or "-"


def _word(status: Status) -> str:
    return status.value.replace("_", " ")


def _briefly(outcome: Outcome) -> str:
    if outcome.status in _WENT:
        return _word(outcome.status)
    code = f" ({outcome.reply.code})" if outcome.reply is not None and outcome.reply.code else ""
    return f"{outcome.mailbox.addr_spec} {_word(outcome.status)}{code}"


def _in_full(outcome: Outcome) -> str:
    reply = f" ({outcome.said})" if outcome.said else ""
    advice = f": {outcome.advice}" if outcome.advice else ""
    return plain(f"{outcome.mailbox.addr_spec} {_word(outcome.status)}{reply}{advice}")


def _left_out(exclusion: Exclusion) -> str:
    person = exclusion.person
    who = " ".join(part for part in (person.key, person.name) if part)
    reason = exclusion.reason.value.replace("_", " ")
    return f"left out: {plain(who)}: {reason}: {plain(' '.join(exclusion.detail.split()))}"


def _say_who_was_not_sent_to(report: Report) -> None:
    if report.cancelled:
        say("interrupted; nobody further was written to", out=sys.stderr)
    for receipt in report.failures:
        for outcome in receipt.outcomes:
            if outcome.status not in _WENT:
                # Who may have the email must not read as who has not: somebody would send it again.
                word = "in doubt" if outcome.status is Status.UNKNOWN else "not sent"
                say(f"{word}: {plain(_to(receipt.email))}: {_in_full(outcome)}", out=sys.stderr)
    if report.unlisted:
        say(f"not sent: {report.unlisted} more, whose turn did not come", out=sys.stderr)
    for exclusion in report.exclusions:
        say(_left_out(exclusion), out=sys.stderr)


def _say_shared(summary: PlanSummary) -> None:
    line = shared_addresses(summary)
    if line:
        say(plain(line), out=sys.stdout)


def _say_copies(copies: Mapping[str, int]) -> None:
    for address, count in sorted(copies.items(), key=lambda pair: (-pair[1], pair[0])):
        say(f"copies: {plain(address)} gets {count} {'copy' if count == 1 else 'copies'}", out=sys.stdout)


def _say_email(email: Email) -> None:
    say("\nthe first e-mail in full:\n", out=sys.stdout)
    for name, value in (
        ("From", str(email.sender)),
        ("Reply-To", ", ".join(map(str, email.reply_to))),
        ("To", ", ".join(map(str, email.recipients.to))),
        ("Cc", ", ".join(map(str, email.recipients.cc))),
        ("Bcc", ", ".join(map(str, email.recipients.bcc))),
        ("Subject", email.content.subject),
        ("Attached", ", ".join(attachment.filename for attachment in email.content.attachments)),
    ):
        if value:
            say(f"{name}: {plain(value)}", out=sys.stdout)
    say(out=sys.stdout)
    for line in email.content.text.splitlines():
        say(plain(line.expandtabs()), out=sys.stdout)


def _why_nothing(report: Report) -> str:
    receipt = report.failures[0]
    outcome = receipt.outcomes[0]
    phase = f" (at {outcome.phase.name})" if outcome.phase else ""
    noted = dict.fromkeys(filter(None, (*receipt.warnings, outcome.said)))
    detail = f": {'; '.join(noted)}".rstrip(".") if noted else ""
    return f"nothing was sent{phase}{detail}. {outcome.advice}"
