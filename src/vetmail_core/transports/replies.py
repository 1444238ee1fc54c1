"""One table: what an SMTP reply means, whom it is about, and what to do.

Servers answer late: Postfix says at RCPT what it has against the sender, Microsoft and Amazon say after the
text that the day's allowance is used up. So a reply is read in this order: what it *names* (our sender,
login, EHLO name or internet address, or the recipient), its *words*, its enhanced code, and only then the
step it came at. The first row that fits decides.

Two rules stand above the rows. The names are taken out of the words first, so that an address such as
``relay.blocked@students.example`` is not read as a block. And a refusal for good that names something of ours
and no recipient is about us whatever else it says: only rows about us are asked.

Sources: RFC 5321 (4.2 and 4.5.3.1.10), RFC 3463, RFC 4954 (4), and the pages of Microsoft, Google, Amazon,
Mailgun, SendGrid and cPanel that print these replies.
"""

from __future__ import annotations

import enum
import functools
import re
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.receipts import Cause, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vetmail_core.receipts import Reply

__all__ = ["NOBODY", "Meaning", "Parties", "Repeat", "Retry", "Scope", "address_in", "gist", "meaning"]


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
    FRESH = "fresh"
    """Once more on a new connection; the same answer there puts the email off and slows the run."""


class Repeat(enum.Enum):
    """What follows when three different people in a row get the same answer (`gist` tells)."""

    NOTHING = "nothing"
    SLOWER = "slower"
    STOP = "stop"
    """The run ends: an answer that does not say whom it means is then taken to mean us, or the text."""


@attrs.frozen
class Meaning:
    """What a reply means.

    Attributes:
        cause: why.
        scope: whom it is about.
        retry: what to do.
        repeat: what to do when three different people in a row get the same answer.
    """

    cause: Cause
    scope: Scope
    retry: Retry
    repeat: Repeat = Repeat.NOTHING

    @property
    def ends_run(self) -> bool:
        """True if nothing more is to be sent in this run."""
        return self.scope is Scope.RUN

    @property
    def slows(self) -> bool:
        """True if the run goes on with longer pauses."""
        return self.retry is Retry.SLOWER

    @property
    def splits(self) -> bool:
        """True if the same email may go to fewer recipients at once."""
        return self.cause is Cause.TOO_MANY_RECIPIENTS


def _lower(text: str) -> str:
    return text.lower()


def _lowered(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address.lower() for address in addresses if address))


@attrs.frozen(kw_only=True)
class Parties:
    """Who takes part in a talk: what a reply may name.

    Args:
        sender: the address said in MAIL.
        login: the user name; "" when nobody logged in.
        ehlo_name: as said in EHLO; an address literal counts as an internet address.
        address: our end of the connection, "192.0.2.9".
        recipients: the addresses of this message, in every form in which they are written.
    """

    sender: str = attrs.field(default="", converter=_lower)
    login: str = attrs.field(default="", converter=_lower)
    ehlo_name: str = attrs.field(default="", converter=_lower)
    address: str = attrs.field(default="", converter=_lower)
    recipients: tuple[str, ...] = attrs.field(default=(), converter=_lowered)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Our internet addresses, as the socket and the EHLO literal have them."""
        return _lowered((self.address, address_in(self.ehlo_name)))

    @property
    def name(self) -> str:
        """The EHLO name; "" where it was a literal, or is the sender's domain, which a row of its own has."""
        return "" if self.ehlo_name[:1] == "[" or self.ehlo_name == self.domain else self.ehlo_name

    @property
    def domain(self) -> str:
        """The domain of the sender."""
        return self.sender.rpartition("@")[2]


NOBODY: Final = Parties()


def address_in(literal: str) -> str:
    """The internet address in an address literal (RFC 5321, 4.1.3); "" in a name.

    >>> address_in("[IPv6:2001:db8::7]")
    '2001:db8::7'
    """
    return re.sub("^ipv6:", "", literal[1:-1], flags=re.IGNORECASE | re.ASCII) if literal[:1] == "[" else ""


