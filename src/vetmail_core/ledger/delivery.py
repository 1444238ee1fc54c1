"""Emails through a ledger to a transport.

One loop asks the ledger, hands over what is to be sent, and writes the answers down. Each email that is
taken from the caller is answered for once, by a receipt or by `AlreadySent`. Answers are in order, except
for emails that the ledger knows as put off: those come last, so that what stopped one run does not stop the
next at the same place. Of these 10,000 are kept aside; more keep their place.

Emails are taken in groups, so that one commit serves many. A group holds what goes out in a twentieth of a
second: one email where the server is slow or a wait time is set, hundreds where it is quick. Where commits
take long, groups last longer, so that no more than about a twentieth of the time goes into them. A caller
who makes emails slowly is not kept waiting: a group ends when filling it has taken that long.
"""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, Self

import attrs

from vetmail_core.clock import SystemClock
from vetmail_core.errors import LedgerError, TransportError, VetmailError, wrong_type
from vetmail_core.ledger.adapters import KnowsPutOff, OneByOne, OpensRuns, Unremembered, keyless
from vetmail_core.ledger.entries import (
    AlreadySent,
    Entry,
    Sending,
    decided,
    held_elsewhere,
    in_doubt,
    not_attempted,
)
from vetmail_core.ledger.keys import KeysOfARun
from vetmail_core.ledger.policy import NEW, Ledger, Verdict
from vetmail_core.receipts import Cause, Receipt, Reply, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from vetmail_core.ledger.adapters import LedgerRun
    from vetmail_core.ledger.policy import Standing
    from vetmail_core.message import Email

__all__ = ["Delivers", "Delivery", "Feed", "deliver_once"]

_GROUP_SECONDS: Final = 0.05
_LONGEST_GROUP_SECONDS: Final = 1.0
_LARGEST_GROUP: Final = 1024
_COSTS: Final = 20  # a commit may take a twentieth of the time
_INSTANT: Final = 1e-6
_MOST_PUT_OFF: Final = 10_000


class Delivers(Protocol):
    """What a transport is, seen from here."""

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each email, in order."""
        ...


class Feed:
    """The emails as the transport sees them: an iterator that may be told more.

    An email that a transport has taken may have left, as far as anybody outside can tell. A transport
    that takes emails ahead of their turn and knows better says so: it calls `announce` before it takes
    the first, and what that returns before it sends the first octet of each email's text. Then an email
    that was taken and had not begun to leave is not in doubt after a kill. What it is told may be no: then
    another worker has the email, or the ledger cannot be written, and it must not leave. To any other
    transport this is a plain iterator.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self.announced = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Email:
        email = self._delivery.hand_over()
        if email is None:
            raise StopIteration
        return email

    def announce(self) -> Callable[[Email], bool]:
        """Promise to ask before an email begins to leave.

        Returns:
            What to call with the very email that was taken, before the first octet of its text is sent.
            False: it must not leave.
        """
        self.announced = True
        return self._delivery.leaves

    def answered(self, receipt: Receipt) -> None:
        """Take an answer that is known before its turn; the receipt still comes in its turn.

        Args:
            receipt: for the very email that was taken.
        """
        self._delivery.answered(receipt)


@attrs.define
class PutOff:
    """Emails that an earlier run put off: they come last, so that those go first who were never tried.

    Attributes:
        emails: kept for the end; as many as fit into memory whatever is in them.
        open: it is not the end yet.
    """

    emails: deque[Email] = attrs.field(factory=deque["Email"])
    open: bool = True

    @property
    def room(self) -> bool:
        """Whether one more is kept."""
        return self.open and len(self.emails) < _MOST_PUT_OFF

    def taken(self) -> Iterator[Email]:
        """Give them back, each as it is asked for."""
        self.open = False
        while self.emails:
            yield self.emails.popleft()


