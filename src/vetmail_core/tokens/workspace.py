"""What Google answers, as sentences that an administrator can act on. Nothing of Google's own text is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vetmail_core.errors import TokenError
from vetmail_core.tokens.asking import is_in_passing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vetmail_core.receipts import Reply
    from vetmail_core.tokens.asking import Answer

__all__ = ["SCOPE", "judge_service_account", "judge_sign_in", "login_advice"]

SCOPE: Final = "https://mail.google.com/"
"""SMTP takes no narrower one."""
_DELEGATION: Final = (
    "admin.google.com > Security > Access and data control > API controls > Manage Domain Wide Delegation"
)
_SIGN_IN: Final = "Let the person sign in again: vetmail sign-in."

_SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    "unauthorized_client": (
        "The service account is not allowed to send for the mailboxes of this organisation.",
        f"Have an administrator enter the Client ID of the service account with the scope {SCOPE} under {_DELEGATION}.",
    ),
    "invalid_client": (
        "Google does not know the client: it was deleted, or its secret is wrong.",
        "Compare the Client ID with console.cloud.google.com > APIs & Services > Credentials, and make a new key.",
    ),
    "access_denied": (
        "The organisation does not allow this application to send mail.",
        "Have an administrator trust it under admin.google.com > Security > Access and data control > API controls > "
        "App access control.",
    ),
    "admin_policy_enforced": (
        "A policy of the organisation does not allow this application.",
        "Have an administrator mark it as trusted under admin.google.com > Security > Access and data control > API "
        "controls > Manage app access.",
    ),
    "disabled_client": (
        "The client is disabled at Google.",
        "Have an administrator enable it under console.cloud.google.com > IAM & Admin > Service Accounts.",
    ),
}
_OF_SERVICE_ACCOUNT: Final = (
    "Google has no such mailbox in this organisation, or the computer's clock is wrong.",
    "Compare the mailbox with admin.google.com > Directory > Users, and set the computer's clock and time zone right.",
)
_OF_SIGN_IN: Final = (
    "The sign-in at Google has ended: it was revoked, or the consent screen is in Testing, where it lives 7 days.",
    f"{_SIGN_IN} If it ends each week, choose Internal or publish the application under console.cloud.google.com > APIs "
    "& Services > OAuth consent screen.",
)
_WORD: Final = re.compile("[a-z_]{1,40}")


def judge_service_account(answer: Answer) -> TokenError:
    """Make the error of an answer to a service account."""
    return _judge(answer, _OF_SERVICE_ACCOUNT)


def judge_sign_in(answer: Answer) -> TokenError:
    """Make the error of an answer to a person's sign-in."""
    return _judge(answer, _OF_SIGN_IN)


def _judge(answer: Answer, invalid_grant: tuple[str, str]) -> TokenError:
    word = answer.error if _WORD.fullmatch(answer.error) else "unknown"
    what, advice = {**_SENTENCES, "invalid_grant": invalid_grant}.get(
        word,
        (
            "Google gave no token.",
            "Look the word up in developers.google.com/identity/protocols/oauth2.",
        ),
    )
    transient = is_in_passing(answer)
    if transient:
        what, advice = (
            "Google's sign-in service cannot give an access token at the moment.",
            "Try again later.",
        )
    return TokenError(what, advice=f"{advice.removesuffix('.')} ({word}).", transient=transient)


def login_advice(reply: Reply) -> str:
    """What to do when Google's mail server refused a good token."""
    if reply.enhanced != "5.7.8":
        return ""
    return (
        f'The scope {SCOPE} is not delegated to the service account ({_DELEGATION}), or "Email login username" is '
        "another mailbox than the one that the token is for."
    )
