"""One connection: socket, TLS, deadlines and a transcript.

It moves bytes for the rules of the session, which know nothing of sockets. It always knows how many octets
have left, so nobody has to guess whether a message may have gone. No secret is in the transcript.

What "left" means, and why it decides. When a line dies, a message is in doubt if its last octet may have
reached the server, and only then. The octets that the system has taken from this program are counted in
``sent``; a message knows at which count it is complete (``Transaction.end``). Say a text ends at octet 900::

    sent = 899, the line dies      not in doubt: the end never left; it is sent again
    sent = 900, the line dies      in doubt: the end has left, and no answer says what became of it
    sent = 900, then "250"         accepted, and it stays accepted if the line dies behind it

The system may have taken octets that never went out. That makes a doubt too many, which is a question to a
person; to guess the other way would be a second copy. Two things keep the count true. Over TLS one record is
written at a time, for OpenSSL may keep a part of a longer piece to itself: of a record all has gone, or
nothing. And as an interrupt may fall between the write and the count, ``sent_at_most`` is raised before the
write: it is asked where a run was interrupted.

Why it reads while it writes. A server answers while the client is still sending. If it could only go on
when its answers are read, and the client read only when everything is written, both buffers would fill and
each side would wait for the other until a deadline. So a write that does not go through waits for either
direction, and takes in what has come. An answer that comes so early is looked at: a refusal in the middle of
a text is an answer, but a yes to what has not left yet (``due``) cannot be one, and the line is given up.

Why there are two words for most things. Whatever may take time is a generator that hands out what it waits
for, so that one thread drives several lines (`waiting`); the same steps carried out alone serve a talk with
one server. Why not a blocking socket with a timeout: it cannot read while it writes, and its time starts
anew with every octet that trickles in.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from vetmail_core.clock import SystemClock
from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp.rules.auth import scrubbed
from vetmail_core.transports.smtp.rules.login import Failure, Lost, Upgrade
from vetmail_core.transports.smtp.rules.protocol import ReplyParser, command
from vetmail_core.transports.smtp.wire.ends import own_literal, peer_of, reason
from vetmail_core.transports.smtp.wire.transcript import Transcript
from vetmail_core.transports.smtp.wire.waiting import Called, Wait, carried_out

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from vetmail_core.transports.smtp.rules.login import Ask, Flow
    from vetmail_core.transports.smtp.settings import Deadlines
    from vetmail_core.transports.smtp.wire.waiting import Steps

__all__ = ["Connection"]

_T = TypeVar("_T")
_READ_OCTETS: Final = 65_536
# OpenSSL sends records of at most 16 KiB. One at a time, so that a failing write has sent all or nothing.
_RECORD_OCTETS: Final = 16_384
_MEBIBYTE: Final = 1_048_576
_NO: Final = b"45"
# What somebody has put behind an answer costs that connection; three fresh ones may do without it.
_TRIES_WITH_SOMEBODY_BETWEEN: Final = 4
_SLICE_SECONDS: Final = 0.25  # how long nobody notices that the run is called off elsewhere
# Where the system has it: see ``hasten``.
_QUICK_ACK: Final = tuple(getattr(socket, name) for name in ("TCP_QUICKACK",) if hasattr(socket, name))
_monotonic: Final = SystemClock().monotonic  # a wire has real time, whatever clock the run goes by


class Connection:
    """An open line to a server, for the process that opened it.

    A copy in a process that was forked later says and hears nothing: two processes that write to one socket
    would mix their emails, and each would take the other's answers. The copy is closed without a word, for
    whatever it said would reach the server as the other's.

    What may take time comes twice: as steps, for a run that waits for several lines at once (``hearing``),
    and carried out (``replies``).

    Args:
        sock: connected.
        host: the server's name, which its certificate must bear.
        deadlines: how long each answer may take.
        context: for TLS; it verifies certificates and names. None in the clear.

    Attributes:
        sent: octets that have left this program since the line was opened.
        sent_at_most: the same, counting those that an interrupted write may have sent.
        torn: octets have come that are not yet answers in somebody's hands; after an interrupt they are lost.
        called: asked while it waits alone; once it says True the wait ends with `Called`.
    """

    def __init__(
        self, sock: socket.socket, *, host: str, deadlines: Deadlines, context: ssl.SSLContext | None
    ) -> None:
        sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._tls: ssl.SSLSocket | None = None  # the same socket, once TLS is on
        self._not_now: tuple[type[OSError], ...] = (BlockingIOError,)
        self._host = host
        self._deadlines = deadlines
        self._context = context
        self._seconds = {
            Phase.GREETING: deadlines.greeting,
            Phase.STARTTLS: deadlines.tls,
            Phase.AUTH: deadlines.auth,
            Phase.DATA: deadlines.data,
            Phase.DOT: deadlines.dot,
        }
        self._selector = selectors.DefaultSelector()
        self._events = selectors.EVENT_READ
        self._selector.register(sock, self._events)
        self._parser = ReplyParser()
        self._replies: list[bytes] = []
        self._owed = 0  # answers that are still to come
        self._blanks = 0  # empty lines that were noticed
        self._gap = False  # an empty line has come while several answers were owed
        self._held: list[bytes] = []  # answers behind it
        self._transcript = Transcript()
        self._process = os.getpid()
        self._opened = self._used = _monotonic()
        self._unanswered = False  # TLS is on, and the server has not said a word over it
        self._tls_end: float | None = None  # of the time that STARTTLS and the handshake have together
        self.sent = self.sent_at_most = 0
        self.torn = False
        self.called: Callable[[], bool] = bool

    # -- facts -----------------------------------------------------------------------------------------

    @property
    def peer(self) -> str:
        """The server's internet address; "" when the line is gone."""
        return peer_of(self._socket)

    @property
    def own_literal(self) -> str:
        """This end as an address literal; asks no name server."""
        return own_literal(self._socket)

    @property
    def certificate(self) -> dict[str, object]:
        """The server's certificate as `ssl` reads it; empty in the clear."""
        return {} if self._tls is None else dict(self._tls.getpeercert() or {})

    @property
    def tls(self) -> str:
        """The TLS version, "TLSv1.3"; "" in the clear."""
        return "" if self._tls is None else self._tls.version() or ""

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return _monotonic() - self._opened

    @property
    def idle(self) -> float:
        """Seconds since something was last sent or heard."""
        return _monotonic() - self._used

    @property
    def transcript(self) -> tuple[str, ...]:
        """The last 40 lines, "C: " ours and "S: " theirs; no bodies, no secrets."""
        return self._transcript.lines

    # -- talking ---------------------------------------------------------------------------------------

    def run(self, flow: Flow[_T]) -> _T:
        """Carry out a flow; see `running`."""
        return carried_out(self.running(flow))

    def running(self, flow: Flow[_T]) -> Steps[_T]:
        """Carry out a flow.

        Raises:
            Lost: the line is gone, silent or full of nonsense.
            Failure: as the flow decides, TLS did not come about, or the server ended it at its first word.
        """
        answer: bytes | None = None
        try:
            while True:
                step = next(flow) if answer is None else flow.send(answer)
                if isinstance(step, Upgrade):
                    yield from self.securing()
                    answer = b""
                else:
                    answer = yield from self.asking(step)
        except StopIteration as end:
            value: _T = end.value
            return value

    def ask(self, ask: Ask) -> bytes:
        """Say one thing and wait for its one answer; see `asking`."""
        return carried_out(self.asking(ask))

    def asking(self, ask: Ask) -> Steps[bytes]:
        """Say one thing and wait for its one answer.

        Raises:
            Lost: none came.
        """
        if self._replies or self._parser.unfinished:
            raise Lost("the server said more than it was asked", phase=ask.phase, cause=Cause.PROTOCOL)
        if ask.octets:
            shown = ask.octets if ask.shown is None else ask.shown
            yield from self.writing(ask.octets, shown, phase=ask.phase)
        seconds = self._deadlines.command if ask.quick else self.seconds(ask.phase)
        if ask.phase is Phase.STARTTLS:
            self._tls_end = _monotonic() + seconds
        first, *self._replies = yield from self.hearing(ask.phase, seconds, secrets=ask.secrets)
        self.torn = False
        return scrubbed(first, ask.secrets) if ask.secrets else first

    def seconds(self, phase: Phase) -> float:
        """How long an answer of this phase may take."""
        return self._seconds.get(phase, self._deadlines.command)

    def replies(self, phase: Phase, seconds: float) -> list[bytes]:
        """Wait for the next answer, and take what else has come with it; see `hearing`."""
        return carried_out(self.hearing(phase, seconds))

    def hearing(self, phase: Phase, seconds: float, *, secrets: tuple[bytes, ...] = ()) -> Steps[list[bytes]]:
        """Wait for the next answer, and take what else has come with it.

        Args:
            phase: what is being waited for.
            seconds: how long, in total.
            secrets: what the transcript must not show.

        Returns:
            At least one raw reply.

        Raises:
            Lost: none came.
        """
        deadline = _monotonic() + seconds
        while not self._replies:
            if self._parser.broken:
                raise self._nonsense(phase)
            self._replies = self._fed((yield from self._receiving(phase, deadline, seconds)))
            self.torn = False
            if self._replies:
                self._transcript.theirs(self._replies, secrets)
        self._used = _monotonic()
        self.torn = True  # from here on they are in nobody's hands until the caller has taken them in
        found, self._replies = self._replies, []
        return found

    def _fed(self, data: bytes) -> list[bytes]:
        """Cut octets into replies, and hold back those that may be the answers to other commands.

        An empty line between replies is nothing, but it may have come in place of one; then a yes to the next
        envelope would be taken for the yes to a message. So of several answers that are owed, those behind an
        empty line are believed when all of them are here.
        """
        found = self._parser.feed(data)
        sure: list[bytes] = []
        if self._parser.blanks != self._blanks:
            self._blanks = self._parser.blanks
            if not self._gap:
                sure, found = found[: self._parser.sound], found[self._parser.sound :]
                self._owed -= len(sure)
                self._gap = self._owed > 1
        if self._gap:
            self._held += found
            if len(self._held) < self._owed:
                return sure
            found, self._held, self._gap = self._held, [], False
        self._owed -= len(found)
        return sure + found

    def _receiving(self, phase: Phase, deadline: float, seconds: float) -> Steps[bytes]:
        """Wait for some octets."""
        while True:
            data = self._read(phase)
            if data is not None:
                return data
            if not (yield self._waits(selectors.EVENT_READ, deadline)):
                if self._parser.empty or self._gap:
                    note = f"the server sent an empty line, and an answer was missing after {seconds:g} s"
                    raise Lost(note, phase=phase, cause=Cause.PROTOCOL)
                raise Lost(f"the server did not answer within {seconds:g} s", phase=phase)

    def _read(self, phase: Phase) -> bytes | None:
        """What is there now; None when nothing is."""
        self._refuse_a_copy(phase)
        self.torn = True
        try:
            data = self._socket.recv(_READ_OCTETS)
        except self._not_now:
            self.torn = False
            return None
        except OSError as error:
            raise self._broken(error, phase) from error
        if not data:
            raise self._broken(None, phase)
        self._unanswered = False
        return data

    def _broken(self, error: OSError | None, phase: Phase) -> Failure | Lost:
        if self._unanswered:
            from vetmail_core.transports.smtp.wire.handshake import broken_off  # noqa: PLC0415 - only with TLS

            return broken_off(error)
        note = (
            "the server closed the connection" if error is None else f"the connection broke ({reason(error)})"
        )
        return Lost(note, phase=phase, closed=True)

    def write(
        self,
        octets: bytes,
        shown: bytes,
        *,
        phase: Phase,
        limit: int = 1,
        due: Callable[[int], int] = lambda _sent: 1,
    ) -> None:
        """Send; see `writing`."""
        carried_out(self.writing(octets, shown, phase=phase, limit=limit, due=due))

    def writing(
        self,
        octets: bytes,
        shown: bytes,
        *,
        phase: Phase,
        limit: int = 1,
        due: Callable[[int], int] = lambda _sent: 1,
    ) -> Steps[None]:
        """Send, and meanwhile read what comes, so that two full buffers never wait for each other.

        Args:
            octets: what to send.
            shown: what the transcript holds of it.
            phase: what it is.
            limit: how many answers may come meanwhile; more is a flood.
            due: how many of them may come once so many octets have left; a yes before that answers nothing.

        Raises:
            Lost: not all of it left; ``sent`` tells how much did.
        """
        if self._parser.broken:
            raise self._nonsense(phase)
        self._transcript.ours(shown)
        self._owed = limit - len(self._replies)
        if self._tls is None:
            count = self._send(octets, phase, due)
            self.sent_at_most = self.sent = self.sent + count
            if count == len(octets):
                return
            self._listen(phase, limit, due)
            rest = memoryview(octets)[count:]
        else:
            rest = memoryview(octets)
        now = moved = _monotonic()
        patience = self._deadlines.body
        end = now + patience * max(1.0, len(rest) / _MEBIBYTE)
        piece = len(octets) if self._tls is None else _RECORD_OCTETS
        while rest:
            count = self._send(rest[:piece], phase, due)
            self.sent_at_most = self.sent = self.sent + count
            if count:
                rest = rest[count:]
                moved = _monotonic()
                if rest:
                    self._listen(phase, limit, due)
                continue
            either = selectors.EVENT_READ | selectors.EVENT_WRITE
            ready = yield self._waits(either, min(end, moved + patience))
            if not ready:
                raise Lost("the server stopped taking what was sent", phase=phase)
            if ready & selectors.EVENT_READ:
                self._listen(phase, limit, due)
        self._used = moved

    def _refuse_a_copy(self, phase: Phase) -> None:
        if os.getpid() != self._process:
            raise Lost("another process has opened the connection", phase=phase, closed=True)

    def _send(self, octets: bytes | memoryview, phase: Phase, due: Callable[[int], int]) -> int:
        self._refuse_a_copy(phase)
        self.sent_at_most = self.sent + len(octets)
        try:
            return self._socket.send(octets)
        except self._not_now:
            return 0
        except OSError as error:
            # What the server said before it left may still be there, and may be the answer to a message.
            with contextlib.suppress(Lost):
                while self._listen(phase, sys.maxsize, due):
                    pass
            raise self._broken(error, phase) from error

    def look(self, phase: Phase, limit: int, due: Callable[[int], int]) -> None:
        """See whether the server has hung up or spoken, before something that cannot be taken back.

        Args:
            phase: what is about to be sent.
            limit: how many answers may be there.
            due: as for ``write``.

        Raises:
            Lost: it has, and nothing must be sent any more.
        """
        if self._parser.broken:
            raise self._nonsense(phase)
        while self._listen(phase, limit, due):
            pass
        if len(self._replies) > due(self.sent):
            raise Lost("the server spoke before it was its turn", phase=phase, closed=True)

    def _nonsense(self, phase: Phase) -> Lost:
        why = self._parser.broken or "more answers than it was asked for"
        return Lost(f"the server sent {why}", phase=phase, cause=Cause.PROTOCOL)

    def _listen(self, phase: Phase, limit: int, due: Callable[[int], int]) -> bool:
        """Read what is there, in the middle of writing."""
        data = self._read(phase)
        if data is None:
            return False
        found = self._fed(data)
        self._replies += found
        if found:
            self._transcript.theirs(found)
        count = due(self.sent)
        if any(raw[0] not in _NO for raw in self._replies[count:]):
            # A refusal in the middle of a message is an answer; nobody can accept what has not come yet.
            del self._replies[count:]
            raise Lost(
                "the server answered before it had the whole message", phase=phase, cause=Cause.PROTOCOL
            )
        if self._parser.broken or len(self._replies) > limit:
            raise self._nonsense(phase)
        self.torn = False
        return True

    def hasten(self) -> None:
        """Acknowledge at once what came: some answers of a group are here and some are not.

        A server that writes its answers one by one may be holding the next one back until the first is
        acknowledged (Nagle), and the system may be holding that back for 40 ms (delayed ACK).
        """
        for option in _QUICK_ACK:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, option, 1)

    def left_over(self) -> list[bytes]:
        """Answers that came before the line was lost and were not looked at yet."""
        found, self._replies = self._replies, []
        return found

    def is_stale(self) -> bool:
        """Whether the server has hung up, or said something unasked, while nothing was going on."""
        if self._replies or self._held or self._parser.unfinished or self._parser.broken:
            return True
        try:
            data = self._read(Phase.MAIL)
        except Lost:
            return True
        # An empty line is nothing said.
        return data is not None and bool(
            self._parser.feed(data) or self._parser.unfinished or self._parser.broken
        )

    def _waits(self, events: int, deadline: float) -> Wait:
        return Wait(((self._socket, events),), deadline, partial(self._wait, events, deadline))

    def _wait(self, events: int, deadline: float) -> int:
        """Wait until the socket is ready; 0 when the deadline passes first."""
        if events != self._events:
            self._selector.modify(self._socket, events)
            self._events = events
        while (seconds := deadline - _monotonic()) > 0:
            # Something may come in all the time; the deadline counts all the same.
            ready = self._selector.select(min(seconds, _SLICE_SECONDS))
            if ready:
                return ready[0][1]
            if self.called():
                raise Called
        return 0

    # -- TLS and the end -------------------------------------------------------------------------------

    def start_tls(self) -> None:
        """Go over to TLS; see `securing`."""
        carried_out(self.securing())

    def securing(self) -> Steps[None]:
        """Go over to TLS.

        Raises:
            Failure: the certificate is not to be trusted, or no TLS came about.
        """
        import ssl  # noqa: PLC0415 - a run in the clear does without

        from vetmail_core.transports.smtp.wire.handshake import (  # noqa: PLC0415 - as above
            failures_named,
            shake_hands,
            too_slow,
        )

        # An empty line too: here something is at stake.
        if self._replies or self._parser.unfinished or self._parser.broken or self._parser.empty:
            raise Failure(
                "the server's answer to STARTTLS had more behind it, which somebody between may have "
                "put there",
                phase=Phase.STARTTLS,
                cause=Cause.TLS,
                tries=_TRIES_WITH_SOMEBODY_BETWEEN,
            )
        assert self._context is not None  # noqa: S101 - there is one wherever TLS was asked for
        deadline = _monotonic() + self._deadlines.tls if self._tls_end is None else self._tls_end
        self._selector.unregister(self._socket)
        with failures_named():
            self._socket = sock = self._context.wrap_socket(
                self._socket, server_hostname=self._host, do_handshake_on_connect=False
            )
            if isinstance(sock, ssl.SSLSocket):  # pyright: ignore[reportUnnecessaryIsInstance] - a server in memory has none
                self._tls = sock
            self._not_now = (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError)
            self._events = selectors.EVENT_READ
            self._selector.register(sock, self._events)
            while (events := shake_hands(sock)) != 0:
                if not (yield self._waits(events, deadline)):
                    raise too_slow(self._deadlines.tls)
        self._unanswered = True
        self._transcript.note(f"TLS established: {self.tls}")

    def quit(self) -> None:
        """Say goodbye and close; see `parting`."""
        carried_out(self.parting())

    def parting(self) -> Steps[None]:
        """Say goodbye and close; a server that does not answer is left without another word."""
        try:
            self._replies.clear()
            octets = command("QUIT")
            yield from self.writing(octets, octets, phase=Phase.MAIL)
            yield from self.hearing(Phase.MAIL, self._deadlines.quit)
        except Lost:
            pass
        finally:
            self.close()  # also when Ctrl-C ends the wait

    def close(self) -> None:
        """Close without a word, for TLS too; a second call does nothing."""
        self._selector.close()
        self._socket.close()
