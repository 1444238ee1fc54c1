"""One message on its way: to whom, what the server said, and what that comes to.

The replies to an envelope and a body become outcomes, one for each recipient, and what to do next. After
the last octet of a message has left, only the server's answer ends the doubt; nothing that may have arrived
is called failed.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.receipts import Cause, Outcome, Phase, Receipt, Status
from vetmail_core.transports.replies import NOBODY, Parties, Retry, meaning
from vetmail_core.transports.smtp.rules.protocol import (
    Capabilities,
    mail_command,
    rcpt_command,
    read_reply,
    xtext,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vetmail_core.address import Mailbox
    from vetmail_core.message import Email
    from vetmail_core.receipts import Reply
    from vetmail_core.transports.replies import Meaning
    from vetmail_core.transports.smtp.rules.login import Lost

__all__ = ["Again", "Job", "Refusal", "Stage", "Stop", "Transaction", "Why", "at_server", "halves"]

BEYOND_ASCII: Final = "an address has letters beyond ASCII before its @, and the server takes none of those"
_ENVID_CHARACTERS: Final = 100  # RFC 3461, 5.4
_NO: Final = frozenset({b"4", b"5"})
_ENVELOPE: Final = frozenset({Phase.MAIL, Phase.RCPT})
_OUT_OF_STEP: Final = frozenset({b"500", b"502", b"503"})  # the command itself, not what it carried
_PARAMETER: Final = re.compile(rb"\bparameters?\b|\borcpt\b|\benvid\b|\bbody=|\bsize=", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Stop:
    """Why nothing more is tried in this run.

    Attributes:
        cause: given to every email that is left.
        phase: where the run stopped; None when that was nowhere on the way.
        reply: the server's words, when it spoke.
        note: what happened, in words; "" when the reply says it.
        advice: what to do about it, instead of the cause's advice; None is that one.
    """

    cause: Cause
    phase: Phase | None
    reply: Reply | None = None
    note: str = ""
    advice: str | None = None

    def outcome(self, mailbox: Mailbox, status: Status) -> Outcome:
        """How it ends for somebody to whom nothing more is sent."""
        return Outcome(
            mailbox, status, cause=self.cause, reply=self.reply, phase=self.phase, told=self.advice
        )


class Stage(enum.Enum):
    """What a message on a connection is doing; only forwards, until it is put in anew."""

    QUEUED = "queued"  # nothing of it is written
    ENVELOPE = "envelope"  # MAIL, RCPT, DATA are written, all or some; answers are owed
    INVITED = "invited"  # the server waits for its text, which has not begun
    SENDING = "sending"  # its text has begun; it is complete at ``end``
    DONE = "done"  # it has its outcomes, or the word to go again


class Why(enum.Enum):
    """Why a message is to be sent again; nothing of it can have been delivered."""

    CLOSING = "closing"  # 421, or the line was lost before the last octet
    FRESH = "fresh"  # the server wants a new connection (452 4.5.3 on MAIL), or is not well (X.3.x)
    SESSION = "session"  # out of step: 503 and its kin
    PLAIN = "plain"  # a parameter of ours may be what was refused
    TOKEN = "token"  # noqa: S105 - the name of a reason: the access token has run out
    BYSTANDER = "bystander"  # another message's trouble; no blame


@attrs.frozen(kw_only=True)
class Again:
    """A message is to be sent again.

    Attributes:
        why: decides how often.
        cause: its outcome when it is not.
        phase: where it went wrong.
        raw: the server's words, when it spoke.
        note: what happened, when it did not.
    """

    why: Why
    cause: Cause
    phase: Phase
    raw: bytes = b""
    note: str = ""


@attrs.frozen
class Refusal:
    """What the server has against a recipient, or against a whole message.

    Attributes:
        mailbox: whom it answered; the first recipient where it is the whole message.
        reply: its words.
        meant: what they mean.
        phase: the step it answered.
    """

    mailbox: Mailbox
    reply: Reply
    meant: Meaning
    phase: Phase


class Job:
    """One email, from being pulled to its receipt. Has one transaction, or more for many recipients.

    Args:
        email: as it was handed over.

    Attributes:
        in_vain: how many of its parts in a row came to nothing, because the server would not listen.
        leaving: its text may have begun to leave.
        known: its receipt, where that was told before its turn.
        given: its receipt has gone out.
    """

    # Values of the class until they differ: a million emails come this way, and nearly all need few of them.
    data: bytes = b""
    message_id: str = ""
    parts: int = 1
    pending: int = 1
    may_leave: bool | None = None  # what the source of emails said; asked once
    attempts: int = 0
    outcomes: list[Outcome]
    reply: Reply | None = None
    warnings: tuple[str, ...] = ()
    in_vain: int = 0
    leaving: bool = False
    known: Receipt | None = None
    given: bool = False

    def __init__(self, email: Email) -> None:
        self.email = email

    def settle(self, outcomes: list[Outcome], *, reply: Reply | None, attempts: int, note: str = "") -> None:
        """Take in what one of its transactions came to."""
        self.outcomes = outcomes if self.parts == 1 else [*getattr(self, "outcomes", ()), *outcomes]
        self.attempts = max(self.attempts, attempts)
        if self.reply is None or (reply is not None and not self.reply.code < 300):  # noqa: PLR2004 - a yes stays
            self.reply = reply
        if note and note not in self.warnings:
            self.warnings += (note,)
        self.pending -= 1

    def end(self, stop: Stop) -> None:
        """Answer for those whom an interrupt has left without an answer, if there are any."""
        if self.pending == 0:
            return
        answered = getattr(self, "outcomes", [])
        known = {id(outcome.mailbox) for outcome in answered}
        status = Status.UNKNOWN if self.leaving else Status.NOT_ATTEMPTED
        rest = [
            Outcome(one, status, cause=stop.cause, phase=Phase.DOT if self.leaving else stop.phase)
            for one in self.email.recipients.all
            if id(one) not in known
        ]
        self.outcomes, self.parts, self.pending = [*answered, *rest], 2, 0
        if self.leaving:
            self.warnings += ("the run was interrupted while an answer came in",)

    def receipt(self, server: str) -> Receipt:
        """The answer for the whole email; every transaction is settled.

        Args:
            server: host and port, to say in its reason whom it was sent through.
        """
        outcomes = self.outcomes
        if self.parts > 1:
            in_order(outcomes, self.email.recipients.all)
        return Receipt(
            self.email,
            outcomes,
            attempts=self.attempts,
            reply=self.reply,
            warnings=self.warnings,
            happened=at_server(self.warnings[-1], server) if self.warnings else "",
        )


def at_server(note: str, server: str) -> str:
    """What happened, with the server's host and port where the note does not name them.

    A whole sentence is left as it is: it is of somebody else, such as a source of access tokens.
    """
    return note if not note or server in note or note.endswith(".") else f"{note} ({server})"


class Transaction:
    """One message to at most as many recipients as a message may have.

    Args:
        job: whose it is.
        mailboxes: its recipients.
        data: the message, CRLF throughout; b"" until it is written.

    Attributes:
        replies: of the present try: MAIL, RCPT ..., then DATA or the body's.
        outcomes: what it came to; empty while that is open.
        again: set when it is to be sent again instead.
        slower: the server wants less at once.
        refusals: what the server has against whom, of the present try.
        left: recipients for further transactions, one for each group.
        parting: the connection is to be left behind it; the next one may fare better.
        stage: what it is doing on its connection.
        end: the offset behind its last octet in what the connection sends.
        note: what happened where no reply says it.
        tries: how often it was on the wire.
        strikes: how often a connection broke on it.
        first: whether it is the first message of its connection.
        wait: the run's pause between messages when it was sent, seconds.
        session_error: whether it has had its second chance after a 503.
        refreshed: whether it has had its new connection after a word about the server's state.
        renewable: whether a new token may help, once.
        plain: whether the server wants our parameters left out; None while nobody has tried.
        dressed: whether it carried one of them.
        undressed: it goes without them because one of them may be what was refused.
        left_undressed: the same for those who are ``left``.
        ours: what a reply may name of the connection's: the login, the EHLO name, our internet address.
    """

    # Values of the class until they differ, as above.
    again: Again | None = None
    reply: Reply | None = None
    slower: bool = False
    refusals: Sequence[Refusal] = ()
    left: Sequence[Sequence[Mailbox]] = ()
    parting: bool = False
    outcomes: list[Outcome]
    note: str = ""
    stage: Stage = Stage.QUEUED
    end: int = 0
    tries: int = 0
    strikes: int = 0
    first: bool = False
    wait: float = 0.0
    session_error: bool = False
    plain: bool | None = None
    dressed: bool = False
    undressed: bool = False
    left_undressed: bool = False
    refreshed: bool = False
    ours: Parties = NOBODY
    _parties: Parties | None = None

    def __init__(
        self, job: Job, mailboxes: Sequence[Mailbox], data: bytes, *, renewable: bool = False
    ) -> None:
        self.job = job
        self.mailboxes = mailboxes
        self.data = data
        self.renewable = renewable
        self.replies: list[bytes] = []
        self.outcomes = []

    def is_in_doubt(self, sent: int) -> bool:
        """Whether it may have arrived although no answer came: all of its text has left, and only then.

        Args:
            sent: octets that have left the connection.
        """
        return self.stage is Stage.SENDING and self.end <= sent

    # -- what is said ----------------------------------------------------------------------------------

    def envelope(self, capabilities: Capabilities) -> list[bytes]:
        """MAIL and RCPT commands, one each.

        Some servers announce parameters and refuse them; ``plain`` leaves them out.

        Args:
            capabilities: what the server announced.
        """
        self.replies = []
        self.refusals = ()
        self.again = None
        self.parting = False
        self._parties = None
        email, data = self.job.email, self.data
        sender = wire_path(email.envelope_sender)
        paths = [wire_path(mailbox) for mailbox in self.mailboxes]
        ascii_data = data.isascii()
        plain = self.undressed or self.plain is True
        parameters = f" SIZE={len(data)}" if "SIZE" in capabilities and not plain else ""
        if not ascii_data and "8BITMIME" in capabilities and not plain:
            parameters += " BODY=8BITMIME"
        dsn = "DSN" in capabilities and not plain
        self.dressed = dsn or parameters != ""
        if not (ascii_data and sender.isascii() and "".join(paths).isascii()):
            parameters += " SMTPUTF8"
        if not dsn:
            return [mail_command(sender, parameters=parameters), *map(rcpt_command, paths)]
        for identity in (email.key, self.job.message_id):
            written = xtext(identity)
            if identity.isascii() and identity.isprintable() and 0 < len(written) <= _ENVID_CHARACTERS:
                parameters += f" ENVID={written}"
                break
        commands = [mail_command(sender, parameters=parameters)]
        for path in paths:
            original = f" ORCPT=rfc822;{xtext(path)}" if path.isascii() else ""
            commands.append(rcpt_command(path, parameters=original))
        return commands

    # -- what it comes to ------------------------------------------------------------------------------

    def meaning(self, raw: bytes, phase: Phase) -> Meaning:
        """What a refusal of it means, given whom it may name."""
        if self._parties is None:
            recipients = [*map(wire_path, self.mailboxes), *(mailbox.addr_spec for mailbox in self.mailboxes)]
            sender = wire_path(self.job.email.envelope_sender)
            self._parties = attrs.evolve(self.ours, sender=sender, recipients=recipients)
        return meaning(read_reply(raw), phase, self._parties)

    def accept(self, raw: bytes) -> None:
        """Every recipient was taken, and the message too."""
        reply = self.reply = read_reply(raw)
        self.outcomes = [
            Outcome(mailbox, Status.ACCEPTED, reply=reply, phase=Phase.DOT) for mailbox in self.mailboxes
        ]

    @property
    def _rcpts(self) -> list[bytes]:
        return self.replies[1 : len(self.mailboxes) + 1]

    @property
    def mail_taken(self) -> bool:
        """Whether MAIL was answered with yes."""
        return self.replies[0].startswith(b"2")

    @property
    def rcpt_taken(self) -> bool:
        """Whether at least one RCPT was answered with yes."""
        return any(raw.startswith(b"2") for raw in self._rcpts)

    @property
    def may_arrive(self) -> bool:
        """Whether somebody may get it, after the answers so far: not refused, or not asked yet."""
        rcpts = self._rcpts
        refused = bool(self.replies) and not self.mail_taken
        return not refused and (self.rcpt_taken or len(rcpts) < len(self.mailboxes))

    def conclude(self, last: bytes, phase: Phase) -> None:
        """Make the outcomes of a whole set of replies, or decide to send again.

        Args:
            last: the answer to DATA when that was refused, else to the body; b"" when neither was sent.
            phase: DATA or DOT.
        """
        mail, rcpts = self.replies[0], self._rcpts
        if last.startswith(b"2") and not (self.mail_taken and self.rcpt_taken):
            # No to everybody and yes to the message: an answer is missing or one too many came.
            self.contradiction()
            return
        if not self.mail_taken:
            if not self._again(mail, Phase.MAIL):
                self._refuse(self.mailboxes, mail, Phase.MAIL)
            return
        taken = [one for one, raw in zip(self.mailboxes, rcpts, strict=True) if raw.startswith(b"2")]
        if taken:
            if not last.startswith(b"2") and self._again(last, phase):
                return
        elif self._again(rcpts[0], Phase.RCPT):
            return
        others = [
            (one, raw) for one, raw in zip(self.mailboxes, rcpts, strict=True) if not raw.startswith(b"2")
        ]
        apart = [pair for pair in others if self._asks_again(pair[1])]
        if taken and last.startswith(b"2"):
            self.reply = read_reply(last)
            self._add(taken, Status.ACCEPTED, reply=self.reply, phase=Phase.DOT)
        elif len(taken) > 1 and self.meaning(last, phase).splits:
            self.left = halves(taken)
        elif taken or len(apart) == len(others):
            # Nothing is split off a message that nobody got.
            self._refuse(taken, last, phase)
            apart = []
        if apart:
            self.left_undressed = any(self._blames_parameters(raw, Phase.RCPT) for _one, raw in apart)
            self.left = (*self.left, [one for one, _raw in apart])
            self._part(raw for _one, raw in apart)
        self._refuse_each(pair for pair in others if pair not in apart)
        in_order(self.outcomes, self.mailboxes)

    def _part(self, raws: Iterable[bytes]) -> None:
        """Those who are asked for again are asked for on another connection where this one is the trouble."""
        for raw in raws:
            meant = self.meaning(raw, Phase.RCPT)
            if raw.startswith(b"421"):
                self.slower = self.slower or meant.slows
            if not meant.splits:
                self.parting = True
                self.refreshed = self.refreshed or meant.retry is Retry.FRESH

    def _asks_again(self, raw: bytes) -> bool:
        """Whether a recipient among others deserves another message, without a word about them so far.

        They were turned away only because there were others (RFC 5321, 4.5.3.1.10), or by an answer about the
        session, the connection or the server.
        """
        meant = self.meaning(raw, Phase.RCPT)
        if meant.ends_run:
            return False
        if raw.startswith(b"421") or meant.splits or self._blames_parameters(raw, Phase.RCPT):
            return True
        if raw.startswith(b"5"):
            return meant.retry is Retry.RECONNECT
        return meant.retry is Retry.FRESH and not self.refreshed

    def _again(self, raw: bytes, phase: Phase) -> bool:
        """Whether a refusal is about the connection, so that the message deserves another one."""
        if raw.startswith(b"421"):
            self.closing(raw, phase)
            return True
        meant = self.meaning(raw, phase)
        why: Why | None = None
        if self._blames_parameters(raw, phase):
            why, self.undressed, self.session_error = Why.PLAIN, True, True
        elif meant.retry is Retry.RECONNECT and not self.session_error:
            why, self.session_error = Why.SESSION, True
        elif meant.retry is Retry.FRESH and not self.refreshed:
            why, self.refreshed = Why.FRESH, True
        elif meant.cause is Cause.AUTHENTICATION and self.renewable:
            why, self.renewable = Why.TOKEN, False
        elif phase is Phase.MAIL and meant.splits and not self.first:
            # This ends: of those sent again in their order, the first is the first of its connection.
            why = Why.FRESH
        if why is None:
            return False
        self.slower = meant.slows
        self.again = Again(why=why, cause=meant.cause, phase=phase, raw=raw)
        return True

    def _blames_parameters(self, raw: bytes, phase: Phase) -> bool:
        """Whether a refusal may be about a parameter of ours, so that one try without them tells.

        Whoever says clearly something else, "user unknown" for example, is believed.
        """
        if not self.dressed or self.undressed:
            return False
        if phase not in _ENVELOPE or not raw.startswith(b"5") or raw[:3] in _OUT_OF_STEP:
            return False
        meant = self.meaning(raw, phase)
        unclear = self.plain is None and meant.cause in {Cause.OTHER, Cause.PROTOCOL} and not meant.ends_run
        return unclear or _PARAMETER.search(raw) is not None

    def closing(self, raw: bytes, phase: Phase) -> None:
        """The server answers 421: it closes the connection, and the message is as good as never sent.

        What it says about us ends the run all the same; another connection would hear it again.
        """
        meant = self.meaning(raw, phase)
        self.parting = True
        if meant.ends_run:
            self.keep_answers()
            decided = {id(outcome.mailbox) for outcome in self.outcomes}
            self._refuse([one for one in self.mailboxes if id(one) not in decided], raw, phase)
            self.left = ()
            in_order(self.outcomes, self.mailboxes)
            return
        self.slower = meant.slows
        self.again = Again(why=Why.CLOSING, cause=meant.cause, phase=phase, raw=raw)

    def keep_answers(self) -> bool:
        """The connection has ended before the message left; what was said about recipients stands.

        A refusal does not take back the answers before it, nor those behind it (RFC 5321, 3.3).

        Returns:
            Whether there was any; then the others are ``left``, and there is nothing to send again.
        """
        if self.replies[:1] and self.replies[0][:1] in _NO:
            mail = self.replies[0]
            if mail.startswith(b"421") or self.meaning(mail, Phase.MAIL).retry in {
                Retry.RECONNECT,
                Retry.FRESH,
            }:
                return False
            self._refuse(self.mailboxes, self.replies[0], Phase.MAIL)
        else:
            asked = zip(self.mailboxes, self._rcpts, strict=False)
            self._refuse_each(
                (one, raw) for one, raw in asked if raw[:1] in _NO and not self._asks_again(raw)
            )
        decided = {id(outcome.mailbox) for outcome in self.outcomes}
        if not decided:
            return False
        rest = [one for one in self.mailboxes if id(one) not in decided]
        self.left = (rest,) if rest else ()
        self.again = None
        return True

    def interrupted(self, lost: Lost | None) -> None:
        """The connection is gone, and the last octet has not left.

        Args:
            lost: what happened to this very message; None when another one was the first it happened to.
        """
        if self.outcomes:
            return  # an interrupt fell between its answer and what follows from that
        if lost is None:
            self.again = Again(why=Why.BYSTANDER, cause=Cause.CONNECTION, phase=Phase.MAIL)
        else:
            self.again = Again(why=Why.CLOSING, cause=lost.cause, phase=lost.phase, note=lost.note)

    def out_of_step(self, raw: bytes, phase: Phase) -> None:
        """An answer came that cannot be the answer to this; nothing of the message has left."""
        self.again = Again(why=Why.CLOSING, cause=Cause.PROTOCOL, phase=phase, raw=raw)

    def doubt(self, note: str, cause: Cause) -> None:
        """The last octet has left and no answer came: those who may have got it are UNKNOWN.

        What the server did refuse before that stays refused.
        """
        if self.outcomes:
            return  # as above
        rcpts = self._rcpts
        if self.replies and not self.mail_taken:
            self._refuse(self.mailboxes, self.replies[0], Phase.MAIL)
            return
        for number, mailbox in enumerate(self.mailboxes):
            if number < len(rcpts) and not rcpts[number].startswith(b"2"):
                self._refuse([mailbox], rcpts[number], Phase.RCPT)
            else:
                self._add([mailbox], Status.UNKNOWN, cause=cause, reply=None, phase=Phase.DOT)
        self.note = note

    def contradiction(self) -> None:
        """The answers to a message that has left do not go together: everybody is UNKNOWN."""
        self._add(self.mailboxes, Status.UNKNOWN, cause=Cause.PROTOCOL, reply=None, phase=Phase.DOT)
        self.note = "the server's answers contradict each other"

    def give_up(self, status: Status, stop: Stop) -> None:
        """Nothing more is tried for it."""
        self.outcomes = [stop.outcome(mailbox, status) for mailbox in self.mailboxes]
        self.reply = stop.reply
        self.note = stop.note

    def hold_back(self) -> None:
        """Another worker has it: not an octet of its text has left, and none will."""
        self.tries = 0
        self.give_up(Status.NOT_ATTEMPTED, Stop(cause=Cause.HELD_ELSEWHERE, phase=Phase.DATA))

    def _refuse(self, mailboxes: Sequence[Mailbox], raw: bytes, phase: Phase) -> None:
        if not mailboxes:
            return
        reply = read_reply(raw)
        meant = self.meaning(raw, phase)
        status = Status.REFUSED if reply.code >= 500 else Status.DEFERRED  # noqa: PLR2004 - RFC 5321, 4.2.1
        self._add(mailboxes, status, cause=meant.cause, reply=reply, phase=phase)
        self.reply = self.reply or reply
        self.refusals = (*self.refusals, Refusal(mailboxes[0], reply, meant, phase))

    def _refuse_each(self, answers: Iterable[tuple[Mailbox, bytes]]) -> None:
        for mailbox, raw in answers:
            self._refuse([mailbox], raw, Phase.RCPT)

    def _add(
        self,
        mailboxes: Sequence[Mailbox],
        status: Status,
        *,
        cause: Cause | None = None,
        reply: Reply | None,
        phase: Phase | None,
    ) -> None:
        self.outcomes += [
            Outcome(mailbox, status, cause=cause, reply=reply, phase=phase) for mailbox in mailboxes
        ]


def in_order(outcomes: list[Outcome], mailboxes: Sequence[Mailbox]) -> None:
    """Put outcomes into the order of the mailboxes they are for."""
    place = {id(mailbox): number for number, mailbox in enumerate(mailboxes)}
    outcomes.sort(key=lambda outcome: place[id(outcome.mailbox)])


def halves(mailboxes: Sequence[Mailbox]) -> tuple[Sequence[Mailbox], Sequence[Mailbox]]:
    """Two parts of a list that was too much at once; the first is the longer one."""
    middle = (len(mailboxes) + 1) // 2
    return mailboxes[:middle], mailboxes[middle:]


def wire_path(mailbox: Mailbox) -> str:
    """An address as it stands in a command: the domain in ASCII; a local part beyond it needs SMTPUTF8."""
    address = mailbox.addr_spec
    return address if address.isascii() else f"{mailbox.local_part}@{mailbox.ascii_domain}"
