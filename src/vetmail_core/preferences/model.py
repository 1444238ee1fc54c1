"""The organisation's e-mail preferences: the three tabs of VETtrak's screen as values.

Each setting has one name, with VETtrak's choices and defaults. All invalid values are named at once.
Switching something off hides settings and never loses them.

Source of labels, choices and effects:
https://help-vettrak.readytech.io/support/solutions/articles/51000288226-email-preferences
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar, cast

import attrs

from vetmail_core._arguments import naming_the_nearest
from vetmail_core.address import Mailbox, parse_mailbox
from vetmail_core.contexts import EmailContext, RecipientType, find_context
from vetmail_core.credentials import Secret, UnwrappedSecret, shown_secret, unless_bare
from vetmail_core.errors import AddressError
from vetmail_core.preferences import rules
from vetmail_core.preferences.host_names import ascii_host, spoken_name
from vetmail_core.preferences.oauth import OAuthSource, field_names, kind_of, shown_source, source_rule

__all__ = [
    "PORTS",
    "SETTING_NAMES",
    "WAITS_MS",
    "AuthenticationType",
    "BulkCopies",
    "EmailPreferences",
    "MailServer",
    "Settings",
    "StaffDisplayName",
    "TlsMethod",
]

PORTS: Final = (1, 65_535)
"""The least and the most of an email port."""
WAITS_MS: Final = (0, 86_400_000)
"""The least and the most of a wait between emails: none, and a day."""


class TlsMethod(enum.Enum):
    """**SSL/TLS connection method**: how the connection to the mail server is made private."""

    NONE = "none"
    EXPLICIT = "explicit"
    """STARTTLS, usual on port 587. Required once chosen, it never falls back to a connection in clear."""
    IMPLICIT = "implicit"
    """TLS from the first byte, usual on port 465. Not recommended, as the Trainer Portal cannot do it."""


class AuthenticationType(enum.Enum):
    """**Authentication type**: how the mail server learns who is sending."""

    NONE = "none"
    PASSWORD = "password"  # noqa: S105 - the name of a choice, not a password
    OAUTH2 = "oauth2"


class BulkCopies(enum.Enum):
    """**For bulk email, send legacy CC/BCC for**: which emails of a batch carry the typed copies."""

    FIRST_RECIPIENT = "first_recipient"
    EVERY_RECIPIENT = "every_recipient"


class StaffDisplayName(enum.Enum):
    """**Display name in "from" address when sending email from staff member**."""

    STAFF_NAME = "staff_name"
    CUSTOM = "custom"


def _mailbox(value: Mailbox | str | None) -> Mailbox | None:
    """Parse a text; what cannot be parsed stays as it is, to be named beside all other problems."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return parse_mailbox(value)
    except AddressError:
        return cast("Mailbox", value)


@naming_the_nearest(security="tls", encryption="tls", server="host")
@attrs.frozen(kw_only=True, init=False)
class MailServer:
    """The **Mail server** tab.

    Args:
        host: **Mail server address (SMTP)**, a host name or an IP address; "" while there is none.
        port: **Email port**, 1 to 65535.
        tls: **SSL/TLS connection method**.
        authentication: **Authentication type**.
        use_staff_logins: **Use individual staff member email logins**: each sender's own login instead
            of the one below.
        username: **Email login username**; at most providers a whole address.
        password: **Email login password**; a ``Secret``, never a bare text.
        wait_between_emails_ms: **Wait time between emails**, milliseconds, 0 to 86,400,000 (a day).
        ehlo_name: the name that this computer gives to the server (RFC 5321 section 4.1.1.1): a domain name
            or an address literal such as "[192.0.2.7]". "" gives the address of the connection.
        oauth: where access tokens come from when **Authentication type** is OAuth: ``MicrosoftApp``,
            ``MicrosoftSignIn``, ``GoogleServiceAccount``, or a host's own source, which has no written form.

    Raises:
        PreferencesError: with every problem, each named "mail_server...".
    """

    host: str = ""
    port: int = 25
    tls: TlsMethod = TlsMethod.NONE
    authentication: AuthenticationType = AuthenticationType.NONE
    use_staff_logins: bool = False
    username: str = ""
    password: Secret | None = attrs.field(default=None, repr=shown_secret)
    wait_between_emails_ms: int = 0
    ehlo_name: str = ""
    oauth: OAuthSource | None = attrs.field(default=None, repr=shown_source)

    def __init__(
        self,
        *,
        host: str = "",
        port: int = 25,
        tls: TlsMethod = TlsMethod.NONE,
        authentication: AuthenticationType = AuthenticationType.NONE,
        use_staff_logins: bool = False,
        username: str = "",
        password: Secret | None = None,
        wait_between_emails_ms: int = 0,
        ehlo_name: str = "",
        oauth: OAuthSource | None = None,
    ) -> None:
        # Written out for this one line: a bare text is gone before anything is raised, so that a traceback
        # that prints local variables does not print a password.
        password = cast("Secret | None", unless_bare(password))  # anything else is refused below
        if oauth is not None and not callable(oauth):
            oauth = cast("OAuthSource", UnwrappedSecret(type(oauth).__name__))
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - attrs' own
            host=host,
            port=port,
            tls=tls,
            authentication=authentication,
            use_staff_logins=use_staff_logins,
            username=username,
            password=password,
            wait_between_emails_ms=wait_between_emails_ms,
            ehlo_name=ehlo_name,
            oauth=oauth,
        )

    def __attrs_post_init__(self) -> None:
        rules.raise_if_any(
            (
                *rules.host("mail_server.host", self.host),
                *rules.whole_number("mail_server.port", self.port, PORTS),
                *rules.one_of("mail_server.tls", self.tls, TlsMethod),
                *rules.one_of("mail_server.authentication", self.authentication, AuthenticationType),
                *rules.switch("mail_server.use_staff_logins", self.use_staff_logins),
                *rules.one_line("mail_server.username", self.username),
                *rules.secret("mail_server.password", self.password),
                *rules.whole_number(
                    "mail_server.wait_between_emails_ms",
                    self.wait_between_emails_ms,
                    WAITS_MS,
                    unit=" of milliseconds",
                ),
                *rules.ehlo_name("mail_server.ehlo_name", self.ehlo_name),
                *source_rule(self.oauth),
            )
        )

    @property
    def wire_host(self) -> str:
        """The host as it is looked up, sent in TLS (SNI) and compared with the certificate.

        ``host`` in lower case ASCII without a final dot (UTS 46, IDNA 2008); an IP address in its short
        spelling; "" while there is no host.
        """
        return (ascii_host(self.host) or "") if self.host else ""

    @property
    def wire_ehlo_name(self) -> str:
        """``ehlo_name`` as EHLO says it, in ASCII; "" for the address of the connection."""
        return spoken_name(self.ehlo_name) or ""


