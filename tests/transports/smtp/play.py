"""One refusal, played from its first run to the cure: twelve people, a server that refuses, a second run.

A row says what the server answers, at which step and to whom. The first run meets that answer; then the
server takes everything, and the same batch goes out again with the same ledger. What must hold in every row:
nobody gets it twice, and everybody who should have it has it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from typing import TYPE_CHECKING, BinaryIO, Final, Self

import attrs

from vetmail_core import (
    AuthenticationType,
    Content,
    Email,
    MailServer,
    PlainSecret,
    Recipients,
    SmtpTransport,
    SqliteLedger,
    Status,
    TlsMethod,
    deliver_once,
)
from vetmail_core.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from vetmail_core import Outcome

SENDER: Final = "office@college.example"
LOGIN: Final = "mailer@college.example"
LATE: Final = 4  # emails before a rate or an hour's allowance is exceeded
MOST: Final = 4  # people asked and connections made before a run has ended
BRIEF: Final = 5.0  # seconds of pauses that greylisting may cost
_YES: Final = {
    "GREETING": "220 mail.example.com ESMTP",
    "EHLO": "250-mail.example.com\n250-PIPELINING\n250-SIZE 1000000\n250-DSN\n250 AUTH PLAIN LOGIN",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    "DOT": "250 2.0.0 Ok: queued as 4XyZ",
}


@attrs.frozen(kw_only=True)
class Row:
    """One refusal, and what must follow.

    Args:
        phase: the step that the reply answers.
        reply: raw; {sender}, {sender_domain}, {login}, {ehlo} and {recipient} are filled in.
        about: who is answered so: everybody, or some of the twelve.
        cause: names of the causes that are right.
        open: whether those who got it may be tried again; None is not asked.
        stops: whether the run ends when everybody is answered so; None is not asked.
        person: the address of one who is answered so.
        limit: the reply is for recipients, or messages, beyond so many.
        parameter: the reply is for commands that carry this parameter.
        mechanism: the reply is for this mechanism.
    """

    phase: str
    reply: str
    about: str
    cause: tuple[str, ...] = ()
    open: bool | None = None
    stops: bool | None = None
    person: str = ""
    limit: int = 0
    parameter: str = ""
    mechanism: str = ""


@attrs.define
class Talk:
    """What has been said on one connection."""

    ehlo: str = ""
    begun: bool = False
    recipients: list[str] = attrs.field(factory=list[str])
    asked: int = 0


class Refuser:
    """A server that answers as a function says, else yes.

    Args:
        answer: step, command and talk -> a raw reply, or None for yes.
    """

    def __init__(self, answer: Callable[[str, str, Talk], str | None]) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.refused: list[str] = []
        self.got: Counter[str] = Counter()

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        talk = Talk()
        with sock, sock.makefile("rb") as lines, contextlib.suppress(OSError):
            going = self._says(sock, "GREETING", "", talk)
            while going:
                line = lines.readline()
                going = bool(line) and self._hears(sock, lines, line.decode().rstrip("\r\n"), talk)

    def _hears(self, sock: socket.socket, lines: BinaryIO, command: str, talk: Talk) -> bool:
        """Take one command; False when the connection is over."""
        step = command[:4].upper()
        if step in {"EHLO", "HELO"}:
            talk.ehlo, step = command[5:], "EHLO"
        elif step == "QUIT":
            sock.sendall(b"221 bye\r\n")
            return False
        elif step == "RSET":
            talk.begun, talk.recipients = False, []
            sock.sendall(b"250 ok\r\n")
            return True
        elif (step == "RCPT" and not talk.begun) or (step == "DATA" and not talk.recipients):
            sock.sendall(b"503 5.5.1 not yet\r\n")
            return True
        elif step == "AUTH" and " LOGIN" in command.upper():
            if len(command.split()) == 2:
                sock.sendall(b"334 VXNlcm5hbWU6\r\n")
                lines.readline()
            sock.sendall(b"334 UGFzc3dvcmQ6\r\n")
            lines.readline()
        going = self._says(sock, step, command, talk)
        if step == "DATA":
            while lines.readline() not in {b".\r\n", b""}:
                pass
            going = self._says(sock, "DOT", "", talk)
            talk.begun, talk.recipients = False, []
        return going

    def _says(self, sock: socket.socket, step: str, command: str, talk: Talk) -> bool:
        """Answer; False when the connection is over."""
        address = command.partition("<")[2].partition(">")[0]
        talk.asked = {"MAIL": 0, "RCPT": talk.asked + 1}.get(step, talk.asked)
        reply = self._answer(step, command, talk)
        if reply is not None:
            self.refused += [address] if step == "RCPT" else talk.recipients if step == "DOT" else [command]
        elif step == "MAIL":
            talk.begun, talk.recipients = True, []
        elif step == "RCPT":
            talk.recipients.append(address)
        elif step == "DOT":
            self.got.update(talk.recipients)
        said = _YES[step] if reply is None else reply
        sock.sendall(("\r\n".join(said.split("\n")) + "\r\n").encode())
        return not said.startswith("421") and (reply is None or step != "GREETING")


def people(count: int = 12, *, person: str = "") -> list[str]:
    """Their addresses; the third is somebody in particular."""
    found = [f"p{number}@students.example" for number in range(count)]
    if person:
        found[2] = person
    return found


def the_emails(row: Row) -> list[Email]:
    """A class, each under a key of its own; or one email to thirty in secret."""
    content = Content("Room 4", "It is in room 4 now.")
    if row.about == "count":
        copies = Recipients(bcc=people(30))
        return [Email(sender=SENDER, recipients=copies, content=content, key="many")]
    count = 3 if row.about in {"parameter", "mechanism"} else 12
    return [
        Email(sender=SENDER, recipients=Recipients(address), content=content, key=f"batch/{address}")
        for address in people(count, person=filled(row.person, recipient="", ehlo=""))
    ]


def filled(text: str, *, recipient: str, ehlo: str) -> str:
    """A row's text with the names of this play."""
    values = {
        "sender": SENDER, "sender_domain": "college.example", "login": LOGIN, "ehlo": ehlo,
        "recipient": recipient,
    }  # fmt: skip
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def refusal(row: Row, *, cured: Callable[[], bool]) -> Callable[[str, str, Talk], str | None]:
    """What the server answers at each step."""
    everyone = people(person=filled(row.person, recipient="", ehlo=""))
    marked = everyone[2 : 2 + {"recipient": 2, "greylist": 3}.get(row.about, 12)]
    late = row.about == "throttle" or (row.about == "quota" and row.stops is None)
    begun: list[str] = []

    def answer(step: str, command: str, talk: Talk) -> str | None:
        if step == "MAIL":
            begun.append(command)
        if cured() or step != row.phase:
            return None
        address = (
            command.partition("<")[2].partition(">")[0] if step == "RCPT" else "".join(talk.recipients[:1])
        )
        if row.about in {"recipient", "greylist"}:
            wanted = address in marked
        elif row.limit:
            wanted = (talk.asked if step == "RCPT" else len(talk.recipients)) > row.limit
        else:
            carries = f"AUTH {row.mechanism}" in command if row.mechanism else f"{row.parameter}=" in command
            wanted = (carries or not (row.mechanism or row.parameter)) and (not late or len(begun) > LATE)
        return filled(row.reply, recipient=address, ehlo=talk.ehlo) if wanted else None

    return answer


