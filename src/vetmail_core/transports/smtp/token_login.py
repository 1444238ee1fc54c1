"""Logging in with an access token: fetched before the server is dialled, replaced once when it is refused.

The order of things, for each connection:

1. `TokenLogin.fetch` asks the source. A failure ends here, and the mail server never hears of it.
2. The server is dialled, and hears the token.
3. It refuses (535): the source is told (``refused()``), asked once more, and the new token is said. A source
   that repeats itself is not repeated to the server, in this connection or a later one.
4. It refuses that one too: the source is told, and says what an administrator has to do.

A source is the caller's own code. Whatever it raises becomes one sentence, and of an exception that is not
this library's the kind alone: its text may hold the token.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, cast

from vetmail_core.errors import TokenError, VetmailError
from vetmail_core.receipts import Cause, Phase
from vetmail_core.tokens.hidden import HiddenText
from vetmail_core.transports.smtp.rules.auth import Bearer
from vetmail_core.transports.smtp.rules.login import MANY, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from vetmail_core.receipts import Reply

__all__ = ["TokenLogin"]

_REFUSED: Final = 535
_GENERAL_ADVICE: Final = (
    'Check that "Email login username" (Email preferences > Mail server) is the mailbox that the access '
    "token is "
    "for, and that this mailbox may send by SMTP."
)


class TokenLogin:
    """Who logs in with tokens, and where the tokens come from.

    Args:
        source: gives the tokens.
        username: who logs in.
        host: the server, for OAUTHBEARER.
        port: likewise.
    """

    def __init__(self, source: Callable[[], str], *, username: str, host: str, port: int) -> None:
        self._source = source
        self._own: Callable[[], str] | None = None
        self._username = username
        self._host = host
        self._port = port
        self._token = HiddenText()
        self._told = False
        self._refused: deque[bytes] = deque(maxlen=8)
        self._refusal: Failure | None = None
        self._broken: Failure | None = None

    @property
    def source(self) -> Callable[[], str]:
        """Where the tokens of this login come from."""
        return self._source if self._own is None else self._own

    def fetch(self) -> None:
        """Have a token for the next connection.

        Raises:
            Failure: there is none.
        """
        self._ask()
        if self._was_refused():
            self.refused()
            self._ask()
        if self._was_refused() and self._refusal is not None:
            refusal = self._refusal
            raise Failure(
                "the source of access tokens gave the token again that the server has refused "
                f"({refusal.note})",
                phase=refusal.phase,
                cause=refusal.cause,
                reply=refusal.reply,
                advice=refusal.advice,
            )

    def renewed(self) -> bool:
        """After a refusal: whether there is another token now.

        Raises:
            Failure: none can be had.
        """
        self._refused.append(_digest(self._token))
        self.refused()
        self._ask()
        return not self._was_refused()

    def refused(self) -> None:
        """Tell the source, once for each token, that the server did not take it.

        What the source raises is told when the next token is asked for.
        """
        tell = getattr(self._own, "refused", None)
        if tell is not None and not self._told:
            self._told = True
            self._broken = _failure_of(tell)

    def explain(self, failure: Failure) -> None:
        """Add to a refused login what to do about it, in words of the source."""
        failure.advice = _GENERAL_ADVICE
        if failure.cause is not Cause.AUTHENTICATION or failure.reply is None:
            return
        failure.advice = self._advice(failure.reply) or _GENERAL_ADVICE
        if failure.reply.code == _REFUSED:
            self._refused.append(_digest(self._token))
            self._refusal = failure
            self.refused()

    def _advice(self, reply: Reply) -> str:
        say = getattr(self._own, "login_advice", None)
        if say is None:
            return ""
        try:
            return str(say(reply))
        except Exception:  # noqa: BLE001 - advice that cannot be had is no reason to lose the server's words
            return ""

    @property
    def credentials(self) -> Bearer:
        """The token as a login says it."""
        return Bearer(self._username, self._token, self._host, self._port)

    def _was_refused(self) -> bool:
        return _digest(self._token) in self._refused

    def _ask(self) -> None:
        failure, self._broken = self._broken or _failure_of(self._take), None
        if failure is not None:
            raise failure

    def _take(self) -> None:
        if self._own is None:
            of = getattr(self._source, "of", None)
            self._own = self._source if of is None else cast("Callable[[], str]", of(self._username))
        self._token, self._told = HiddenText(), False
        self._token = HiddenText(_text(self._own()))
        self.credentials.words("XOAUTH2")  # for what no login can carry has no answer later


def _text(token: object) -> str:
    if isinstance(token, str):
        return token
    raise TypeError


def _failure_of(work: Callable[[], None]) -> Failure | None:
    """Call the caller's code; answer with why no token could be had, which no traceback leads into."""
    try:
        work()
    except TokenError as error:
        return Failure(
            f"{str(error).rstrip().removesuffix('.')}.",
            phase=Phase.AUTH,
            cause=Cause.TOKEN,
            advice="",
            tries=MANY if error.transient else 1,
            wait=error.retry_after or 0.0,
        )
    except Exception as error:  # noqa: BLE001 - whatever a host's own function raises
        detail = str(error) if isinstance(error, VetmailError) else type(error).__name__
        return Failure(
            f"the access token could not be fetched ({detail})", phase=Phase.AUTH, cause=Cause.TOKEN
        )
    return None


def _digest(token: str) -> bytes:
    import hashlib  # noqa: PLC0415 - only where tokens are used

    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