@naming_the_nearest()
@attrs.frozen(kw_only=True)
class Settings:
    """The **Settings** tab.

    Args:
        default_from: **Default from address**: a mailbox, or a text such as ``"Alias Name"
            <user@example.com>``. None or "" when there is none.
        default_reply_to: **Default reply-to address**, likewise; none lets replies return to the sender.
        bulk_copies: **For bulk email, send legacy CC/BCC for**.
        address_separator: **Email address separator**, ";" or ","; applies in mail programs too.
        staff_display_name: **Display name in "from" address when sending email from staff member**.
        custom_display_name: the name shown when ``staff_display_name`` is CUSTOM.

    Raises:
        PreferencesError: with every problem, each named "settings...".
    """

    default_from: Mailbox | None = attrs.field(default=None, converter=_mailbox)
    default_reply_to: Mailbox | None = attrs.field(default=None, converter=_mailbox)
    bulk_copies: BulkCopies = BulkCopies.FIRST_RECIPIENT
    address_separator: str = ";"
    staff_display_name: StaffDisplayName = StaffDisplayName.STAFF_NAME
    custom_display_name: str = ""

    def __attrs_post_init__(self) -> None:
        rules.raise_if_any(
            (
                *rules.mailbox("settings.default_from", self.default_from),
                *rules.mailbox("settings.default_reply_to", self.default_reply_to),
                *rules.one_of("settings.bulk_copies", self.bulk_copies, BulkCopies),
                *rules.separator("settings.address_separator", self.address_separator),
                *rules.one_of("settings.staff_display_name", self.staff_display_name, StaffDisplayName),
                *rules.display_name(
                    "settings.custom_display_name",
                    self.custom_display_name,
                    needed=self.staff_display_name is StaffDisplayName.CUSTOM,
                ),
            )
        )


class _RecipientTypes(dict[str, RecipientType]):
    """Role -> recipient type, in which a role nobody decided on is NONE."""

    def __missing__(self, _role: str) -> RecipientType:
        return RecipientType.NONE


_Value = TypeVar("_Value")
_NO_RULES: Final[Mapping[str, Mapping[str, RecipientType]]] = MappingProxyType({})
_NOTHING_UNKNOWN: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType({})


def _frozen(mapping: Mapping[str, Mapping[str, _Value]]) -> Mapping[str, Mapping[str, _Value]]:
    """Copy both levels read-only; another value stays as it is, to be named with the other problems."""
    if not _is_mapping(mapping):
        return mapping
    return MappingProxyType(
        {
            key: MappingProxyType(dict(inner)) if _is_mapping(inner) else inner
            for key, inner in mapping.items()
        }
    )


def _frozen_rules(
    contexts: Mapping[str, Mapping[str, RecipientType]],
) -> Mapping[str, Mapping[str, RecipientType]]:
    return _frozen(contexts)


def _as_dicts(contexts: Mapping[str, Mapping[str, RecipientType]]) -> str:
    return repr(_thawed(contexts))


def _frozen_unknown(
    unknown: Mapping[str, Mapping[str, object]],
) -> Mapping[str, Mapping[str, object]]:
    return _frozen(unknown)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _thawed(mapping: Mapping[str, Mapping[str, _Value]]) -> dict[str, dict[str, _Value]]:
    return {key: dict(inner) for key, inner in mapping.items()}