class Delivery:
    """A run of emails through a ledger to a transport; walk `steps` once.

    Args:
        transport: where they go.
        emails: pulled lazily, a group at a time.
        ledger: what remembers; None sends everything.
        retry_unknown: send again to those in doubt.
        stop: asked before each email is handed over; once it says True no more are.
        to_the_end: after a stop, answer for the emails not yet taken as well.
        forbidden: asked once more at the last moment before an email leaves: between being handed over and
            that it may have waited for a slow server. True costs a transport its connection.

    Raises:
        LedgerError: ``ledger`` is not a ledger; a TypeError too.

    Attributes:
        stopped: `stop` said True, or the caller closed `steps`, before the end.
        unfinished: after an exception in the middle, or when the caller closed `steps`: the answer for each
            email that had been taken and not been answered yet; UNKNOWN where it may have left.
        undecided: emails that had been taken from the caller and are in no answer: the ledger had not been
            asked about them when an interrupt fell, or they were kept for the end of a run that stopped.
    """

    def __init__(
        self,
        transport: Delivers,
        emails: Iterable[Email],
        *,
        ledger: Ledger | None = None,
        retry_unknown: bool = False,
        stop: Callable[[], bool] = lambda: False,
        to_the_end: bool = False,
        forbidden: Callable[[], bool] = lambda: False,
    ) -> None:
        if ledger is not None:
            _check_ledger(ledger)
        self._transport = transport
        self._emails = iter(emails)
        self._ledger = ledger
        self._run: LedgerRun = Unremembered()
        self._retry_unknown = retry_unknown
        self._stop = stop
        self._to_the_end = to_the_end
        self._forbidden = forbidden
        self._exhausted = False
        self._clock = SystemClock()
        self._size = 1
        self._cost = 0.0
        self._began = self._clock.monotonic()
        self._ahead: deque[Entry] = deque()  # decided, not handed over
        self._passed: deque[Entry] = deque()  # handed over, or lying between such
        self._error: Exception | None = None  # raised when what is under way is answered
        self._broken: Exception | None = None  # why the ledger cannot be written
        self._keys = KeysOfARun()
        self._mine: set[str] = set()  # keys that this run has put down and that are not answered
        self._unsettled: Receipt | None = None  # being taken down
        self._feed = Feed(self)
        self._late: list[Receipt | AlreadySent] = []  # answered when the caller had gone
        self.stopped = False
        self._group: list[Email] = []  # taken, and not decided
        self._put_off = PutOff()
        self.unfinished: tuple[Receipt | AlreadySent, ...] = ()
        self._released: tuple[int, Receipt | AlreadySent | None] = (0, None)
        self._given: tuple[int, Receipt | AlreadySent | None] | None = None

    @property
    def given(self) -> tuple[int, Receipt | AlreadySent | None]:
        """How many answers the caller has been given, and the last of them."""
        return self._released if self._given is None else self._given

    @property
    def undecided(self) -> list[Email]:
        """What was taken and is in no answer."""
        return list({id(email): email for email in (*self._group, *self._put_off.emails)}.values())

    @property
    def broken(self) -> Exception | None:
        """What the ledger raised that ended sending; None while it is well."""
        return self._broken

    def steps(self) -> Generator[Receipt | AlreadySent]:
        """Walk the run.

        Yields:
            What became of each email, in order; of those an earlier run put off, last.

        Raises:
            LedgerError: the ledger cannot be opened, or, after those before it are answered, an email has
                no key.
            TransportError: the transport breaks its promise of one receipt for each email.
            Exception: what the caller's own iterable raised, after the emails before it are answered.
        """
        if self._ledger is not None:
            self._run = _opened(self._ledger)
        try:
            # Up to the first email that is to be sent, the transport is left alone: no need, no connection.
            while self._ledger is not None and self._look_ahead() and not isinstance(self._ahead[0], Sending):
                yield from self._answered(self._ahead)
            if (self._ahead or self._ledger is None) and not self._stopping():
                yield from self._deliver()
            yield from self._not_handed_over()
            while self._to_the_end and self._look_ahead():
                yield from self._not_handed_over()
            if self._error is not None:
                raise self._error  # noqa: TRY301 - what it leaves behind is cleared up below
        except BaseException:
            self._abandon()
            raise
        finally:
            # All is answered. What a run cannot let go of now, the next one finds.
            with contextlib.suppress(Exception):
                self._run.close()

    def _deliver(self) -> Iterator[Receipt | AlreadySent]:
        deliveries = self._transport.deliver(self._feed)
        try:
            for receipt in deliveries:
                yield from self._answered(self._passed)
                yield self._answer(receipt)
        except BaseException as error:
            self._given = self._released  # what is heard from now on is in `unfinished`
            # Nothing more is begun. What has left gets its answer where the transport can be told so; it is
            # brought to its end anyway where nothing has happened but that the caller wants no more.
            self.stopped = True
            self._settle_again()
            wind_up: Callable[[], None] | None = getattr(self._transport, "wind_up", None)
            if wind_up is not None:
                wind_up()
                self._drain(deliveries)
            elif isinstance(error, GeneratorExit):
                self._drain(deliveries)
            raise
        finally:
            close = getattr(deliveries, "close", None)
            if close is not None:
                close()
        yield from self._answered(self._passed)
        unasked = not self.stopped and (bool(self._ahead) or not self._exhausted)
        if self._passed or unasked:
            raise TransportError(
                "The transport ended before every email was answered for; expected one receipt for each, in"
                " order. What it had taken is in doubt."
            )

    def _drain(self, deliveries: Iterator[Receipt]) -> None:
        for receipt in deliveries:
            self._late += self._answered(self._passed)
            self._late.append(self._answer(receipt))

    def hand_over(self) -> Email | None:
        """The next email for the transport; None when there is none."""
        if self._ledger is None:
            return self._hand_over_unasked()
        while self._look_ahead() and not self._stopping():
            entry = self._ahead[0]
            goes = False
            if isinstance(entry, Sending):
                goes = self._broken is None and (self._feed.announced or self.may_begin(entry))
                if not goes:
                    self._ahead[0] = self._withheld(entry)
            # First to where it goes, then away from where it was: an interrupt between finds it (`_abandon`).
            self._passed.append(self._ahead[0])
            self._ahead.popleft()
            if goes and isinstance(entry, Sending):
                return entry.sent
        return None

    def may_begin(self, entry: Sending) -> bool:
        """Ask whether an email may leave; the ledger once, because what has begun has begun."""
        if entry.begun:
            return True
        if self._forbidden():
            self.stopped = True
            return False
        if self._broken is None and not entry.held:
            try:
                entry.begun = bool(self._run.begin(entry.email))
            except Exception as error:  # noqa: BLE001 - whatever a host's database raises means: do not send
                self._broken = error
            else:
                entry.held = not entry.begun
        return entry.begun

    def _withheld(self, entry: Sending) -> Receipt:
        """The answer for an email that must not leave, because another has it or nothing can be written."""
        self._mine.discard(entry.email.key)
        if entry.held:
            return held_elsewhere(entry.email)  # another's row: there is nothing to write down
        return self._settled(entry.answer(self._unwritten(entry.sent)))

    def _unwritten(self, email: Email) -> Receipt:
        return not_attempted(email, Cause.OTHER, reply=Reply(0, "", str(self._broken)))

    def _hand_over_unasked(self) -> Email | None:
        # Without a ledger there are no groups to take and nothing to decide, at a quarter of the time.
        try:
            email = next(self._emails, None)
        except Exception as error:  # noqa: BLE001 - raised again once the emails before it are answered
            self._error = error
            email = None
        if email is None:
            self._exhausted = True
            return None
        entry = Sending(email, email, NEW)
        if self._stopping():
            self._ahead.append(entry)
            return None
        entry.begun = not self._feed.announced
        self._passed.append(entry)
        return email

    def leaves(self, sent: Email) -> bool:
        """Whether this email's text may begin to leave, as the transport is about to let it."""
        entry = self._under_way(sent)
        return entry is None or self.may_begin(entry)

    def answered(self, receipt: Receipt) -> None:
        """Write an answer down before its turn, so that a kill meanwhile does not leave it in doubt."""
        entry = self._under_way(receipt.email)
        if entry is not None and entry.begun and entry.written is None:
            entry.written = self._settled(entry.answer(receipt))

    def _under_way(self, sent: Email) -> Sending | None:
        for entry in reversed(self._passed):
            if isinstance(entry, Sending) and entry.sent is sent:
                return entry
        return None

    def _stopping(self) -> bool:
        self.stopped = self.stopped or self._stop()
        return self.stopped

    def _look_ahead(self) -> bool:
        """Whether there is an email to come; takes and decides the next group when none is at hand."""
        while not self._ahead and not self._exhausted:
            now = self._clock.monotonic()
            if isinstance(self._ledger, OpensRuns):
                # As many as go out in a group's time, which is longer where the disk is slow.
                wanted = min(max(_GROUP_SECONDS, self._cost * _COSTS), _LONGEST_GROUP_SECONDS)
                fits = int(self._size * wanted / max(now - self._began, _INSTANT))
                self._size = max(1, min(fits, self._size * 2, _LARGEST_GROUP))
            self._began = now
            self._take(until=now + _GROUP_SECONDS)
            if self._group:
                before = self._clock.monotonic()
                decided = deque(self._decide(self._group))
                self._ahead, self._group = decided, []
                self._cost = self._clock.monotonic() - before
        return bool(self._ahead)

    def _take(self, *, until: float) -> None:
        group = self._group
        try:
            for email in self._emails:
                if not email.key and self._ledger is not None:
                    self._error = keyless(email)
                    break
                group.append(email)
                if len(group) >= self._size or self._clock.monotonic() > until:
                    self._keep_aside()
                    return
        except Exception as error:  # noqa: BLE001 - raised again once the emails before it are answered
            self._error = error
        self._keep_aside()
        if self._put_off.emails:
            # Now those are taken that an earlier run put off.
            self._emails = self._put_off.taken()
        else:
            self._exhausted = True

    def _keep_aside(self) -> None:
        """Keep those of the group for the end that an earlier run put off."""
        known: frozenset[str] = frozenset()
        if isinstance(self._run, KnowsPutOff) and self._put_off.room and self._broken is None:
            with contextlib.suppress(Exception):  # a ledger that fails says so when it is asked to decide
                known = self._run.put_off([email.key for email in self._group])
        if known:
            self._put_off.emails.extend(email for email in self._group if email.key in known)
            self._group[:] = [email for email in self._group if email.key not in known]

    def _decide(self, group: list[Email]) -> Iterator[Entry]:
        if self._broken is None:
            try:
                standings = self._run.claim(group, retry_unknown=self._retry_unknown)
            except Exception as error:  # noqa: BLE001 - whatever a host's database raises means: do not send
                self._broken = error
            else:
                return map(self._decided, group, standings)
        return map(self._unwritten, group)

    def _decided(self, email: Email, standing: Standing) -> Entry:
        clash = "" if self._ledger is None else self._keys.clash(email)
        if clash:
            answer = not_attempted(email, Cause.OTHER, reply=Reply(0, "", clash))
            # What the claim has put down, for an email of this key that is answered already, is let go again.
            return self._settled(answer) if standing.verdict is Verdict.SEND else answer
        entry = decided(email, standing, mine=email.key in self._mine)
        if isinstance(entry, Sending):
            self._mine.add(email.key)
        return entry

    def _answered(self, entries: deque[Entry]) -> Iterator[Receipt | AlreadySent]:
        """What is answered without the transport, up to the next email that is handed over."""
        while entries:
            entry = entries[0]
            if isinstance(entry, Sending):
                return
            self._release(entry)
            entries.popleft()
            yield entry

    def _release(self, answer: Receipt | AlreadySent) -> None:
        # In one step, and before it goes from where it lies: an interrupt finds it in one place at least.
        self._released = (self._released[0] + 1, answer)

    def _answer(self, receipt: Receipt) -> Receipt:
        entry = self._passed[0] if self._passed else None
        if not isinstance(entry, Sending):
            raise TransportError(
                "The transport answered for more emails than it was given; expected one receipt for each."
            )
        if entry.written is not None:
            answer = entry.written
        elif not entry.begun and self._ledger is not None and _is_untouched(receipt):
            # Held back at the last moment, or never come to: the ledger knows why, the transport need not.
            if entry.held or self._broken is not None:
                answer = self._withheld(entry)
            else:
                held_back = self.stopped and receipt.outcomes[0].cause is Cause.HELD_ELSEWHERE
                cancelled = not_attempted(entry.sent, Cause.CANCELLED)
                answer = self._taken_down(entry, cancelled if held_back else receipt)
        else:
            answer = self._taken_down(entry, receipt)
        self._passed[0] = answer
        self._release(answer)
        self._passed.popleft()
        self._mine.discard(entry.email.key)
        return answer

    def _taken_down(self, entry: Sending, receipt: Receipt) -> Receipt:
        answer = entry.answer(receipt)  # before the entry goes: a wrong receipt leaves it in doubt
        # It stays until it is written down: that takes time, in which an interrupt may fall.
        self._passed[0] = answer
        return self._settled(answer)

    def _settle_again(self) -> None:
        """Take down what was being taken down when an interrupt fell."""
        if self._unsettled is not None:
            self._settled(self._unsettled)

    def _settled(self, receipt: Receipt) -> Receipt:
        """Write an answer down; what could not be written stands in its receipt all the same."""
        self._unsettled = receipt
        try:
            self._run.settle(receipt)
        except Exception as error:  # noqa: BLE001 - whatever a host's database raises: no further email goes
            self._broken = error
            if not _is_untouched(receipt):
                said = f"the ledger could not write this answer down and may not know it: {error}"
                receipt = attrs.evolve(receipt, warnings=(*receipt.warnings, said))
        self._unsettled = None
        return receipt

    def _not_handed_over(self) -> Iterator[Receipt | AlreadySent]:
        while self._ahead:
            entry = self._ahead[0]
            if isinstance(entry, Sending):
                self._mine.discard(entry.email.key)
                entry = self._ahead[0] = self._settled(
                    entry.answer(not_attempted(entry.sent, Cause.CANCELLED))
                )
            if entry is not self.given[1]:
                self._release(entry)
                self._ahead.popleft()
                yield entry
            else:
                self._ahead.popleft()

    def _abandon(self) -> None:
        """Answer for what was taken and is not answered, after an exception in the middle."""
        self._given = self.given
        if self._ahead:
            self._group = []  # it has been decided
            if self._passed and self._passed[-1] is self._ahead[0]:
                self._ahead.popleft()
        unfinished, given = self._late, self._given[1]
        while self._passed:
            entry = self._passed.popleft()
            if isinstance(entry, Sending):
                entry = entry.written or self._unanswered(entry)
            if entry is not given:
                unfinished.append(entry)
        self.unfinished = (*unfinished, *self._not_handed_over())

    def _unanswered(self, entry: Sending) -> Receipt:
        if entry.held:
            return held_elsewhere(entry.email)
        sent = entry.sent
        answer = in_doubt(sent) if entry.begun else not_attempted(sent, Cause.CANCELLED)
        return self._settled(entry.answer(answer))


