"""What a transport has learnt about its server.

This outlives a connection and a run: the mode that works, the pace, a resting session. It belongs to one
transport. A mode that failed on a fresh connection is not tried again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.receipts import Status
from vetmail_core.transports.smtp.rules.by_bdat import ChunkLane
from vetmail_core.transports.smtp.rules.pipeline import DataLane
from vetmail_core.transports.smtp.settings import ORDER, Pipelining

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.receipts import Outcome
    from vetmail_core.transports.smtp.lending import Lending
    from vetmail_core.transports.smtp.pace import Pace
    from vetmail_core.transports.smtp.rules.pipeline import Lane, Memory
    from vetmail_core.transports.smtp.rules.protocol import Capabilities
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
        chunked: a message was taken by BDAT.
        plain: whether parameters of ours are left out, as they were refused; None while nothing is known.
        reached: it has been connected to.
        lending: its connections.
        bore: the highest mode that several connections need not find out again.
        closed: the transport was closed.
        trouble: why the last try to connect failed, while it is tried again; "" once it has worked.
    """

    mode: Pipelining
    pace: Pace
    lending: Lending
    chunked: bool = False
    plain: bool | None = None
    reached: bool = False
    bore: Pipelining = Pipelining.OFF
    closed: bool = False
    trouble: str = ""

    @property
    def session(self) -> Session | None:
        """The connection that rests and was used last."""
        return self.lending.last

    def lane(self, capabilities: Capabilities, memory: Memory, window: int) -> Lane:
        """The best way that the server and what was learnt allow."""
        mode = self.mode
        if mode is Pipelining.CHUNKING:
            if "CHUNKING" in capabilities and "PIPELINING" in capabilities:
                return ChunkLane(capabilities, window, proved=self.chunked)
            mode = Pipelining.AUTO
        if mode is Pipelining.AUTO and not capabilities.ahead:
            mode = Pipelining.ENVELOPE
        if "PIPELINING" not in capabilities:
            mode = Pipelining.OFF
        return DataLane(capabilities, mode, memory)

    def tried_plain(self, outcomes: Iterable[Outcome]) -> None:
        """Remember what a message without our parameters came to, where one with them was refused."""
        statuses = {outcome.status for outcome in outcomes}
        if statuses & {Status.ACCEPTED, Status.REFUSED}:
            self.plain = Status.ACCEPTED in statuses

    def bears(self, mode: Pipelining) -> None:
        """A connection has borne a mode; the others need not find it out again."""
        self.bore = max(self.bore, min(mode, self.mode, key=ORDER.index), key=ORDER.index)

    def step_down(self, lane: Lane) -> None:
        """A group on a fresh connection ended badly: this server wants less at once."""
        if lane.trying is not None:
            below = _BELOW[lane.trying]
            self.mode = min(self.mode, below, key=ORDER.index)  # another connection may have been at it
            self.bore = min(self.bore, below, key=ORDER.index)
