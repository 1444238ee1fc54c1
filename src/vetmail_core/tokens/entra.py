"""What Microsoft answers, as sentences that an administrator can act on.

Two tables. The first reads the token endpoint's AADSTS numbers, which Microsoft publishes for people and may
change at any time; so they choose a sentence and never decide whether to try again. The second reads what Exchange
Online says when it refuses a good token. Nothing of Microsoft's own text is told: it holds names and IDs.

Source: learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vetmail_core.errors import TokenError
from vetmail_core.tokens.asking import is_in_passing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vetmail_core.receipts import Reply
    from vetmail_core.tokens.asking import Answer

__all__ = ["NOT_FINISHED", "app_login_advice", "judge", "sign_in_login_advice"]

_REGISTRATION: Final = "entra.microsoft.com > App registrations > the application"
_SIGN_IN: Final = "Let the person sign in again: vetmail sign-in."

NOT_FINISHED: Final = (
    "The sign-in was not finished, so nothing is kept.",
    "Start it again with vetmail sign-in, and enter the code that is shown within 15 minutes.",
)

_SENTENCES: Final[Mapping[tuple[int, ...], tuple[str, str]]] = {
    (7000215,): (
        "Microsoft does not accept the client secret; most often its Secret ID was pasted instead of its Value.",
        f"Make a new client secret ({_REGISTRATION} > Certificates & secrets), copy its Value at once and enter that.",
    ),
    (7000222,): (
        "The client secret has ended.",
        f"Make a new client secret ({_REGISTRATION} > Certificates & secrets) and enter its Value.",
    ),
    (700016,): (
        "The application is not registered in this tenant.",
        "Compare the Application (client) ID and the Directory (tenant) ID with the Overview page of the app "
        "registration (entra.microsoft.com > App registrations).",
    ),
    (90002, 900023): (
        "Microsoft knows no tenant of this ID or name.",
        "Copy the Directory (tenant) ID from the Overview page of the app registration (entra.microsoft.com > App "
        "registrations).",
    ),
    (65001,): (
        "Nobody has consented to the application's permissions.",
        f"Have an administrator choose Grant admin consent under {_REGISTRATION} > API permissions.",
    ),
    (700027,): (
        "The application does not know this certificate, or the certificate has ended.",
        f"Have an administrator upload the certificate under {_REGISTRATION} > Certificates & secrets > "
        "Certificates.",
    ),
    (700024,): (
        "The signed request was made at another time than Microsoft's clock shows.",
        "Set the computer's clock and its time zone right.",
    ),
    (700025,): (
        "The application is registered as a public one, which may show no client secret.",
        f"Set Allow public client flows to No under {_REGISTRATION} > Authentication, or take the secret out of the "
        "settings.",
    ),
    (7000218,): (
        "The application is not registered as a public one, so nobody can sign in with a code.",
        f"Set Allow public client flows to Yes under {_REGISTRATION} > Authentication.",
    ),
    (7000112,): (
        "The application is disabled in the tenant.",
        "Set Enabled for users to sign in to Yes under entra.microsoft.com > Enterprise applications > the "
        "application > Properties.",
    ),
    (70011, 1002012): (
        "Microsoft does not know the permission that was asked for.",
        f"Add it under {_REGISTRATION} > API permissions: for mail by the system the application permission "
        "SMTP.SendAsApp of Office 365 Exchange Online, for staff the delegated permission SMTP.Send.",
    ),
    (53000, 53001, 53002, 53003, 530003): (
        "A Conditional Access policy of the organisation does not allow this sign-in.",
        "Have an administrator look at it under entra.microsoft.com > Protection > Conditional Access > Sign-in logs.",
    ),
    (50076, 50078, 50079): (
        "Microsoft asks for a second factor, which only the person can show.",
        _SIGN_IN.replace("Let the person", "Let the person with the second factor at hand"),
    ),
    (700082,): (
        "The sign-in was not used for 90 days and has ended.",
        _SIGN_IN,
    ),
    (50173, 70008, 700084): (
        "The sign-in has ended: the password was changed, or somebody revoked it.",
        _SIGN_IN,
    ),
    (50034,): (
        "There is no such mailbox in this tenant.",
        "Compare the mailbox with the address under admin.microsoft.com > Users > Active users, and the Directory "
        "(tenant) ID with the app registration's.",
    ),
    (50057,): (
        "The user of this mailbox is disabled.",
        "Have an administrator unblock the user under admin.microsoft.com > Users > Active users.",
    ),
    (50053,): (
        "The user of this mailbox is locked, or the internet address of this computer is blocked.",
        "Have an administrator look at entra.microsoft.com > Monitoring & health > sign-in logs, and wait before "
        "the next try.",
    ),
    (70020, 70018, 70021): NOT_FINISHED,
}
_BY_CODE: Final = {code: row for codes, row in _SENTENCES.items() for code in codes}
# What an answer without a number means.
_BY_WORD: Final = {
    "authorization_declined": NOT_FINISHED,
    "expired_token": NOT_FINISHED,
    "bad_verification_code": NOT_FINISHED,
}
_CODE: Final = re.compile(r"AADSTS(\d{1,9})\b")
_WORD: Final = re.compile("[a-z_]{1,40}")


def judge(answer: Answer) -> TokenError:
    """Make the error of an answer that says what is wrong."""
    transient = is_in_passing(answer)
    code = _code(answer.facts)
    row = _BY_WORD.get(answer.error) or _BY_CODE.get(code)
    if transient:
        row = (
            "Microsoft's sign-in service cannot give an access token at the moment.",
            "Try again in a few minutes.",
        )
    if row is None:
        what = "Microsoft gave no token."
        if not code:
            word = answer.error if _WORD.fullmatch(answer.error) else "unknown"
            advice = f'Look up the word "{word}" in learn.microsoft.com/entra/identity-platform/reference-error-codes.'
        else:
            advice = f"Read what it means: login.microsoftonline.com/error?code={code}."
        row = (what, advice)
    what, advice = row
    return TokenError(what, advice=_with_code(advice, code), transient=transient)


def _code(facts: Mapping[str, object]) -> int:
    """The AADSTS number of an answer; 0 when it has none."""
    codes = facts.get("error_codes")
    if isinstance(codes, list):
        for code in codes:  # pyright: ignore[reportUnknownVariableType] - JSON
            if isinstance(code, int) and not isinstance(code, bool) and 0 < code < 10**9:
                return code
    found = _CODE.search(str(facts.get("error_description", "")))
    return int(found[1]) if found else 0


def _with_code(advice: str, code: int) -> str:
    return f"{advice.removesuffix('.')} (AADSTS{code})." if code else advice


# -- the mail server's replies -----------------------------------------------------------------------------

_EXCHANGE: Final = "Allow up to 30 minutes for a change to count."
_MAILBOX_OFF: Final = (
    "Authenticated SMTP is off for this mailbox. Have an administrator turn it on: admin.microsoft.com > Users > "
    f"Active users > the mailbox > Mail > Manage email apps > Authenticated SMTP. {_EXCHANGE}"
)
_TENANT_OFF: Final = (
    'Authenticated SMTP is off for the whole organisation. Have an administrator untick "Turn off SMTP AUTH protocol '
    f'for your organization": admin.exchange.microsoft.com > Settings > Mail flow. {_EXCHANGE}'
)
_DISABLED: Final = re.compile(r"SmtpClientAuthentication is disabled for the (Tenant|Mailbox)", re.IGNORECASE)


def _off(reply: Reply) -> str:
    found = _DISABLED.search(reply.text)
    if found is None:
        return ""
    return _TENANT_OFF if found[1].lower() == "tenant" else _MAILBOX_OFF


def app_login_advice(reply: Reply) -> str:
    """What to do when Exchange Online refused the token of an application."""
    if _off(reply) or reply.enhanced not in {"5.7.3", "5.7.139", "5.7.8"}:
        return _off(reply)
    return (
        "Exchange Online does not know the application's service principal, or gives it no right to this mailbox. Have "
        "an administrator run New-ServicePrincipal with the Object ID of entra.microsoft.com > Enterprise applications "
        '(not the one of App registrations), then Add-MailboxPermission with FullAccess for the mailbox in "Email '
        'login username"; then allow 30 minutes.'
    )


def sign_in_login_advice(reply: Reply) -> str:
    """What to do when Exchange Online refused the token of a person."""
    if _off(reply) or reply.enhanced not in {"5.7.3", "5.7.139", "5.7.8"}:
        return _off(reply)
    return (
        "Check that Authenticated SMTP is on for this mailbox (admin.microsoft.com > Users > Active users > the mailbox > "
        "Mail > Manage email apps), and that the login's user name is the mailbox that signed in, or one that it may "
        "open."
    )
