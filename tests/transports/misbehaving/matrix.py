"""Every step x every kind of misbehaviour x every mode, and what must come of each.

The judge of `rogue` says what is never allowed. The tables here say what is expected of the very cell: which
of the emails may suffer, how, and under which phase and cause. ``full`` adds every place in a run, TLS, and
servers that do it every time; run this file to see all of that.
"""

from __future__ import annotations

import re
import ssl
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import attrs
import trustme
from tests.transports.misbehaving.judge import Trial, an_email, complaints, deliver
from tests.transports.misbehaving.rogue import EVERY_TIME, Certificates, Fault, Rogue

from vetmail_core import Attachment, Cause, Limits, Phase, Pipelining
from vetmail_core.credentials import PlainSecret
from vetmail_core.preferences import AuthenticationType, TlsMethod
from vetmail_core.transports.smtp import Deadlines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vetmail_core import Email

KINDS = (
    "drop", "rst", "stall", "4xx", "5xx", "503", "421", "421_stay", "421_stall", "garbage", "blank", "long",
    "flood", "replies", "trickle", "wrong", "1xx", "twice", "twice_late", "reply_close",
)  # fmt: skip
HANDSHAKE_KINDS = (
    "drop", "rst", "stall", "421", "421_stay", "421_stall", "garbage", "blank", "long", "flood", "replies",
    "trickle", "reply_close",
)  # fmt: skip
BODY_KINDS = (
    "drop", "rst", "stall", "slow", "early_yes", "early_yes_go_on", "early_no", "4xx", "5xx", "421",
    "421_stall", "garbage", "long", "flood", "replies", "trickle", "twice",
)  # fmt: skip
OPENING = ("connect", "greeting", "ehlo", "starttls", "tls", "auth")
MESSAGE = ("mail", "rcpt", "data", "dot")  # in CHUNKING the dot is the answer to BDAT
BETWEEN = ("rset", "idle", "quit")
STEPS = (*OPENING, *MESSAGE, "body", *BETWEEN)
KINDS_OF = dict.fromkeys(STEPS, KINDS) | {
    "connect": ("rst",),
    "tls": HANDSHAKE_KINDS,
    "body": BODY_KINDS,
}
EMAILS = 5
MIDDLE = EMAILS // 2

# A silence, an answer that is not whole, or one that is out of step may be noticed by a deadline only.
SLOW_KINDS = {
    "stall", "421_stall", "421_stay", "trickle", "twice", "twice_late", "slow", "blank", "long", "wrong",
}  # fmt: skip
SHORT = 0.4
# Which deadline ends a silence at a step; the others stay long, so that a busy machine changes nothing.
DEADLINE = {
    "connect": "greeting", "greeting": "greeting", "ehlo": "command", "starttls": "tls", "tls": "tls",
    "auth": "auth", "mail": "command", "rcpt": "command", "data": "data", "body": "body", "dot": "dot",
    "rset": "command", "idle": "command", "quit": "quit",
}  # fmt: skip
PHASES = {
    "connect": {Phase.CONNECT, Phase.GREETING},
    "greeting": {Phase.GREETING},
    "ehlo": {Phase.GREETING},
    "starttls": {Phase.STARTTLS, Phase.TLS},
    "tls": {Phase.STARTTLS, Phase.TLS},
    "auth": {Phase.AUTH},
    "mail": {Phase.MAIL},
    "rcpt": {Phase.RCPT},
    "data": {Phase.DATA, Phase.BODY},
    "body": {Phase.BODY, Phase.DOT},
    "dot": {Phase.DOT},
}
PERMANENT = {
    "5xx", "503", "garbage", "blank", "flood", "long", "replies", "twice", "1xx", "wrong", "trickle",
}  # fmt: skip
HARMLESS = {"twice", "twice_late", "reply_close", "trickle", "wrong", "replies"}
# These move the trouble to a later step.
SHIFTING = {"twice", "twice_late", "reply_close", "replies", "421_stay"}
BIG = Attachment("film.mp4", bytes(4_500_000))  # more than all the buffers on the way hold


@attrs.frozen(kw_only=True)
class Case:
    """One cell of the matrix."""

    fault: Fault
    mode: Pipelining
    tls: TlsMethod = TlsMethod.NONE
    by_token: bool = False  # every connection signs in with a token of a source

    def __str__(self) -> str:
        way = " by token" if self.by_token else ""
        return f"{self.fault} {self.mode.value} {self.tls.value}{way}"


