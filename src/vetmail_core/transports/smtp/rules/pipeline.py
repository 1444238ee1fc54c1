"""Messages on their way over one connection: what may be sent now, and what each answer belongs to.

What it is for: the order of commands, bodies and answers in every mode, without a socket. What it refuses: to
decide on half a group of answers, and to leave a transaction open for the next message to fall into. Its
law: a message is finished exactly once: with outcomes, or with the word to send it again.

RFC 2920: a body may be the first thing of a group, DATA must be the last. So AUTO sends
``[body . MAIL RCPT DATA]``: one round trip a message, and one body in doubt at most.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp.rules.login import Lost
from vetmail_core.transports.smtp.rules.protocol import dot_stuffed, read_reply
from vetmail_core.transports.smtp.settings import ORDER, Pipelining

if TYPE_CHECKING:
    from vetmail_core.transports.smtp.rules.message import Transaction
    from vetmail_core.transports.smtp.rules.protocol import Capabilities

__all__ = ["DataLane", "Lane", "Memory"]

_YES: Final = ord("2")
_GO_AHEAD: Final = ord("3")


class Memory:
    """What a connection remembers from one run to the next; its session and its lane share it.

    Attributes:
        needs_reset: the server still has an envelope open that came to nothing; RSET goes first.
        proved: the highest mode that this connection has borne.
    """

    __slots__ = ("needs_reset", "proved")

    def __init__(self) -> None:
        self.needs_reset = False
        self.proved = Pipelining.OFF


class Lane(Protocol):
    """What a driver needs to know to move messages over a connection.

    Attributes:
        flight: messages on the way, oldest first.
        done: messages that are finished, for the run to collect.
        over: nothing more goes over this connection.
        leaving: the server has said that it is closing the connection, and some answers may still come.
        trying: the mode that this connection has not proved yet; a break now steps down from it.
        windowed: the texts of several messages may have left without an answer.
        bodies: messages whose text is in what ``take`` gave last.
    """

    bodies: list[Transaction]
    flight: deque[Transaction]
    done: deque[Transaction]
    over: bool
    leaving: bool
    trying: Pipelining | None
    windowed: bool

    @property
    def room(self) -> int:
        """How many messages may be put in now."""
        ...

    @property
    def outstanding(self) -> int:
        """How many answers the server owes."""
        ...

    def due(self, sent: int) -> int:
        """How many of them it can know, once so many octets of this lane have left."""
        ...

    @property
    def writing(self) -> Phase:
        """What a failing write is in the middle of."""
        ...

    @property
    def awaited(self) -> Phase | None:
        """What the next answer belongs to; None when the driver need not wait."""
        ...

    @property
    def unsettled(self) -> bool:
        """Whether there is something to send although no message is on the way."""
        ...

    @property
    def in_doubt(self) -> bool:
        """Whether messages have left without an answer."""
        ...

    @property
    def risk(self) -> Pipelining | None:
        """The mode that a message put in now would be the first to try, at the cost of a doubt."""
        ...

    @property
    def proved(self) -> Pipelining:
        """The highest mode that this connection has borne."""
        ...

    def believe(self, mode: Pipelining) -> None:
        """Take it from other connections that the server bears a mode."""
        ...

    def put(self, transaction: Transaction) -> None:
        """Put a message in; there is room."""
        ...

    def about_to_begin(self) -> list[Transaction]:
        """The messages whose text begins with what ``take`` gives next."""
        ...

    def hold_back(self, transaction: Transaction) -> None:
        """Finish one of those without a word of its text."""
        ...

    def take(self) -> tuple[bytes, bytes]:
        """What to send now, and how the transcript shows it."""
        ...

    def receive(self, replies: list[bytes]) -> None:
        """Take answers in."""
        ...

    def abandon(self, sent: int, lost: Lost | None) -> None:
        """Finish what is on the way, because the connection is given up.

        Args:
            sent: octets of this lane that have left.
            lost: what happened; None when it was given up in order.
        """
        ...


class DataLane:
    """OFF, ENVELOPE and AUTO: bodies go by DATA.

    Args:
        capabilities: what the server announced.
        mode: one of the three.
        memory: what the connection remembers.
    """

    def __init__(self, capabilities: Capabilities, mode: Pipelining, memory: Memory) -> None:
        self._capabilities = capabilities
        self._mode = mode
        self._expected: deque[tuple[Transaction | None, Phase]] = deque()
        self._commands: deque[bytes] = deque()  # of the envelope that comes next
        self._next: Transaction | None = None
        self._open: Transaction | None = None
        self._waiting: Transaction | None = None  # for the answer to DATA
        self._sending: Transaction | None = None
        self._taken_by_all = False
        self._lone_dot = False
        self._memory = memory
        self._given = 0
        self._fault: Lost | None = None
        self.bodies: list[Transaction] = []
        self.flight: deque[Transaction] = deque()
        self.done: deque[Transaction] = deque()
        self.over = False
        self.leaving = False
        self.trying: Pipelining | None = None
        self.windowed = False

    @property
    def room(self) -> int:
        """One, or one ahead in AUTO while a body is ready to go."""
        if self.over or self._next is not None or self._expected:
            return 0
        ahead = self._mode is Pipelining.AUTO and self._open is not None
        return 1 if ahead or not self.flight else 0

    @property
    def outstanding(self) -> int:
        """How many answers the server owes."""
        return len(self._expected)

    def due(self, sent: int) -> int:
        """How many of them it can know: none before the body that goes first has left."""
        return 0 if self._sending is not None and self._sending.end > sent else len(self._expected)

    @property
    def writing(self) -> Phase:
        """What a failing write would be in the middle of."""
        return Phase.MAIL if self._sending is None else Phase.BODY

    @property
    def awaited(self) -> Phase | None:
        """What the next answer belongs to; None when all have come."""
        return self._expected[0][1] if self._expected and not self.over else None

    @property
    def risk(self) -> Pipelining | None:
        """AUTO, where one more goes ahead and that was not done before."""
        known = ORDER.index(self._memory.proved) >= ORDER.index(Pipelining.AUTO)
        return Pipelining.AUTO if self.flight and not known else None

    @property
    def proved(self) -> Pipelining:
        """The highest mode that this connection has borne."""
        return self._memory.proved

    def believe(self, mode: Pipelining) -> None:
        """Take it from other connections that the server bears a mode."""
        self._memory.proved = max(self._memory.proved, mode, key=ORDER.index)

    def put(self, transaction: Transaction) -> None:
        """Put a message in; there is room."""
        self._commands = deque(transaction.envelope(self._capabilities))
        transaction.tries += 1
        self._next = transaction
        self.flight.append(transaction)

    def about_to_begin(self) -> list[Transaction]:
        """The message whose text the server has asked for, if there is one."""
        return [] if self._open is None else [self._open]

    def hold_back(self, transaction: Transaction) -> None:
        """Finish it, and the connection with it.

        After a 354 nothing polite is left: any word would be text, and a lone dot would deliver an empty
        email. A server drops a message whose end it never sees (RFC 5321, 3.8).
        """
        self._open = None
        transaction.hold_back()
        self._finish(transaction)
        self.over = True

    def take(self) -> tuple[bytes, bytes]:
        """What to send now, and how the transcript shows it; nothing while answers are owed."""
        octets: list[bytes] = []
        shown: list[bytes] = []
        self.bodies = [] if self._open is None else [self._open]
        if self._lone_dot:
            self._lone_dot = False
            self._say(b".\r\n", None, Phase.DOT, octets, shown)
        elif self._open is not None:
            self._sending, self._open = self._open, None
            octets.append(dot_stuffed(self._sending.data))
            shown.append(b"(%d octets)\r\n" % len(octets[0]))
            self._sending.end = self._given + len(octets[0])
            self._expected.append((self._sending, Phase.DOT))
        if self._next is not None:
            self._try(Pipelining.AUTO if octets else Pipelining.ENVELOPE)
            self._envelope(self._next, octets, shown)
        data = b"".join(octets)
        self._given += len(data)
        return data, b"".join(shown)

    def _try(self, mode: Pipelining) -> None:
        if self._mode is not Pipelining.OFF and ORDER.index(mode) > ORDER.index(self._memory.proved):
            self.trying = mode

    def _envelope(self, transaction: Transaction, octets: list[bytes], shown: list[bytes]) -> None:
        lockstep = self._mode is Pipelining.OFF
        if self._memory.needs_reset:
            self._memory.needs_reset = False
            self._say(b"RSET\r\n", None, Phase.MAIL, octets, shown)
            if lockstep:
                return
        while self._commands:
            phase = Phase.MAIL if len(self._commands) > len(transaction.mailboxes) else Phase.RCPT
            self._say(self._commands.popleft(), transaction, phase, octets, shown)
            if lockstep:
                return
        self._say(b"DATA\r\n", transaction, Phase.DATA, octets, shown)
        self._waiting, self._next = transaction, None

    def _say(
        self,
        line: bytes,
        transaction: Transaction | None,
        phase: Phase,
        octets: list[bytes],
        shown: list[bytes],
    ) -> None:
        octets.append(line)
        shown.append(line)
        self._expected.append((transaction, phase))

    def receive(self, replies: list[bytes]) -> None:
        """Take answers in."""
        if len(replies) == len(self._expected) and self._all_went_well(replies):
            self._expected.clear()
            if self.trying is not None:
                self._memory.proved, self.trying = self.trying, None
            return
        for raw in replies:
            if self.over:
                return
            if not self._expected:
                self._unasked(raw)
                return
            transaction, phase = self._expected.popleft()
            if transaction is None:
                self._housekeeping(raw, phase)
            elif phase is Phase.DOT:
                self._end_of_body(transaction, raw)
            else:
                self._answer(transaction, raw, phase)
        if not self._expected and self.trying is not None and not self.over:
            self._memory.proved, self.trying = self.trying, None

    def _all_went_well(self, replies: list[bytes]) -> bool:
        """Take in a whole group that is yes and go-ahead throughout, as nearly all are."""
        sending, waiting = self._sending, self._waiting
        at = 0
        if sending is not None:
            if replies[0][0] != _YES or not self._taken_by_all:
                return False
            at = 1
        if waiting is not None:
            if len(replies) - at != len(waiting.mailboxes) + 2 or replies[-1][0] != _GO_AHEAD:
                return False
            for number in range(at, len(replies) - 1):
                if replies[number][0] != _YES:
                    return False
        elif len(replies) != at:
            return False
        if sending is not None:
            sending.accept(replies[0])
            self.flight.popleft()
            self.done.append(sending)
            self._sending = None  # last: until then it counts as sent and not answered
        if waiting is not None:
            waiting.replies = replies[at:]
            self._open, self._waiting = waiting, None
            self._taken_by_all = True
        return True

    def _housekeeping(self, raw: bytes, phase: Phase) -> None:
        # A lone dot may be answered with anything; after a refused RSET nobody knows where the session is.
        if raw.startswith(b"421") or (phase is Phase.MAIL and not raw.startswith(b"2")):
            self._give_up(f"the server answered {read_reply(raw)}", phase)

    def _unasked(self, raw: bytes) -> None:
        """An answer too many; whatever comes next could be taken for the wrong answer.

        A goodbye may come unasked at any time (RFC 5321, 3.8).
        """
        transaction, self._open = self._open, None
        if raw.startswith(b"421") and self.flight:
            self.over = True
            waiting = transaction or self.flight[0]
            waiting.closing(raw, Phase.RCPT if transaction is None else Phase.DATA)
            self._finish(waiting)
            return
        self._give_up("the server said more than it was asked", Phase.MAIL)
        if transaction is not None and raw[:1] in {b"4", b"5"}:
            # It invited the body and refused it before the first octet, in one breath.
            transaction.conclude(raw, Phase.DATA)
            self._finish(transaction)

    def _give_up(self, note: str, phase: Phase) -> None:
        self.over = True
        self._fault = Lost(note, phase=phase, cause=Cause.PROTOCOL)

    def _end_of_body(self, transaction: Transaction, raw: bytes) -> None:
        if raw.startswith(b"3"):
            transaction.doubt("the server asked for more after the end of the message", Cause.PROTOCOL)
            self.over = True
        else:
            transaction.conclude(raw, Phase.DOT)
        self._finish(transaction)
        self._sending = None

    def _answer(self, transaction: Transaction, raw: bytes, phase: Phase) -> None:
        transaction.replies.append(raw)
        go_ahead = raw.startswith(b"3")
        if phase is Phase.DATA:
            self._waiting = None
        if phase is Phase.DATA and go_ahead:
            self._go_ahead(transaction)
        elif raw.startswith(b"421"):
            transaction.closing(raw, phase)
            self._finish(transaction)
        elif go_ahead or (phase is Phase.DATA and raw.startswith(b"2")):
            transaction.out_of_step(raw, phase)
            self._finish(transaction)
        elif phase is Phase.DATA:
            self._memory.needs_reset = True
            transaction.conclude(raw, Phase.DATA)
            self._finish(transaction)
        elif self._mode is Pipelining.OFF:
            self._step(transaction)

    def _step(self, transaction: Transaction) -> None:
        """In lockstep: whether it makes sense to go on."""
        refused_all = not self._commands and not transaction.rcpt_taken
        if not transaction.mail_taken or refused_all:
            self._memory.needs_reset = transaction.mail_taken
            self._commands.clear()
            self._next = None
            transaction.conclude(b"", Phase.DATA)
            self._finish(transaction)

    def _go_ahead(self, transaction: Transaction) -> None:
        if transaction.mail_taken and transaction.rcpt_taken:
            self._open = transaction
            self._taken_by_all = False
            return
        # Nobody is to receive it, and the server waits for a body all the same.
        if transaction.rcpt_taken:
            self.over = True
        else:
            self._lone_dot = self._memory.needs_reset = True
        transaction.conclude(b"", Phase.DATA)
        self._finish(transaction)

    def _finish(self, transaction: Transaction) -> None:
        self.flight.remove(transaction)
        self.done.append(transaction)
        if transaction.again is not None or transaction.parting:
            self.over = True

    @property
    def in_doubt(self) -> bool:
        """Whether a message has left without an answer."""
        return self._sending is not None and not self.over

    @property
    def unsettled(self) -> bool:
        """Whether something must be sent before the connection may rest."""
        return self._lone_dot and not self.over

    def abandon(self, sent: int, lost: Lost | None) -> None:
        """Finish what is on the way, because the connection is given up."""
        self.over = True
        blame = lost or self._fault
        while self.flight:
            transaction = self.flight[0]
            if transaction is self._sending and transaction.end <= sent and blame is not None:
                transaction.doubt(blame.note, blame.cause)
            else:
                transaction.interrupted(blame)
            blame = None
            self._finish(transaction)
