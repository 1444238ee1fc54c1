"""One table: what an SMTP reply means, whom it is about, and what to do.

What it is for: telling "this address is wrong" from "our login is wrong" from "too fast", in one place.
What it refuses: to judge by the code alone; providers use one enhanced code for two things, so code,
enhanced code, text and the step it came at are looked at together. Its law: the first row that fits decides.

Sources: RFC 5321, RFC 3463, and the pages of Microsoft, Google, Amazon and Mailgun that print these replies.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.receipts import Cause, Phase

if TYPE_CHECKING:
    from vetmail_core.receipts import Reply

__all__ = ["Meaning", "Retry", "Scope", "meaning"]


class Scope(enum.Enum):
    """Whom a reply is about."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    RUN = "run"
    """About us: every further email would get the same answer, and repeating it makes things worse."""


class Retry(enum.Enum):
    """What to do about a reply."""

    NEVER = "never"
    """Give up on whom it is about."""
    LATER = "later"
    """Another time; not in this run."""
    SLOWER = "slower"
    """Another time, and the run goes on with longer pauses."""
    RECONNECT = "reconnect"
    """At once, on a new connection."""


@attrs.frozen
class Meaning:
    """What a reply means.

    Attributes:
        cause: why.
        scope: whom it is about.
        retry: what to do.
    """

    cause: Cause
    scope: Scope
    retry: Retry


@attrs.frozen
class _Row:
    pattern: re.Pattern[str]
    meaning: Meaning
    phases: frozenset[Phase]


_ANY: Final = frozenset(Phase)
_OPENING: Final = frozenset({Phase.CONNECT, Phase.GREETING, Phase.STARTTLS, Phase.TLS, Phase.AUTH})
_SENDING: Final = _ANY - _OPENING
_CONTENT: Final = frozenset({Phase.DATA, Phase.BODY, Phase.DOT})
_RECIPIENTS: Final = _SENDING - {Phase.MAIL}  # nobody has been named before
_RCPT: Final = frozenset({Phase.RCPT})
_MAIL: Final = frozenset({Phase.MAIL})
_AUTH: Final = frozenset({Phase.AUTH})


def _row(pattern: str, cause: Cause, scope: Scope, retry: Retry, phases: frozenset[Phase] = _ANY) -> _Row:
    return _Row(re.compile(pattern, re.IGNORECASE), Meaning(cause, scope, retry), phases)


