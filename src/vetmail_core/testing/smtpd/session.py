"""One connection to the local server: aiosmtpd's session, with the script of faults in front of its answers.

It answers as a well-behaved submission server does, except where the script says otherwise. The script is
asked once for each answer, just before it would be given.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, Final, NoReturn

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session

from vetmail_core.receipts import Phase
from vetmail_core.testing.fault import FaultKind
from vetmail_core.testing.smtpd.received import ReceivedEmail

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from aiosmtpd.smtp import Envelope

    from vetmail_core.testing.fault import Fault
    from vetmail_core.testing.smtpd.book import Book

__all__ = ["ScriptedSession"]

_NAME: Final = "localhost"


class _Facts(Session):
    """aiosmtpd sets this old attribute itself, and warns whoever does."""

    login_data: object = None  # pyright: ignore[reportIncompatibleMethodOverride] - a plain attribute is the point


_LOGIN_LINE: Final = 12_288  # octets


class ScriptedSession(SMTP):
    """One connection.

    Args:
        book: the script it asks, the login it asks for, and where it writes.
        starttls: the context to go over to TLS with; None does not offer STARTTLS.
        encrypted: whether the line is TLS from its first byte.
    """

    def __init__(self, book: Book, *, starttls: ssl.SSLContext | None, encrypted: bool) -> None:
        self._book = book
        self._greeted = False
        self._encrypted = encrypted
        self._verdict: Fault | None = None
        self._username = ""
        text_line = self.line_length_limit
        # What the stream holds of a line: an access token makes that of AUTH long (RFC 4954, 4).
        self.line_length_limit = _LOGIN_LINE
        super().__init__(
            _Hooks(),
            data_size_limit=book.size_limit,
            enable_SMTPUTF8="SMTPUTF8" not in book.without,
            hostname=_NAME,
            ident="ESMTP of a test",
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_require_tls=starttls is not None,
            authenticator=self._judge,
            loop=asyncio.get_running_loop(),
        )
        self.line_length_limit = text_line

    def _create_session(self) -> Session:
        return _Facts(self.loop)

    # -- what the script can put in place of an answer -------------------------------------------------

    async def _instead(self, phase: Phase, addresses: Iterable[str] = ()) -> str | None:
        """The reply the script puts here; None without one; never returns from a drop or a stall."""
        fault = self._book.faults.next_at(phase, addresses)
        if fault is None:
            return None
        if fault.reply is None:
            await self._go(fault)
        return str(fault.reply)

    async def _go(self, fault: Fault) -> NoReturn:
        if fault.kind is FaultKind.DROP and isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()
        await _for_ever()

    async def push(self, status: str | bytes) -> None:
        """Send a line; the first is the greeting, and 421 is the last (RFC 5321, section 3.8)."""
        if not self._greeted:
            self._greeted = True
            status = await self._instead(Phase.CONNECT) or status
        line = status if isinstance(status, str) else status.decode()
        await super().push(line)
        if line.startswith("421") and self.transport is not None:
            self.transport.close()
            await _for_ever()

    # -- the commands ----------------------------------------------------------------------------------

    async def smtp_HELO(self, hostname: str) -> None:
        """HELO."""
        self._book.heard("HELO")
        await self._instead(Phase.GREETING)
        await super().smtp_HELO(hostname)

    async def smtp_EHLO(self, hostname: str) -> None:
        """EHLO, with the extensions this server has."""
        self._book.heard("EHLO")
        await self._instead(Phase.GREETING)
        if not hostname:
            await self.push("501 5.5.4 Syntax: EHLO hostname")
            return
        session = self.session
        assert session is not None
        self.envelope = self._create_envelope()
        session.extended_smtp = True
        session.host_name = hostname
        # SIZE and SMTPUTF8 come on top of the 512 octets of a command (RFC 1870, RFC 6531).
        self.command_size_limits["MAIL"] = self.command_size_limit + 36
        self.command_size_limits["AUTH"] = _LOGIN_LINE
        lines = [_NAME, *self._extensions()]
        await self.push("\r\n".join([*(f"250-{line}" for line in lines), "250 HELP"]))

    def _extensions(self) -> list[str]:
        offered = [
            "PIPELINING",
            f"SIZE {self._book.size_limit}",
            "8BITMIME",
            "ENHANCEDSTATUSCODES",
            "SMTPUTF8",
            "CHUNKING",
        ]
        if self.tls_context is not None and self._tls_protocol is None:
            offered.append("STARTTLS")
        elif self._book.mechanisms:
            offered.append(f"AUTH {' '.join(self._book.mechanisms)}")
        return [line for line in offered if line.split()[0] not in self._book.without]

    async def smtp_STARTTLS(self, arg: str) -> None:
        """Go over to TLS (RFC 3207)."""
        self._book.heard("STARTTLS")
        answer = await self._instead(Phase.STARTTLS)
        if answer is not None:
            await self.push(answer)
            return
        fault = self._book.faults.next_at(Phase.TLS)
        if fault is not None:
            await self.push("220 2.0.0 Ready to start TLS")
            await self._go(fault)
        await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str) -> None:
        """Log in (RFC 4954)."""
        self._book.heard("AUTH")
        words = (arg or "").split()
        if not self._book.mechanisms:
            await self.push("502 5.5.1 No login is asked for here")
            return
        if words and words[0] not in self._book.mechanisms:
            await self.push("504 5.5.4 Unrecognized authentication type")
            return
        self._verdict = self._book.faults.next_at(Phase.AUTH)
        if self._verdict is not None and self._verdict.reply is None:
            await self._go(self._verdict)
        await super().smtp_AUTH(arg)

    async def check_auth_needed(self, caller_method: str) -> bool:
        """Answer 530 to a command that needs a login first."""
        session = self.session
        assert session is not None
        if self._book.mechanisms and not session.authenticated:
            await self.push(f"530 5.7.0 Authentication required before {caller_method}")
            return True
        return False

    async def auth_XOAUTH2(self, _server: SMTP, args: list[str]) -> AuthResult:
        """A token in Google's and Microsoft's form."""
        return await self._bearer("XOAUTH2", args)

    async def auth_OAUTHBEARER(self, _server: SMTP, args: list[str]) -> AuthResult:
        """A token (RFC 7628)."""
        return await self._bearer("OAUTHBEARER", args)

    async def _bearer(self, mechanism: str, args: list[str]) -> AuthResult:
        if args[1:]:
            try:
                given = base64.b64decode(args[1], validate=True)
            except binascii.Error:
                await self.push("501 5.5.2 Can't decode base64")
                return AuthResult(success=False, handled=True)
        else:
            answer = await self.challenge_auth("")
            if not isinstance(answer, bytes):
                return AuthResult(success=False, handled=True)
            given = answer
        result = self._judge(self, self.session, self.envelope, mechanism, given)
        if not result.success:
            # The reason comes as a challenge, which the client answers with an empty line (RFC 7628, 3.2.3).
            await self.challenge_auth('{"status":"invalid_token"}')
        return result

    def _judge(
        self,
        _server: SMTP,
        _session: Session | None,
        _envelope: Envelope | None,
        mechanism: str,
        data: LoginPassword | bytes,
    ) -> AuthResult:
        if isinstance(data, bytes):
            username, token = _bearer_fields(data.decode(errors="replace"))
            right = self._book.token_is_right(token)
        else:
            username, password = (part.decode(errors="replace") for part in data)
            right = self._book.password_is_right(username, password)
        if self._verdict is not None:
            return AuthResult(success=False, handled=False, message=str(self._verdict.reply))
        if not right:
            return AuthResult(success=False, handled=False, message=f"535 5.7.8 {mechanism} refused")
        self._username = username
        return AuthResult(success=True)

    async def smtp_MAIL(self, arg: str | None) -> None:
        """Begin a message."""
        self._book.heard("MAIL")
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        """Name a recipient."""
        self._book.heard("RCPT")
        await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        """Take the message."""
        self._book.heard("DATA")
        envelope = self._opened()
        if envelope.mail_from and not envelope.rcpt_tos:
            await self.push("554 5.5.1 No valid recipients")
            return
        if envelope.rcpt_tos:
            answer = await self._instead(Phase.DATA, envelope.rcpt_tos)
            if answer is not None:
                await self.push(answer)
                return
            fault = self._book.faults.next_at(Phase.BODY, envelope.rcpt_tos)
            if fault is not None:
                await self.push("354 Begin, and never end")
                await self._reader.readline()
                await self._go(fault)
        await super().smtp_DATA(arg)

    async def smtp_BDAT(self, arg: str | None) -> None:
        """Take a piece of the message (RFC 3030)."""
        self._book.heard("BDAT")
        words = (arg or "").upper().split()
        if not words or not words[0].isdigit() or words[1:] not in ([], ["LAST"]):
            await self.push("501 5.5.4 Syntax: BDAT octets [LAST]")
            return
        piece = await self._reader.readexactly(int(words[0]))
        if await self.check_auth_needed("BDAT"):
            return
        envelope = self._opened()
        if not envelope.rcpt_tos:
            known = bool(envelope.mail_from)
            await self.push("554 5.5.1 No valid recipients" if known else "503 5.5.1 MAIL comes first")
            return
        await self._instead(Phase.BODY, envelope.rcpt_tos)
        envelope.original_content = (envelope.original_content or b"") + piece
        if not words[1:]:
            await self.push(f"250 2.0.0 {len(piece)} octets received")
            return
        if len(envelope.original_content) > self._book.size_limit:
            answer = "552 5.3.4 Message too big"
        else:
            answer = await self.answer_dot(envelope)
        self.envelope = self._create_envelope()
        await self.push(answer)

    async def smtp_RSET(self, arg: str) -> None:
        """Forget the message."""
        self._book.heard("RSET")
        await super().smtp_RSET(arg)

    async def smtp_NOOP(self, arg: str) -> None:
        """Do nothing."""
        self._book.heard("NOOP")
        await super().smtp_NOOP(arg)

    async def smtp_QUIT(self, arg: str) -> None:
        """Part."""
        self._book.heard("QUIT")
        await super().smtp_QUIT(arg)

    def _opened(self) -> Envelope:
        assert self.envelope is not None
        return self.envelope

    # -- the answers that aiosmtpd asks its handler for ------------------------------------------------

    async def answer_mail(self, envelope: Envelope, address: str, options: list[str]) -> str:
        """The answer to a well-formed MAIL."""
        answer = await self._instead(Phase.MAIL, [address])
        if answer is not None:
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender ok"

    async def answer_rcpt(self, envelope: Envelope, address: str, options: list[str]) -> str:
        """The answer to a well-formed RCPT."""
        answer = await self._instead(Phase.RCPT, [address])
        if answer is not None:
            return answer
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Recipient ok"

    async def answer_dot(self, envelope: Envelope) -> str:
        """The answer to a whole message."""
        recipients = tuple(envelope.rcpt_tos)
        fault = self._book.faults.next_at(Phase.DOT, recipients)
        if fault is not None and fault.reply is not None:
            return str(fault.reply)
        content = envelope.original_content
        assert content is not None
        self._book.received(
            ReceivedEmail(
                sender=envelope.mail_from or "",
                recipients=recipients,
                data=bytes(content),
                tls=self._encrypted or self._tls_protocol is not None,
                username=self._username,
                answered=fault is None,
            )
        )
        if fault is not None:
            await self._go(fault)
        return "250 2.0.0 Ok: queued as TEST"


class _Hooks:
    """What aiosmtpd calls a handler; every answer is the session's."""

    async def handle_MAIL(
        self, server: ScriptedSession, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        return await server.answer_mail(envelope, address, options)

    async def handle_RCPT(
        self, server: ScriptedSession, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        return await server.answer_rcpt(envelope, address, options)

    async def handle_DATA(self, server: ScriptedSession, _session: Session, envelope: Envelope) -> str:
        return await server.answer_dot(envelope)

    async def handle_exception(self, error: Exception) -> str:
        # A client that does not trust the certificate ends here too; that is for the client's test to see.
        return f"451 4.3.0 The test server failed: {type(error).__name__}"


def _bearer_fields(text: str) -> tuple[str, str]:
    """User and token of an XOAUTH2 or OAUTHBEARER answer."""
    header, *fields = text.split("\x01")
    names = [part.partition("=") for part in header.split(",")]
    user = next((value for name, _, value in names if name in {"user", "a"}), "")
    token = next((field[12:] for field in fields if field.lower().startswith("auth=bearer ")), "")
    return user, token


async def _for_ever() -> NoReturn:
    """Wait until the connection is gone, which cancels this session."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("a future nobody knows was answered")  # pragma: no cover - nobody can