# A login of one such word ("apikey" and "user" exist) cannot be told from the words of a reply.
_ORDINARY_WORDS: Final = frozenset(
    {
        "access", "account", "address", "admin", "apikey", "client", "email", "host", "info", "mail",
        "mailbox", "mailer", "message", "office", "recipient", "relay", "sender", "server", "smtp", "user",
    }
)  # fmt: skip
_NUMBER_IN_BRACKETS: Final = re.compile(r"#([245]\.\d{1,3}\.\d{1,3})\W*$", re.ASCII)
# Postfix begins with its own name, and smtp-relay.example.com says nothing about relaying. Exchange writes
# STOREDRV.Submission.Exception: with capitals, which is not a host.
_ELSEWHERE: Final = re.compile(
    r"https?://\S+|(?<![\w@.-])[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)*\.[a-z]{2,}(?![\w-])", re.ASCII
)


@attrs.define
class _Heard:
    """A reply, taken apart: the line that the patterns see, and what was named in it."""

    line: str
    code: int
    mailbox: bool = False
    recipient: bool = False
    sender: bool = False
    login: bool = False
    name: bool = False
    address: bool = False
    domain: bool = False
    logged_in: bool = False
    hello: bool = False

    @property
    def ours(self) -> bool:
        """Something of ours is named, and no recipient."""
        return not self.recipient and (self.sender or self.login or self.name or self.address or self.domain)


def _taken_out(names: Iterable[str], text: str) -> tuple[str, bool]:
    """The text without these names, where they stand as a whole; and whether one of them did."""
    found = False
    for name in names:
        if name and name in text.lower():  # cheap, and nearly always the end of it
            whole = rf"(?<![\w.+@-]){re.escape(name)}(?![\w@-]|\.\w)"
            text, count = re.subn(whole, " ", text, flags=re.IGNORECASE | re.ASCII)
            found = found or count > 0
    return text, found


def _heard(reply: Reply, parties: Parties, *, hello: bool) -> _Heard:
    number = _NUMBER_IN_BRACKETS.search(reply.text)
    enhanced = reply.enhanced or (number[1] if number else "-")
    login = parties.login
    # Addresses before the domains in them, or halves of them would be left behind.
    text, recipient = _taken_out(parties.recipients, reply.text)
    text, sender = _taken_out((parties.sender,), text)
    text, by_login = _taken_out(() if login in _ORDINARY_WORDS else (login,), text)
    by_login = by_login or (sender and login == parties.sender)
    text, name = _taken_out((parties.name,), text)
    text, address = _taken_out(parties.addresses, text)
    text, domain = _taken_out((parties.domain,), text)
    line = f"{reply.code} {enhanced} {_ELSEWHERE.sub(' ', text).lower()}"
    mailbox = _compiled(_MAILBOX).search(line) is not None
    if domain and mailbox:
        # Whoever writes to colleagues reads "no such user at college.example", which is not about the sender.
        domain = not any(one.endswith(f"@{parties.domain}") for one in parties.recipients)
    return _Heard(
        line=line, code=reply.code, mailbox=mailbox, recipient=recipient, sender=sender, login=by_login,
        name=name, address=address, domain=domain, logged_in=bool(login), hello=hello,
    )  # fmt: skip


# -- the table -----------------------------------------------------------------------------------------

_ANY: Final = frozenset(Phase)
_OPENING: Final = frozenset({Phase.CONNECT, Phase.GREETING, Phase.STARTTLS, Phase.TLS, Phase.AUTH})
_SENDING: Final = _ANY - _OPENING
_CONTENT: Final = frozenset({Phase.DATA, Phase.BODY, Phase.DOT})
_RCPT: Final = frozenset({Phase.RCPT})
_RECIPIENTS: Final = _SENDING - {Phase.MAIL}  # nobody has been named before
_ENVELOPE: Final = frozenset({Phase.MAIL, Phase.RCPT})
_MAIL: Final = frozenset({Phase.MAIL})
_AUTH: Final = frozenset({Phase.AUTH})
_GREETING: Final = frozenset({Phase.GREETING})
_TLS: Final = frozenset({Phase.STARTTLS, Phase.TLS})