def _is_untouched(receipt: Receipt) -> bool:
    return all(outcome.status is Status.NOT_ATTEMPTED for outcome in receipt.outcomes)


def _opened(ledger: Ledger) -> LedgerRun:
    if not isinstance(ledger, OpensRuns):
        return OneByOne(ledger)
    try:
        return ledger.open_run()
    except VetmailError:
        raise
    except Exception as error:
        raise LedgerError(
            f"The ledger could not begin a run, so nothing was sent: {error}. Start again when it can."
        ) from error


def _check_ledger(ledger: Ledger) -> None:
    # A path in its place would count as a database that fails, and None as a wish to remember nothing.
    if not isinstance(ledger, Ledger):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            "ledger=", "a Ledger", ledger, "Open one with SqliteLedger(path).", error=LedgerError
        )


def deliver_once(
    ledger: Ledger, transport: Delivers, emails: Iterable[Email], *, retry_unknown: bool = False
) -> Generator[Receipt]:
    """Deliver the emails that have not been delivered yet.

    Args:
        ledger: what remembers; one file, or one table, for all runs of a mailing.
        transport: where they go.
        emails: each with a key; pulled lazily.
        retry_unknown: send again to those who are in doubt. They may get a second copy.

    Yields:
        One receipt for each email that was handed over, is in doubt from an earlier run (UNKNOWN), is held by
        another run at this moment (NOT_ATTEMPTED, HELD_ELSEWHERE), or could not be written down
        (NOT_ATTEMPTED, with the reason). Emails that ended as accepted, handed over or refused in an earlier
        run, and those that come twice in this one, are passed over; `Mailer.send_bulk` lists them.

    Raises:
        LedgerError: the ledger cannot be opened, or is not a ledger; or an email has no key, and those before
            it are answered.
    """
    _check_ledger(ledger)
    delivery = Delivery(transport, emails, ledger=ledger, retry_unknown=retry_unknown)
    with contextlib.closing(delivery.steps()) as steps:
        for step in steps:
            if isinstance(step, Receipt):
                yield step