# Each pattern is matched from the start of "code enhanced text"; "-" stands for a missing enhanced code.
_TABLE: Final = (
    # about our login
    _row(
        r"\d+ 5\.7\.30 |5\d\d \S+ basic auth\w* is (disabled|not supported)",
        Cause.BASIC_AUTH_RETIRED,
        Scope.RUN,
        Retry.NEVER,
    ),
    _row(
        r"534 5\.7\.9 |53[45] .*application-specific password",
        Cause.APP_PASSWORD_NEEDED,
        Scope.RUN,
        Retry.NEVER,
    ),
    _row(r"53[0458] ", Cause.AUTHENTICATION, Scope.RUN, Retry.NEVER),
    _row(r"454 4\.7\.0 ", Cause.AUTHENTICATION, Scope.RUN, Retry.LATER, _AUTH),
    # about our sender address
    _row(
        r"\d+ 5\.7\.60 |\d+ 5\.7\.512 |554 5\.2\.0 .*send ?as|554 5\.2\.252 |5\d\d .*SendAsDenied",
        Cause.SENDER_NOT_ALLOWED,
        Scope.RUN,
        Retry.NEVER,
    ),
    _row(r"554 .*email address is not verified", Cause.SENDER_NOT_ALLOWED, Scope.RUN, Retry.NEVER),
    # about how much we send in a day
    _row(r"\d+ 5\.2\.2 .*mailbox.*(full|quota|exceed)", Cause.MAILBOX_FULL, Scope.RECIPIENT, Retry.NEVER),
    # words about a recipient mean their mailbox (RFC 3463, 3.3), unless they are about our sending as well
    _row(
        r"550 5\.2\.2 (?!.*(submission|send|daily)).*(user|recipient|over quota)",
        Cause.MAILBOX_FULL,
        Scope.RECIPIENT,
        Retry.NEVER,
        _RCPT,
    ),
    _row(
        r"550 5\.1\.90 |550 5\.2\.2 |550 5\.4\.5 |\d+ 5\.7\.23[23] ",
        Cause.DAILY_QUOTA,
        Scope.RUN,
        Retry.NEVER,
    ),
    _row(r"[45]\d\d .*daily .*(quota|limit)", Cause.DAILY_QUOTA, Scope.RUN, Retry.LATER),
    # about our being blocked
    _row(
        r"\d+ 5\.1\.8 |\d+ 5\.7\.50[1-3] |\d+ 5\.7\.70[58] |550 5\.2\.25[1-5] ",
        Cause.BLOCKED,
        Scope.RUN,
        Retry.NEVER,
    ),
    # about one mailbox
    _row(r"452 4\.2\.2 |552 5\.2\.2 ", Cause.MAILBOX_FULL, Scope.RECIPIENT, Retry.LATER),
    _row(
        r"[45]52 ([45]\.5\.3 |.*too many recipients)",
        Cause.TOO_MANY_RECIPIENTS,
        Scope.RECIPIENT,
        Retry.LATER,
        _RCPT,
    ),
    _row(r"[45]52 - ", Cause.MAILBOX_FULL, Scope.RECIPIENT, Retry.LATER, _RCPT),
    _row(r"\d+ [45]\.2\.12[12] ", Cause.RECIPIENT_THROTTLED, Scope.RECIPIENT, Retry.LATER),
    _row(
        r"55\d (5\.1\.1|5\.1\.10|5\.4\.1|5\.5\.0|5\.7\.504|5\.2\.1) ",
        Cause.BAD_RECIPIENT,
        Scope.RECIPIENT,
        Retry.NEVER,
        _RECIPIENTS,
    ),
    # about our speed and size
    _row(r"[45]52 [45]\.5\.3 ", Cause.TOO_MANY_RECIPIENTS, Scope.MESSAGE, Retry.SLOWER),
    _row(r"\d+ 5\.5\.3 ", Cause.TOO_MANY_RECIPIENTS, Scope.RECIPIENT, Retry.NEVER, _RCPT),
    _row(
        r"552 - |523 |\d+ [45]\.3\.4 |5\d\d 5\.2\.3 ",
        Cause.TOO_LARGE,
        Scope.MESSAGE,
        Retry.NEVER,
        _SENDING,
    ),
    _row(
        r"432 |421 4\.7\.0 |421 4\.3\.0 |421 4\.4\.5 |450 4\.2\.1 |451 4\.3\.0 |"
        r"451 4\.7\.\d+ ",
        Cause.THROTTLED,
        Scope.MESSAGE,
        Retry.SLOWER,
    ),
    _row(
        r"4\d\d .*(\brate\b|\btoo (many|much|fast)\b|throttl|slow down)",
        Cause.THROTTLED,
        Scope.MESSAGE,
        Retry.SLOWER,
    ),
    # about the talk itself
    _row(r"421 ", Cause.CONNECTION, Scope.MESSAGE, Retry.RECONNECT),
    _row(
        r"50[0234] |501 5\.5\.4 |555 |5\d\d .*(pipelin|synchroni[sz]ation)",
        Cause.PROTOCOL,
        Scope.MESSAGE,
        Retry.RECONNECT,
        _SENDING,
    ),
    # what is left, by the step it came at
    _row(r"5", Cause.AUTHENTICATION, Scope.RUN, Retry.NEVER, _AUTH),
    _row(r"4", Cause.AUTHENTICATION, Scope.RUN, Retry.LATER, _AUTH),
    _row(r"5", Cause.TLS, Scope.RUN, Retry.NEVER, frozenset({Phase.STARTTLS, Phase.TLS})),
    _row(r"4", Cause.TLS, Scope.RUN, Retry.LATER, frozenset({Phase.STARTTLS, Phase.TLS})),
    _row(r"50\d ", Cause.PROTOCOL, Scope.RUN, Retry.NEVER, _OPENING),
    _row(r"5", Cause.BLOCKED, Scope.RUN, Retry.NEVER, _OPENING),
    _row(r"4", Cause.CONNECTION, Scope.RUN, Retry.LATER, _OPENING),
    _row(r"5\d\d .*relay", Cause.SENDER_NOT_ALLOWED, Scope.RECIPIENT, Retry.NEVER, _RCPT),
    _row(r"5", Cause.BAD_RECIPIENT, Scope.RECIPIENT, Retry.NEVER, _RCPT),
    _row(r"5", Cause.SENDER_NOT_ALLOWED, Scope.MESSAGE, Retry.NEVER, _MAIL),
    _row(r"5", Cause.CONTENT_REFUSED, Scope.MESSAGE, Retry.NEVER, _CONTENT),
    _row(r"4", Cause.OTHER, Scope.MESSAGE, Retry.LATER),
)
_NONSENSE: Final = Meaning(Cause.PROTOCOL, Scope.MESSAGE, Retry.RECONNECT)


def meaning(reply: Reply, phase: Phase) -> Meaning:
    """Look a reply up.

    Args:
        reply: what the server said; a refusal, 4xx or 5xx. Anything else is nonsense where a refusal is
            looked up, and means PROTOCOL.
        phase: the step it answered.
    """
    line = f"{reply.code} {reply.enhanced or '-'} {reply.text}"
    for row in _TABLE:
        if phase in row.phases and row.pattern.match(line):
            return row.meaning
    return _NONSENSE
