"""How deep a document is nested, found without going down into it.

Plain data from outside is measured here before anything reads it by recursion. The time grows with the data
and no faster, also for data that contains itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MOST_LEVELS", "is_too_deep"]

MOST_LEVELS: Final = 100


def is_too_deep(data: object) -> bool:
    """Whether mappings and lists stand in each other more than a hundred deep."""
    level = [data]
    for _ in range(MOST_LEVELS):
        # Each once: what is in two places on one level is as deep in both.
        inner = {id(one): one for outer in level for one in _members(outer)}
        level = list(inner.values())
        if not level:
            return False
    return True


def _members(outer: object) -> Iterable[object]:
    if isinstance(outer, Mapping):
        return cast("Mapping[object, object]", outer).values()
    if isinstance(outer, list | tuple):
        return cast("list[object]", outer)
    return ()
