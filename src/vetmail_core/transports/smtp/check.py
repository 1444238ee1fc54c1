"""Trying a connection without sending anything.

It answers "why does mail not go out?" for a help desk. No message is left behind: it ends with RSET. What a
server says about a sender or recipient is a result; only a session that could not be opened is an error.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.address import parse_mailbox
from vetmail_core.errors import AddressError, TransportError
from vetmail_core.preferences import AuthenticationType
from vetmail_core.receipts import Cause, Phase, Reply
from vetmail_core.transports.replies import Parties, meaning
from vetmail_core.transports.smtp.rules.login import Ask, Failure, Lost, cause_of
from vetmail_core.transports.smtp.rules.message import BEYOND_ASCII, wire_path
from vetmail_core.transports.smtp.rules.protocol import command, mail_command, rcpt_command, read_reply

if TYPE_CHECKING:
    from vetmail_core.address import Mailbox
    from vetmail_core.transports.smtp.rules.login import Flow
    from vetmail_core.transports.smtp.rules.protocol import Capabilities
    from vetmail_core.transports.smtp.session import Opener, Session

__all__ = ["ConnectionCheck", "check_connection"]


@attrs.frozen(kw_only=True)
class ConnectionCheck:
    """What a try of the connection found. ``str()`` is a plain table.

    Attributes:
        host: the server's name.
        port: its port.
        address: its internet address.
        greeting: its first words.
        tls: the TLS version, "" in the clear.
        certificate_name: whom the certificate is for.
        certificate_issuer: who signed it.
        certificate_expires: when it ends; None in the clear.
        token_host: who gave the access token; "" without one, and for a function of the caller's.
        token_seconds: how long it will be used; None where its source does not say.
        login: the user name, "" without a login.
        mechanism: how the login was made.
        mechanisms: what the server offers.
        capabilities: the extensions the server announced, sorted.
        size: octets of the largest message; 0 when it names no limit.
        sender: the address MAIL asked about, "" for the empty sender.
        sender_reply: the answer.
        recipient: the address RCPT asked about; None when none was asked.
        recipient_reply: the answer; None when none was asked, or the sender was refused.
        transcript: what was said; no secrets.
    """

    host: str
    port: int
    address: str
    greeting: str
    tls: str = ""
    certificate_name: str = ""
    certificate_issuer: str = ""
    certificate_expires: datetime | None = None
    token_host: str = ""
    token_seconds: float | None = None
    login: str = ""
    mechanism: str = ""
    mechanisms: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    size: int = 0
    sender: str = ""
    sender_reply: Reply
    recipient: str | None = None
    recipient_reply: Reply | None = None
    transcript: tuple[str, ...] = attrs.field(default=(), repr=False)

    @property
    def sender_accepted(self) -> bool:
        """Whether mail from that sender would be taken."""
        return _is_yes(self.sender_reply)

    @property
    def recipient_accepted(self) -> bool | None:
        """Whether mail to that recipient would be taken, as far as this server knows; None when not asked."""
        return None if self.recipient_reply is None else _is_yes(self.recipient_reply)

    @property
    def ok(self) -> bool:
        """Whether nothing was refused."""
        return self.sender_accepted and self.recipient_accepted is not False

    @property
    def advice(self) -> str:
        """What to do about the first refusal; "" when there is none."""
        parties = Parties(sender=self.sender, login=self.login, recipients=(self.recipient or "",))
        if not self.sender_accepted:
            return meaning(self.sender_reply, Phase.MAIL, parties).cause.advice
        if self.recipient_reply is not None and not _is_yes(self.recipient_reply):
            return meaning(self.recipient_reply, Phase.RCPT, parties).cause.advice
        return ""

    def __str__(self) -> str:
        rows = [
            ("Server", f"{self.host} port {self.port} ({self.address})"),
            ("Greeting", self.greeting),
            ("Encryption", self.tls or "none: what is sent can be read on the way"),
        ]
        if self.tls:
            expires = "" if self.certificate_expires is None else f"{self.certificate_expires:%Y-%m-%d}"
            rows += [
                ("Certificate", f"for {self.certificate_name}, by {self.certificate_issuer}, until {expires}")
            ]
        if self.token_host:
            life = "" if self.token_seconds is None else f", good for {self.token_seconds / 60:.0f} minutes"
            rows += [("Access token", f"from {self.token_host}{life}")]
        rows += [
            ("Login", f"{self.login} ({self.mechanism}): accepted" if self.mechanism else "none"),
            ("Logins offered", ", ".join(self.mechanisms) or "none"),
            ("Largest email", f"{self.size:,} octets" if self.size else "not said"),
            ("Extensions", ", ".join(self.capabilities) or "none"),
            (f"From {self.sender or '<>'}", _verdict(self.sender_reply)),
        ]
        if self.recipient is not None:
            rows.append((f"To {self.recipient}", _verdict(self.recipient_reply)))
        if not self.ok:
            rows.append(("Stopped at", "RCPT" if self.sender_accepted else "MAIL"))
        if self.advice:
            rows.append(("What to do", self.advice))
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


_GOODBYE: Final = 421  # the server closes the connection (RFC 5321, 3.8), and answers nothing more


def _is_yes(reply: Reply) -> bool:
    return reply.code // 100 == 2  # noqa: PLR2004 - RFC 5321, 4.2.1


def _verdict(reply: Reply | None) -> str:
    if reply is None:
        return "not asked, because the sender was refused"
    return f"{'accepted' if _is_yes(reply) else 'REFUSED'}: {reply}"


def check_connection(
    opener: Opener, *, sender: Mailbox | str | None, recipient: Mailbox | str | None
) -> ConnectionCheck:
    """Try a connection.

    Args:
        opener: makes the session.
        sender: who the mail would be from; None is the login's address, or the empty sender.
        recipient: asked about too, when given.

    Raises:
        TransportError: no session came about, or an address needs SMTPUTF8 and the server has it not.
        AddressError: a text that is not a mailbox.
    """
    writer = _to_mailbox(sender) if sender is not None else _login_address(opener.username)
    reader = None if recipient is None else _to_mailbox(recipient)
    opener.reveal()
    try:
        session = opener.open()
    except Failure as failure:
        raise _explained(
            opener, failure.note, failure.phase, failure.cause, advice=failure.advice
        ) from failure
    except Lost as lost:
        raise _explained(opener, lost.note, lost.phase, cause_of(lost)) from lost
    connection = session.connection
    try:
        replies = connection.run(_ask_about(writer, reader, session.capabilities))
        return _found(opener, session, writer, reader, replies)
    except Failure as failure:
        raise _explained(opener, failure.note, failure.phase, failure.cause) from failure
    except Lost as lost:
        raise _explained(opener, lost.note, lost.phase, lost.cause) from lost
    finally:
        connection.quit()


def _ask_about(
    writer: Mailbox | None, reader: Mailbox | None, capabilities: Capabilities
) -> Flow[tuple[Reply, Reply | None]]:
    parameters = ""
    for mailbox, phase, cause in (
        (writer, Phase.MAIL, Cause.SENDER_NOT_ALLOWED),
        (reader, Phase.RCPT, Cause.BAD_RECIPIENT),
    ):
        if mailbox is not None and mailbox.needs_smtputf8:
            if "SMTPUTF8" not in capabilities:
                # Asked all the same it might say yes; a run would not send to such an address.
                raise Failure(f"{BEYOND_ASCII} ({mailbox.addr_spec})", phase=phase, cause=cause)
            parameters = " SMTPUTF8"
    sender = "" if writer is None else wire_path(writer)
    first = read_reply((yield Ask(mail_command(sender, parameters=parameters), Phase.MAIL)))
    second = None
    if reader is not None and _is_yes(first):
        second = read_reply((yield Ask(rcpt_command(wire_path(reader)), Phase.RCPT)))
    if _GOODBYE not in {first.code, None if second is None else second.code}:
        yield Ask(command("RSET"), Phase.MAIL)
    return first, second


def _found(
    opener: Opener,
    session: Session,
    writer: Mailbox | None,
    reader: Mailbox | None,
    replies: tuple[Reply, Reply | None],
) -> ConnectionCheck:
    connection, certificate = session.connection, session.connection.certificate
    expires = certificate.get("notAfter")
    return ConnectionCheck(
        host=opener.server.host,
        port=opener.server.port,
        address=connection.peer,
        greeting=session.greeting,
        tls=connection.tls,
        certificate_name=certificate_name(certificate),
        certificate_issuer=common_name(certificate.get("issuer")),
        certificate_expires=(
            datetime.fromtimestamp(ssl.cert_time_to_seconds(expires), UTC)
            if isinstance(expires, str)
            else None
        ),
        token_host=opener.token_host,
        token_seconds=opener.token_seconds,
        login=opener.username,
        mechanism=session.mechanism,
        mechanisms=session.capabilities.mechanisms,
        capabilities=tuple(sorted(session.capabilities.keywords)),
        size=session.capabilities.size,
        sender="" if writer is None else writer.addr_spec,
        sender_reply=replies[0],
        recipient=None if reader is None else reader.addr_spec,
        recipient_reply=replies[1],
        transcript=connection.transcript,
    )


_Names = tuple[tuple[tuple[str, str], ...], ...]
_NAME_KINDS: Final = ("commonName", "organizationName")


def certificate_name(certificate: dict[str, object]) -> str:
    names = certificate.get("subjectAltName")
    if isinstance(names, tuple) and names:
        return ", ".join(str(name) for _, name in names)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - as `ssl` has it
    return common_name(certificate.get("subject"))


def common_name(names: object) -> str:
    """The most telling name of a subject or issuer, in the nested tuples of `ssl`."""
    if not isinstance(names, tuple):
        return ""
    facts = {str(kind): str(value) for group in names for kind, value in group}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - as above
    return next((facts[kind] for kind in _NAME_KINDS if kind in facts), "")


def _to_mailbox(value: Mailbox | str) -> Mailbox:
    return parse_mailbox(value) if isinstance(value, str) else value


def _login_address(username: str) -> Mailbox | None:
    """The login's user name as an address, where it is one."""
    try:
        return parse_mailbox(username) if username else None
    except AddressError:
        return None


def _explained(
    opener: Opener, note: str, phase: Phase, cause: Cause, *, advice: str | None = None
) -> TransportError:
    server = opener.server
    login = "" if server.authentication is AuthenticationType.NONE else f" as {opener.username}"
    where = f"{server.host} port {server.port}{login}: the check stopped at"
    step = "TOKEN" if cause is Cause.TOKEN else f"{phase.name} ({cause.name})"
    what_to_do = cause.advice if advice is None else advice
    return TransportError(f"{where} {step}: {note.removesuffix('.')}. {what_to_do}".rstrip())
