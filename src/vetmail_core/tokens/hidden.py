"""Texts that show nothing of themselves, not even among the local variables of a traceback."""

from __future__ import annotations

__all__ = ["HiddenText"]


class HiddenText(str):
    """A token, secret or key on its way. It is the text in every respect but its ``repr``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} hidden characters>"
