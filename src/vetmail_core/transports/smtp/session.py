"""A session: a connection on which messages may be sent, and how one comes about.

Connect, TLS, EHLO and login in their order, with the credentials fetched at the last moment. A session that
could not be opened leaves no open socket behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from vetmail_core.errors import PreferencesError, TransportError, VetmailError
from vetmail_core.preferences import AuthenticationType, TlsMethod
from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.replies import NOBODY, Parties, address_in
from vetmail_core.transports.smtp.rules.auth import Credentials, Password
from vetmail_core.transports.smtp.rules.login import Failure, Lost, authenticate, start
from vetmail_core.transports.smtp.rules.pipeline import Memory
from vetmail_core.transports.smtp.token_login import TokenLogin
from vetmail_core.transports.smtp.wire.connecting import connecting
from vetmail_core.transports.smtp.wire.ends import is_loopback
from vetmail_core.transports.smtp.wire.waiting import carried_out

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from vetmail_core.credentials import Login
    from vetmail_core.preferences import MailServer
    from vetmail_core.transports.smtp.rules.protocol import Capabilities
    from vetmail_core.transports.smtp.settings import Deadlines
    from vetmail_core.transports.smtp.wire.connection import Connection
    from vetmail_core.transports.smtp.wire.waiting import Steps

__all__ = ["Opener", "Session"]


@attrs.define(kw_only=True)
class Session:
    """A connection that is logged in.

    Attributes:
        connection: the line.
        capabilities: what the server announced last.
        greeting: the server's first words.
        mechanism: how the login was made, "" without one.
        ours: what a reply may name of ours.
        messages: how many went over it.
        opened: when, by the run's clock.
        used: when it was last used, by the run's clock.
        memory: what the messages that went over it have left behind.
    """

    connection: Connection
    capabilities: Capabilities
    greeting: str = ""
    mechanism: str = ""
    ours: Parties = NOBODY
    messages: int = 0
    opened: float = 0.0
    used: float = 0.0
    memory: Memory = attrs.field(factory=Memory, init=False)


class Opener:
    """Makes sessions with one server.

    Args:
        server: where to.
        login: instead of the server's own user name and password.
        token: asked for an access token before each connect, and once more when one is refused; None is the
            server's own source.
        context: for TLS.
        deadlines: how long each answer may take.
        ehlo_name: who we are; "" is the address literal of the socket.
        allow_cleartext_auth: log in without TLS, beyond this machine too.

    Raises:
        PreferencesError: no server, or no login where one is asked for.
        TransportError: no source of tokens where one is needed, or a context that verifies nothing or allows
            old TLS.
    """

    def __init__(
        self,
        server: MailServer,
        *,
        login: Login | None,
        token: Callable[[], str] | None,
        context: ssl.SSLContext | None,
        deadlines: Deadlines,
        ehlo_name: str,
        allow_cleartext_auth: bool,
    ) -> None:
        self.server = server
        self.deadlines = deadlines
        self._token = server.oauth if token is None else token
        self._ehlo_name = ehlo_name
        self._allow_cleartext_auth = allow_cleartext_auth
        self._username = server.username if login is None else login.username
        self._secret = server.password if login is None else login.secret
        self._context = context
        self._renewed = False
        if self.renewable and not self._username:
            self._username = str(getattr(self._token, "mailbox", ""))
        self._answered = ""  # the internet address of the last session; the first to be tried for the next
        self._check()
        self._token_login: TokenLogin | None = None
        if self.renewable and self._token is not None:
            self._token_login = TokenLogin(
                self._token, username=self._username, host=server.wire_host, port=server.port
            )

    def _check(self) -> None:
        server = self.server
        if not server.host:
            raise _missing(
                "mail_server.host", "There is no mail server to send through.", "Mail server address (SMTP)"
            )
        if server.authentication is AuthenticationType.OAUTH2 and self._token is None:
            raise TransportError(
                "The authentication type is OAuth 2, which needs an access token for each connection, "
                "and there "
                "is nothing to get one from. Set mail_server.oauth in the preferences, such as "
                "MicrosoftApp(...), "
                "or give token=, a function that returns one."
            )
        if server.authentication is not AuthenticationType.NONE and not self._username:
            raise _missing(
                "mail_server.username", "There is no user name to log in with.", "Email login username"
            )
        if server.authentication is AuthenticationType.PASSWORD and self._secret is None:
            raise _missing(
                "mail_server.password", "There is no password to log in with.", "Email login password"
            )
        context = self._context
        if context is None:
            return
        import ssl  # noqa: PLC0415 - whoever gives a context has loaded it already

        if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
            raise TransportError(
                "The ssl_context does not verify the server's certificate and name, so anybody on the way "
                "could read the mail and the password; make it with "
                "ssl.create_default_context(cafile=...) for a certificate authority of your own."
            )
        if context.minimum_version < ssl.TLSVersion.TLSv1_2:
            raise TransportError(
                "The ssl_context allows versions of TLS before 1.2, which can be broken on the way; "
                "leave its minimum_version at ssl.TLSVersion.TLSv1_2 or above."
            )

    @property
    def place(self) -> str:
        """Where to, for people: "mail.example.com port 587"."""
        return f"{self.server.host} port {self.server.port}"

    @property
    def username(self) -> str:
        """Who logs in; "" for nobody."""
        return "" if self.server.authentication is AuthenticationType.NONE else self._username

    @property
    def renewable(self) -> bool:
        """Whether a new token may help where a login is refused."""
        return self.server.authentication is AuthenticationType.OAUTH2

    @property
    def token_host(self) -> str:
        """Who gives the access tokens; "" where nobody or nobody known does."""
        own = None if self._token_login is None else self._token_login.source
        return str(getattr(own, "endpoint_host", ""))

    @property
    def token_seconds(self) -> float | None:
        """How long the source will use the token that was fetched last; None where it does not say."""
        own = None if self._token_login is None else self._token_login.source
        seconds = getattr(own, "seconds_left", None)
        return float(seconds) if isinstance(seconds, int | float) else None

    def token_refused(self) -> None:
        """In the middle of a session the server has said that the token is over; the source is told."""
        if self._token_login is not None:
            self._token_login.refused()

    def reveal(self) -> None:
        """Look whether the password is where it should be, before any email is taken on.

        Raises:
            PreferencesError: it is not.
        """
        if self.server.authentication is AuthenticationType.PASSWORD and self._secret is not None:
            self._secret.reveal()

    def open(self, *, known: bool = False) -> Session:
        """Make a session; see `opening`."""
        return carried_out(self.opening(known=known))

    def opening(self, *, known: bool = False) -> Steps[Session]:
        """Make a session.

        Args:
            known: the host has been reached before.

        Raises:
            Failure: none came about.
            Lost: the line was lost on the way there.
        """
        if self._token_login is not None:
            self._token_login.fetch()  # before anybody is dialled: no connection waits for a token endpoint
        connection = yield from self.dialling(known=known)
        try:
            name = self._ehlo_name or connection.own_literal
            login = self.server.authentication is not AuthenticationType.NONE
            greeting, capabilities = yield from connection.running(start(name, self.server.tls, login=login))
            mechanism = yield from self._log_in(connection, capabilities)
            # What came too much would be taken for the answers to the first message.
            connection.look(Phase.AUTH if mechanism else Phase.GREETING, 0, lambda _sent: 0)
        except BaseException as error:
            connection.close()
            if isinstance(error, Lost) and self._may_wait_for_tls(error, connection):
                error.note += "; a server that expects Implicit says nothing before TLS"
            raise
        self._answered = connection.peer
        return Session(
            connection=connection,
            capabilities=capabilities,
            greeting=greeting,
            mechanism=mechanism,
            ours=Parties(login=self.username, ehlo_name=name, address=address_in(connection.own_literal)),
        )

    def _may_wait_for_tls(self, lost: Lost, connection: Connection) -> bool:
        """Whether a server has kept silent from the start, as port 465 does until it hears TLS."""
        silent = lost.cause is Cause.CONNECTION and not lost.closed and not connection.transcript
        return silent and self.server.tls is not TlsMethod.IMPLICIT

    def dialling(self, *, known: bool) -> Steps[Connection]:
        """Open the line; a test puts one without a socket here.

        Args:
            known: the host has been reached before.

        Raises:
            Failure: nobody there.
        """
        return connecting(
            self.server, deadlines=self.deadlines, context=self._tls(), known=known, first=self._answered
        )

    def _tls(self) -> ssl.SSLContext | None:
        if self._context is None and self.server.tls is not TlsMethod.NONE:
            # Reading the computer's certificate store takes a while; it is done once, and where it is needed.
            from vetmail_core.transports.own_tls import own_context  # noqa: PLC0415 - only with TLS

            self._context = own_context()
        return self._context

    def _log_in(self, connection: Connection, capabilities: Capabilities) -> Steps[str]:
        if self.server.authentication is AuthenticationType.NONE:
            return ""
        in_clear = self.server.tls is TlsMethod.NONE and not is_loopback(connection.peer)
        if in_clear and not self._allow_cleartext_auth:
            raise Failure(
                "the line is not encrypted, and a password or token is not sent where others can read it; "
                "set SSL/TLS connection method to Explicit",
                phase=Phase.AUTH,
                cause=Cause.TLS,
            )
        self._renewed = False
        try:
            return (
                yield from connection.running(authenticate(self._credentials(), capabilities, self._renew))
            )
        except Failure as failure:
            if self._token_login is not None and failure.cause is not Cause.TOKEN:
                self._token_login.explain(failure)
            raise

    def _renew(self) -> Credentials | None:
        """Fresh credentials after a refused token, once a connect."""
        login = self._token_login
        if login is None or self._renewed:
            return None
        self._renewed = True
        return login.credentials if login.renewed() else None

    def _credentials(self) -> Credentials:
        if self._token_login is not None:
            return self._token_login.credentials
        try:
            assert self._secret is not None  # noqa: S101 - checked when this was made
            credentials = Password(self._username, self._secret.reveal())
            credentials.words(credentials.mechanisms[0])  # for what no login can carry has no answer later
        except Exception as error:  # noqa: BLE001 - whatever a host's own secret raises
            detail = str(error) if isinstance(error, VetmailError) else type(error).__name__
        else:
            return credentials
        # Out here, so that no traceback leads to it: its text may hold the secret, and only its kind is told.
        raise Failure(
            f"the password could not be fetched ({detail})",
            phase=Phase.AUTH,
            cause=Cause.AUTHENTICATION,
        )


def _missing(setting: str, message: str, label: str) -> PreferencesError:
    advice = f'Enter it as "{label}" in Email preferences > Mail server.'
    return PreferencesError.about(setting, message, advice)