# A line that the patterns see is "code enhanced words", lower case; "-" stands for a missing enhanced code.
_MAILBOX: Final = (
    # RFC 3463: X.1.0 to 3, 6 and 10 and X.2 are the recipient's address and mailbox.
    r"^5\d\d (\d\.1\.([0-36]|10)|\d\.2\.1|5\.4\.1) "
    r"|^5.*(\bno (such )?(user|mailbox|recipient|person|addressee)|\bmoved\b"
    r"|\b(unknown|invalid|bad|non-?existent) (local )?(user|recipient|mailbox|addressee)"
    r"|\b(user|mailbox|recipient|addressee)( \S+){0,3} (unknown|unavailable|disabled|inactive"
    r"|not (found|known|local)|does(n't| not) (exist|have an? (\S+ )?(account|mailbox)))"
    r"|\bmailbox name (not allowed|invalid))"
)
_RETIRED: Final = r"^\d+ 5\.7\.30 |^5.*\bbasic auth\w* is (disabled|not supported)"
# 534 5.7.9 is "mechanism too weak" (RFC 4954, 6) unless the words are Google's.
_OF_THE_APP: Final = (
    r"^53[45] .*\b(app|application-specific) password|^534 5\.7\.9 .*\b(gsmtp|google|browser)\b"
)
_ENCRYPTION: Final = r"\b(start)?tls\b|^\d+ \d\.7\.(10|66) "
_HELLO: Final = r"\b(helo|ehlo)\b"
_DAY: Final = (
    r"\bdaily\b|\b24[- ]?h(ou)?rs?\b|\bper day\b"
    r"|(submission|sending|outgoing|outbound|relay)\W*(\w+\W+){0,3}quota"
    r"|quota\W+(\w+\W+){0,3}(submission|sending|outgoing|outbound)"
    r"|^\d+ (5\.4\.5|\d\.1\.90|\d\.7\.23[23]) "
)
_RATE: Final = (
    r"\bhour(s|ly)?\b|\btoo (many|much) (\w+ )?(e-?)?(mails?|messages?)\b|\bmessaging limit|throttl"
    r"|(?<![a-z])rate(?![a-z])"  # "_" is a letter to \b, which would hide the rate of RATE_MSG
)
_FAST: Final = r"\btoo (many (?!err)|much|fast)|\bslow down"
_LOAD: Final = (
    r"\bbusy\b|\b(over)?load|\bresources\b|\bcapacity\b|\bunavailable\b|\bnot available\b|\bshutting down"
)
_SENDER: Final = (
    r"\bsender('s)? (e-?mail )?(address|verif|identity|signature|domain|rejected|denied|not )"
    r"|\bfrom:?['\"]? address|\bnot (been )?verified\b|\bnot owned by\b|\bdomain of (the )?sender"
    r"|\bsending domain|send ?as|\b(spf|dmarc|dkim)\b"
    r"|^\d+ (\d\.1\.7|4\.1\.8|5\.2\.252|\d\.7\.(23|26|60|509|512|515)) "
)
_BLOCK: Final = (
    r"\bclient host\b|\bblock(ed)?[ -]?list|\bblocked (using|by)\b|\b(black|deny)[ -]?list|\b(dns)?[rb]bl\b"
    r"|\bsending (is |has been |was )?paused|\breputation\b|\bunusual sending activity"
    r"|^5\d\d (5\.3\.2|5\.1\.8|5\.2\.25[1345]) |^\d+ \d\.7\.(25|50[1-3]|511|606|70[58]|750) "
    # The recipient's account may be suspended as well as ours.
    r"|^\d+ (?!\d\.1\.|\d\.2\.1 ).*(suspend|\bbanned\b)"
)
_RELAY: Final = r"(?<![\w.-])relay|\brcpthosts\b|^\d+ \d\.7\.(54|64) "
_LOGIN: Final = (
    r"\bauthentication( is)? (required|needed)|\bnot (been )?(authenticated|logged in)|\bmust authenticate"
    r"|\bnot authori[sz]ed to perform|^53[0458] |^\d+ \d\.7\.57 "
)
_COUNT: Final = r"\btoo many recipients(?!.*\b(hour|day|daily))|\brecipient count|^\d+ \d\.5\.3 "
_FULL: Final = (
    r"^(?!.*(submission|sending|daily|outgoing))(\d+ \d\.2\.2 |.*(\b(mail|in)box (is )?(over )?(full|quota)"
    r"|\bover quota|\bout of storage))"
)
_POPULAR: Final = r"^\d+ (4\.2\.1|\d\.2\.12[12]) |\breceiving mail (too|at a rate)"
_SIZE: Final = r"\bmessage size|\btoo (large|big)\b|\bsize (limit|exceed)|^\d+ \d\.(3\.4|2\.3) |^523 "
_TEXT: Final = r"spam|virus|malware|phish|content|attachment|unsolicited|security issue"


