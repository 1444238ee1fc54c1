"""What each person of a mailing reads.

One content made personal by merge fields, or a host's function that gives each person theirs. An error says
whose email could not be made.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from vetmail_core.errors import MergeError, MessageError, wrong_type
from vetmail_core.message import Content
from vetmail_core.message.merge import STANDARD_FIELDS, nearest_field
from vetmail_core.people import Person, is_given, merge_fields
from vetmail_core.recipients import name_of, why_excluded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Letters", "nobody_has", "refuse_ungiven", "who"]

_NO_FIELDS: Final[Mapping[str, object]] = MappingProxyType({})


class Letters:
    """Gives each person what they read.

    Args:
        content: the same for all, or a function of the host's. Either way the merge fields go in; a content
            that the function has merged itself stays as it is.
        looked_over: `refuse_ungiven` has seen all the people, so a field that one of them lacks is blank.
    """

    __slots__ = ("_content", "_looked_over")

    def __init__(self, content: Content | Callable[[Person], Content], *, looked_over: bool) -> None:
        self._content = content
        self._looked_over = looked_over

    def of(self, person: Person) -> tuple[Content, Content, Mapping[str, object]]:
        """Make one.

        Returns:
            The finished content, the one it was merged from, and the fields that were given.

        Raises:
            MergeError: a field is unknown or its value is not allowed in its place; names the person.
            MessageError: the host's function gave no content; names the person. What the host's function
                itself raises comes through, with a note that names the person.
        """
        content = self._content
        if not isinstance(content, Content):
            content = _given(content, person)
        try:
            if content.plain:
                return content, content, _NO_FIELDS
            fields = merge_fields(person)
            for name in content.asked:
                if name not in fields and (self._looked_over or name in STANDARD_FIELDS):
                    fields[name] = None
            return content.merge(fields), content, fields
        except MergeError as error:
            raise MergeError(
                f"the e-mail for {who(person)} cannot be made: {error}", field=error.field, place=error.place
            ) from error


def refuse_ungiven(content: Content, people: Iterable[Person], *, marketing: bool) -> None:
    """Look for a field that is asked for and that nobody has, before the first email.

    Walks the people only until each field was found once, which is at the first person in nearly every list.

    Args:
        content: as for `Letters`.
        people: can be walked again.
        marketing: as for the plan.

    Raises:
        MergeError: nobody who gets an email has it, or the content holds marks of a field that somebody has.
    """
    if content.plain:
        return
    missing = set(content.asked)
    marked = content.marked
    known: dict[str, None] = {}
    for person in people:
        if not missing and not marked:
            return
        if not isinstance(person, Person) or why_excluded(person, marketing=marketing) is not None:  # pyright: ignore[reportUnnecessaryIsInstance] - the walk itself says so
            continue
        fields = merge_fields(person)
        known.update(dict.fromkeys(fields))
        missing = {name for name in missing if not is_given(fields.get(name))}
    if not known:
        return
    if marked:
        content.refuse_marks(known)
    for name in sorted(missing):
        raise nobody_has(name, content.place_of(name), known)


def nobody_has(field: str, place: str, known: Iterable[str]) -> MergeError:
    """Make the error of a field that is empty for everybody.

    Args:
        field: its name.
        place: where it is asked for.
        known: the fields that there are.
    """
    return MergeError(
        f'{place}, asks for the field "{field}", which nobody who gets an email has; '
        f"{nearest_field(field, (name for name in known if name != field))}. If it may be empty, give it a "
        f"default: ${{{field}|}}",
        field=field,
        place=place.split(" ")[1],
    )


def _given(content: Callable[[Person], Content], person: Person) -> Content:
    try:
        given = content(person)
    except Exception as error:
        error.add_note(f"This happened while the e-mail for {who(person)} was made.")
        raise
    if not isinstance(given, Content):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            f"the e-mail for {who(person)} cannot be made: it",
            "a Content from the function content=",
            given,
            "leave a person who should get no email out of the people",
            error=MessageError,
        )
    return given


def who(person: Person) -> str:
    """Name a person in a sentence, "Ann Lee (key C1001)"."""
    return f"{person.name} (key {person.key})" if person.name and person.key else name_of(person)
