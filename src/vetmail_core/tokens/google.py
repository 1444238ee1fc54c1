"""Google Workspace: a service account that may act for mailboxes (domain-wide delegation).

Source: developers.google.com/identity/protocols/oauth2/service-account
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, cast

import attrs

from vetmail_core._files import read_whole
from vetmail_core.credentials import Secret, UnwrappedSecret, shown_secret
from vetmail_core.errors import TokenError
from vetmail_core.tokens import settings
from vetmail_core.tokens.hidden import HiddenText
from vetmail_core.tokens.memory import MEMORY
from vetmail_core.tokens.source import Token, outcome_of, token_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from vetmail_core.address import Mailbox
    from vetmail_core.receipts import Reply
    from vetmail_core.tokens.asking import Answer

__all__ = ["GoogleServiceAccount"]

_NAME: Final = "Google"
_SETTING: Final = "mail_server.oauth.google_service_account"
_NEEDED: Final = ("client_email", "private_key", "token_uri")


def _shown_key(key: object) -> str:
    return repr(cast("object", key)) if isinstance(key, os.PathLike) else shown_secret(cast("Secret", key))


@attrs.frozen(init=False)
class GoogleServiceAccount:
    """A service account to which an administrator has delegated the organisation's mailboxes.

    Needs the extra ``vetmail_core[google]``.

    Args:
        key: the JSON key file, or a secret that reveals the text in it.
        mailbox: whose mail is sent; "" where the login tells (staff logins, or the user name of the
        preferences).

    Raises:
        PreferencesError: with every problem, each named "mail_server.oauth.google_service_account...".
    """

    key: Path | Secret = attrs.field(repr=_shown_key, hash=False)
    mailbox: str = attrs.field(default="", kw_only=True)

    def __init__(self, key: Path | Secret, *, mailbox: str | Mailbox = "") -> None:
        # A bare text may be the key itself, so it is gone before anything is raised.
        held = key if isinstance(key, os.PathLike | Secret) else UnwrappedSecret(type(key).__name__)  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        del key
        object.__setattr__(self, "key", held)
        object.__setattr__(self, "mailbox", settings.mailbox_text(mailbox))
        settings.raise_if_any(
            (
                *(
                    settings.path(f"{_SETTING}.key", held, "the name of the key file")
                    if isinstance(held, os.PathLike)
                    else settings.secret(f"{_SETTING}.key", held)
                ),
                *settings.mailbox(f"{_SETTING}.mailbox", self.mailbox),
            )
        )

    def __call__(self) -> str:
        """A token that is good now.

        Raises:
            TokenError: there is none; says what an administrator has to do.
        """
        if not self.mailbox:
            raise TokenError(
                "The service account needs a mailbox to send for, and none is named.",
                advice='Enter the mailbox as "Email login username", or use .of(mailbox).',
            )
        return MEMORY.token(self, lambda: outcome_of(self._fetch, _NAME))

    def refused(self) -> None:
        """The mail server did not take the token: the next call fetches another."""
        MEMORY.refused(self)

    def of(self, mailbox: str | Mailbox) -> GoogleServiceAccount:
        """The same service account for a mailbox; this one where it has a mailbox already.

        Raises:
            PreferencesError: this is not the address of a mailbox.
        """
        return self if self.mailbox else GoogleServiceAccount(self.key, mailbox=mailbox)

    def login_advice(self, reply: Reply) -> str:
        """What to do when Google's mail server refused a good token; "" for the general sentence."""
        from vetmail_core.tokens.workspace import login_advice  # noqa: PLC0415 - only after a refusal

        return login_advice(reply)

    @property
    def endpoint_host(self) -> str:
        """The server that gives the tokens, as far as it is known without reading the key."""
        return "oauth2.googleapis.com"

    @property
    def seconds_left(self) -> float:
        """How long the token that is held will be used; 0 when none is."""
        return MEMORY.seconds_left(self)

    def _fetch(self) -> Token:
        try:
            from google.oauth2 import service_account  # noqa: PLC0415 - an extra, and 100 ms
        except ImportError:
            raise TokenError(
                "Google cannot be asked for a token because the package google-auth is not installed.",
                advice='Install it: pip install "vetmail_core[google]".',
            ) from None
        from vetmail_core.tokens.asking import Endpoint  # noqa: PLC0415 - loads ssl and http, for a fetch alone
        from vetmail_core.tokens.workspace import SCOPE, judge_service_account  # noqa: PLC0415 - as above

        facts = _read_key(self.key)
        endpoint = Endpoint(str(facts["token_uri"]), name=_NAME, judge=judge_service_account)
        answers: list[Answer] = []

        def ask(*words: object, **named: object) -> Answer:
            answers.append(cast("Callable[..., Answer]", endpoint)(*words, **named))
            return answers[-1]

        try:
            credentials = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
                facts,
                scopes=[SCOPE],
                subject=self.mailbox,
                additional_claims={"aud": facts["token_uri"]},  # the package names Google's own otherwise
            )
        except ValueError:
            raise _not_a_key(self.key, "its private_key is damaged") from None
        credentials.refresh(ask)  # pyright: ignore[reportUnknownMemberType] - the package is not typed
        return token_of(answers[-1].facts, _NAME)


def _read_key(key: Path | Secret) -> Mapping[str, object]:
    """The facts of the key.

    Raises:
        TokenError: it cannot be read, or is something else.
    """
    import json  # noqa: PLC0415 - preferences, which hold a source, are loaded without it

    if isinstance(key, os.PathLike):
        reason = ""
        try:
            text = HiddenText(read_whole(key).decode("utf-8-sig", errors="replace"))
        except OSError as error:
            text, reason = HiddenText(), error.strerror or type(error).__name__
        if reason:
            raise TokenError(
                f"The key file of the service account, {key}, cannot be read ({reason}).",
                advice="Let the account that sends the mail read it, or name the right file.",
            )
    else:
        text = HiddenText(key.reveal())
    try:
        facts: object = json.loads(text)
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise _not_a_key(key, "it is not JSON")
    known = cast("dict[str, object]", facts)
    if "installed" in known or "web" in known:
        raise _not_a_key(key, "it is the file of an OAuth client")
    missing = [name for name in _NEEDED if not isinstance(known.get(name), str) or not known[name]]
    if known.get("type") != "service_account" or missing:
        raise _not_a_key(key, f"{missing[0]} is missing" if missing else "its type is another one")
    if tuple(settings.endpoint("token_uri", known["token_uri"])):
        raise _not_a_key(key, "its token_uri is not an https address")
    return known


def _not_a_key(key: object, fault: str) -> TokenError:
    where = f"The file {key}" if isinstance(key, os.PathLike) else "The secret of the service account"
    return TokenError(
        f"{where} was expected to hold the JSON key of a service account, but {fault}.",
        advice="Make a key: console.cloud.google.com > IAM & Admin > Service Accounts > the account > "
        "Keys > Add key > "
        "Create new key > JSON.",
    )