def _always(_heard: _Heard) -> bool:
    return True


def _is_anonymous(heard: _Heard) -> bool:
    return not heard.logged_in


def _says_hello(heard: _Heard) -> bool:
    return heard.hello


def _speaks_of_mailbox(heard: _Heard) -> bool:
    return heard.mailbox


def _names_recipient(heard: _Heard) -> bool:
    return heard.recipient and not (heard.sender or heard.login or heard.name or heard.address)


def _names_sender(heard: _Heard) -> bool:
    return heard.sender and not (heard.recipient and heard.mailbox)


def _names_login(heard: _Heard) -> bool:
    return heard.login and not heard.recipient


def _names_name(heard: _Heard) -> bool:
    return heard.name and not heard.recipient


def _names_address(heard: _Heard) -> bool:
    return heard.address and not heard.recipient


def _names_domain(heard: _Heard) -> bool:
    return heard.domain and not heard.recipient


_R, _M, _U = Scope.RECIPIENT, Scope.MESSAGE, Scope.RUN
_NEVER, _LATER, _SLOWER, _RECONNECT = Retry.NEVER, Retry.LATER, Retry.SLOWER, Retry.RECONNECT
_OURS: Final = r"^(5|4\d\d (?!4\.[34]\.))"  # a system's passing state is not ours, whoever is named in it


# Compiled when a reply first asks for it: most runs hear no refusal, and there are dozens of patterns.
_compiled: Final = functools.cache(functools.partial(re.compile, flags=re.ASCII))


@attrs.frozen
class _Row:
    pattern: str
    meaning: Meaning
    phases: frozenset[Phase]
    when: Callable[[_Heard], bool]


def _row(
    pattern: str,
    cause: Cause,
    scope: Scope,
    retry: Retry,
    phases: frozenset[Phase] = _SENDING,
    *,
    when: Callable[[_Heard], bool] = _always,
    repeat: Repeat = Repeat.NOTHING,
) -> _Row:
    return _Row(pattern, Meaning(cause, scope, retry, repeat), phases, when)


