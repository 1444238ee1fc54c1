"""The emails of a run, one after the other.

Emails come out of a plan, or out of whatever a host hands over. An interrupt while an email is being made
loses neither that email nor the ones after it.

An interrupt ends the generator that it falls into, and the people whom a plan had not come to would be in
no report. A plan and a list can be walked again: the steps that were taken are passed over.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import TYPE_CHECKING, Self

from vetmail_core.bulk import BulkPlan
from vetmail_core.errors import MessageError, RecipientsError, wrong_type
from vetmail_core.message import Email
from vetmail_core.recipients import Exclusion
from vetmail_core.transports.calls import one_email

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vetmail_core.receipts import Tally

__all__ = ["Walk"]


class Walk:
    """An iterator over the emails of a run; exclusions between them go to the tally.

    Args:
        plan: a plan, or any iterable of emails; pulled lazily.
        tally: counts those who are left out.

    Attributes:
        can_go_on: the plan has an end and can be walked again; of an iterator the rest is the caller's.
        given: the email that was given last; None at the end. An interrupt may fall before anybody has it.
    """

    def __init__(self, plan: BulkPlan | Iterable[Email], tally: Tally) -> None:
        if isinstance(plan, Email):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise one_email("send_bulk()")
        self.can_go_on = isinstance(plan, BulkPlan | Collection)
        self._plan = plan
        self._tally = tally
        self._steps = _steps(plan)
        self._at: tuple[int, Email | None] = (0, None)  # how many steps were taken, and the email of the last
        self._interrupted = self._again = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Email:
        """The next email.

        Raises:
            MessageError: something else than emails came.
            Exception: whatever the plan or the iterable raises.
        """
        if self._interrupted and self.can_go_on:
            self._steps = islice(_steps(self._plan), self._at[0], None)
            self._interrupted, self._again = False, True
        try:
            for step in self._steps:
                if isinstance(step, Email):
                    self._at = (self._at[0] + 1, step)
                    return step
                self._leave_out(step)
                self._at = (self._at[0] + 1, self.given)
        except RecipientsError:
            # People who came from an iterator cannot be walked again; what is left in it is the caller's.
            if not self._again:
                raise
        except KeyboardInterrupt:
            self._interrupted = True
            raise
        self._at = (self._at[0], None)
        raise StopIteration

    @property
    def given(self) -> Email | None:
        """The email that was given last; None at the end."""
        return self._at[1]

    def _leave_out(self, step: object) -> None:
        if not isinstance(step, Exclusion):  # hosts are not all typed
            raise wrong_type(
                "send_bulk()",
                "a plan or emails",
                step,
                "Make a plan of people with plan_bulk(content, people).",
                error=MessageError,
            )
        self._tally.exclude(step)


def _steps(plan: BulkPlan | Iterable[Email]) -> Iterator[Email | Exclusion]:
    return plan.steps() if isinstance(plan, BulkPlan) else iter(plan)
