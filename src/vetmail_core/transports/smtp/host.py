"""What a transport has learnt about its server.

What it is for: what outlives a connection and a run: the mode that works, the pace, a resting session. What
it refuses: to be shared between transports. Its law: a mode that failed on a fresh connection is not tried
again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.receipts import Status
from vetmail_core.transports.smtp.chunking import ChunkLane
from vetmail_core.transports.smtp.pipeline import DataLane
from vetmail_core.transports.smtp.settings import Pipelining

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.receipts import Outcome
    from vetmail_core.transports.smtp.pace import Pace
    from vetmail_core.transports.smtp.pipeline import Lane
    from vetmail_core.transports.smtp.protocol import Capabilities
    from vetmail_core.transports.smtp.session import Session

__all__ = ["Host"]

_BELOW: Final = {
    Pipelining.CHUNKING: Pipelining.AUTO,
    Pipelining.AUTO: Pipelining.ENVELOPE,
    Pipelining.ENVELOPE: Pipelining.OFF,
}


@attrs.define(kw_only=True)
class Host:
    """What a transport has learnt about its server; outlives a connection.

    Attributes:
        mode: the highest mode that has not failed.
        proved: CHUNKING has worked.
        plain: whether parameters of ours are left out, as they were refused; None while nothing is known.
        reached: it has been connected to.
        session: a connection that rests between two runs.
        closed: the transport was closed.
        trouble: why the last try to connect failed, while it is tried again; "" once it has worked.
    """

    mode: Pipelining
    pace: Pace
    proved: bool = False
    plain: bool | None = None
    reached: bool = False
    session: Session | None = None
    closed: bool = False
    trouble: str = ""

    def lane(self, capabilities: Capabilities, window: int) -> Lane:
        """The best way that the server and what was learnt allow."""
        mode = self.mode
        if mode is Pipelining.CHUNKING:
            if "CHUNKING" in capabilities and "PIPELINING" in capabilities:
                return ChunkLane(capabilities, window, proved=self.proved)
            mode = Pipelining.AUTO
        if mode is Pipelining.AUTO and not capabilities.ahead:
            mode = Pipelining.ENVELOPE
        if "PIPELINING" not in capabilities:
            mode = Pipelining.OFF
        return DataLane(capabilities, mode)

    def tried_plain(self, outcomes: Iterable[Outcome]) -> None:
        """Remember what a message without our parameters came to, where one with them was refused."""
        statuses = {outcome.status for outcome in outcomes}
        if statuses & {Status.ACCEPTED, Status.REFUSED}:
            self.plain = Status.ACCEPTED in statuses

    def step_down(self, lane: Lane) -> None:
        """A group on a fresh connection ended badly: this server wants less at once."""
        if lane.trying is not None:
            self.mode = _BELOW[lane.trying]