_TABLE: Final = (
    # our login, at its own step or whenever it is retired
    _row(_RETIRED, Cause.BASIC_AUTH_RETIRED, _U, _NEVER, _ANY),
    _row(_OF_THE_APP, Cause.APP_PASSWORD_NEEDED, _U, _NEVER, _ANY),
    _row(r"^53[0458] ", Cause.AUTHENTICATION, _U, _NEVER, _OPENING),
    _row(r"^454 4\.7\.0 ", Cause.AUTHENTICATION, _U, _LATER, _AUTH),
    # the answer to EHLO
    _row(_ENCRYPTION, Cause.TLS, _U, _NEVER, _GREETING, when=_says_hello),
    _row(rf"^4.*({_RATE}|{_FAST}|{_LOAD})", Cause.THROTTLED, _M, _SLOWER, _GREETING, when=_says_hello),
    _row(_BLOCK, Cause.BLOCKED, _U, _NEVER, _GREETING, when=_says_hello),
    _row(r"^421 (?!4\.(3\.|4\.5 ))|^5", Cause.EHLO_NAME, _U, _NEVER, _GREETING, when=_says_hello),
    # the other steps before the first message
    _row(_DAY, Cause.DAILY_QUOTA, _U, _LATER, _OPENING),
    _row(r"^432 |^421 4\.(7\.0|4\.5) |^451 4\.7\.\d+ ", Cause.THROTTLED, _M, _SLOWER, _OPENING),
    _row(rf"^4.*({_RATE}|{_FAST})", Cause.THROTTLED, _M, _SLOWER, _OPENING),
    _row(r"^421 ", Cause.CONNECTION, _M, _RECONNECT, _OPENING),
    _row(r"^5", Cause.AUTHENTICATION, _U, _NEVER, _AUTH),
    _row(r"^4", Cause.AUTHENTICATION, _U, _LATER, _AUTH),
    _row(r"^5", Cause.TLS, _U, _NEVER, _TLS),
    _row(r"^4", Cause.TLS, _U, _LATER, _TLS),
    _row(r"^50\d ", Cause.PROTOCOL, _U, _NEVER, _OPENING),
    _row(r"^5", Cause.BLOCKED, _U, _NEVER, _OPENING),
    _row(r"^4", Cause.CONNECTION, _U, _LATER, _OPENING),
    # the line is not encrypted; a text or an attachment may speak of encryption too
    _row(_ENCRYPTION, Cause.TLS, _U, _NEVER),
    _row(r"\bencrypt", Cause.TLS, _U, _NEVER, _ENVELOPE),
    # our name
    _row(_HELLO, Cause.EHLO_NAME, _U, _NEVER),
    _row(_OURS, Cause.EHLO_NAME, _U, _NEVER, when=_names_name),
    # one mailbox: not yet, full, or by its own rule
    _row(r"gr[ea]ylist", Cause.GREYLISTED, _R, _LATER),
    _row(_FULL, Cause.MAILBOX_FULL, _R, _LATER),
    _row(_POPULAR, Cause.RECIPIENT_THROTTLED, _R, _LATER),
    _row(r"^\d+ \d\.7\.(124|129|13[3-6]) ", Cause.OTHER, _R, _NEVER),
    _row(r"^\d+ \d\.7\.504 ", Cause.BAD_RECIPIENT, _R, _NEVER, _RECIPIENTS),
    # too many of them in one message
    _row(_COUNT, Cause.TOO_MANY_RECIPIENTS, _R, _LATER, _RCPT),
    _row(_COUNT, Cause.TOO_MANY_RECIPIENTS, _M, _SLOWER),
    # how much we send, and how fast
    _row(_DAY, Cause.DAILY_QUOTA, _U, _NEVER),
    _row(rf"^432 |^4.*({_RATE})", Cause.THROTTLED, _M, _SLOWER),
    _row(rf"^5.*({_RATE})", Cause.THROTTLED, _U, _NEVER),
    # our sender, before the block (5.1.8) and the login that may be named beside it
    _row(_SENDER, Cause.SENDER_NOT_ALLOWED, _U, _NEVER),
    _row(_OURS, Cause.SENDER_NOT_ALLOWED, _U, _NEVER, when=_names_sender),
    # our network or account
    _row(_BLOCK, Cause.BLOCKED, _U, _NEVER),
    _row(_OURS, Cause.BLOCKED, _U, _NEVER, when=_names_address),
    # what we may pass on, and our login
    _row(_RELAY, Cause.AUTHENTICATION, _U, _NEVER, when=_is_anonymous),
    _row(_RELAY, Cause.SENDER_NOT_ALLOWED, _U, _NEVER),
    _row(_LOGIN, Cause.AUTHENTICATION, _U, _NEVER),
    _row(_OURS, Cause.AUTHENTICATION, _U, _NEVER, when=_names_login),
    _row(_OURS, Cause.SENDER_NOT_ALLOWED, _U, _NEVER, when=_names_domain),
    # the message
    _row(_SIZE, Cause.TOO_LARGE, _M, _NEVER),
    # the recipient
    _row(r"^5", Cause.BAD_RECIPIENT, _R, _NEVER, _RECIPIENTS, when=_speaks_of_mailbox),
    _row(r"^5", Cause.SENDER_NOT_ALLOWED, _U, _NEVER, _MAIL, when=_speaks_of_mailbox),
    # the talk itself
    _row(r"^421 4\.(7\.0|4\.5) (?!.*\btoo many err)", Cause.THROTTLED, _M, _SLOWER),
    _row(rf"^4.*({_FAST})", Cause.THROTTLED, _M, _SLOWER),
    _row(r"^421 ", Cause.CONNECTION, _M, _RECONNECT),
    _row(r"^50[0234] |^501 5\.5\.4 |^555 |^5.*(pipelin|synchroni[sz]ation)", Cause.PROTOCOL, _M, _RECONNECT),
    # the recipient once more, when it is named and nothing else was said
    _row(r"^5\d\d (?!\d\.7\.)", Cause.BAD_RECIPIENT, _R, _NEVER, _RECIPIENTS, when=_names_recipient),
    # the text
    _row(_TEXT, Cause.CONTENT_REFUSED, _M, _NEVER, _CONTENT, repeat=Repeat.STOP),
    # what RFC 5321 says of a code without more
    _row(r"^[45]52 - ", Cause.MAILBOX_FULL, _R, _LATER, _RCPT),
    _row(r"^552 - ", Cause.TOO_LARGE, _M, _NEVER),
    # not now: the system's state (RFC 3463, 3.4 and 3.5), this recipient, or nobody knows
    _row(r"^4\d\d \d\.[34]\.", Cause.OTHER, _M, Retry.FRESH),
    _row(r"^451 4\.7\.(?!1 )", Cause.THROTTLED, _M, _SLOWER),
    _row(r"^4\d\d 4\.[12]\.", Cause.OTHER, _R, _LATER),
    _row(r"^45[01] 4\.7\.1 ", Cause.OTHER, _R, _LATER, _RECIPIENTS, repeat=Repeat.SLOWER),
    _row(r"^4", Cause.OTHER, _M, _LATER, repeat=Repeat.SLOWER),
    # it does not say whom it means
    _row(r"^5", Cause.OTHER, _M, _NEVER, repeat=Repeat.STOP),
)  # fmt: skip
_NONSENSE: Final = Meaning(Cause.PROTOCOL, Scope.MESSAGE, Retry.RECONNECT)
_FOR_GOOD: Final = 500  # RFC 5321, 4.2.1


