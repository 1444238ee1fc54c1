"""Whole messages behind one another by BDAT (RFC 3030): nothing waits for an answer.

This fills the line to a distant server. Each message on the way is in doubt when the line dies, so no more
than a window of them is sent. Answers come in the order of the commands; a message's answers are looked at
when all of them are there.

Each message goes behind a RSET: a server that has refused every recipient may keep the transaction open,
and the next message's recipients would join it (RFC 3030, section 2, wants RSET after a failed BDAT).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp.rules.drift import Drift
from vetmail_core.transports.smtp.rules.message import Stage
from vetmail_core.transports.smtp.settings import Pipelining

if TYPE_CHECKING:
    from vetmail_core.transports.smtp.rules.login import Lost
    from vetmail_core.transports.smtp.rules.message import Transaction
    from vetmail_core.transports.smtp.rules.protocol import Capabilities

__all__ = ["ChunkLane"]

_WINDOW_OCTETS: Final = 1_048_576
_YES: Final = ord("2")


class ChunkLane:
    """CHUNKING.

    Args:
        capabilities: what the server announced.
        window: messages on the way at once; fewer when they are large.
        proved: this server has taken a message this way before; else the first one goes alone.
    """

    def __init__(self, capabilities: Capabilities, window: int, *, proved: bool = False) -> None:
        self._capabilities = capabilities
        self._window = window
        self._replies: list[bytes] = []
        self._given = 0
        self._waiting = 0  # octets of text put in and not given yet
        self._answered = 0
        self._full = False
        self._drift = Drift()
        self._put: list[Transaction] = []
        self.bodies: list[Transaction] = []
        self.flight: deque[Transaction] = deque()
        self.done: deque[Transaction] = deque()
        self.over = False
        self.leaving = False
        self.trying: Pipelining | None = None if proved else Pipelining.CHUNKING
        self._alone = not proved  # a window of messages goes where one was taken: all may hear the same no
        self.outstanding = 0
        self.windowed = True
        self.writing = Phase.BODY
        self.unsettled = False

    @property
    def room(self) -> int:
        """How many messages may be put in now."""
        if self.over or self._full or self.leaving:
            return 0
        if not self.flight:
            return 1 if self.trying or self._alone else self._window
        if self.trying or self._alone or self._given + self._waiting - self._answered > _WINDOW_OCTETS:
            return 0
        return self._window - len(self.flight)

    def due(self, sent: int) -> int:
        """How many answers the server can give: of a message on its way out, all but the last."""
        count, start = -len(self._replies), self._answered
        for transaction in self.flight:
            if sent <= start:
                break
            count += len(transaction.mailboxes) + 2 + (transaction.end <= sent)
            start = transaction.end
        return max(count, 0)

    @property
    def in_doubt(self) -> bool:
        """Whether messages have left without an answer."""
        return bool(self.flight)

    @property
    def awaited(self) -> Phase | None:
        """What the next answer belongs to; None as soon as a message is finished."""
        if not self.flight or self.done:
            return None
        number = len(self._replies)
        if number and self._replies[-1].startswith(b"421"):
            self.leaving = True
        if number < 2:  # noqa: PLR2004 - RSET and MAIL
            return Phase.MAIL
        return Phase.RCPT if number < len(self.flight[0].mailboxes) + 2 else Phase.DOT

    @property
    def risk(self) -> Pipelining | None:
        """CHUNKING, until a message was taken this way."""
        return self.trying

    @property
    def proved(self) -> Pipelining:
        """CHUNKING, as soon as a message was taken this way."""
        return Pipelining.OFF if self.trying else Pipelining.CHUNKING

    def believe(self, mode: Pipelining) -> None:
        """Take it from other connections that the server takes messages this way."""
        if mode is Pipelining.CHUNKING:
            self.trying, self._alone = None, False

    def put(self, transaction: Transaction) -> None:
        """Put a message in; there is room."""
        transaction.tries += 1
        transaction.stage = Stage.QUEUED
        self._put.append(transaction)
        self._waiting += len(transaction.data)
        self.flight.append(transaction)

    def about_to_begin(self) -> list[Transaction]:
        """The messages that were put in since the last ``take``."""
        return list(self._put)

    def hold_back(self, transaction: Transaction) -> None:
        """Leave it out; the others go on over this connection."""
        self._put.remove(transaction)
        self.flight.remove(transaction)
        transaction.hold_back()
        transaction.stage = Stage.DONE
        self.done.append(transaction)

    def take(self) -> tuple[bytes, bytes]:
        """What to send now, and how the transcript shows it."""
        octets: list[bytes] = []
        shown: list[bytes] = []
        for transaction in self._put:
            data = transaction.data
            commands = b"".join(
                (
                    b"RSET\r\n",
                    *transaction.envelope(self._capabilities),
                    b"BDAT %d LAST\r\n" % len(data),
                )
            )
            octets += (commands, data)
            shown.append(commands)
            self._given += len(commands) + len(data)
            transaction.end = self._given
            transaction.stage = Stage.SENDING
            self.outstanding += len(transaction.mailboxes) + 3
        self.bodies, self._put, self._waiting = self._put, [], 0
        return b"".join(octets), b"".join(shown)

    def receive(self, replies: list[bytes]) -> None:
        """Take answers in; finish the messages whose answers are complete."""
        replies = self._replies + replies if self._replies else replies
        at = 0
        flight = self.flight
        # 421 behind the last answer is a goodbye (RFC 5321, 3.8), not an answer too many.
        while len(replies) > self.outstanding and replies[-1].startswith(b"421"):
            replies = replies[:-1]
            self.leaving = True
        # When one of them answers nothing, no yes can be told what it answers.
        too_many = len(replies) > self.outstanding
        while flight:
            transaction = flight[0]
            end = at + len(transaction.mailboxes) + 3
            if end > len(replies):
                break
            group = replies[at:end]
            at = end
            self.outstanding -= len(group)
            self._answered = transaction.end
            last = group[-1]
            if last[0] == _YES and (too_many or self._drift.seen_in(last)):
                self._full = True
                transaction.contradiction()
            else:
                for raw in group:
                    if raw[0] != _YES:
                        self._look_at(transaction, group)
                        break
                else:
                    transaction.accept(last)
                    self.trying, self._alone = None, False
                    if not self._drift.learnt:
                        self._drift.learn(group[:-1], last)
            self.done.append(flight.popleft())
            transaction.stage = Stage.DONE
        self._replies = replies[at:]
        if (self._full or self.leaving or self._replies) and not flight:
            self.over = True

    def _look_at(self, transaction: Transaction, group: list[bytes]) -> None:
        """Something in the answers was no yes."""
        reset, *transaction.replies, last = group
        for number, raw in enumerate(group):
            if raw.startswith(b"421"):
                self.leaving = True
                if last.startswith(b"2"):
                    break  # it has taken the message all the same, for those it had not refused
                transaction.closing(raw, _phase(number, len(group)))
                return
        # Nothing new goes this way any more; what is on the way already gets its answers.
        self._full = self._full or not reset.startswith(b"2")
        if last.startswith(b"3"):
            self._full = True
            transaction.doubt("the server asked for more after the end of the message", Cause.PROTOCOL)
            return
        transaction.conclude(last, Phase.DOT)
        self._full = self._full or transaction.parting
        if transaction.again is not None:
            self._full = True
        else:
            self.trying = None

    def abandon(self, sent: int, lost: Lost | None) -> None:
        """Finish what is on the way, because the connection is given up."""
        self.over = True
        blame = lost
        said_goodbye = self.leaving
        in_doubt = False
        while self.flight:
            transaction = self.flight.popleft()
            replies, self._replies = self._replies, []
            transaction.replies = replies[1:]
            goodbye = next((at for at, raw in enumerate(replies) if raw.startswith(b"421")), None)
            unsent = not transaction.is_in_doubt(sent)
            transaction.stage = Stage.DONE
            if lost is None:
                transaction.interrupted(None)
            elif goodbye is not None and (unsent or lost.closed or not transaction.may_arrive):
                transaction.closing(replies[goodbye], _phase(goodbye, len(transaction.mailboxes) + 3))
                said_goodbye, blame = True, None
            elif unsent:
                transaction.interrupted(blame)
                blame = None
            elif said_goodbye and lost.closed:
                # 421 ends the session (RFC 5321, 3.8): what stood behind it was never looked at.
                transaction.interrupted(None)
            else:
                transaction.doubt(lost.note, lost.cause)
                blame = None
                in_doubt = True
            self.done.append(transaction)
        if in_doubt:
            # A server that closes after so many messages would leave the next window in doubt as well; one
            # that is asked first loses nothing.
            self.trying = Pipelining.CHUNKING


def _phase(number: int, count: int) -> Phase:
    """What the answer of a number belongs to, of so many answers to a message."""
    if number < 2:  # noqa: PLR2004 - RSET and MAIL
        return Phase.MAIL
    return Phase.DOT if number == count - 1 else Phase.RCPT