@attrs.frozen(kw_only=True)
class EmailPreferences:
    """Everything the e-mail preferences screen holds. Change a value with ``attrs.evolve``.

    Args:
        use_built_in_client: **Use built-in VETtrak email client**. Off: mail goes through the computer's
            default mail program, and of all settings only the address separator applies.
        mail_server: the **Mail server** tab.
        settings: the **Settings** tab.
        contexts: the **Email Context** tab: context key -> role key -> recipient type. Unknown keys are
            kept; "account" and "portal_notification" are private and never copied.
        revision: which content of the file this value was loaded from; "" when from none. Not part of
            equality; set by ``load_preferences``.
        unknown: what a file held beyond the settings known here, to be written back: tab ("" for none) ->
            key -> value. Not part of equality; set by ``preferences_from_dict``.

    Raises:
        PreferencesError: with every problem, each under its dotted setting name.
    """

    use_built_in_client: bool = False
    mail_server: MailServer = attrs.field(factory=MailServer)
    settings: Settings = attrs.field(factory=Settings)
    contexts: Mapping[str, Mapping[str, RecipientType]] = attrs.field(
        default=_NO_RULES, converter=_frozen_rules, hash=False, repr=_as_dicts
    )
    revision: str = attrs.field(default="", eq=False, repr=False)
    unknown: Mapping[str, Mapping[str, object]] = attrs.field(
        default=_NOTHING_UNKNOWN, converter=_frozen_unknown, eq=False, repr=False
    )

    def __attrs_post_init__(self) -> None:
        rules.raise_if_any(
            (
                *rules.switch("use_built_in_client", self.use_built_in_client),
                *rules.tab("mail_server", self.mail_server, MailServer),
                *rules.tab("settings", self.settings, Settings),
                *rules.context_rules("contexts", self.contexts),
                *rules.one_line("revision", self.revision),
                *rules.kept("unknown", self.unknown),
            )
        )

    def recipient_types(self, context: EmailContext | str) -> Mapping[str, RecipientType]:
        """Who is written to and copied in a context.

        Args:
            context: a context's key, or a host's own context; a key that is not in the catalogue is fine.

        Returns:
            Role -> recipient type. The context's own roles are TO; over them come its defaults, and over
            those these preferences. A role that none of them names reads as NONE.
        """
        types = _RecipientTypes()
        known = find_context(context)
        if known is not None:
            types.update(dict.fromkeys(known.to_roles, RecipientType.TO))
            types.update(known.defaults)
        types.update(self.contexts.get(context.key if isinstance(context, EmailContext) else context, {}))
        return MappingProxyType(types)

    def applies(self, setting: str) -> bool:
        """Whether a setting has an effect as things stand; a settings screen greys out the others.

        Args:
            setting: dotted name, "mail_server.port"; a rule's name, "contexts.client.guardian", is fine.

        Raises:
            PreferencesError: there is no setting of that name.
        """
        name = "contexts" if setting.startswith("contexts.") else setting
        if name not in SETTING_NAMES:
            raise rules.no_such_setting(setting, SETTING_NAMES)
        if not self.use_built_in_client:
            return name in {"use_built_in_client", "settings.address_separator"}
        server, authentication = self.mail_server, self.mail_server.authentication
        match name:
            case "mail_server.username":
                return authentication is not AuthenticationType.NONE and not server.use_staff_logins
            case "mail_server.password":
                return authentication is AuthenticationType.PASSWORD and not server.use_staff_logins
            case "mail_server.oauth":
                return authentication is AuthenticationType.OAUTH2
            case _ if name.startswith("mail_server.oauth."):
                chosen = name.startswith(f"mail_server.oauth.{kind_of(server.oauth)}.")
                return authentication is AuthenticationType.OAUTH2 and chosen
            case "settings.custom_display_name":
                return self.settings.staff_display_name is StaffDisplayName.CUSTOM
            case _:
                return True

    def applicable_settings(self) -> tuple[str, ...]:
        """The dotted names of all settings that apply, in the order of the screen."""
        return tuple(name for name in SETTING_NAMES if self.applies(name))

    def __reduce__(self) -> tuple[functools.partial[EmailPreferences], tuple[()]]:
        # A read-only mapping cannot be pickled or deep-copied, so plain ones travel and are wrapped again.
        plain = functools.partial(
            EmailPreferences,
            use_built_in_client=self.use_built_in_client,
            mail_server=self.mail_server,
            settings=self.settings,
            contexts=_thawed(self.contexts),
            revision=self.revision,
            unknown=_thawed(self.unknown),
        )
        return plain, ()


SETTING_NAMES: Final = (
    "use_built_in_client",
    *(f"mail_server.{field.name}" for field in attrs.fields(MailServer)),
    *field_names(),
    *(f"settings.{field.name}" for field in attrs.fields(Settings)),
    "contexts",
)
"""Every setting's dotted name, in the order of the screen."""
