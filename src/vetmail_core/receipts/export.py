"""A report as text, CSV and JSON.

The same facts are in all three. No name and no word of a server becomes a formula, or a control character
on a terminal.
"""

from __future__ import annotations

import csv
import io
import json
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.receipts.causes import REACHED, Cause, Status
from vetmail_core.receipts.cells import safe_cell
from vetmail_core.receipts.records import WORDS, dict_of, many, plain
from vetmail_core.recipients import ExclusionReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core.receipts.outcomes import Outcome, Receipt
    from vetmail_core.receipts.report import Report
    from vetmail_core.recipients import Exclusion

__all__ = ["csv_of", "json_of", "text_of"]

_SHOWN: Final = 20  # addresses of a group; a long list hides the advice
_WIDTH: Final = 100
_COLUMNS: Final = (
    "status", "address", "name", "key", "cause", "advice", "phase", "code", "enhanced", "reply", "attempts",
    "reason",
)  # fmt: skip


def text_of(report: Report) -> str:
    """What a person reads: the counts, then each kind of failure with what to do about it."""
    counts = {
        Status.ACCEPTED: report.accepted,
        Status.HANDED_OVER: report.handed_over,
        Status.REFUSED: report.refused,
        Status.DEFERRED: report.deferred,
        Status.UNKNOWN: report.unknown,
        Status.NOT_ATTEMPTED: report.not_attempted,
    }
    said = (
        ", ".join(f"{count} {WORDS[status]}" for status, count in counts.items() if count) or "nothing sent"
    )
    emails = many(report.emails, "email", "emails")
    lines = [f"{emails} to {many(report.recipients, 'recipient', 'recipients')}: {said}"]
    if report.cancelled:
        lines.append("The run was stopped before its end; start it again to send the rest.")
    groups: dict[tuple[Status, Cause | None], list[tuple[Receipt, Outcome]]] = {}
    for receipt in report.named:
        for outcome in receipt.outcomes:
            if outcome.status not in REACHED:
                # What put somebody in doubt does not change what there is to do about it.
                cause = None if outcome.status is Status.UNKNOWN else outcome.cause
                groups.setdefault((outcome.status, cause), []).append((receipt, outcome))
    for (status, cause), members in sorted(groups.items(), key=lambda group: -len(group[1])):
        lines += ["", *_group(status, cause, members)]
    if report.untried:
        left = report.unlisted - (len(report.named) - len(report.failures))
        lines += ["", f"and {many(left, 'email', 'emails')} more that were not tried"]
        lines += [f"    {person.address}" for person in report.untried[:_SHOWN]]
        if len(report.untried) > _SHOWN:
            lines.append(f"    and {len(report.untried) - _SHOWN} more")
    if report.exclusions:
        lines += ["", *_left_out(report)]
    return "\n".join(lines)


def _group(status: Status, cause: Cause | None, members: list[tuple[Receipt, Outcome]]) -> Iterator[str]:
    why = "" if cause is None else f": {cause.value.replace('_', ' ')}"
    yield f"{WORDS[status]}{why} ({many(len(members), 'recipient', 'recipients')})"
    advices = dict.fromkeys(outcome.advice for _, outcome in members)
    for advice in advices:
        yield from textwrap.wrap(plain(advice), _WIDTH, initial_indent="  ", subsequent_indent="  ")
    receipt, first = members[0]
    reason = receipt.reason_for(first)
    if reason and reason not in map(plain, advices):
        yield f"  {reason}"
    for _, outcome in members[:_SHOWN]:
        yield f"    {outcome.mailbox.addr_spec}  {plain(outcome.said)}".rstrip()
    if len(members) > _SHOWN:
        yield f"    and {len(members) - _SHOWN} more"


def _left_out(report: Report) -> list[str]:
    counts = Counter(exclusion.reason for exclusion in report.exclusions)
    if report.already_sent:
        counts[ExclusionReason.ALREADY_SENT] = report.already_sent  # not all of them are listed
    lines = [f"left out ({many(counts.total(), 'person', 'people')})"]
    for reason, count in counts.most_common():
        who = [_who(exclusion) for exclusion in report.exclusions if exclusion.reason is reason][:_SHOWN]
        more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
        lines += textwrap.wrap(
            f"{reason.value.replace('_', ' ')} ({count}): {'; '.join(who)}{more}",
            _WIDTH, initial_indent="  ", subsequent_indent="    ",
        )  # fmt: skip
    return lines


def _who(exclusion: Exclusion) -> str:
    person = exclusion.person
    return plain(person.name or str(person.address or "") or person.key or "?")


def csv_of(report: Report) -> str:
    """One line for each recipient who was not reached and each person left out."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(_COLUMNS)
    for receipt in report.named:
        for outcome in receipt.outcomes:
            if outcome.status in REACHED:
                continue
            mailbox, reply = outcome.mailbox, outcome.reply
            row = (
                outcome.status.value,
                mailbox.addr_spec,
                mailbox.display_name,
                receipt.email.key,
                "" if outcome.cause is None else outcome.cause.value,
                outcome.advice,
                "" if outcome.phase is None else outcome.phase.value,
                "" if reply is None or not reply.code else str(reply.code),
                "" if reply is None else reply.enhanced,
                "" if reply is None else reply.text,
                str(receipt.attempts),
                receipt.reason_for(outcome),
            )
            rows.writerow([safe_cell(cell) for cell in row])
    advice = Cause.CANCELLED.advice
    for untried in report.untried:
        cells = (
            Status.NOT_ATTEMPTED.value,
            untried.address,
            untried.name,
            untried.key,
            Cause.CANCELLED.value,
        )
        rows.writerow([safe_cell(cell) for cell in (*cells, advice, "", "", "", "", "0", advice)])
    for exclusion in report.exclusions:
        person = exclusion.person
        left_out = ("excluded", str(person.address or ""), person.name, person.key, exclusion.reason.value)
        rows.writerow([safe_cell(cell) for cell in (*left_out, exclusion.detail, "", "", "", "", "", "")])
    return out.getvalue()


def json_of(report: Report) -> str:
    """The whole report."""
    counts = {
        name: getattr(report, name)
        for name in (
            "emails", "accepted", "refused", "deferred", "unknown", "not_attempted", "handed_over",
            "already_sent", "unlisted",
        )
    }  # fmt: skip
    return json.dumps(
        {
            "schema": 1,
            "ok": report.ok,
            "cancelled": report.cancelled,
            "counts": counts,
            "failures": [dict_of(receipt) for receipt in report.named],
            "untried": [attrs.asdict(untried) for untried in report.untried],
            "exclusions": [
                {
                    "key": exclusion.person.key,
                    "name": exclusion.person.name,
                    "address": None if exclusion.person.address is None else str(exclusion.person.address),
                    "reason": exclusion.reason.value,
                    "detail": exclusion.detail,
                }
                for exclusion in report.exclusions
            ],
        },
        ensure_ascii=False,
        indent=2,
    )
