r"""Files emails as drafts in a mailbox, by IMAP (RFC 9051): every program and webmail on it shows them.

A thousand drafts are no windows at all, and attachments, HTML and BCC are kept. Whoever owns the mailbox
looks at each draft and sends it, so the outcome is HANDED_OVER, as of a mail program.

The way of one run::

    connect, TLS -> log in -> find the folder -> APPEND (\Draft) ... APPEND (\Draft) -> the connection rests

A failure before the first APPEND stops the run: nothing was filed, and nobody is tried. A `NO` to an APPEND
is about that draft alone. When the connection breaks after a draft has begun to leave, nobody knows whether
it was filed: that email is UNKNOWN, and the rest is not tried.

Logging in and the folders are left to `imaplib`. The APPEND is written here: `imaplib` sends a draft and its
line end apart, so that a server that acknowledges late costs 40 ms a draft, and it cannot write the form for
UTF-8 headers (RFC 6855). Its debug output is turned off, because it shows passwords.
"""

from __future__ import annotations

import base64
import contextlib
import re
import unicodedata
from typing import TYPE_CHECKING, Final, Self

import attrs

from vetmail_core.clock import SystemClock
from vetmail_core.credentials import CONTROL, Login
from vetmail_core.errors import MessageError, TransportError, TransportValueError, VetmailError, wrong_type
from vetmail_core.preferences import TlsMethod
from vetmail_core.receipts import Cause
from vetmail_core.transports.hand_over import handed_over, in_doubt, not_attempted
from vetmail_core.transports.mailto.controls import refuse_control_characters
from vetmail_core.transports.mailto.drafts import draft_parts
from vetmail_core.transports.one_thread import OneThread

if TYPE_CHECKING:
    import imaplib
    import ssl
    from collections.abc import Callable, Iterable, Iterator

    from vetmail_core.clock import Clock
    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

__all__ = ["ImapDrafts", "decoded_name"]