class Tokens:
    """A source: gives "token-1" until it is told that this was refused, then "token-2"; counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.asked = 0
        self.told = 0

    def __call__(self) -> str:
        """The token that is good."""
        with self._lock:
            self.asked += 1
            return f"token-{self.told + 1}"

    def refused(self) -> None:
        """The next one is another."""
        with self._lock:
            self.told += 1


def cases(step: str, mode: Pipelining, *, full: bool = False) -> Iterator[Case]:
    """The cells of a step in a mode."""
    if step == "data" and mode is Pipelining.CHUNKING:
        return
    for kind in KINDS_OF[step]:
        if step in OPENING:
            yield from _opening_cases(step, kind, mode, full=full)
        elif step in MESSAGE:
            for at in (0, MIDDLE, EMAILS - 1) if full else (MIDDLE,):
                yield Case(fault=Fault(step, kind, at), mode=mode)
                if full:
                    yield Case(fault=Fault(step, kind, at), mode=mode, tls=TlsMethod.IMPLICIT)
            if full:
                yield Case(fault=Fault(step, kind, times=EVERY_TIME), mode=mode)
        elif step == "body":
            yield Case(fault=Fault(step, kind, 1), mode=mode)
            if full:
                yield Case(fault=Fault(step, kind, 1), mode=mode, tls=TlsMethod.IMPLICIT)
        else:
            yield Case(fault=Fault(step, kind, 1 if step == "idle" else -1), mode=mode)


def _opening_cases(step: str, kind: str, mode: Pipelining, *, full: bool) -> Iterator[Case]:
    """On the second connection of a run, once; and on every one, which is the same in every mode."""
    ways = [TlsMethod.EXPLICIT if step in {"starttls", "tls"} else TlsMethod.NONE]
    if step == "tls" and mode is Pipelining.AUTO:
        ways.append(TlsMethod.IMPLICIT)
    for tls in ways:
        yield Case(fault=Fault(step, kind, 1), mode=mode, tls=tls)
        if full:
            yield Case(fault=Fault(step, kind, 0), mode=mode, tls=tls)
        if full or mode is Pipelining.AUTO:
            yield Case(fault=Fault(step, kind, times=EVERY_TIME), mode=mode, tls=tls)


def attempt(case: Case, certificates: Certificates, *, connections: int = 1) -> list[str]:
    """Run a cell; what is wrong with it.

    Over several connections it is chance which email meets the fault, so nothing is expected of one of them;
    what is never allowed stays so.

    On a busy machine a short deadline may run out before a healthy answer. That is a surprise, never a thing
    that is not allowed; so a surprise alone has to come again when there is more time.
    """
    wrong, surprising = _attempt(case, certificates, connections=connections)
    if connections > 1:
        return wrong
    if surprising and not wrong and case.fault.kind in SLOW_KINDS:
        wrong, surprising = _attempt(case, certificates, patience=4)
    return [*wrong, *surprising]


def _attempt(
    case: Case, certificates: Certificates, *, patience: float = 1, connections: int = 1
) -> tuple[list[str], list[str]]:
    """What is never allowed, and what is only not expected here."""
    step = case.fault.step
    encrypted = case.tls is not TlsMethod.NONE
    emails = [_email_for(step, number) for number in range(EMAILS)]
    login = step == "auth" and not case.by_token
    tokens, door = Tokens(), Doorkeeper()
    way: dict[str, object] = {"authentication": AuthenticationType.NONE}
    if login:
        way = {
            "authentication": AuthenticationType.PASSWORD,
            "username": "me",
            "password": PlainSecret("pw"),
        }
    if case.by_token:
        way = {"authentication": AuthenticationType.OAUTH2, "username": "me@example.com", "token": tokens}
    with Rogue(
        case.fault,
        tls=case.tls,
        context=certificates.good if encrypted else None,
        login=door if case.by_token else _login if login else None,
    ) as server:
        # Where an email is taken ahead of its turn, or the server falls silent, there is nothing to wait for.
        ahead = case.mode in {Pipelining.AUTO, Pipelining.CHUNKING} or case.fault.kind in SLOW_KINDS

        def with_a_rest() -> Iterator[Email]:
            for number, email in enumerate(emails):
                if step == "idle" and number == case.fault.at + 1:
                    server.acted.wait(0.2 if ahead else 5)
                yield email

        trial = deliver(
            server,
            emails,
            source=with_a_rest(),
            mode=case.mode,
            deadlines=_deadlines(case.fault, patience),
            limits=Limits(
                messages_per_connection=3 if step in {*OPENING, "quit"} else 100,
                reconnect_seconds=40,
                connections=connections,
            ),
            client_context=certificates.client if encrypted else None,
            **way,  # type: ignore[arg-type]
        )
        server.settled()
    wrong, surprising = (
        [f"{case}: {text} {trial.statuses()}" for text in found]
        for found in (
            [
                *complaints(trial),
                *(_miscounted(server, tokens, door, case.fault) if case.by_token else ()),
            ],
            surprises(case, trial),
        )
    )
    return wrong, surprising


def _login(words: str) -> str:
    return "235 2.7.0 ok" if words == "\0me\0pw" else "535 5.7.8 no"


class Doorkeeper:
    """Lets a token of the source in; the one that was good at the first login is not at the second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.heard: list[int] = []  # the number of each token that was said; 0 for anything else
        self.good = 1

    def __call__(self, words: str) -> str:
        """The answer to a login."""
        found = _TOKEN.search(words)
        number = int(found[1]) if found else 0
        with self._lock:
            self.heard.append(number)
            if len(self.heard) == 2:
                self.good = number + 1
            return "235 2.7.0 ok" if number >= self.good else "535 5.7.8 expired"


