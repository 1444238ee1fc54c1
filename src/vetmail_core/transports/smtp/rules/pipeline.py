"""Messages on their way over one connection: what may be sent now, and what each answer belongs to.

The order of commands, bodies and answers in every mode, without a socket. A message is finished exactly
once: with outcomes, or with the word to send it again. A transaction is never left open for the next
message to fall into.

How AUTO keeps two messages in flight. A message by DATA costs two round trips: one for the envelope, one
for the text. RFC 2920 lets commands go in groups, with two rules: a text may be the first thing of a group,
and DATA must be the last. So the text of one message and the envelope of the next make one group, and a
message costs one round trip. Put a pencil on the first line and follow it::

    client                           server             A          B
    MAIL A  RCPT A  DATA                                ENVELOPE   (not pulled)
                                     250 250 354        INVITED    QUEUED
    <text A> .  MAIL B  RCPT B  DATA                    SENDING    ENVELOPE
                                     250 | 250 250 354  DONE       INVITED

B is put in when A is invited, and not before: an email is pulled when there is a place for it. From the last
line on it begins again with B in the place of A and another message in the place of B.

What holds at every line of the picture, and is all that the code relies on:

- Nothing is said while answers are owed. So each answer belongs to the oldest thing asked, and a message
  that is invited or being sent is the oldest on the connection.
- One text at most is being sent, and beside it there is one other message at most, of which no text has
  left. When the line dies, that other one can be sent again, whatever was said about it.
- In doubt is the message being sent, if the whole of its text has left (`Transaction.is_in_doubt`). If an
  octet is missing, the server has not seen the end, and drops what it has (RFC 5321, 3.8).
- The answer to A's text comes before anything about B, so whatever goes wrong with B leaves A answered.

What an answer does is the table `_FOLLOWS`. A pair that is not in it is out of step: whose answer it is
cannot be told any more, and the connection is left; so is it when the yes to a text cannot be one (`drift`).
Three things are not in the table. A server that
refuses the whole envelope and asks for the text all the same is given a lone dot, which ends a message to
nobody. After a refused DATA the envelope is still open at the server, and RSET goes first (`Memory`). And a
group that is yes throughout, as nearly all are, is taken in at one go; it does what the table says.

ENVELOPE is the same without B: the group has no text in it. OFF sends one command of the envelope at a time.

Why not B's envelope in the first group already: DATA must be the last of a group, and A's text must follow
A's 354 before anything else is said.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp.rules.drift import Drift
from vetmail_core.transports.smtp.rules.login import Lost
from vetmail_core.transports.smtp.rules.message import Stage
from vetmail_core.transports.smtp.rules.protocol import dot_stuffed, read_reply
from vetmail_core.transports.smtp.settings import ORDER, Pipelining

if TYPE_CHECKING:
    from vetmail_core.transports.smtp.rules.message import Transaction
    from vetmail_core.transports.smtp.rules.protocol import Capabilities

__all__ = ["DataLane", "Lane", "Memory"]

_YES: Final = ord("2")
_GO_AHEAD: Final = ord("3")


class _Then(enum.Enum):
    """What follows from an answer."""

    GO_ON = enum.auto()  # the answers that come behind it decide
    INVITED = enum.auto()  # the text may begin, if anybody is to have it
    CLOSING = enum.auto()  # the server leaves; as good as never sent
    REFUSED = enum.auto()  # no text is wanted; the envelope stays open at the server
    ANSWERED = enum.auto()  # the message has its answer
    IN_DOUBT = enum.auto()  # the whole text has left, and this is no answer to it
    OUT_OF_STEP = enum.auto()  # nobody knows what it answers; no text has left


# (what was asked, first digit or 421) -> what follows. A lone dot and RSET belong to no message: see
# ``_housekeeping``.
_FOLLOWS: Final = {
    (Phase.MAIL, "2"): _Then.GO_ON,
    (Phase.MAIL, "4"): _Then.GO_ON,
    (Phase.MAIL, "5"): _Then.GO_ON,
    (Phase.MAIL, "421"): _Then.CLOSING,
    (Phase.RCPT, "2"): _Then.GO_ON,
    (Phase.RCPT, "4"): _Then.GO_ON,
    (Phase.RCPT, "5"): _Then.GO_ON,
    (Phase.RCPT, "421"): _Then.CLOSING,
    (Phase.DATA, "3"): _Then.INVITED,
    (Phase.DATA, "4"): _Then.REFUSED,
    (Phase.DATA, "5"): _Then.REFUSED,
    (Phase.DATA, "421"): _Then.CLOSING,
    (Phase.DOT, "2"): _Then.ANSWERED,
    (Phase.DOT, "3"): _Then.IN_DOUBT,
    (Phase.DOT, "4"): _Then.ANSWERED,
    (Phase.DOT, "5"): _Then.ANSWERED,
    (Phase.DOT, "421"): _Then.ANSWERED,
}


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
        self._unsaid: deque[bytes] = deque()  # of the envelope of the message put in last
        self._taken_by_all = False
        self._lone_dot = False
        self._drift = Drift()
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
        if self.over or self._unsaid or self._expected:
            return 0
        ahead = self._mode is Pipelining.AUTO and self._first_at(Stage.INVITED) is not None
        return 1 if ahead or not self.flight else 0

    @property
    def outstanding(self) -> int:
        """How many answers the server owes."""
        return len(self._expected)

    def due(self, sent: int) -> int:
        """How many of them it can know: none before the body that goes first has left."""
        sending = self._first_at(Stage.SENDING)
        return 0 if sending is not None and not sending.is_in_doubt(sent) else len(self._expected)

    def _first_at(self, stage: Stage) -> Transaction | None:
        """The oldest message, where it is at a stage; a text is always the oldest one's."""
        return self.flight[0] if self.flight and self.flight[0].stage is stage else None

    @property
    def writing(self) -> Phase:
        """What a failing write would be in the middle of."""
        return Phase.MAIL if self._first_at(Stage.SENDING) is None else Phase.BODY

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
        self._unsaid = deque((*transaction.envelope(self._capabilities), b"DATA\r\n"))
        transaction.stage = Stage.QUEUED
        transaction.tries += 1
        self.flight.append(transaction)

    def about_to_begin(self) -> list[Transaction]:
        """The message whose text the server has asked for, if there is one."""
        invited = None if self.over else self._first_at(Stage.INVITED)
        return [] if invited is None else [invited]

    def hold_back(self, transaction: Transaction) -> None:
        """Finish it, and the connection with it.

        After a 354 nothing polite is left: any word would be text, and a lone dot would deliver an empty
        email. A server drops a message whose end it never sees (RFC 5321, 3.8).
        """
        transaction.hold_back()
        self._finish(transaction)
        self.over = True

    def take(self) -> tuple[bytes, bytes]:
        """What to send now, and how the transcript shows it; nothing while answers are owed."""
        octets: list[bytes] = []
        shown: list[bytes] = []
        self.bodies = self.about_to_begin()
        if self._lone_dot:
            self._lone_dot = False
            self._say(b".\r\n", None, Phase.DOT, octets, shown)
        elif self.bodies:
            (sending,) = self.bodies
            octets.append(dot_stuffed(sending.data))
            shown.append(b"(%d octets)\r\n" % len(octets[0]))
            sending.end = self._given + len(octets[0])
            sending.stage = Stage.SENDING
            self._expected.append((sending, Phase.DOT))
        if self._unsaid:
            self._try(Pipelining.AUTO if octets else Pipelining.ENVELOPE)
            self._envelope(self.flight[-1], octets, shown)
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
        transaction.stage = Stage.ENVELOPE
        while self._unsaid:
            left = len(self._unsaid) - 1
            phase = Phase.RCPT if left else Phase.DATA
            if left > len(transaction.mailboxes):
                phase = Phase.MAIL
            self._say(self._unsaid.popleft(), transaction, phase, octets, shown)
            if lockstep:
                return

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
            else:
                self._answer(transaction, raw, phase)
        if not self._expected and self.trying is not None and not self.over:
            self._memory.proved, self.trying = self.trying, None

    def _all_went_well(self, replies: list[bytes]) -> bool:
        """Take in a whole group that is yes and go-ahead throughout, as nearly all are."""
        sending = self._first_at(Stage.SENDING)
        waiting = self.flight[-1] if self.flight and self.flight[-1] is not sending else None
        if self._unsaid or (waiting is not None and waiting.stage is not Stage.ENVELOPE):
            return False
        at = 0
        if sending is not None:
            if replies[0][0] != _YES or not self._taken_by_all or self._has_drifted(replies[0]):
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
            self._learn(sending, replies[0])
            sending.accept(replies[0])
            self.flight.popleft()
            self.done.append(sending)
            sending.stage = Stage.DONE
        if waiting is not None:
            waiting.replies = replies[at:]
            waiting.stage = Stage.INVITED
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
        transaction = self._first_at(Stage.INVITED)
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

    def _answer(self, transaction: Transaction, raw: bytes, phase: Phase) -> None:
        """Do what the table says; a pair that is not in it is out of step."""
        if phase is not Phase.DOT:
            transaction.replies.append(raw)
        row = (phase, "421") if raw.startswith(b"421") else (phase, chr(raw[0]))
        match _FOLLOWS.get(row, _Then.OUT_OF_STEP):
            case _Then.GO_ON:
                if self._mode is Pipelining.OFF:
                    self._step(transaction)
                return
            case _Then.INVITED:
                self._go_ahead(transaction)
                return
            case _Then.CLOSING:
                transaction.closing(raw, phase)
            case _Then.REFUSED:
                self._memory.needs_reset = True
                transaction.conclude(raw, phase)
            case _Then.ANSWERED if raw[0] == _YES and self._has_drifted(raw):
                transaction.contradiction()
                self.over = True
            case _Then.ANSWERED:
                if raw[0] == _YES:
                    self._learn(transaction, raw)
                transaction.conclude(raw, phase)
            case _Then.IN_DOUBT:
                transaction.doubt("the server asked for more after the end of the message", Cause.PROTOCOL)
                self.over = True
            case _:
                transaction.out_of_step(raw, phase)
        self._finish(transaction)

    def _has_drifted(self, yes: bytes) -> bool:
        # One thing at a time cannot be taken for another.
        return self._mode is Pipelining.AUTO and self._drift.seen_in(yes)

    def _learn(self, transaction: Transaction, yes: bytes) -> None:
        if not self._drift.learnt:
            self._drift.learn(transaction.replies, yes)

    def _step(self, transaction: Transaction) -> None:
        """In lockstep: whether it makes sense to go on."""
        refused_all = len(self._unsaid) == 1 and not transaction.rcpt_taken
        if not transaction.mail_taken or refused_all:
            self._memory.needs_reset = transaction.mail_taken
            self._unsaid.clear()
            transaction.conclude(b"", Phase.DATA)
            self._finish(transaction)

    def _go_ahead(self, transaction: Transaction) -> None:
        if transaction.mail_taken and transaction.rcpt_taken:
            transaction.stage = Stage.INVITED
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
        if transaction is self.flight[-1]:
            self._unsaid.clear()
        self.flight.remove(transaction)
        transaction.stage = Stage.DONE
        self.done.append(transaction)
        if transaction.again is not None or transaction.parting:
            self.over = True

    @property
    def in_doubt(self) -> bool:
        """Whether a message has left without an answer."""
        return self._first_at(Stage.SENDING) is not None and not self.over

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
            if transaction.is_in_doubt(sent) and blame is not None:
                transaction.doubt(blame.note, blame.cause)
            else:
                transaction.interrupted(blame)
            blame = None
            self._finish(transaction)
