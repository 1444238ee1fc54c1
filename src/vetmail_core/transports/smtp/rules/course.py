"""Whether a run goes on, and how fast, by what the server's answers to different people have in common.

A run that would hear the same from everybody ends, and one that is too fast slows down. One person or email
is not blamed for what the server says to all, nor the run for what it says about one. An acceptance wipes
out what came before it.

What a single reply leads to stands in the table of replies; here is what their order leads to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.receipts import Cause, Phase, Status
from vetmail_core.transports.replies import Repeat, Retry, gist
from vetmail_core.transports.smtp.rules.message import Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vetmail_core.receipts import Outcome
    from vetmail_core.transports.smtp.rules.message import Refusal

__all__ = ["Course"]

_IN_A_ROW: Final = 3
_EMAILS_IN_VAIN: Final = 5
_BROKE_OFF: Final = Stop(
    cause=Cause.CONNECTION, phase=Phase.DOT, note="the server broke off after each text, and no answer came"
)


@attrs.define
class Course:
    """What a run has heard so far.

    Attributes:
        stop: why the run is over; None while it is not.
        in_vain: how many different emails in a row came to nothing, each after its own tries.
    """

    stop: Stop | None = None
    in_vain: int = 0
    _doubted: list[object] = attrs.field(factory=list[object])
    _words: str = ""
    _people: set[str] = attrs.field(factory=set[str])

    @property
    def doubtful(self) -> bool:
        """Whether one more email in vain ends the run."""
        return self.in_vain == _EMAILS_IN_VAIN - 1

    def went_well(self) -> None:
        """Somebody was accepted."""
        self.in_vain = 0
        if self._people:
            self._words = ""
            self._people.clear()

    def decided(self) -> None:
        """The server has listened, whatever it said."""
        self.in_vain = 0

    def came_to_nothing(self, trouble: Stop) -> None:
        """An email is put off because the server would not listen to any of it.

        Args:
            trouble: what the run ends with, if it ends now.
        """
        self.in_vain += 1
        if self.in_vain >= _EMAILS_IN_VAIN:
            self.stop = self.stop or trouble

    def text_ended(self, email: object, outcomes: Sequence[Outcome]) -> None:
        """Take in how the text of an email ended, or a part of that email's recipients.

        A server that breaks off after each text would put everybody in doubt. It costs five a question, if it
        answers no text in between.

        Args:
            email: told from others by what it is.
            outcomes: of its recipients, as far as they are known.
        """
        if any(outcome.status is Status.UNKNOWN for outcome in outcomes):
            if not any(email is one for one in self._doubted):
                self._doubted.append(email)
            if len(self._doubted) >= _EMAILS_IN_VAIN:
                self.stop = self.stop or _BROKE_OFF
        elif any(outcome.phase is Phase.DOT or outcome.status is Status.ACCEPTED for outcome in outcomes):
            self._doubted.clear()

    def refused(self, refusal: Refusal) -> bool:
        """Take a refusal in.

        Returns:
            Whether the run is to slow down.
        """
        meant = refusal.meant
        repeated = meant.repeat is not Repeat.NOTHING and self._repeated(refusal)
        if meant.ends_run or (repeated and meant.repeat is Repeat.STOP):
            self.stop = self.stop or Stop(cause=meant.cause, phase=refusal.phase, reply=refusal.reply)
        return meant.slows or meant.retry is Retry.FRESH or (repeated and meant.repeat is Repeat.SLOWER)

    def _repeated(self, refusal: Refusal) -> bool:
        """Whether different people in a row have been told the same, this one among them."""
        words = gist(refusal.reply)
        if words != self._words:
            self._words = words
            self._people.clear()
        self._people.add(refusal.mailbox.address_key)
        return len(self._people) >= _IN_A_ROW