def meaning(reply: Reply, phase: Phase, parties: Parties = NOBODY, *, hello: bool = False) -> Meaning:
    """Look a reply up.

    Args:
        reply: what the server said; a refusal, 4xx or 5xx. Anything else is nonsense where a refusal is
            looked up, and means PROTOCOL.
        phase: the step it answered.
        parties: whom it may name.
        hello: it answered EHLO or HELO, where the phase is GREETING.
    """
    heard = _heard(reply, parties, hello=hello)
    only_us = heard.ours and heard.code >= _FOR_GOOD and phase in _SENDING
    for row in _TABLE:
        if (
            phase in row.phases
            and (row.meaning.ends_run or not only_us)
            and row.when(heard)
            and _compiled(row.pattern).search(heard.line)
        ):
            return row.meaning
    return _NONSENSE


_ADDRESS: Final = re.compile(r"\S+@\S+", re.ASCII)
_QUEUE_ID: Final = re.compile(r"(?=[a-z_.-]*\d)[\w.-]{5,}", re.ASCII)


def gist(reply: Reply) -> str:
    """The words of a reply without addresses and queue ids, to see whether two people got the same answer."""
    words = _QUEUE_ID.sub(" ", _ADDRESS.sub(" ", reply.text.lower()))
    return f"{reply.code} {reply.enhanced} {' '.join(words.split())}"
