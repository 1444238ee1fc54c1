"""From the greeting to the login: the talk before the first message, without a socket.

The rules of EHLO, STARTTLS and AUTH are flows: generators that hand out what to say and are sent the
answer, so that a blocking and an asynchronous driver run the same rules. Where TLS was asked for, nothing
goes on in the clear. What was heard before TLS counts for nothing afterwards.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from vetmail_core.preferences import TlsMethod
from vetmail_core.receipts import Cause, Phase, Reply
from vetmail_core.transports.replies import Parties, Retry, Scope, meaning
from vetmail_core.transports.smtp.rules.auth import (
    Hidden,
    fits_in_command,
    oauth_status,
    refusal_answer,
    scrubbed,
)
from vetmail_core.transports.smtp.rules.protocol import Capabilities, command, read_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from vetmail_core.transports.smtp.rules.auth import Credentials

__all__ = ["Ask", "Failure", "Flow", "Lost", "Upgrade", "authenticate", "greet", "start"]

_T = TypeVar("_T")


class Lost(Exception):  # noqa: N818 - what happened, not a mistake of anybody's
    """The connection cannot be used any more.

    Attributes:
        phase: what was being waited for.
        cause: CONNECTION (closed, silent) or PROTOCOL (said what no mail server says).
        note: what happened, in words.
        closed: the server ended the line, rather than keeping silent or talking nonsense.
    """

    def __init__(
        self, note: str, *, phase: Phase, cause: Cause = Cause.CONNECTION, closed: bool = False
    ) -> None:
        super().__init__(note)
        self.phase = phase
        self.cause = cause
        self.note = note
        self.closed = closed


class Failure(Exception):  # noqa: N818 - as above
    """No session came about.

    Attributes:
        phase: how far it came.
        cause: why.
        note: what happened, in words.
        reply: the server's words, when it spoke.
        tries: how often to try in all: 1 when another try would get the same answer.
        wait: the least pause before the next try, in seconds.
        advice: what to do about it, instead of the cause's advice; None is that one, "" that the note says
        it.
    """

    def __init__(
        self,
        note: str,
        *,
        phase: Phase,
        cause: Cause,
        reply: Reply | None = None,
        tries: int = 1,
        wait: float = 0.0,
        advice: str | None = None,
    ) -> None:
        super().__init__(note)
        self.phase = phase
        self.cause = cause
        self.note = note
        self.reply = reply
        self.tries = tries
        self.wait = wait
        self.advice = advice


def cause_of(lost: Lost) -> Cause:
    """Why no session came about: on the way to TLS, TLS it is."""
    return Cause.TLS if lost.phase in {Phase.STARTTLS, Phase.TLS} else lost.cause


FEW: Final = 3
MANY: Final = 1_000  # until the time for reconnecting is used up

# Dovecot's submission service dies on the next envelope's RCPT behind a body, after it has passed the body
# on: the message would be in doubt though it arrived (seen with 2.3.19; `smtp_server_transaction_finished`).
_NOTHING_BEHIND_A_BODY: Final = re.compile(r"\bDovecot\b", re.ASCII)

_MECHANISM_CODES: Final = frozenset({500, 501, 502, 503, 504, 534, 538, 550})
_PASSWORD_CODES: Final = frozenset({"5.7.8", "5.7.139"})
_APP_PASSWORD: Final = re.compile(r"app(?:lication)?[- ](?:specific )?password", re.IGNORECASE | re.ASCII)


@attrs.frozen
class Ask:
    """Say this and wait for the answer.

    Attributes:
        octets: what to say; b"" just waits.
        phase: what the answer belongs to.
        shown: what the transcript holds instead; None shows the octets.
        secrets: what must not be seen of the answer.
        quick: the short deadline of commands, where the phase has a longer one.
    """

    octets: bytes
    phase: Phase
    shown: bytes | None = attrs.field(default=None, kw_only=True)
    secrets: tuple[bytes, ...] = attrs.field(default=(), kw_only=True, repr=False)
    quick: bool = attrs.field(default=False, kw_only=True)


@attrs.frozen
class Upgrade:
    """Go over to TLS now; nothing the server has said before it may be left unread."""


if TYPE_CHECKING:
    Flow = Generator[Ask | Upgrade, bytes, _T]


def _refused(raw: bytes, phase: Phase, note: str, *, hello: str = "") -> Failure:
    """What a refusal before the first message means; hello is the name where EHLO was refused."""
    reply = read_reply(raw)
    meant = meaning(reply, phase, Parties(ehlo_name=hello), hello=bool(hello))
    tries = 1
    if meant.retry is not Retry.NEVER:
        # A login that fails in passing is repeated a few times only: it may be counted against us.
        tries = FEW if phase is Phase.AUTH and meant.scope is Scope.RUN else MANY
    return Failure(f"{note}: {reply}", phase=phase, cause=meant.cause, reply=reply, tries=tries)


def greet(ehlo_name: str, *, helo: bool = True) -> Flow[tuple[str, Capabilities]]:
    """Wait for the greeting and say EHLO.

    Args:
        ehlo_name: who we are: a domain name or an address literal.
        helo: plain mail will do, so that HELO may be said where EHLO is refused.

    Returns:
        The greeting's words, and what the server can do.
    """
    greeting = yield Ask(b"", Phase.GREETING)
    if not greeting.startswith(b"2"):
        raise _refused(greeting, Phase.GREETING, "the server turned the connection away")
    return read_reply(greeting).text, (yield from _hello(ehlo_name, helo=helo))


def _hello(ehlo_name: str, *, helo: bool) -> Flow[Capabilities]:
    raw = yield Ask(command(f"EHLO {ehlo_name}"), Phase.GREETING, quick=True)
    if raw.startswith(b"2"):
        return Capabilities.read(raw)
    failure = _refused(raw, Phase.GREETING, "the server did not take EHLO", hello=ehlo_name)
    if raw.startswith(b"5") and helo:
        # A server from before extensions (RFC 5321, 3.2): plain mail goes through all the same.
        raw = yield Ask(command(f"HELO {ehlo_name}"), Phase.GREETING, quick=True)
        if raw.startswith(b"2"):
            return Capabilities.read(raw)
    raise failure


def start(ehlo_name: str, tls: TlsMethod, *, login: bool = False) -> Flow[tuple[str, Capabilities]]:
    """Come as far as a line on which one may log in.

    Args:
        ehlo_name: who we are.
        tls: EXPLICIT goes over to TLS, or fails; there is no third way. (IMPLICIT is the driver's.)
        login: somebody will log in, which HELO does not offer.
    """
    greeting, capabilities = yield from greet(ehlo_name, helo=tls is TlsMethod.NONE and not login)
    ahead = _NOTHING_BEHIND_A_BODY.search(greeting) is None
    if tls is not TlsMethod.EXPLICIT:
        return greeting, attrs.evolve(capabilities, ahead=ahead)
    if "STARTTLS" not in capabilities:
        raise Failure(
            "the server does not offer STARTTLS, and Explicit must not go on without it; somebody between "
            "may have taken the offer away",
            phase=Phase.STARTTLS,
            cause=Cause.TLS,
        )
    raw = yield Ask(command("STARTTLS"), Phase.STARTTLS)
    if not raw.startswith(b"220"):
        raise _refused(raw, Phase.STARTTLS, "the server refused STARTTLS")
    yield Upgrade()
    return greeting, attrs.evolve((yield from _hello(ehlo_name, helo=False)), ahead=ahead)


def choose_mechanisms(credentials: Credentials, capabilities: Capabilities) -> tuple[str, ...]:
    """Those that both sides know, ours first.

    Raises:
        Failure: there are none.
    """
    chosen = tuple(name for name in credentials.mechanisms if name in capabilities.mechanisms)
    if not chosen:
        offered = ", ".join(capabilities.mechanisms) or "no login at all"
        raise Failure(
            f"the login needs {' or '.join(credentials.mechanisms)}, and the server offers {offered:.200}",
            phase=Phase.AUTH,
            cause=Cause.AUTHENTICATION,
        )
    return chosen


def authenticate(
    credentials: Credentials,
    capabilities: Capabilities,
    renew: Callable[[], Credentials | None] = lambda: None,
) -> Flow[str]:
    """Log in.

    Args:
        credentials: who we are.
        capabilities: what the server announced.
        renew: asked for fresh credentials after a refused token; None when there are none.

    Returns:
        The mechanism that did it.

    Raises:
        Failure: refused.
    """
    raw = b""
    for mechanism in choose_mechanisms(credentials, capabilities):
        raw, status = yield from _attempt(credentials, mechanism)
        if raw.startswith(b"535"):
            fresh = renew()
            if fresh is not None:
                credentials = fresh
                raw, status = yield from _attempt(credentials, mechanism)
        if raw.startswith(b"2"):
            return mechanism
        if raw.startswith(b"3"):
            raise Lost("asked for more than the login has", phase=Phase.AUTH, cause=Cause.PROTOCOL)
        failure = _refused(raw, Phase.AUTH, f"{mechanism} was refused")
        if status:
            failure.note += f" (the token's status: {status})"
        if not _is_about_the_mechanism(failure):
            raise failure
    raise _refused(raw, Phase.AUTH, "every way to log in was refused")


def _is_about_the_mechanism(failure: Failure) -> bool:
    """Whether another mechanism may do where this one was refused (RFC 4954, 4 and 6).

    What is about the password is final: each further try is counted against the account.
    """
    reply = failure.reply
    return (
        reply is not None
        and reply.code in _MECHANISM_CODES
        and reply.enhanced not in _PASSWORD_CODES
        and failure.cause is not Cause.BASIC_AUTH_RETIRED
        and _APP_PASSWORD.search(reply.text) is None
    )


def _attempt(credentials: Credentials, mechanism: str) -> Flow[tuple[bytes, str]]:
    words = list(credentials.words(mechanism))
    line, status = f"AUTH {mechanism}", ""
    octets, shown = command(line), line.encode()
    if fits_in_command(mechanism, words[0]):
        octets, shown = Hidden(command(f"{line} {words.pop(0).decode()}")), shown + b" ***"
    first = credentials.words(mechanism)[0]
    secrets = credentials.secrets
    # Scrubbed at once: a server may repeat what it heard, and a traceback shows local variables.
    raw = scrubbed((yield Ask(octets, Phase.AUTH, shown=shown, secrets=secrets)), secrets)
    while raw.startswith(b"334") and words:
        ask = Ask(Hidden(words.pop(0) + b"\r\n"), Phase.AUTH, shown=b"***", secrets=secrets)
        raw = scrubbed((yield ask), secrets)
    if raw.startswith(b"334"):
        # Either the server overlooked what came with the command, or it explains why a token is refused.
        status = oauth_status(raw)
        again = mechanism == "PLAIN" or not (status or raw[4:].strip())
        answer = first if again else refusal_answer(mechanism)
        ask = Ask(Hidden(answer + b"\r\n"), Phase.AUTH, shown=b"***", secrets=secrets)
        raw = scrubbed((yield ask), secrets)
    return raw, status
