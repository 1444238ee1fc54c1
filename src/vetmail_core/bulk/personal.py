"""What each person of a mailing reads.

What it is for: one content made personal by merge fields, or a host's function that gives each person theirs.
What it refuses: a function that gives something else. Its law: an error says whose email could not be made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vetmail_core.errors import MergeError, MessageError
from vetmail_core.message import Content
from vetmail_core.people import merge_fields, who

if TYPE_CHECKING:
    from collections.abc import Callable

    from vetmail_core.people import Person

__all__ = ["personal"]


def personal(content: Content | Callable[[Person], Content]) -> Callable[[Person], Content]:
    """Make the function that gives a person what they read.

    Args:
        content: the same for all, or a function of the host's. Either way the merge fields go in; a content
            that the function has merged itself stays as it is.

    Returns:
        A function. It raises MergeError for a field that is unknown or whose value cannot stand in its
        place, and MessageError when the host's function gave no content; both name the person. What the
        host's function itself raises comes through, with a note that names the person.
    """
    if not isinstance(content, Content):
        return lambda person: _merged(_given(content, person), person)
    if _without_fields(content):
        return lambda _: content
    return lambda person: _merged(content, person)


def _without_fields(content: Content) -> bool:
    """Whether everybody reads the very same: then one value serves all, and is encoded once."""
    try:
        return content.merge({}) == content
    except MergeError:
        return False


def _given(content: Callable[[Person], Content], person: Person) -> Content:
    try:
        given = content(person)
    except Exception as error:
        error.add_note(f"This happened while the e-mail for {who(person)} was made.")
        raise
    if not isinstance(given, Content):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise MessageError(
            f"the e-mail for {who(person)} cannot be made: a Content was expected of the function that gives"
            f" it, but {type(given).__name__} came; whoever shall get no email is not among the people"
        )
    return given


def _merged(content: Content, person: Person) -> Content:
    try:
        return content.merge(merge_fields(person))
    except MergeError as error:
        raise MergeError(
            f"the e-mail for {who(person)} cannot be made: {error}", field=error.field, place=error.place
        ) from error
