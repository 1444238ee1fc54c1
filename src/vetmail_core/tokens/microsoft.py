"""Microsoft 365: mail by the system (`MicrosoftApp`), and a person who has signed in (`MicrosoftSignIn`).

Two things of msal shape this file. It asks the network in its constructor, and it remembers a 429 or 5xx
inside the application object even after the endpoint has recovered. So an application object lives for one
fetch; the token itself is held in `memory`, as Microsoft answers programs that keep none with 429.

Sources: learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-
application-by-using-oauth; RFC 8628 (device code).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, cast

import attrs

from vetmail_core.clock import SystemClock
from vetmail_core.credentials import Secret, shown_secret, unless_bare
from vetmail_core.errors import TokenError
from vetmail_core.tokens import settings
from vetmail_core.tokens.caches import FileTokens, TokenCache
from vetmail_core.tokens.hidden import HiddenText
from vetmail_core.tokens.memory import MEMORY
from vetmail_core.tokens.source import broken_answer, outcome_of, seconds_of, token_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from vetmail_core.address import Mailbox
    from vetmail_core.clock import Clock
    from vetmail_core.errors import Problem
    from vetmail_core.receipts import Reply
    from vetmail_core.tokens.asking import Endpoint
    from vetmail_core.tokens.source import Token

__all__ = ["AUTHORITY", "MicrosoftApp", "MicrosoftSignIn"]

AUTHORITY: Final = "https://login.microsoftonline.com"
APP_SCOPE: Final = "https://outlook.office365.com/.default"
SIGN_IN_SCOPE: Final = "https://outlook.office.com/SMTP.Send"
_NAME: Final = "Microsoft"
_APP: Final = "mail_server.oauth.microsoft_app"
_SIGN_IN: Final = "mail_server.oauth.microsoft_sign_in"
_PENDING: Final = frozenset({"authorization_pending", "slow_down"})
_SLOW_DOWN_SECONDS: Final = 5.0  # RFC 8628, 3.5


@attrs.frozen(kw_only=True, init=False)
class MicrosoftApp:
    """Mail by the system: an application that may send (client credentials).

    One token serves every mailbox that the application may open. Needs the extra ``vetmail_core[microsoft]``.

    Args:
        tenant: the Directory (tenant) ID, or a domain name of the organisation.
        client_id: the Application (client) ID.
        secret: where the client secret's Value lives; with a certificate, the passphrase of its key.
        certificate: a file with the certificate and its key, .pem or .pfx (.p12).
        authority: the sign-in service, for national clouds.

    Raises:
        PreferencesError: with every problem, each named "mail_server.oauth.microsoft_app...".
    """

    tenant: str
    client_id: str
    secret: Secret | None = attrs.field(default=None, repr=shown_secret, hash=False)
    certificate: Path | None = None
    authority: str = AUTHORITY

    def __init__(
        self,
        *,
        tenant: str,
        client_id: str,
        secret: Secret | None = None,
        certificate: Path | str | None = None,
        authority: str = AUTHORITY,
    ) -> None:
        # A bare text is gone before anything is raised: no traceback with local variables prints it.
        secret = cast("Secret | None", unless_bare(secret))
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - attrs' own
            tenant=tenant,
            client_id=client_id,
            secret=secret,
            certificate=settings.path_of(certificate),
            authority=settings.without_slash(authority),
        )

    def __attrs_post_init__(self) -> None:
        certificate = self.certificate
        settings.raise_if_any(
            (
                *settings.tenant(f"{_APP}.tenant", self.tenant),
                *settings.client_id(f"{_APP}.client_id", self.client_id),
                *settings.secret(f"{_APP}.secret", self.secret),
                *(
                    ()
                    if certificate is None
                    else settings.path(f"{_APP}.certificate", certificate, "the name of a .pem or .pfx file")
                ),
                *settings.endpoint(f"{_APP}.authority", self.authority),
            )
        )

    def __call__(self) -> str:
        """A token that is good now.

        Raises:
            TokenError: there is none; says what an administrator has to do.
        """
        return MEMORY.token(self, lambda: outcome_of(self._fetch, _NAME))

    def refused(self) -> None:
        """The mail server did not take the token: the next call fetches another."""
        MEMORY.refused(self)

    def of(self, mailbox: str) -> MicrosoftApp:
        """This source: one token serves every mailbox."""
        del mailbox
        return self

    def login_advice(self, reply: Reply) -> str:
        """What to do when Exchange Online refused a good token; "" for the general sentence."""
        from vetmail_core.tokens.entra import app_login_advice  # noqa: PLC0415 - only after a refusal

        return app_login_advice(reply)

    @property
    def endpoint_host(self) -> str:
        """The server that gives the tokens."""
        return settings.host_of(self.authority)

    @property
    def seconds_left(self) -> float:
        """How long the token that is held will be used; 0 when none is."""
        return MEMORY.seconds_left(self)

    def _fetch(self) -> Token:
        msal = _msal()
        app = msal.ConfidentialClientApplication(
            self.client_id,
            authority=f"{self.authority}/{self.tenant}",
            client_credential=self._credential(),
            http_client=_endpoint(self.authority),
            instance_discovery=False,
        )
        return token_of(app.acquire_token_for_client([APP_SCOPE]), _NAME)

    def _credential(self) -> object:
        secret = None if self.secret is None else HiddenText(self.secret.reveal())
        if self.certificate is not None:
            from vetmail_core.tokens.certificate import read_certificate  # noqa: PLC0415 - loads cryptography

            return read_certificate(self.certificate, secret)
        if secret is None:
            raise TokenError(
                "The application has neither a client secret nor a certificate to show to Microsoft.",
                advice="Enter the Value of a client secret, or the file of a certificate, under Email "
                "preferences > "
                "Mail server.",
            )
        return secret


@attrs.frozen(kw_only=True)
class MicrosoftSignIn:
    """A person who signs in once with a code, and sends as themselves (device code).

    Needs the extra ``vetmail_core[microsoft]``; the application's registration must allow public client
    flows.

    Args:
        tenant: the Directory (tenant) ID, or a domain name of the organisation.
        client_id: the Application (client) ID.
        mailbox: whose sign-in it is; "" where the login tells (staff logins).
        cache: where sign-ins are kept.
        authority: the sign-in service, for national clouds.

    Raises:
        PreferencesError: with every problem, each named "mail_server.oauth.microsoft_sign_in...".
    """

    tenant: str
    client_id: str
    mailbox: str = attrs.field(default="", converter=settings.mailbox_text)
    cache: TokenCache = attrs.field(factory=FileTokens)
    authority: str = attrs.field(default=AUTHORITY, converter=settings.without_slash)

    def __attrs_post_init__(self) -> None:
        settings.raise_if_any(
            (
                *settings.tenant(f"{_SIGN_IN}.tenant", self.tenant, of_staff=True),
                *settings.client_id(f"{_SIGN_IN}.client_id", self.client_id),
                *settings.mailbox(f"{_SIGN_IN}.mailbox", self.mailbox),
                *_cache_rule(self.cache),
                *settings.endpoint(f"{_SIGN_IN}.authority", self.authority),
            )
        )

    def __call__(self) -> str:
        """A token that is good now.

        Raises:
            TokenError: nobody has signed in for this mailbox, or the sign-in has ended.
        """
        self._need_mailbox()
        return MEMORY.token(self, lambda: outcome_of(self._renew, _NAME))

    def refused(self) -> None:
        """The mail server did not take the token: the next call fetches another."""
        MEMORY.refused(self)

    def of(self, mailbox: str | Mailbox) -> MicrosoftSignIn:
        """The sign-in of a mailbox; this one where it is of a mailbox already.

        Raises:
            PreferencesError: this is not the address of a mailbox.
        """
        return self if self.mailbox else attrs.evolve(self, mailbox=mailbox)

    def login_advice(self, reply: Reply) -> str:
        """What to do when Exchange Online refused a good token; "" for the general sentence."""
        from vetmail_core.tokens.entra import sign_in_login_advice  # noqa: PLC0415 - only after a refusal

        return sign_in_login_advice(reply)

    @property
    def signed_in(self) -> bool:
        """Whether a sign-in is kept for this mailbox. Reads the cache and asks nobody.

        Raises:
            TokenError: there is no mailbox, or the cache cannot be read.
        """
        self._need_mailbox()
        return bool(self.cache.read(self._entry))

    @property
    def endpoint_host(self) -> str:
        """The server that gives the tokens."""
        return settings.host_of(self.authority)

    @property
    def seconds_left(self) -> float:
        """How long the token that is held will be used; 0 when none is."""
        return MEMORY.seconds_left(self)

    def sign_in(self, show: Callable[[str], None], *, clock: Clock | None = None) -> None:
        """Let the person sign in with a code, in any browser on any computer; wait until it is done.

        Args:
            show: gets one text with the page and the code; and another afterwards where somebody of another
            name
                has signed in.
            clock: what to wait with.

        Raises:
            TokenError: declined, out of time, or nothing can be kept. Nothing is kept then.
        """
        self._need_mailbox()
        clock = SystemClock() if clock is None else clock
        # Whoever has typed a code should not hear then that it cannot be kept.
        with self.cache.hold(self._entry):
            self.cache.write(self._entry, self.cache.read(self._entry))
        kept = _unless_failed(outcome_of(lambda: self._wait_for(show, clock), _NAME))
        with self.cache.hold(self._entry):
            self.cache.write(self._entry, kept.text)
        MEMORY.forget(self)
        if kept.who and not settings.same_mailbox(kept.who, self.mailbox):
            show(f"{kept.who} has signed in for {self.mailbox}.")

    @property
    def _entry(self) -> str:
        parts = (self.authority, self.tenant, self.client_id, self.mailbox)
        return " ".join(part.casefold() for part in parts)

    def _need_mailbox(self) -> None:
        if not self.mailbox:
            raise TokenError(
                "The sign-in needs a mailbox, and none is named.",
                advice="Name the mailbox of the sign-in, or use .of(mailbox).",
            )

    def _app(self) -> _PublicApp:
        return _msal().PublicClientApplication(
            self.client_id,
            authority=f"{self.authority}/{self.tenant}",
            http_client=_endpoint(self.authority),
            instance_discovery=False,
        )

    def _wait_for(self, show: Callable[[str], None], clock: Clock) -> _Kept:
        from vetmail_core.tokens.entra import NOT_FINISHED  # noqa: PLC0415 - late, as all of Microsoft's sentences

        app = self._app()
        flow = app.initiate_device_flow(scopes=[SIGN_IN_SCOPE])
        page, code = flow.get("verification_uri"), flow.get("user_code")
        if not isinstance(page, str) or not isinstance(code, str):
            raise broken_answer(_NAME)
        give_up = clock.monotonic() + seconds_of(flow.get("expires_in"), 900.0)
        pause = seconds_of(flow.get("interval"), 5.0)
        show(f"To sign in {self.mailbox}, open {page} in a browser and enter the code {code}")
        while True:
            clock.sleep(pause)
            flow.pop("latest_attempt_at", None)  # msal's own count of the pauses, by the wall clock
            try:
                answer = app.acquire_token_by_device_flow(flow, exit_condition=lambda _flow: True)
            except TokenError as error:
                if not error.transient:
                    raise
                answer = {"error": "authorization_pending"}  # the person may finish while the line is down
            word = answer.get("error")
            if word not in _PENDING:
                return _kept(answer)
            if word == "slow_down":
                pause += _SLOW_DOWN_SECONDS
            if clock.monotonic() + pause > give_up:
                what, advice = NOT_FINISHED
                raise TokenError(what, advice=advice)

    def _renew(self) -> Token:
        with self.cache.hold(self._entry):
            text = self.cache.read(self._entry)
            kept = None if text is None else _read_kept(text)
            if kept is None:
                raise TokenError(
                    f"Nobody has signed in for {self.mailbox}.",
                    advice="Run: vetmail sign-in, as the account that sends the mail, and sign in as "
                    f"{self.mailbox}.",
                )
            # The refresh token may be good for one use only: better not asked than used up and not kept.
            self.cache.write(self._entry, text)
            answer = self._app().acquire_token_by_refresh_token(kept.refresh_token, scopes=[SIGN_IN_SCOPE])
            token = token_of(answer, _NAME)
            fresh = answer.get("refresh_token")
            if isinstance(fresh, str) and fresh and fresh != kept.refresh_token:
                self.cache.write(self._entry, attrs.evolve(kept, refresh_token=HiddenText(fresh)).text)
        return token


@attrs.frozen
class _Kept:
    """What is kept of a sign-in."""

    refresh_token: HiddenText
    who: str = ""

    @property
    def text(self) -> HiddenText:
        import json  # noqa: PLC0415 - preferences, which hold a source, are loaded without it

        return HiddenText(json.dumps({"refresh_token": self.refresh_token, "signed_in_as": self.who}))


def _kept(answer: Mapping[str, object]) -> _Kept:
    token_of(answer, _NAME)
    refresh = answer.get("refresh_token")
    if not isinstance(refresh, str) or not refresh:
        raise TokenError(
            "Microsoft gave nothing that keeps the person signed in.",
            advice="Add the delegated permissions SMTP.Send and offline_access: entra.microsoft.com > "
            "App registrations "
            "> the application > API permissions.",
        )
    claims = answer.get("id_token_claims")
    who: object = (
        cast("Mapping[str, object]", claims).get("preferred_username", "") if isinstance(claims, dict) else ""
    )
    return _Kept(HiddenText(refresh), who if isinstance(who, str) else "")


def _read_kept(text: str) -> _Kept | None:
    import json  # noqa: PLC0415 - as above

    try:
        facts: object = json.loads(text)
    except ValueError:
        facts = None
    if isinstance(facts, dict):
        known = cast("Mapping[str, object]", facts)
        refresh, who = known.get("refresh_token"), known.get("signed_in_as", "")
        if isinstance(refresh, str) and refresh:
            return _Kept(HiddenText(refresh), who if isinstance(who, str) else "")
    return None


def _unless_failed(outcome: _Kept | TokenError) -> _Kept:
    if isinstance(outcome, TokenError):
        raise outcome
    return outcome


def _cache_rule(cache: object) -> tuple[Problem, ...]:
    if isinstance(cache, TokenCache):
        return ()
    return (
        settings.wrong(
            f"{_SIGN_IN}.cache",
            f"This needs a place where sign-ins are kept, got {type(cache).__name__}.",
            "Use FileTokens(path), KeyringTokens(service), or a class with read, write and hold.",
        ),
    )


def _endpoint(authority: str) -> Endpoint:
    from vetmail_core.tokens.asking import Endpoint  # noqa: PLC0415 - loads ssl and http, for a fetch alone
    from vetmail_core.tokens.entra import judge  # noqa: PLC0415 - as above

    return Endpoint(authority, name=_NAME, judge=judge, waits=_PENDING)


class _ConfidentialApp(Protocol):
    def acquire_token_for_client(self, scopes: list[str]) -> Mapping[str, object]: ...


class _PublicApp(Protocol):
    def initiate_device_flow(self, *, scopes: list[str]) -> dict[str, object]: ...
    def acquire_token_by_device_flow(
        self, flow: dict[str, object], *, exit_condition: Callable[[object], bool]
    ) -> Mapping[str, object]: ...
    def acquire_token_by_refresh_token(
        self, refresh_token: str, *, scopes: list[str]
    ) -> Mapping[str, object]: ...


class _Msal(Protocol):
    """What is used of msal, which is not typed."""

    def ConfidentialClientApplication(  # noqa: N802 - the package's name
        self, client_id: str, *, authority: str, client_credential: object, http_client: object,
        instance_discovery: bool,
    ) -> _ConfidentialApp: ...  # fmt: skip

    def PublicClientApplication(  # noqa: N802 - as above
        self, client_id: str, *, authority: str, http_client: object, instance_discovery: bool
    ) -> _PublicApp: ...


def _msal() -> _Msal:
    try:
        import msal  # noqa: PLC0415 - an extra, and 160 ms  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise TokenError(
            "Microsoft cannot be asked for a token because the package msal is not installed.",
            advice='Install it: pip install "vetmail_core[microsoft]".',
        ) from None
    return cast("_Msal", msal)
