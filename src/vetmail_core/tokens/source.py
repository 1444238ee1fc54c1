"""What a source of access tokens is, and how its failures are told.

A token that is fetched passes through libraries whose frames hold secrets in local variables. So nothing is
raised through them: `outcome_of` turns whatever happened into a value, and the error that is raised later is
a new one without a traceback into them.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, cast, runtime_checkable

import attrs

from vetmail_core.errors import PreferencesError, TokenError
from vetmail_core.tokens.hidden import HiddenText

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Token", "TokenSource", "broken_answer", "outcome_of", "seconds_of", "token_of"]

_T = TypeVar("_T")
_SHORT_LIFE: Final = 300.0  # seconds, of a token whose endpoint does not say


@runtime_checkable
class TokenSource(Protocol):
    """Something that gives access tokens. A plain function that returns one is allowed wherever this is.

    Two more methods are asked for where they are there:

    - ``of(mailbox: str) -> TokenSource``: the same source for the mailbox that logs in. The transport asks it
      once for each login.
    - ``login_advice(reply: Reply) -> str``: what to do when the mail server refused a good, fresh token
      with this reply; "" for the general sentence.
    """

    def __call__(self) -> str:
        """A token that is good now.

        Raises:
            TokenError: there is none; says what an administrator has to do.
        """
        ...

    def refused(self) -> None:
        """Note that the mail server did not take the last token: the next call must fetch a fresh one."""
        ...


@attrs.frozen
class Token:
    """What an endpoint gave.

    Attributes:
        text: the access token.
        seconds: how long it lives.
    """

    text: HiddenText = attrs.field(repr=repr)
    seconds: float


def outcome_of(work: Callable[[], _T], what: str) -> _T | TokenError:
    """Do something with secrets, and answer with what it returned or with why it failed.

    Args:
        work: what to do.
        what: where the token was to come from, "Microsoft".

    Returns:
        A `TokenError` holds no traceback and no other error, whose local variables might hold a secret.
    """
    try:
        return work()
    except TokenError as error:
        return copy.copy(error)
    except PreferencesError as error:
        return TokenError(str(error))
    except Exception as error:  # noqa: BLE001 - the libraries raise their own and those of theirs; only the kind is told
        kind = type(error).__name__
    return TokenError(
        f"No access token could be fetched from {what} ({kind}).",
        advice="Check the settings of the sign-in under Email preferences > Mail server.",
    )


def token_of(answer: Mapping[str, object], name: str) -> Token:
    """The token in an endpoint's answer.

    Raises:
        TokenError: there is none.
    """
    text = answer.get("access_token")
    if not isinstance(text, str) or not text:
        raise broken_answer(name)
    return Token(HiddenText(text), seconds_of(answer.get("expires_in"), _SHORT_LIFE))


def seconds_of(value: object, default: float) -> float:
    """A number of seconds in an answer, which some write as a text."""
    try:
        seconds = float(cast("float", value))
    except (TypeError, ValueError):
        return default
    return seconds if 0 < seconds < 10**9 else default


def broken_answer(name: str) -> TokenError:
    """The error of an answer that is neither a token nor a reason."""
    return TokenError(
        f"The sign-in service of {name} answered without a token and without saying why.",
        advice="Try again; if it goes on, check whether a proxy stands between.",
        transient=True,
    )
