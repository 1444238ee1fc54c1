"""What somebody should look at before emails leave: one line each on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from vetmail_core.cli.layout import tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vetmail_core.bulk import PlanSummary
    from vetmail_core.people_file import PeopleFile

__all__ = ["say_warnings", "shared_addresses", "warnings_of"]

_MOST: Final = 20  # of a kind
_NAMED: Final = 3  # addresses in the line about shared ones


def warnings_of(people: PeopleFile, summary: PlanSummary) -> Iterator[Sequence[str]]:
    """Give the warnings by their kind: of the file, of empty fields, of people and content."""
    yield people.warnings
    yield [
        f"{field} is empty for {_people(count)}: {_names(summary.empty_for[field], count)}"
        for field, count in summary.empty_fields.items()
    ]
    yield summary.warnings


def say_warnings(people: PeopleFile, summary: PlanSummary, *, everything: bool) -> None:
    """Print the warnings; they change no exit status.

    Args:
        people: the file.
        summary: of the plan.
        everything: however many there are of a kind.
    """
    for said in warnings_of(people, summary):
        shown = said if everything else said[:_MOST]
        for one in shown:
            tell(f"warning: {' '.join(one.split())}", out=sys.stderr)
        if len(said) > len(shown):
            tell(f"warning: and {len(said) - len(shown)} more; -v lists them", out=sys.stderr)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _names(names: Sequence[str], count: int) -> str:
    more = count - len(names)
    return f"{', '.join(names)} and {more} more" if more > 0 else ", ".join(names)


def shared_addresses(summary: PlanSummary) -> str:
    """Say in one line which addresses get several emails, "" for none; families do, so it is no complaint."""
    if not summary.same_address:
        return ""
    most = sorted(summary.same_address.items(), key=lambda pair: -pair[1])
    named = ", ".join(f"{address} ({count})" for address, count in most[:_NAMED])
    more = len(most) - _NAMED
    count = "1 address gets" if len(most) == 1 else f"{len(most)} addresses get"
    return f"{count} more than one email: {named}{f' and {more} more' if more > 0 else ''}"
