"""The SMTP transport: emails in, receipts out.

Each email gets exactly one receipt, in order. What a server or network does is a result, not an exception;
a password is not sent in the clear, and a message that may have arrived is not sent again.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

import attrs

from vetmail_core._shown import HALF_A_PAIR, has_surrogate
from vetmail_core.clock import SystemClock
from vetmail_core.errors import TransportError, TransportValueError, wrong_type
from vetmail_core.preferences import MailServer
from vetmail_core.preferences.host_names import spoken_name
from vetmail_core.preferences.providers import provider_for
from vetmail_core.transports.calls import checked_call
from vetmail_core.transports.last_emails import Turns
from vetmail_core.transports.smtp.host import Host
from vetmail_core.transports.smtp.lending import CLOSED, Lending
from vetmail_core.transports.smtp.pace import Pace
from vetmail_core.transports.smtp.rules.protocol import command
from vetmail_core.transports.smtp.run import Run
from vetmail_core.transports.smtp.session import Opener
from vetmail_core.transports.smtp.settings import Deadlines, Limits, Pipelining
from vetmail_core.transports.smtp.wire.waiting import together

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from vetmail_core.address import Mailbox
    from vetmail_core.clock import Clock
    from vetmail_core.credentials import Login
    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt
    from vetmail_core.transports.smtp.check import ConnectionCheck

__all__ = ["SmtpTransport"]


class SmtpTransport:
    """Delivers to a mail server.

    A connection is made when the first email comes, used again for the next ones, and replaced when it is
    worn, old, idle or lost. A context manager; leaving it says goodbye to the server.

    A process that is forked while a connection rests makes one of its own; each goes on with its own emails.
    Several threads may use it at once. Each run has connections of its own, up to ``Limits.connections`` over
    all of them; a run that finds none free waits its turn.

    Args:
        server: the **Mail server** tab.
        login: who logs in, a staff member for example; None is the server's own user name and password.
        token: for OAuth 2: a source of access tokens, or a function that returns one; None is the server's
        own
            ``oauth``. Asked before each connect, and once more when the token is refused. Never shown.
        pipelining: how much is sent before the server has answered.
        ssl_context: for a certificate authority of your own; it must verify certificates and names. None
            is the computer's own certificate store, TLS 1.2 or later.
        deadlines: how long each answer may take.
        limits: how much one connection, message and run may take.
        ehlo_name: the name that this computer gives to the server, instead of the server's own setting: a
            domain name, an address literal such as "[192.0.2.7]", or "" for the address of the connection.
        allow_cleartext_auth: log in without TLS, beyond this machine too. Whoever can listen has the
            password then.
        clock: asked for every pause and every Date.

    Raises:
        PreferencesError: no server, or no login where one is asked for.
        TransportValueError: ``ehlo_name`` is not one.
        TransportError: OAuth 2 without a source of tokens, or an ``ssl_context`` that verifies nothing or
        allows
            TLS before 1.2.
    """

    def __init__(
        self,
        server: MailServer,
        *,
        login: Login | None = None,
        token: Callable[[], str] | None = None,
        pipelining: Pipelining = Pipelining.AUTO,
        ssl_context: ssl.SSLContext | None = None,
        deadlines: Deadlines | None = None,
        limits: Limits | None = None,
        ehlo_name: str | None = None,
        allow_cleartext_auth: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(server, MailServer):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise wrong_type(
                "SmtpTransport()",
                "a MailServer",
                server,
                'Write SmtpTransport(MailServer(host="localhost")).',
            )
        said = _checked_name(server.ehlo_name if ehlo_name is None else ehlo_name)
        if not isinstance(pipelining, Pipelining):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise TransportValueError(
                f"pipelining= needs a Pipelining such as Pipelining.AUTO, got {pipelining!r}."
            )
        self._clock = SystemClock() if clock is None else clock
        self._limits = (Limits() if limits is None else limits).known(provider_for(server.host))
        self._opener = Opener(
            server,
            login=login,
            token=token,
            context=ssl_context,
            deadlines=Deadlines() if deadlines is None else deadlines,
            ehlo_name=said,
            allow_cleartext_auth=allow_cleartext_auth,
        )
        wait = server.wait_between_emails_ms / 1000
        if wait > 0:
            self._limits = attrs.evolve(self._limits, connections=1)  # two would wait for each other
        username = server.username if login is None else login.username
        turns = Turns((server.host.casefold(), server.port, username), wait=wait, clock=self._clock)
        self._host = Host(
            mode=pipelining,
            pace=Pace(
                wait, limit=self._limits.retry_seconds, clock=self._clock, turns=turns if wait else None
            ),
            lending=Lending(self._limits.connections),
        )
        self._at_hand: dict[int, list[Run]] = {}  # of each thread, the one begun last at the end

    def __repr__(self) -> str:
        server = self._opener.server
        return f"SmtpTransport({server.host}:{server.port}, tls={server.tls.value}, {self._host.mode.value})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @checked_call
    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Deliver emails, one after the other.

        Emails are pulled when there is a place for them: one ahead in AUTO, up to the window in CHUNKING,
        none ahead in the other modes and with a wait time. An email is never sent before the pull that
        gave it has returned. When four emails in a row came to nothing, twenty are pulled at once, and
        one from further on tells whether the server takes any.

        When the iterable raises, the receipts of what was on the way come first. So they do when the run is
        interrupted, by Ctrl-C or any other exception: no further email begins, the answers owed are heard for
        at most ``Deadlines.quit``, and the exception goes on behind the receipts.

        A caller that walks away in the middle leaves nothing half sent: what had left entirely is heard
        out for some seconds, a body that had not begun is not begun.

        Args:
            emails: any iterable, pulled lazily; an endless one is fine.

        Yields:
            One receipt for each email, in order.

        Raises:
            TransportError: the transport is closed, also while the run waits for its turn; or a process that
                was forked in the middle of a run goes on with it.
            PreferencesError: the password is not where it should be; before any email was pulled.
        """
        if self._host.closed:
            raise TransportError(CLOSED)
        return self._run(emails)

    def _run(self, emails: Iterable[Email]) -> Iterator[Receipt]:
        lending = self._host.lending
        loan = lending.borrow()
        try:
            if not loan.stocked:
                self._opener.reveal()
            run = Run(
                emails,
                host=self._host,
                opener=self._opener,
                limits=self._limits,
                clock=self._clock,
                loan=loan,
            )
        except BaseException:
            loan.give_back(None)
            raise
        mine = self._at_hand.setdefault(threading.get_ident(), [])
        mine.append(run)
        try:
            yield from run.receipts()
        finally:
            mine.remove(run)
            self._host.pace.run_is_over()

    def check(
        self, recipient: Mailbox | str | None = None, *, sender: Mailbox | str | None = None
    ) -> ConnectionCheck:
        """Try the connection without sending anything: connect, TLS, login, MAIL, RCPT, RSET, QUIT.

        Args:
            recipient: asked about too, when given.
            sender: who the mail would be from; None is the login's address, or the empty sender.

        Returns:
            What was found, readable by a help desk.

        Raises:
            TransportError: the transport is closed, no session came about, or an address has letters beyond
                ASCII that the server does not take; says at which step, why, and what to do.
            AddressError: a text that is not a mailbox.
        """
        if self._host.closed:
            raise TransportError(CLOSED)
        from vetmail_core.transports.smtp.check import check_connection  # noqa: PLC0415 - a run needs none

        loan = self._host.lending.borrow()
        try:
            return check_connection(self._opener, sender=sender, recipient=recipient)
        finally:
            loan.give_back(None)

    @property
    def transcript(self) -> tuple[str, ...]:
        """The last 40 lines said on the resting connection; no bodies, no secrets. Empty without one."""
        session = self._host.session
        return () if session is None else session.connection.transcript

    def hang_up(self) -> None:
        """Say goodbye to the server; the next run connects again. A run at hand keeps its connections."""
        together(session.connection.parting() for session in self._host.lending.take_all())

    def wind_up(self) -> None:
        """End the run that this thread has at hand.

        Nothing more is begun, and answers owed are heard for a farewell's time. Its iterator still gives the
        receipts of the emails it has taken, and ends.
        """
        mine = self._at_hand.get(threading.get_ident())
        if mine:
            mine[-1].wind_up()

    @property
    def trouble(self) -> str:
        """Why the last try to connect failed, for whoever waits for the next one; "" once it has worked."""
        return self._host.trouble

    @property
    def chooses_sender(self) -> bool:
        """False; From and Reply-To are those of the email."""
        return False

    def close(self) -> None:
        """Say goodbye. A second call does nothing; a run in the middle ends with CANCELLED."""
        self._host.closed = True
        self._host.lending.close()
        self.hang_up()


def _checked_name(typed: str) -> str:
    if not isinstance(typed, str):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            "ehlo_name=",
            "text",
            typed,
            "Give the name of this computer, or None for the setting of the mail server.",
        )
    if has_surrogate(typed):
        raise TransportValueError(f"ehlo_name {typed!r} holds {HALF_A_PAIR}. Give the name of this computer.")
    command(f"EHLO {typed}")
    said = spoken_name(typed) if typed else ""
    if said is None:
        raise TransportValueError(
            f"ehlo_name needs a domain name, or an address in brackets such as [192.0.2.7]; got {typed!r}. "
            'Give the name of this computer, or "" for the address of the connection.'
        )
    return said