_USUAL: Final = "Drafts"
_DRAFTS_FLAG: Final = rb"\drafts"  # RFC 6154, section 2
_NO_MAIL_IN_IT: Final = (rb"\noselect", rb"\nonexistent")
_TAG: Final = b"VETMAIL"  # imaplib's own tags are four letters and a number
_MOST_WORDS: Final = 300
_MOST_FOLDERS: Final = 30
_RESTED: Final = 30.0  # seconds without a command, after which a connection is tried before it is used
_LARGEST_PORT: Final = 65_535
# LIST (RFC 9051, section 7.3.1): the flags, the character between levels, the name.
_LISTED: Final = re.compile(rb'\((?P<flags>[^)]*)\) (?:"(?P<between>\\?.)"|NIL) (?P<name>.*)', re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\(.)")
_CODE: Final = re.compile(r"\[([A-Z0-9-]+)[^\]]*\]")
_CODES: Final = {"OVERQUOTA": Cause.MAILBOX_FULL, "TOOBIG": Cause.TOO_LARGE, "LIMIT": Cause.TOO_LARGE}
_WAYS: Final = {
    Cause.CONNECTION: "Check the server's name and port and the internet connection, then run this again.",
    Cause.TLS: "Check that the server's name is the one on its certificate, that `tls` goes with the port"
    " (IMPLICIT with 993, EXPLICIT with 143), and that this computer trusts who issued the certificate.",
    Cause.AUTHENTICATION: "Check the user name and the password, and that the mailbox may be used by IMAP.",
    Cause.TOKEN: "Sign in again, or have the permission of the application renewed.",
    Cause.MAILBOX_FULL: "Make room in the mailbox, then file the rest.",
    Cause.TOO_LARGE: "Remove or shrink attachments, or put the files in the portal and send a link.",
    Cause.OTHER: "Do what the server says, or pass its words to the administrator of the mailbox.",
}


class _StoppedError(Exception):
    """Something that keeps every email from being filed."""

    def __init__(self, cause: Cause, words: str, *, way: str = "") -> None:
        super().__init__(words)
        self.cause = cause
        self.why = f"{words}. {way or _WAYS[cause]}"


class _LostError(Exception):
    """The connection broke in an APPEND.

    Args:
        words: what the system or the server said.
        begun: the draft had begun to leave.
    """

    def __init__(self, words: str, *, begun: bool) -> None:
        super().__init__(words)
        self.begun = begun


def decoded_name(name: str) -> str:
    """Read a folder's name in modified UTF-7 (RFC 3501, 5.1.3); one that is not written so stays as it is.

    Example:
        >>> decoded_name("Entw&APw-rfe")
        'Entwürfe'
    """

    def unshifted(found: re.Match[str]) -> str:
        coded = found[1].replace(",", "/")
        return base64.b64decode(coded + "=" * (-len(coded) % 4)).decode("utf-16-be") if coded else "&"

    try:
        return re.sub("&([A-Za-z0-9+,]*)-", unshifted, name)
    except ValueError:
        return name


@attrs.frozen
class _Folder:
    """A folder that a server lists.

    Attributes:
        name: for people.
        raw: as the server wrote it.
        flags: in small letters.
        between: what stands between the levels of its name.
    """

    name: str
    raw: bytes
    flags: frozenset[bytes]
    between: str

    @property
    def is_usual(self) -> bool:
        """True if it is named Drafts, in its namespace."""
        return self.name == _USUAL or self.name.casefold() == f"inbox{self.between}{_USUAL}".casefold()


def _folders(lines: Iterable[bytes | tuple[bytes, bytes] | None]) -> Iterator[_Folder]:
    """Read what imaplib gives of a LIST: a line, or the line before a literal together with the literal."""
    for line in lines:
        head, literal = line if isinstance(line, tuple) else (line or b"", None)
        found = _LISTED.match(head)
        if found is None:
            continue
        flags = frozenset(found["flags"].lower().split())
        raw = found["name"] if literal is None else literal
        if literal is None and raw.startswith(b'"'):
            raw = _ESCAPED.sub(rb"\1", raw[1:-1])
        between = _ESCAPED.sub(rb"\1", found["between"] or b"")
        if flags.isdisjoint(_NO_MAIL_IN_IT):
            yield _Folder(decoded_name(raw.decode(errors="replace")), raw, flags, between.decode("latin-1"))


def _quoted(raw: bytes) -> bytes:
    return b'"' + raw.replace(b"\\", rb"\\").replace(b'"', rb"\"") + b'"'


class _Session:
    """A connection that is logged in and has found its folder.

    Args:
        connection: logged in.
        folder: where drafts go.
        usual: the folder may be made when it is not there.
    """

    def __init__(self, connection: imaplib.IMAP4, folder: _Folder, *, usual: bool) -> None:
        self._connection = connection
        self.folder = folder
        self._usual = usual
        self._utf8 = False
        capabilities = connection.capability()[1]
        self._capabilities = b" ".join(one for one in capabilities if isinstance(one, bytes)).upper().split()

    def append(self, data: bytes, *, utf8: bool) -> str:
        """File one draft.

        Returns:
            "" when it is filed, otherwise the server's words.

        Raises:
            _LostError: the connection broke.
            MessageError: it needs UTF-8 in its headers, and the server does not take that.
        """
        if utf8 and not self._utf8:
            self._enable_utf8()
        answer = self._appended(data, utf8=utf8)
        if self._usual and answer.startswith("NO [TRYCREATE]"):
            # Somebody deleted the folder, or the server lists what it makes only when it is needed.
            self._connection.create(_quoted(self._name).decode())
            answer = self._appended(data, utf8=utf8)
        return "" if answer.startswith("OK") else answer.partition(" ")[2] or answer

    @property
    def _name(self) -> bytes:
        return self.folder.name.encode() if self._utf8 else self.folder.raw

    def _enable_utf8(self) -> None:
        if b"UTF8=ACCEPT" in self._capabilities and b"ENABLE" in self._capabilities:
            try:
                self._utf8 = self._connection.enable("UTF8=ACCEPT")[0] == "OK"
            except (OSError, self._connection.error) as error:
                raise _LostError(_words(error), begun=False) from None
        if not self._utf8:
            raise MessageError(
                "An address has letters beyond ASCII before its @, and the server files no drafts with such"
                " addresses (it lacks UTF8=ACCEPT). Ask the person for another address."
            )

    def _appended(self, data: bytes, *, utf8: bool) -> str:
        """One APPEND; "OK ...", "NO ..." or "BAD ..."."""
        before, after = (b"UTF8 (~", b")\r\n") if utf8 else (b"", b"\r\n")
        begun = False
        try:
            head = b"%s APPEND %s (\\Draft) %s{%d}\r\n" % (_TAG, _quoted(self._name), before, len(data))
            self._connection.send(head)
            answer = self._heard()
            if answer == "+":
                begun = True
                self._connection.send(data + after)
                answer = self._heard()
        except (OSError, self._connection.error) as error:
            raise _LostError(_words(error), begun=begun) from None
        return answer

    def _heard(self) -> str:
        """The server's next word to us: "+", or how the command ended."""
        farewell = ""
        while True:
            line = self._connection.readline()
            if not line.endswith(b"\n"):
                raise self._connection.abort(farewell or "the server closed the connection")
            if line.startswith(b"+"):
                return "+"
            if line.startswith(_TAG + b" "):
                return _plain(line[len(_TAG) + 1 :])
            if line.upper().startswith(b"* BYE"):
                farewell = f"the server said: {_plain(line[6:])}"

    def is_alive(self) -> bool:
        """Try a connection that rested."""
        try:
            return self._connection.noop()[0] == "OK"
        except (OSError, self._connection.error):
            return False

    def end(self) -> None:
        """End politely; a server that does not answer is left."""
        _end(self._connection)

    def drop(self) -> None:
        """Leave a connection that is broken."""
        _drop(self._connection)


def _end(connection: imaplib.IMAP4) -> None:
    try:
        connection.logout()
    except (OSError, connection.error):
        _drop(connection)


def _drop(connection: imaplib.IMAP4) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown()


def _plain(words: bytes) -> str:
    text = words.decode(errors="replace").strip()
    if not text.isprintable():
        text = "".join(one if one.isprintable() else " " for one in text)
    return text[:_MOST_WORDS]


def _words(error: BaseException) -> str:
    """What a server or the system says; imaplib's errors hold the server's bytes."""
    if isinstance(error, OSError):
        return str(getattr(error, "verify_message", "") or error.strerror or type(error).__name__)
    said = error.args[0] if error.args else ""
    return _plain(said if isinstance(said, bytes) else str(said).encode(errors="replace"))


class ImapDrafts:
    """Files each email as a draft in the user's own mailbox; the outcome is HANDED_OVER.

    One connection is used for the whole run, and kept for the next; emails are pulled one by one. The draft
    has the email's From, or none for a sender that nobody knows; its BCC; and the date of now.

    Nothing connects before the first email::

        from vetmail_core import ImapDrafts, Login, PlainSecret

        drafts = ImapDrafts("imap.example.com", login=Login("kim@example.com", PlainSecret("...")))

    Args:
        host: the IMAP server.
        port: 993 for IMPLICIT; EXPLICIT and NONE usually go with 143.
        tls: IMPLICIT, or EXPLICIT for STARTTLS before the login, which never falls back. NONE sends no
            password except to this very machine.
        login: user name and password.
        username: whose mailbox it is, with a token; that of ``login`` when not given.
        token: returns an access token for XOAUTH2. Asked once for each connection, and once more when the
            server refuses it, after ``token.refused()`` where it has that.
        folder: "Drafts" is the folder that the server marks as such (RFC 6154), otherwise the one named
            Drafts, which is made when there is none. Any other name is that very folder, and is not made.
        ssl_context: for TLS; by default the computer's own.
        timeout: seconds for each answer.
        clock: tells the date of the drafts.

    Raises:
        TransportValueError: no host, a port or timeout out of range, or nobody to log in as.
        TransportError: an ``ssl_context`` that verifies nothing or allows old TLS.
        TypeError: ``tls`` is not a `TlsMethod`.
    """

    def __init__(
        self,
        host: str,
        *,
        port: int = 993,
        tls: TlsMethod = TlsMethod.IMPLICIT,
        login: Login | None = None,
        username: str = "",
        token: Callable[[], str] | None = None,
        folder: str = _USUAL,
        ssl_context: ssl.SSLContext | None = None,
        timeout: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(tls, TlsMethod):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise wrong_type("ImapDrafts(tls=...)", "a TlsMethod", tls, "Write tls=TlsMethod.IMPLICIT.")
        if not host:
            raise TransportValueError("ImapDrafts() got an empty host. Name the IMAP server.")
        if not 0 < port <= _LARGEST_PORT or not timeout > 0:
            raise TransportValueError(
                f"ImapDrafts() needs a port of 1 to {_LARGEST_PORT} and a timeout above 0 seconds, got port"
                f" {port} and timeout {timeout:g}."
            )
        name = username or ("" if login is None else login.username)
        if not name or (login is None and token is None):
            raise TransportValueError(
                "ImapDrafts() needs somebody to log in as: login=Login(username, secret), or username= and"
                " token=."
            )
        if not folder or CONTROL.search(folder):
            raise TransportValueError(
                "ImapDrafts() got a folder name that is empty or holds a control character. Name a folder, or"
                " leave it out for Drafts."
            )
        self._host = host
        self._port = port
        self._tls = tls
        self._login = login
        self._username = name
        # A source for many mailboxes gives the one for this; a plain function is for one.
        of = getattr(token, "of", None)
        self._token: Callable[[], str] | None = token if of is None else of(name)
        self._folder = folder
        self._context = ssl_context
        self._timeout = timeout
        self._clock = SystemClock() if clock is None else clock
        self._session: _Session | None = None
        self._used = 0.0
        self._tried = False  # in this run
        self._secrets: tuple[str, ...] = ()
        self._one_thread = OneThread("ImapDrafts")
        self._closed = False
        if ssl_context is not None:
            _check_context(ssl_context)

    def __repr__(self) -> str:
        return f"ImapDrafts({self._host!r}, username={self._username!r}, folder={self._folder!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection with LOGOUT. A second call does nothing."""
        self._closed = True
        self.hang_up()

    def hang_up(self) -> None:
        """End a connection that rests between two runs; the next run connects again."""
        session, self._session = self._session, None
        if session is not None:
            session.end()

    @property
    def trouble(self) -> str:
        """Always ""; nothing is tried again while a run goes on."""
        return ""

    @property
    def chooses_sender(self) -> bool:
        """True; the mail program that sends the draft has accounts of its own."""
        return True

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """File each email as a draft.

        A draft that the server refuses is NOT_ATTEMPTED with its words, and the others go on. When there is
        no connection or no folder, all are NOT_ATTEMPTED. When the connection breaks before a draft is
        answered for, that email is UNKNOWN, and those after it are NOT_ATTEMPTED.

        Args:
            emails: any iterable, pulled lazily; an endless one is fine.

        Yields:
            One receipt for each email, in order.

        Raises:
            TransportError: the transport is closed, or delivers in another thread at this moment.
        """
        if self._closed:
            raise TransportError("This ImapDrafts is closed; make a new one.")
        return self._run(emails)

    def _run(self, emails: Iterable[Email]) -> Iterator[Receipt]:
        with self._one_thread:
            self._tried = False
            stopped: _StoppedError | None = None
            for email in emails:
                if stopped is None:
                    try:
                        receipt = self._filed(email)
                    except _StoppedError as error:
                        stopped = error
                    except _LostError as error:
                        broke = f"The connection to {self._host} broke: {error}"
                        stopped = _StoppedError(Cause.CONNECTION, self._masked(broke))
                        if error.begun:
                            yield in_doubt(email, why=_doubt(stopped, self._folder))
                            continue
                    else:
                        yield receipt
                        continue
                yield not_attempted(email, why=stopped.why, cause=stopped.cause)

    def _filed(self, email: Email) -> Receipt:
        try:
            refuse_control_characters(email.content)
            data = self._draft(email)
            session = self._connected()
            refused = self._appended(session, email, data)
        except MessageError as error:
            return not_attempted(email, why=str(error))
        self._used = self._clock.monotonic()
        if not refused:
            return handed_over(email, how=f"Filed as a draft in {session.folder.name}.")
        code = _CODE.search(refused)
        cause = _CODES.get(code[1], Cause.OTHER) if code else Cause.OTHER
        why = f"The server did not file the draft in {session.folder.name}: {refused}. {_WAYS[cause]}"
        return not_attempted(email, why=why, cause=cause)

    def _draft(self, email: Email) -> bytes:
        sender, fields, body = draft_parts(email, date=self._clock.now())
        return b"\r\n".join([sender, *fields, b"", body])

    def _appended(self, session: _Session, email: Email, data: bytes) -> str:
        try:
            return session.append(data, utf8=email.needs_smtputf8)
        except _LostError:
            session.drop()
            self._session = None
            raise

    def _connected(self) -> _Session:
        """The session at hand, tried first when it rested; a new one when there is none or it is dead."""
        session = self._session
        if session is not None:
            rested = not self._tried or self._clock.monotonic() - self._used >= _RESTED
            if not rested or session.is_alive():
                self._tried = True
                return session
            self.hang_up()
        self._session = self._opened()
        self._tried = True
        return self._session

    def _opened(self) -> _Session:
        """Connect, log in and find the folder.

        Raises:
            _StoppedError: one of them failed.
        """
        connection = self._dialled()
        try:
            fresh = self._logged_in(connection)
            if fresh:
                # Some servers close the connection after a refused token, so the second try has its own.
                _end(connection)
                connection = self._dialled()
                self._logged_in(connection, fresh=fresh)
            folder = self._found(connection)
            return _Session(connection, folder, usual=self._folder == _USUAL)
        except _StoppedError:
            _end(connection)
            raise
        except (OSError, connection.error) as error:
            _drop(connection)
            raise self._stopped(Cause.CONNECTION, f"The connection to {self._host} broke", error) from None

    def _dialled(self) -> imaplib.IMAP4:
        import imaplib  # noqa: PLC0415 - only who files drafts needs it, and it brings sockets and TLS
        import socket  # noqa: PLC0415 - as above
        import ssl  # noqa: PLC0415 - as above

        place = f"{self._host} port {self._port}"
        context = None if self._tls is TlsMethod.NONE else self._tls_context()
        try:
            if self._tls is TlsMethod.IMPLICIT:
                connection: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                    self._host, self._port, ssl_context=context, timeout=self._timeout
                )
            else:
                connection = imaplib.IMAP4(self._host, self._port, timeout=self._timeout)
        except ssl.SSLError as error:
            raise self._stopped(Cause.TLS, f"No secure connection to {place}", error) from None
        except (OSError, UnicodeError, imaplib.IMAP4.error) as error:
            raise self._stopped(Cause.CONNECTION, f"No connection to {place}", error) from None
        connection.debug = 0  # at 4, it prints the command with the password
        connection.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is TlsMethod.EXPLICIT:
            try:
                connection.starttls(ssl_context=context)
            except (OSError, imaplib.IMAP4.error) as error:
                _drop(connection)
                raise self._stopped(Cause.TLS, f"No secure connection to {place}", error) from None
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            from vetmail_core.transports.own_tls import own_context  # noqa: PLC0415 - brings ssl

            self._context = own_context()
        return self._context

    def _logged_in(self, connection: imaplib.IMAP4, *, fresh: str = "") -> str:
        """Log in.

        Args:
            connection: to a server that waits for a login.
            fresh: the token that comes after a refused one.

        Returns:
            "", or the token to try next where the first was refused. A source that gives the refused one
            once more has no other, and no server hears a token that it has refused.

        Raises:
            _StoppedError: the login was refused, or there is nothing to log in with.
        """
        if self._tls is TlsMethod.NONE and not _is_loopback(connection.socket().getpeername()[0]):
            words = (
                f"The line to {self._host} is not encrypted, and a password is not sent where others can"
                " read it"
            )
            raise _StoppedError(Cause.TLS, words, way="Use TlsMethod.IMPLICIT or TlsMethod.EXPLICIT.")
        secret = fresh or self._secret()
        try:
            self._authenticate(connection, secret)
        except (OSError, connection.abort) as error:
            raise self._stopped(Cause.CONNECTION, f"The connection to {self._host} broke", error) from None
        except connection.error as error:
            passing = "[UNAVAILABLE]" in _words(error).upper()
            cause = Cause.CONNECTION if passing else Cause.AUTHENTICATION
            stopped = self._stopped(cause, f"{self._host} did not accept the login", error)
        else:
            return ""
        if self._token is not None and not fresh:
            refused = getattr(self._token, "refused", None)
            if refused is not None:
                refused()
            other = self._secret()
            if other != secret:
                return other
        raise stopped

    def _authenticate(self, connection: imaplib.IMAP4, secret: str) -> None:
        name = self._username
        disabled = "LOGINDISABLED" in connection.capabilities
        if self._token is not None:
            words = f"user={name}\x01auth=Bearer {secret}\x01\x01".encode()
            mechanism = "XOAUTH2"
        elif disabled or not f"{name}{secret}".isascii():
            words = f"\0{name}\0{secret}".encode()
            mechanism = "PLAIN"
        else:
            self._secrets = (secret,)
            connection.login(_quoted(name.encode()).decode(), secret)
            return
        self._secrets = (secret, base64.b64encode(words).decode())
        # A server that refuses a token explains why in a second challenge, which wants an empty answer.
        answers = iter((words,))
        connection.authenticate(mechanism, lambda _: next(answers, b""))

    def _secret(self) -> str:
        """The password or a fresh token."""
        cause, what = (
            (Cause.AUTHENTICATION, "password") if self._token is None else (Cause.TOKEN, "access token")
        )
        try:
            if self._token is not None:
                secret = self._token()
            else:
                assert self._login is not None  # noqa: S101 - checked when this was made
                secret = self._login.secret.reveal()
        except Exception as error:  # noqa: BLE001 - whatever a host's own function raises
            detail = str(error) if isinstance(error, VetmailError) else type(error).__name__
            raise _StoppedError(cause, f"The {what} could not be fetched ({detail})") from None
        if not isinstance(secret, str) or not secret or CONTROL.search(secret):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            words = f"The {what} is empty, is not text, or holds a control character such as a line end"
            raise _StoppedError(cause, words)
        return secret

    def _found(self, connection: imaplib.IMAP4) -> _Folder:
        listed = tuple(_folders(connection.list()[1]))
        if self._folder != _USUAL:
            for one in listed:
                if _same(one.name, self._folder):
                    return one
            there = ", ".join(one.name for one in listed[:_MOST_FOLDERS]) or "none"
            words = f'The mailbox has no folder "{self._folder}"; its folders are: {there}'
            raise _StoppedError(Cause.OTHER, words, way="Name one of them, or leave `folder` out for Drafts.")
        marked = [one for one in listed if _DRAFTS_FLAG in one.flags]
        if not marked and "SPECIAL-USE" in connection.capabilities:
            # A server may keep the marks for those who ask for them (RFC 6154, section 2).
            with contextlib.suppress(connection.error):
                answer = connection.list('""', '"*" RETURN (SPECIAL-USE)')[1]
                marked = [one for one in _folders(answer) if _DRAFTS_FLAG in one.flags]
        for one in (*marked, *(one for one in listed if one.is_usual)):
            return one
        status, answer = connection.create(_USUAL)
        if status != "OK":
            said = _plain(b" ".join(one for one in answer if isinstance(one, bytes)))
            raise _StoppedError(Cause.OTHER, self._masked(f"The folder {_USUAL} could not be made: {said}"))
        connection.subscribe(_USUAL)  # or mail programs do not show it; one that is not is still a folder
        return _Folder(_USUAL, _USUAL.encode(), frozenset(), "")

    def _stopped(self, cause: Cause, what: str, error: BaseException) -> _StoppedError:
        return _StoppedError(cause, self._masked(f"{what}: {_words(error)}"))

    def _masked(self, words: str) -> str:
        for secret in self._secrets:
            words = words.replace(secret, "********")
        return words


def _doubt(stopped: _StoppedError, folder: str) -> str:
    return f"{stopped.why} This draft may have been filed: look into {folder} before you file it again."


def _same(one: str, other: str) -> bool:
    if one.upper() == other.upper() == "INBOX":  # in capitals or not (RFC 9051, section 5.1)
        return True
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def _is_loopback(address: str) -> bool:
    import ipaddress  # noqa: PLC0415 - seldom needed

    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _check_context(context: ssl.SSLContext) -> None:
    import ssl  # noqa: PLC0415 - only who brings a context comes here

    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        raise TransportError(
            "ImapDrafts(ssl_context=...) must verify the server's certificate and name, or anybody on the way"
            " could read the mail and the password. Make it with ssl.create_default_context(cafile=...)."
        )
    if context.minimum_version < ssl.TLSVersion.TLSv1_2:
        raise TransportError(
            "ImapDrafts(ssl_context=...) must not allow TLS before 1.2. Leave its minimum_version at"
            " ssl.TLSVersion.TLSv1_2 or above."
        )