_TOKEN = re.compile(r"Bearer token-(\d+)\x01")


def _miscounted(server: Rogue, tokens: Tokens, door: Doorkeeper, fault: Fault) -> Iterator[str]:
    """A token for each connection and one more for each refusal; what was refused is not said again."""
    if tokens.asked > server.connections + tokens.told:
        yield f"{tokens.asked} tokens for {server.connections} connections, {tokens.told} refused"
    if 0 in door.heard:
        yield "something else than a token was said"
    if fault.step == "auth" or (fault.step in OPENING and fault.kind in SHIFTING):
        return  # it may not have heard the refusal, or heard another answer in its place
    if len(door.heard) > server.connections + tokens.told:
        yield f"{len(door.heard)} logins at {server.connections} connections, {tokens.told} refused"
    if tokens.told != (len(door.heard) > 1):
        yield f"{tokens.told} tokens given back after {len(door.heard)} logins"
    if door.heard != sorted(door.heard) or door.heard.count(1) > 2:
        yield f"a token was said again after it was refused: {door.heard}"


def _email_for(step: str, number: int) -> Email:
    refused = step == "rset" and number % 2 == 0  # nobody to receive it, so that RSET is needed
    return an_email(
        number,
        to="bad0@example.com" if refused else f"p{number}@example.com q@example.com",
        attachment=BIG if step == "body" and number == 1 else None,
    )


def _deadlines(fault: Fault, patience: float) -> Deadlines:
    short = {"quit": 0.3}
    if fault.kind in SLOW_KINDS:
        if fault.step in {"starttls", *MESSAGE, "body", "rset", "idle"}:
            # An answer that is out of step may be missed at the next command only.
            short |= {"command": 2.0, "dot": 2.0}
        if fault.times == EVERY_TIME or fault.step == "data":
            short |= dict.fromkeys(("data", "dot", "command", "greeting", "auth"), SHORT)
        # A body of megabytes pauses by itself where the machine is busy.
        short[DEADLINE[fault.step]] = 1.5 if fault.step == "body" else SHORT
    return attrs.evolve(Deadlines(), **{name: patience * seconds for name, seconds in short.items()})


def surprises(case: Case, trial: Trial) -> Iterator[str]:
    """What is true but not what one would expect of this very cell."""
    fault, step, kind = case.fault, case.fault.step, case.fault.kind
    statuses = trial.statuses()
    chunking = case.mode is Pipelining.CHUNKING
    if len(statuses) != EMAILS:
        return
    if fault.times == 1:
        for number, status in enumerate(statuses):
            wanted = "refused" if step == "rset" and number % 2 == 0 else "accepted"
            if status == wanted:
                continue
            if step in OPENING:
                final = kind in PERMANENT or step in {"starttls", "tls"}
                # The refusal of the first token, late, is heard as the answer to what came next: final.
                final = final or (case.by_token and kind == "twice_late")
                fine = final and status == "not_attempted" and (fault.at == 0 or number >= 3)
                # What comes late is taken for the answers to a whole window.
                fine = fine or (chunking and kind in SHIFTING and status == "unknown")
            else:
                fine = (number == fault.at and status in _accounted(step, kind, chunking=chunking)) or (
                    chunking and status == "unknown" and step != "quit"
                )
            if not fine:
                yield f"email {number} is {status}"
    elif step in OPENING and set(statuses) != {"not_attempted"} and kind not in HARMLESS:
        yield "not everything is not attempted"
    if step in {*OPENING, *MESSAGE} and not chunking and kind not in SHIFTING:
        # A reset may overtake the end of connecting.
        overtaken = kind == "rst" and step in {"greeting", "tls"}
        phases = PHASES[step] | ({Phase.CONNECT} if overtaken else set())
        causes = _causes(step, kind) | ({Cause.CONNECTION} if overtaken else set())
        for outcome in (one for receipt in trial.receipts for one in receipt.outcomes if one.cause):
            if outcome.phase not in phases:
                yield f"the phase is {outcome.phase}"
            if outcome.cause not in causes:
                yield f"the cause is {outcome.cause} at {outcome.phase}"


