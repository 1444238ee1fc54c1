"""Whether a yes that comes in the place of a text's answer can belong to a text.

Where several things are under way at once, a server that leaves one answer out moves all later answers up
by one, and the yes to the next MAIL would be taken for the yes to a text that was never kept. Two signs
tell: an enhanced code whose subject is an address (X.1.x, RFC 3463), and words that this server has said to
an envelope and not to a text. A server that says the same words to everything cannot be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Drift"]

_ABOUT_AN_ADDRESS: Final = b"2.1."


class Drift:
    """What one server says to an envelope, learnt from the first message that it accepts.

    Attributes:
        learnt: the words are known.
    """

    __slots__ = ("_words", "learnt")

    def __init__(self) -> None:
        self._words: frozenset[bytes] = frozenset()
        self.learnt = False

    def learn(self, envelope: Iterable[bytes], text: bytes) -> None:
        """Take the answers to a message that was accepted.

        Args:
            envelope: to what came before its text.
            text: to the text.
        """
        self._words = frozenset(envelope) - {text}
        self.learnt = True

    def seen_in(self, yes: bytes) -> bool:
        """Whether a yes to a text cannot be one."""
        return yes[4:8] == _ABOUT_AN_ADDRESS or yes in self._words
