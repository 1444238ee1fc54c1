"""A mail server on this machine, for one test.

It listens on a free port of the loopback address only. It answers by the same ``Faults`` as the ``Outbox``,
so a script moves from a unit test to the wire unchanged.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
import threading
import weakref
from typing import TYPE_CHECKING, Final, Self

import trustme

from vetmail_core.address import Mailbox
from vetmail_core.credentials import Login
from vetmail_core.errors import wrong_type
from vetmail_core.preferences import AuthenticationType, EmailPreferences, MailServer, Settings, TlsMethod
from vetmail_core.receipts import Phase
from vetmail_core.testing.fault import FaultKind
from vetmail_core.testing.faults import Faults
from vetmail_core.testing.smtpd.book import Book
from vetmail_core.testing.smtpd.session import ScriptedSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vetmail_core.testing.smtpd.received import ReceivedEmail

__all__ = ["LocalSmtpServer"]

_HOST: Final = "127.0.0.1"
_EXTENSIONS: Final = frozenset(
    {
        "8BITMIME",
        "AUTH",
        "CHUNKING",
        "ENHANCEDSTATUSCODES",
        "PIPELINING",
        "SIZE",
        "SMTPUTF8",
        "STARTTLS",
    }
)
_START_SECONDS: Final = 10.0
_SENDER: Final = "office@example.com"


class LocalSmtpServer:
    """A mail server on a free port of the loopback address, running in a thread of its own.

    A context manager; ``start`` and ``close`` do the same for ``unittest``. Where the script has a fault at
    AUTH, STARTTLS or TLS, the server asks for a login, or for STARTTLS, even if nobody said so: a script must
    be able to fire. ``server_preferences`` and ``mail_server`` say what it asks for.

    Args:
        tls: NONE, EXPLICIT (STARTTLS, and nothing else before it) or IMPLICIT (TLS from the first byte).
        login: the login it asks for, with PLAIN and LOGIN; None asks for none.
        token: the bearer token it asks for, with XOAUTH2 and OAUTHBEARER.
        faults: the script; it may be written on while the server runs.
        size_limit: octets of the largest message it takes.
        without: extensions not to offer, such as ["PIPELINING"].

    Raises:
        TypeError: a TLS method or a login of another type.
        ValueError: an extension that this server never offers.

    >>> with LocalSmtpServer() as smtpd:
    ...     smtpd.host, smtpd.port > 0, smtpd.emails
    ('127.0.0.1', True, ())
    """

    def __init__(
        self,
        *,
        tls: TlsMethod = TlsMethod.NONE,
        login: Login | None = None,
        token: str | None = None,
        faults: Faults | None = None,
        size_limit: int = 35_000_000,
        without: Iterable[str] = (),
    ) -> None:
        if login is not None and not isinstance(login, Login):  # pyright: ignore[reportUnnecessaryIsInstance] - tests are not all typed
            raise wrong_type(
                "login=", "a Login", login, 'Write Login("office@example.com", PlainSecret("...")).'
            )
        if not isinstance(tls, TlsMethod):  # pyright: ignore[reportUnnecessaryIsInstance] - as above
            raise wrong_type("tls=", "a TlsMethod", tls, "Write tls=TlsMethod.STARTTLS.")
        left_out = frozenset(name.upper() for name in without)
        if not left_out <= _EXTENSIONS:
            raise ValueError(
                f"expected a list of extensions that this server offers ({', '.join(sorted(_EXTENSIONS))}), "
                f"got {', '.join(sorted(left_out - _EXTENSIONS))}"
            )
        self._book = Book(
            faults=Faults() if faults is None else faults,
            size_limit=size_limit,
            without=left_out,
            tls=tls,
            login=login,
            token=token,
        )
        self._port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lines: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._silent: set[asyncio.Transport] = set()  # lines that nothing else keeps alive

    # -- what a test looks at --------------------------------------------------------------------------

    @property
    def host(self) -> str:
        """The loopback address it listens on."""
        return _HOST

    @property
    def port(self) -> int:
        """The port it listens on, chosen by the operating system when it starts.

        Raises:
            RuntimeError: it was never started.
        """
        if not self._port:
            raise RuntimeError("expected a started server: use `with LocalSmtpServer() as smtpd:` or start()")
        return self._port

    @property
    def faults(self) -> Faults:
        """The script; write on it at any time."""
        return self._book.faults

    @property
    def emails(self) -> tuple[ReceivedEmail, ...]:
        """The messages it holds, in order of arrival; those it could not confirm have ``answered`` False."""
        return self._book.emails

    @property
    def verbs(self) -> tuple[str, ...]:
        """The commands it heard, over all connections, in order, such as "EHLO", "MAIL", "RCPT"."""
        return self._book.verbs

    @property
    def client_context(self) -> ssl.SSLContext:
        """A context for the client that trusts this server's certificate, and checks it as usual."""
        return self._contexts[1]

    @property
    def mail_server(self) -> MailServer:
        """What a client enters on the mail server tab to reach it, the login included."""
        authentication, username, password = AuthenticationType.NONE, "", None
        login = self._book.login
        if login is not None:
            authentication, username, password = AuthenticationType.PASSWORD, login.username, login.secret
        elif self._book.mechanisms:
            authentication, username = AuthenticationType.OAUTH2, _SENDER
        return MailServer(
            host=_HOST,
            port=self.port,
            tls=self._book.tls,
            authentication=authentication,
            username=username,
            password=password,
        )

    def server_preferences(self, *, default_from: Mailbox | str = _SENDER) -> EmailPreferences:
        """Preferences that send by this server.

        Args:
            default_from: the address mail is sent from.
        """
        sender = Mailbox(default_from) if isinstance(default_from, str) else default_from
        return EmailPreferences(
            use_built_in_client=True, mail_server=self.mail_server, settings=Settings(default_from=sender)
        )

    def wait_for(self, count: int, *, seconds: float = 5.0) -> tuple[ReceivedEmail, ...]:
        """Wait until it holds so many messages, for clients that run in another thread or process.

        Args:
            count: how many.
            seconds: how long at most, in real time.

        Raises:
            AssertionError: they did not come.
        """
        emails = self._book.wait_for(count, seconds=seconds)
        if len(emails) < count:
            wanted = "1 email" if count == 1 else f"{count} emails"
            raise AssertionError(f"expected {wanted} within {seconds} s, got {len(emails)}")
        return emails

    # -- its life --------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Begin to listen; a second call does nothing.

        Raises:
            OSError: the operating system gives no port.
        """
        if self._thread is not None:
            return self
        # Bound here and handed over: whoever holds the port from now on, it is not somebody else.
        # The protocol is named because asyncio turns Nagle's algorithm off only where it is: 40 ms a message.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind((_HOST, 0))
        listener.listen(128)
        self._port = listener.getsockname()[1]
        started = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(listener, started), name=f"smtp-{self._port}", daemon=True
        )
        self._thread.start()
        if not started.wait(_START_SECONDS):  # pragma: no cover - a machine too busy to run a thread
            raise RuntimeError(f"the test server did not start within {_START_SECONDS} s")
        return self

    def close(self) -> None:
        """Stop listening and close every line; a second call does nothing."""
        thread, loop, self._thread, self._loop = self._thread, self._loop, None, None
        if thread is not None and loop is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        place = f"{_HOST}:{self._port}" if self._thread is not None else "not running"
        return f"<LocalSmtpServer {place}, tls {self._book.tls.value}, {len(self.emails)} emails>"

    def _run(self, listener: socket.socket, started: threading.Event) -> None:
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            loop.set_exception_handler(_ignore)
            server = runner.run(self._listen(listener))
            self._loop = loop
            loop.call_soon(started.set)
            loop.run_forever()
            runner.run(self._hang_up(server))

    async def _listen(self, listener: socket.socket) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(lambda: _Door(self._open_line), sock=listener)

    async def _hang_up(self, server: asyncio.Server) -> None:
        server.close()
        for line in tuple(self._lines):
            line.abort()
        self._silent.clear()
        await server.wait_closed()

    @functools.cached_property
    def _contexts(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        """The server's context and a client's that trusts it, made when the first of them is wanted."""
        authority = trustme.CA()
        for_server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(_HOST, "localhost").configure_cert(for_server)  # pyright: ignore[reportUnknownMemberType] - it takes PyOpenSSL's too
        for_client = ssl.create_default_context()
        authority.configure_trust(for_client)  # pyright: ignore[reportUnknownMemberType] - as above
        return for_server, for_client

    def _open_line(self, line: asyncio.Transport) -> None:
        """Begin a session on a new line."""
        self._lines.add(line)
        if self._book.tls is TlsMethod.IMPLICIT:
            line.pause_reading()
            task = asyncio.get_running_loop().create_task(self._encrypt(line))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)
            return
        starttls = self._contexts[0] if self._book.tls is TlsMethod.EXPLICIT else None
        session = ScriptedSession(self._book, starttls=starttls, encrypted=False)
        line.set_protocol(session)
        session.connection_made(line)

    async def _encrypt(self, line: asyncio.Transport) -> None:
        fault = self.faults.next_at(Phase.TLS)
        if fault is not None:
            if fault.kind is FaultKind.DROP:
                line.abort()
            else:
                self._silent.add(line)
            return
        session = ScriptedSession(self._book, starttls=None, encrypted=True)
        # A client that does not trust the certificate parts in the handshake; its own test sees why.
        with contextlib.suppress(OSError):
            encrypted = await asyncio.get_running_loop().start_tls(
                line, session, self._contexts[0], server_side=True
            )
            assert encrypted is not None
            session.connection_made(encrypted)


class _Door(asyncio.Protocol):
    """Lets a client in, and leaves the line to its session."""

    def __init__(self, let_in: Callable[[asyncio.Transport], None]) -> None:
        self._let_in = let_in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._let_in(transport)


def _ignore(_loop: asyncio.AbstractEventLoop, _context: dict[str, object]) -> None:
    """A line that broke is what many tests are about: not a matter for the log."""
