"""``send`` and ``preview``: one plan, shown or carried out.

Nothing is written or sent before the whole plan has been walked once without a mistake.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import attrs

from vetmail_core.bulk import BulkPlan
from vetmail_core.bulk.pace import at_least
from vetmail_core.cli.chosen import chosen_emails, myself, to_myself
from vetmail_core.cli.kinds import Kinds, complain
from vetmail_core.cli.layout import tell
from vetmail_core.cli.left_out import write_left_out
from vetmail_core.cli.page import preview_page, write_page
from vetmail_core.cli.planning import (
    NothingTriedError,
    check_written,
    nobody,
    one_email_of,
    people_of,
    plan_of,
    redirected,
    staff_of,
    transport_of,
)
from vetmail_core.cli.report_file import ReportFile
from vetmail_core.cli.show import ProgressLine, plain, say
from vetmail_core.cli.suppressed import asks_the_ledger
from vetmail_core.cli.table_of_emails import TableOfEmails
from vetmail_core.cli.tenant import say_near_tenant_limit
from vetmail_core.cli.warnings import say_warnings, shared_addresses, warnings_of
from vetmail_core.cli.windows import mail_program_at_the_command_line
from vetmail_core.clock import SystemClock
from vetmail_core.ledger import SqliteLedger
from vetmail_core.mailer import Mailer, Progress, RunInterrupted
from vetmail_core.mailer.new_keys import refuse_new_keys
from vetmail_core.people import Person
from vetmail_core.preferences import load_preferences
from vetmail_core.receipts import Status
from vetmail_core.recipients import Exclusion, ExclusionReason
from vetmail_core.transports.base import ask, nothing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from vetmail_core.bulk import PlanSummary
    from vetmail_core.message import Email
    from vetmail_core.receipts import Outcome, Receipt, Report

__all__ = ["preview", "send"]

_WENT = frozenset({Status.ACCEPTED, Status.HANDED_OVER})
_SHOWN = 20  # emails on a page


@asks_the_ledger
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
    check_written(arguments, "--report", arguments.report)
    if arguments.person and arguments.html_preview is None:
        raise NothingTriedError(
            "--person chooses whose email is on the page; expected --html-preview beside it"
        )
    people = people_of(arguments)
    with closing(transport_of(arguments, preferences, staff)) as transport, ReportFile(arguments.report):
        way = redirected(arguments, transport)
        whole = plan_of(arguments, Mailer(preferences, staff=staff, transport=way), people)
    plan, table, planned = _walked(arguments, whole)
    summary = table.summary
    if arguments.ledger is not None and arguments.ledger.exists() and not arguments.new_keys:
        with SqliteLedger(arguments.ledger) as ledger:
            refuse_new_keys(whole, ledger)
    most = min(_SHOWN, arguments.first or _SHOWN)
    page = chosen_emails(whole, arguments.person, most=most) if arguments.html_preview is not None else []
    together = _joined(arguments, plan, table)
    # Of a run that goes on, only the ledger knows how many windows are left to open.
    if arguments.ledger is None or not arguments.ledger.exists():
        with mail_program_at_the_command_line():
            ask(transport, "check_windows", default=nothing)(table.total)
    if summary.emails:
        say_warnings(people, summary, everything=arguments.verbose)
    kinds = Kinds(everything=arguments.verbose)
    number = left_out = 0
    excluded: list[Exclusion] = []
    for step in _steps(plan, together):
        if isinstance(step, Exclusion):
            left_out += 1
            if arguments.html_preview is not None:
                excluded.append(step)
            kinds.leave_out(step)
        else:
            number += 1
            table.row(number, step, "would go")
    # Of a plan that comes to nobody stderr tells the one reason, and who and why is the plan itself.
    kinds.say(sys.stderr if summary.emails else sys.stdout)
    if arguments.left_out is not None:
        write_left_out(arguments.left_out, people, whole)
    if arguments.html_preview is not None:
        said = [one for kind in warnings_of(people, summary) for one in kind]
        said += filter(None, [shared_addresses(summary)])
        write_page(arguments.html_preview, preview_page(page, excluded, summary=summary, warnings=said))
    if summary.first is None:
        raise nobody(summary)
    written = "sent" if arguments.html_preview is not None or arguments.left_out is not None else "written"
    say(out=sys.stdout)
    counted = _of(summary.emails, planned) if together is None else "1 email"
    tell(f"{counted}; left out: {left_out}; nothing was {written}", out=sys.stdout)
    if arguments.redirect is not None:
        tell(f"all of them would go to {arguments.redirect} alone", out=sys.stdout)
    if arguments.ledger is not None and arguments.ledger.exists():
        tell(f"send will pass over whoever {arguments.ledger} has as sent already", out=sys.stdout)
    if together is None:
        _say_copies(summary.copies)
        written_to = summary.recipients
        takes = at_least(summary.seconds)
        if takes:
            tell(f"the run takes {takes}", out=sys.stdout)
    else:
        written_to = len(together.recipients.all)
    say_near_tenant_limit(preferences, arguments.licences, recipients=written_to)
    _say_shared(summary)
    _say_email(together or summary.first)
    return 1 if left_out else 0


@asks_the_ledger
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
    check_written(arguments, "--report", arguments.report)
    if arguments.person and arguments.to_myself is None:
        raise NothingTriedError("--person chooses whose email is a test copy; expected --to-myself beside it")
    people = people_of(arguments)
    transport = transport_of(arguments, preferences, staff, clock=clock)
    mailer = Mailer(preferences, staff=staff, transport=redirected(arguments, transport))
    copies: Counter[str] = Counter()
    excluded: tuple[Exclusion, ...] = ()
    planned = 0
    with ReportFile(arguments.report) as kept:
        try:
            with closing(transport):
                whole = plan_of(arguments, mailer, people)
                # Walks every person, so that a mistake at the last one stops before the first email.
                plan, table, planned = _walked(arguments, whole)
                summary = table.summary
                if summary.emails == 0:
                    raise nobody(summary)
                if arguments.left_out is not None:
                    write_left_out(arguments.left_out, people, whole)
                if arguments.to_myself is not None:
                    say_warnings(people, summary, everything=arguments.verbose)
                    return _send_to_myself(arguments, mailer, whole, kept)
                together = _joined(arguments, plan, table)
                if together is not None:
                    excluded = _exclusions(plan)
                shown = _Shown(mailer, table, copies=copies)
                clock.watcher = lambda seconds: shown.waits(seconds, ask(transport, "trouble", default=""))
                with mail_program_at_the_command_line():
                    report = _run(
                        arguments,
                        mailer,
                        plan if together is None else [together],
                        shown,
                        lambda: say_warnings(people, summary, everything=arguments.verbose),
                        whole=whole,
                    )
        except KeyboardInterrupt:
            # Once a run has begun "nothing was sent" would be a lie that mails somebody twice: this is a
            # further Ctrl-C, of somebody who will not wait for the goodbye to the server.
            if mailer.last_report is None:
                raise
            report = mailer.last_report
        written = kept.write(report)
    if report.failures and report.not_attempted == report.recipients:
        raise NothingTriedError(_why_nothing(report))
    if arguments.one_email:
        copies.clear()  # everybody has the one email, and whoever is in BCC is no copy of it
        everybody = Person(None, name="everybody in the one e-mail")
        sent_before = (attrs.evolve(one, person=everybody) for one in report.exclusions)
        report = attrs.evolve(report, exclusions=(*excluded, *sent_before))
    try:
        _say_what_became(arguments, report, copies, planned)
    except KeyboardInterrupt:
        say("interrupted after the run; what stands above is not all of its report", out=sys.stderr)
    left_out = any(exclusion.reason is not ExclusionReason.ALREADY_SENT for exclusion in report.exclusions)
    return 0 if report.ok and not left_out and written else 1


def _joined(arguments: argparse.Namespace, plan: BulkPlan, table: TableOfEmails) -> Email | None:
    """The one email of ``--one-email``, which is then the only row of the table."""
    if not arguments.one_email or not table.summary.emails:
        return None
    together = one_email_of(plan)
    table.join(together)
    return together


def _steps(plan: BulkPlan, together: Email | None) -> Iterator[Email | Exclusion]:
    """The steps of a plan, its emails joined into the one, where there is one."""
    if together is None:
        yield from plan.steps()
    else:
        yield from _exclusions(plan)
        yield together


def _exclusions(plan: BulkPlan) -> tuple[Exclusion, ...]:
    return tuple(step for step in plan.steps() if isinstance(step, Exclusion))


def _walked(arguments: argparse.Namespace, whole: BulkPlan) -> tuple[BulkPlan, TableOfEmails, int]:
    """The plan up to ``--first``, its table, and how many emails the whole plan has."""
    if arguments.first is None:
        table = TableOfEmails(whole)
        return whole, table, table.summary.emails
    planned = whole.summary().emails
    plan = whole.first(arguments.first)
    return plan, TableOfEmails(plan), planned


def _of(emails: int, planned: int) -> str:
    of = "" if emails == planned else f" of {planned}"
    return f"{emails}{of} email{'' if planned == 1 else 's'}"


def _send_to_myself(arguments: argparse.Namespace, mailer: Mailer, plan: BulkPlan, kept: ReportFile) -> int:
    """Send the emails of single people to one address, and to nobody else."""
    me = myself(arguments.to_myself)
    copies = [
        to_myself(email, me) for email in chosen_emails(plan, arguments.person, most=arguments.first or 1)
    ]
    report = mailer.send_bulk(copies)
    written = kept.write(report)
    _say_report(report)
    tell(f"test copies to {me.addr_spec} alone; nobody else was written to", out=sys.stdout)
    complain(report, everything=arguments.verbose)
    return 0 if report.ok and written else 1


def _run(
    arguments: argparse.Namespace,
    mailer: Mailer,
    plan: BulkPlan | list[Email],
    shown: _Shown,
    warn: Callable[[], None],
    *,
    whole: BulkPlan,
) -> Report:
    with ExitStack() as opened:
        ledger = None if arguments.ledger is None else opened.enter_context(SqliteLedger(arguments.ledger))
        if ledger is not None and not arguments.new_keys and isinstance(plan, BulkPlan):
            refuse_new_keys(whole, ledger)
        warn()
        opened.enter_context(shown)
        try:
            # Whether people have other keys now was looked at above, before the first line is printed.
            return mailer.send_bulk(plan, ledger=ledger, progress=shown, new_keys=True)
        except RunInterrupted as interrupt:
            return interrupt.report


def _say_what_became(
    arguments: argparse.Namespace, report: Report, copies: Mapping[str, int], planned: int
) -> None:
    say(out=sys.stdout)
    _say_copies(copies)
    _say_report(report)
    if arguments.first is not None:
        tell(f"{_of(min(arguments.first, planned), planned)}; the others were not tried", out=sys.stdout)
    if arguments.redirect is not None:
        tell(f"all of it went to {arguments.redirect} alone", out=sys.stdout)
    if report.handed_over and not arguments.live:
        tell(f"the .eml files are in {arguments.outbox}", out=sys.stdout)
    if arguments.report is not None and arguments.report.exists():
        tell(f"the report is in {arguments.report}", out=sys.stdout)
    complain(report, everything=arguments.verbose)


def _say_report(report: Report) -> None:
    for line in str(report).splitlines():
        tell(line, out=sys.stdout)


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
        table: has a row for each email.
        copies: counts who got how many.
    """

    def __init__(self, mailer: Mailer, table: TableOfEmails, *, copies: Counter[str]) -> None:
        wait_ms = mailer.preferences.mail_server.wait_between_emails_ms
        total = table.total
        super().__init__(total, wait_ms=wait_ms, show=lambda _: self._draw())
        self._table = table
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
        self._table.row(number, email, "; ".join(said))
        for mailbox in (*receipt.accepted, *receipt.handed_over):
            if mailbox not in email.recipients.to:
                self._copies[mailbox.addr_spec] += 1


def _word(status: Status) -> str:
    return status.value.replace("_", " ")


def _briefly(outcome: Outcome) -> str:
    if outcome.status in _WENT:
        return _word(outcome.status)
    code = f" ({outcome.reply.code})" if outcome.reply is not None and outcome.reply.code else ""
    return f"{outcome.mailbox.addr_spec} {_word(outcome.status)}{code}"


def _say_shared(summary: PlanSummary) -> None:
    line = shared_addresses(summary)
    if line:
        tell(line, out=sys.stdout)


def _say_copies(copies: Mapping[str, int]) -> None:
    for address, count in sorted(copies.items(), key=lambda pair: (-pair[1], pair[0])):
        tell(f"copies: {address} gets {count} {'copy' if count == 1 else 'copies'}", out=sys.stdout)


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