def _accounted(step: str, kind: str, *, chunking: bool) -> set[str]:
    """What may become of the very email it happens to; "accepted" goes without saying."""
    if step == "body":
        return {"deferred", "refused"} if kind in {"4xx", "5xx", "early_no", "stall", "slow"} else set()
    if step == "rcpt" and chunking and kind in {"421_stay", "421_stall", "wrong"}:
        # One of the two was turned away, and the message has gone to the other.
        return {"deferred/unknown"} if kind == "421_stall" else {"accepted/deferred"}
    if step == "dot" or (chunking and step in MESSAGE):
        match kind:
            case "4xx":
                return {"deferred", "accepted/deferred"}
            case "5xx":
                return {"refused", "accepted/refused"}
            case "503" | "421" | "421_stay" | "421_stall":
                return set()
            case "twice" | "twice_late" | "reply_close":
                return {"unknown"} if chunking else set()
            case _:
                return {"unknown", "refused/unknown", "deferred/unknown"}
    match kind:
        case "4xx":
            return {"deferred", "accepted/deferred"}
        case "5xx":
            return {"refused", "accepted/refused"}
        case "twice" | "twice_late" | "reply_close" | "replies":
            return {"unknown"} if step == "data" else set()
        case _:
            return set()


def _causes(step: str, kind: str) -> set[Cause]:
    if step in {"starttls", "tls"}:
        return {Cause.TLS, *([Cause.CONNECTION, Cause.PROTOCOL] if step == "starttls" else [])}
    match kind:
        case "drop" | "rst" | "stall" | "trickle" | "421" | "421_stall":
            return {Cause.CONNECTION}
        case "garbage" | "blank" | "long" | "flood" | "1xx" | "503" | "wrong":
            own = {"auth": [Cause.AUTHENTICATION], "ehlo": [Cause.EHLO_NAME]}
            return {Cause.PROTOCOL, *own.get(step, [])}
        case _:
            return set(Cause) - {Cause.PROTOCOL}


def attempt_all(some: Iterable[Case], certificates: Certificates, *, workers: int = 12) -> list[str]:
    """Run cells, several at once since most of the time is spent waiting."""
    with ThreadPoolExecutor(workers) as pool:
        return [text for found in pool.map(lambda case: attempt(case, certificates), some) for text in found]


def verdicts(
    certificates: Certificates, *, modes: Iterable[Pipelining] = Pipelining, by_token: bool = False
) -> dict[tuple[str, Pipelining], list[str]]:
    """All steps of some modes, without ``full``; signed in by password at one step, or by token at each."""
    keys = [(step, mode) for step in STEPS for mode in modes]
    found: dict[tuple[str, Pipelining], list[str]] = {key: [] for key in keys}
    everything = [(key, attrs.evolve(case, by_token=by_token)) for key in keys for case in cases(*key)]
    with ThreadPoolExecutor(16) as pool:
        complained = pool.map(lambda pair: attempt(pair[1], certificates), everything)
        for (key, _), complaints_of_one in zip(everything, complained, strict=True):
            found[key] += complaints_of_one
    return found


def over_several(certificates: Certificates, mode: Pipelining, connections: int) -> list[str]:
    """All steps in one mode over several connections: what is never allowed."""
    everything = [case for step in STEPS for case in cases(step, mode)]
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(lambda case: attempt(case, certificates, connections=connections), everything)
        return [text for one in found for text in one]


def main() -> int:
    """Run the full matrix."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    everything = [case for step in STEPS for mode in Pipelining for case in cases(step, mode, full=True)]
    found = attempt_all(everything, Certificates(server, server, server, server, client))
    sys.stdout.write("\n".join((*found, f"{len(everything)} cells, {len(found)} complaints\n")))
    return min(len(found), 1)


if __name__ == "__main__":
    raise SystemExit(main())
