"""What was said on a line, for people: the last lines of it.

It answers "what did the server say?". It holds no bodies, and no secrets: those were taken out before.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from vetmail_core._shown import shown_octets
from vetmail_core.transports.smtp.rules.auth import scrubbed

__all__ = ["Transcript"]

_LINES: Final = 40


class Transcript:
    """The last 40 lines said on a connection."""

    def __init__(self) -> None:
        self._said: deque[tuple[str, bytes]] = deque(maxlen=_LINES)

    def ours(self, shown: bytes) -> None:
        """We say something.

        Args:
            shown: what may be seen of it, a line end behind each line.
        """
        self._said.append(("C", shown))

    def theirs(self, replies: list[bytes], secrets: tuple[bytes, ...] = ()) -> None:
        """The server answers.

        Args:
            replies: raw.
            secrets: what must not be seen, and belongs to a login; then challenges are not shown either.
        """
        octets = b"\n".join(replies)
        if secrets:
            octets = b"334 ***" if octets.startswith(b"334") else scrubbed(octets, secrets)
        self._said.append(("S", octets))

    def note(self, words: str) -> None:
        """Something happened that nobody said."""
        self._said.append(("-", words.encode()))

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines, "C: " ours and "S: " theirs."""
        lines = [
            f"{who}: {shown_octets(line)}"
            for who, octets in self._said
            for line in octets.removesuffix(b"\r\n").replace(b"\r\n", b"\n").split(b"\n")
        ]
        return tuple(lines[-_LINES:])
