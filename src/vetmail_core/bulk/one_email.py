"""One email to everybody of a plan: for a mail program, where a class is one window instead of thirty.

Everybody reads the very same, so a content with merge fields is refused: it would greet thirty people by one
name, or show the field itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vetmail_core.errors import MergeError
from vetmail_core.message import Content
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vetmail_core.address import Mailbox
    from vetmail_core.people import Person

__all__ = ["addressed", "key_of_one_email", "same_for_all"]


class _Asked(dict[str, object]):
    """Merge fields that remember which of them a content asks for."""

    def __missing__(self, name: str) -> object:
        self[name] = ""
        return ""


def same_for_all(content: Content | Callable[[Person], Content]) -> Content:
    """The content, as everybody reads it.

    Raises:
        MergeError: it has a merge field, or is a function, so it may differ from person to person.
    """
    if not isinstance(content, Content):
        raise MergeError(
            "One email to everybody needs a Content; the content of this plan is a function, so it may differ"
            " from person to person. Send the plan itself, or give plan_bulk a Content without merge fields."
        )
    asked = _Asked()
    content.merge(asked)
    for name in asked:
        raise MergeError(
            f'One email to everybody needs a content without merge fields, got the field "{name}", which'
            " differs from person to person. Take it out, or send the plan itself.",
            field=name,
        )
    return content.merge({})


def key_of_one_email(batch: str) -> str:
    """The key of the one email of a batch; "" without a batch.

    A person's key always has a "/" in it, and this never has, so no person of any batch has the same.

    Args:
        batch: escaped as in the keys of its people: without "/", and "%" only before two digits.
    """
    return f"{batch}%everybody" if batch else ""


def addressed(
    people: Iterable[Mailbox], roles: Iterable[Recipients], typed: Recipients, *, hidden: bool
) -> Recipients:
    """Put everybody where they shall be, once each.

    Args:
        people: whom the plan makes an email for.
        roles: the people of related and shared roles, where the preferences put them.
        typed: typed copies, which stay where they were typed.
        hidden: put everybody but the typed copies into BCC; otherwise the people into To.
    """
    held = list(roles)
    if hidden:
        everybody = (*people, *(one for role in held for one in role.all))
        return Recipients(cc=typed.cc, bcc=(*everybody, *typed.bcc))
    return Recipients(
        (*people, *(one for role in held for one in role.to)),
        (*(one for role in held for one in role.cc), *typed.cc),
        (*(one for role in held for one in role.bcc), *typed.bcc),
    )
