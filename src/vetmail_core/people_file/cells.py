"""A person out of a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.address import Mailbox, collect_mailbox_list, parse_mailbox
from vetmail_core.errors import AddressError
from vetmail_core.people import Person

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Columns"]

_BETWEEN: Final = ":::"
"""What an address book's export puts between several addresses of one person."""
_NO_NOTES: Final[tuple[str, ...]] = ()


@attrs.frozen(kw_only=True)
class Columns:
    """Where in a record a person's parts are.

    Attributes:
        address: the column of the address; likewise the others, None for none.
        fields: merge field -> column.
    """

    address: int
    key: int | None
    name: int | None
    first_name: int | None
    last_name: int | None
    fields: tuple[tuple[str, int], ...]

    def person(self, cells: Sequence[str]) -> Person:
        """Make the person of a record.

        Args:
            cells: stripped, one for each column.
        """
        fields: dict[str, object] = {field: cells[column] for field, column in self.fields}
        first = "" if self.first_name is None else cells[self.first_name]
        last = "" if self.last_name is None else cells[self.last_name]
        name = "" if self.name is None else cells[self.name]
        if not name and (first or last):
            name = f"{first} {last}".strip()
            # A single name is both, as it is in `merge_fields`; it is never cut up.
            first, last = first or last, last or first
        if first:
            fields["first_name"] = first
        if last:
            fields["last_name"] = last
        address, notes = _address(cells[self.address])
        key = "" if self.key is None else cells[self.key]
        return Person(address, key=key, name=name, fields=fields, notes=notes)


def _address(cell: str) -> tuple[Mailbox | str, tuple[str, ...]]:
    """The address to write to; a cell that is not one stays as it is, and the plan leaves its person out."""
    if not cell:
        return cell, _NO_NOTES
    try:
        return parse_mailbox(cell), _NO_NOTES
    except AddressError:
        pass
    found = collect_mailbox_list(cell.replace(_BETWEEN, " ; "), lenient=True)
    if found.errors or not found.mailboxes:
        return cell, _NO_NOTES
    first, *others = found.mailboxes
    if not others:
        return first, _NO_NOTES
    left = ", ".join(one.addr_spec for one in others)
    return first, (f"the cell holds several addresses; {first.addr_spec} is written to, {left} is not",)
