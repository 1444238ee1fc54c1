"""What a failing assertion says.

First what was expected, then the nearest email field by field, then one line for each email, then a hint
where the mistake is known. Bodies are shown only as far as they were asked about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from vetmail_core.address import Mailbox, parse_mailbox
from vetmail_core.receipts.causes import REACHED, Status
from vetmail_core.testing.matching import Comparison, Matcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vetmail_core.receipts import Outcome
    from vetmail_core.recipients import Exclusion
    from vetmail_core.testing.fault import Fault
    from vetmail_core.testing.matching import Delivery, Wish

__all__ = [
    "nothing_expected",
    "nothing_matched",
    "sent_line",
    "unclaimed_mail",
    "unused_faults",
    "wrong_number",
]

_LINES: Final = 20
_BOXES: Final = ("to", "cc", "bcc")
_VERBS: Final = {
    Status.REFUSED: "was refused",
    Status.DEFERRED: "was deferred",
    Status.UNKNOWN: "is in doubt: no answer came to the end of the message",
    Status.NOT_ATTEMPTED: "was not attempted",
}


def sent_line(delivery: Delivery) -> str:
    """One email on one line: its number, who got it, its subject, and what went wrong."""
    recipients = delivery.email.recipients
    boxes = [f"to={_listed(recipients.to)}"]
    if recipients.cc:
        boxes.append(f"cc={_listed(recipients.cc)}")
    boxes.append(f"bcc={_listed(recipients.bcc)}")
    line = f"  #{delivery.number} {' '.join(boxes)} subject={delivery.email.content.subject!r}"
    troubles = [outcome for outcome in delivery.receipt.outcomes if outcome.status not in REACHED]
    return f"{line}{''.join(f' [{_trouble(outcome)}]' for outcome in troubles[:3])}"


def nothing_matched(
    wanted: Sequence[Wish], deliveries: Sequence[Delivery], exclusions: Sequence[Exclusion]
) -> str:
    """No email is as wanted, or one is and did not reach whom it should."""
    expected = f"expected an email{_with_fields(wanted)}; "
    hints = _hints_about_people(wanted, deliveries, exclusions)
    if not deliveries:
        return "\n".join([f"{expected}none was sent.", *hints])
    count = len(deliveries)
    nearest = max(deliveries, key=lambda one: (sum(_compare(wanted, one)), -one.number))
    comparisons = [wish.compare(nearest) for wish in wanted]
    fitting = sum(comparison.ok for comparison in comparisons)
    if wanted and fitting == len(wanted):
        lines = [f"{expected}{count} sent, and one that matches did not arrive."]
    else:
        lines = [f"{expected}{count} sent, none {'matched' if wanted else 'arrived'}."]
    if wanted:
        lines.append(f"nearest: email #{nearest.number} ({fitting} of {_fields(len(wanted))})")
        lines += _table(comparisons)
    hints += _hints_about_texts(wanted, comparisons, nearest)
    return "\n".join([*lines, *_sent(deliveries), *hints])


def wrong_number(
    times: int, wanted: Sequence[Wish], found: Sequence[Delivery], deliveries: Sequence[Delivery]
) -> str:
    """Some match, but not as many as wanted."""
    head = (
        f"expected {_emails(times)}{_with_fields(wanted)}; {len(found)} matched:"
        f" {', '.join(f'#{one.number}' for one in found)}."
    )
    return "\n".join([head, *_sent(deliveries)])


def nothing_expected(wanted: Sequence[Wish], found: Sequence[Delivery]) -> str:
    """Mail where none should be."""
    came = f"{len(found)} matched." if wanted else f"{len(found)} came."
    lines = [sent_line(one) for one in found]
    return "\n".join([f"expected no email{_with_fields(wanted)}; {came}", "found:", *_capped(lines)])


def unclaimed_mail(deliveries: Sequence[Delivery]) -> str:
    """Mail that no assertion looked at."""
    count = len(deliveries)
    verb = "was" if count == 1 else "were"
    lines = [sent_line(one) for one in deliveries]
    hints = [
        "hint: assert_sent(...) what you expect, ignore(...) what does not matter; else here is the bug."
    ]
    missed = [
        one for delivery in deliveries for one in delivery.receipt.outcomes if one.status not in REACHED
    ]
    if missed:
        asked = f'assert_sent({missed[0].status.value}="{missed[0].mailbox.addr_spec}")'
        hints.append(f"hint: one that did not arrive is looked at by {asked}, or by reading its receipt.")
    return "\n".join([f"{_emails(count)} {verb} sent that no assertion looked at:", *_capped(lines), *hints])


def unused_faults(faults: Sequence[Fault]) -> str:
    """Faults that never fired."""
    count = len(faults)
    noun = "scripted fault" if count == 1 else "scripted faults"
    return "\n".join(
        [
            f"{count} {noun} never fired, so what they should show was not tested:",
            *(f"  {fault}" for fault in faults),
            "hint: was mail sent to that address, and was the fault in an earlier line used up first?",
        ]
    )


def _emails(count: int) -> str:
    return "1 email" if count == 1 else f"{count} emails"


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def _with_fields(wanted: Sequence[Wish]) -> str:
    if not wanted:
        return ""
    return f" with {len(wanted)} matching {'field' if len(wanted) == 1 else 'fields'}"


def _listed(mailboxes: tuple[Mailbox, ...]) -> str:
    shown = ",".join(mailbox.addr_spec for mailbox in mailboxes[:3])
    return f"{shown},+{len(mailboxes) - 3}" if len(mailboxes) > 3 else shown or "-"  # noqa: PLR2004 - a line stays a line


def _trouble(outcome: Outcome) -> str:
    said = ", after" if outcome.status is Status.NOT_ATTEMPTED else " with"
    reply = f"{said} {outcome.reply}" if outcome.reply is not None and outcome.reply.code else ""
    return f"{outcome.mailbox.addr_spec} {_VERBS[outcome.status]}{reply}"


def _compare(wanted: Sequence[Wish], delivery: Delivery) -> list[float]:
    return [wish.compare(delivery).likeness for wish in wanted]


def _table(comparisons: Sequence[Comparison]) -> list[str]:
    """The fields of the nearest email; those that differ first."""
    width = max(len(comparison.name) for comparison in comparisons)
    lines: list[str] = []
    for comparison in sorted(comparisons, key=lambda one: one.ok):
        mark = "ok" if comparison.ok else "NO"
        lines.append(f"  {mark}  {comparison.name:<{width}}  wanted {comparison.wanted}")
        if not comparison.ok:
            lines.append(f"      {'':<{width}}  got    {comparison.got}")
    return lines


def _sent(deliveries: Sequence[Delivery]) -> list[str]:
    return ["sent:", *_capped([sent_line(one) for one in deliveries])] if deliveries else []


def _capped(lines: list[str]) -> list[str]:
    if len(lines) <= _LINES:
        return lines
    return [*lines[:_LINES], f"  … and {len(lines) - _LINES} more"]


def _hints_about_people(
    wanted: Sequence[Wish], deliveries: Sequence[Delivery], exclusions: Sequence[Exclusion]
) -> list[str]:
    """Where a wanted address went instead: another box, a refusal, left out of the plan."""
    hints: dict[str, None] = {}
    for wish in wanted:
        if wish.name not in {*_BOXES, "recipient", "accepted"}:
            continue
        for mailbox in _mailboxes(wish.wanted):
            for delivery in deliveries:
                for hint in _where(mailbox, wish.name, delivery):
                    hints[f"hint: {hint}"] = None
            for exclusion in exclusions:
                if _same_address(exclusion.person.address, mailbox):
                    hints[f"hint: {mailbox.addr_spec} was left out of the plan: {exclusion.detail}"] = None
    return list(hints)[:5]


def _mailboxes(wanted: object) -> list[Mailbox]:
    many = [wanted] if isinstance(wanted, str | Mailbox | Matcher) else cast("Iterable[object]", wanted)
    found: list[Mailbox] = []
    for one in many:
        if isinstance(one, Mailbox):
            found.append(one)
        elif isinstance(one, str):
            found.append(parse_mailbox(one))
    return found


def _same_address(address: Mailbox | str | None, mailbox: Mailbox) -> bool:
    if isinstance(address, Mailbox):
        return address.address_key == mailbox.address_key
    return bool(address) and mailbox.addr_spec.casefold() in str(address).casefold()


def _where(mailbox: Mailbox, box: str, delivery: Delivery) -> list[str]:
    hints: list[str] = []
    recipients = delivery.email.recipients
    if box in _BOXES:
        for other, people in zip(_BOXES, (recipients.to, recipients.cc, recipients.bcc), strict=True):
            if other != box and any(one.address_key == mailbox.address_key for one in people):
                went = f"it was sent {other.upper()}, not {box.upper()}"
                hints.append(f"email #{delivery.number}: {went}, to {mailbox.addr_spec}")
    hints += [
        f"email #{delivery.number}: {_trouble(outcome)}"
        for outcome in delivery.receipt.outcomes
        if outcome.mailbox.address_key == mailbox.address_key and outcome.status not in REACHED
    ]
    return hints


def _hints_about_texts(
    wanted: Sequence[Wish], comparisons: Sequence[Comparison], nearest: Delivery
) -> list[str]:
    hints: list[str] = []
    for wish, comparison in zip(wanted, comparisons, strict=True):
        text = wish.wanted
        if comparison.ok or not isinstance(text, str) or wish.name not in {"subject", "text", "html", "body"}:
            continue
        content = nearest.email.content
        found = {
            "subject": content.subject,
            "text": content.text,
            "html": content.html,
            "body": content.text or content.html,
        }[wish.name]
        where = f"the {wish.name} of email #{nearest.number}"
        if text and text in found:
            hints.append(f"hint: {where} contains it: write {wish.name}=contains({text!r})")
        elif text.casefold() == found.casefold():
            hints.append(f"hint: {where} differs in upper and lower case only")
        elif text.split() == found.split():
            hints.append(f"hint: {where} differs in blanks and line ends only")
    return hints
