"""Which process this is.

A lock, connection or session is copied when a process forks. Each is used, closed and cleaned up only by
the process that made it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["when_forked"]


def _where_nothing_forks(*, after_in_child: Callable[[], None]) -> None:
    """Windows."""


def when_forked(call: Callable[[], None]) -> None:
    """Have something called in every child, as soon as it begins.

    Args:
        call: given once, when a module is read; it finds what there is by weak references.
    """
    getattr(os, "register_at_fork", _where_nothing_forks)(after_in_child=call)