def play(row: Row, folder: Path, *, transport: Callable[..., SmtpTransport] = SmtpTransport) -> list[str]:
    """Both runs; what is wrong with them, in words."""
    cured: list[bool] = []
    clock = FakeClock()
    emails = the_emails(row)
    outcomes: list[Outcome] = []
    with Refuser(refusal(row, cured=lambda: bool(cured))) as server:
        settings = MailServer(
            host="127.0.0.1", port=server.port, tls=TlsMethod.NONE, username=LOGIN,
            password=PlainSecret("geheim"), authentication=AuthenticationType.PASSWORD,
        )  # fmt: skip
        with SqliteLedger(folder / "sent.ledger") as ledger:
            with transport(settings, clock=clock) as first:
                for receipt in deliver_once(ledger, first, emails):
                    outcomes += receipt.outcomes
            connections, refused, early = server.connections, list(server.refused), Counter(server.got)
            paused = sum(clock.slept)
            cured.append(True)
            with transport(settings, clock=clock) as second:
                list(deliver_once(ledger, second, emails))
        got = server.got
    run = _Run(outcomes, early, got, refused=refused, connections=connections, paused=paused)
    return [*_lost(run), *_misread(row, run), *_wasted(row, run)]


@attrs.frozen
class _Run:
    """What came of both runs."""

    outcomes: list[Outcome]
    early: Counter[str]
    got: Counter[str]
    refused: list[str] = attrs.field(kw_only=True)
    connections: int = attrs.field(kw_only=True)
    paused: float = attrs.field(kw_only=True)

    @property
    def everybody(self) -> set[str]:
        """Their addresses."""
        return {outcome.mailbox.addr_spec for outcome in self.outcomes}

    @property
    def final(self) -> set[str]:
        """Those who are not tried again and have nothing."""
        refused = (o for o in self.outcomes if o.status is Status.REFUSED and not o.is_open)
        return {outcome.mailbox.addr_spec for outcome in refused}

    @property
    def answered(self) -> list[Outcome]:
        """The outcomes of those who got the refusal."""
        return [o for o in self.outcomes if o.status in {Status.REFUSED, Status.DEFERRED}]


def _lost(run: _Run) -> Iterator[str]:
    """Nobody twice, nobody forgotten."""
    if any(count > 1 for count in run.got.values()):
        yield f"twice: {run.got}"
    if run.everybody - set(run.got) != run.final:
        forgotten = run.everybody - set(run.got) - run.final
        yield f"forgotten: {forgotten}, asked again: {run.final & set(run.got)}"
    if not run.final <= set(run.refused):
        yield f"given up without being refused: {run.final}"


def _misread(row: Row, run: _Run) -> Iterator[str]:
    """The cause is right, and so is what may be tried again."""
    causes = {outcome.cause.name for outcome in run.outcomes if outcome.cause is not None}
    if row.cause and not (causes and causes <= set(row.cause)):
        yield f"causes: {causes}"
    if row.open is not None and any(outcome.is_open is not row.open for outcome in run.answered):
        yield f"open: {[outcome.is_open for outcome in run.answered]}"


def _wasted(row: Row, run: _Run) -> Iterator[str]:
    """It ends, goes on, waits and gets by without a cure as it should."""
    asked = len(set(run.refused)) if row.phase in {"RCPT", "DOT"} else len(run.refused)
    if row.stops is True and (asked > MOST or run.connections > MOST):
        yield f"did not stop: {asked} asked, {run.connections} connections"
    untried = [outcome for outcome in run.outcomes if outcome.status is Status.NOT_ATTEMPTED]
    if row.stops is False and untried:
        yield f"stopped: {len(untried)} were not tried"
    if row.about == "greylist" and run.paused >= BRIEF:
        yield f"{run.paused:.0f} s of pauses"
    if row.about == "throttle" and run.paused < 1:
        yield "it did not slow down"
    if row.about in {"count", "parameter", "mechanism"} and set(run.early) != run.everybody:
        yield f"only {len(run.early)} of {len(run.everybody)} without a cure"
