"""What a settings screen needs to know of every control: label, help, choices, default, when it applies.

The Email Context tab has a control for each role of each context. A private context has none, as its mail is
never copied; a context or role that only the preferences know has one when they are given.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeGuard

import attrs

from vetmail_core.contexts import ROLE_LABELS, STANDARD_CONTEXTS, EmailContext, RecipientType
from vetmail_core.errors import wrong_type
from vetmail_core.preferences.model import (
    PORTS,
    WAITS_MS,
    AuthenticationType,
    BulkCopies,
    EmailPreferences,
    StaffDisplayName,
    TlsMethod,
)
from vetmail_core.preferences.oauth import FIELDS, OAUTH
from vetmail_core.tokens.microsoft import AUTHORITY

__all__ = ["Choice", "SettingDescription", "SettingKind", "describe_preferences", "rules_shown"]


class SettingKind(enum.Enum):
    """Which control shows a setting."""

    SWITCH = "switch"
    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"
    SECRET = "secret"  # noqa: S105 - the name of a kind, not a secret
    MAILBOX = "mailbox"
    CONTEXTS = "contexts"
    """No setting has this kind now: each role of each context is a CHOICE of its own."""


@attrs.frozen
class Choice:
    """One of the values a setting may have.

    Attributes:
        value: as the model holds it: a member of an enumeration, or a text.
        label: what a person reads.
    """

    value: enum.Enum | str
    label: str


def _is_mapping(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)


def _plain(value: object) -> object:
    return dict(value) if _is_mapping(value) else value


def _read_only(value: object) -> object:
    return MappingProxyType(dict(value)) if _is_mapping(value) else value


def _shown(value: object) -> str:
    return repr(_plain(value))


@attrs.frozen(kw_only=True)
class SettingDescription:
    """One setting, as a screen shows it.

    Attributes:
        name: dotted name, "mail_server.port".
        tab: the tab it stands on; "" for the switch above the tabs.
        group: what it stands under on its tab: the context's label for a rule, "advanced" for what a screen
            keeps folded away, else "".
        label: VETtrak's label.
        help: what it does, in a sentence or two.
        kind: which control fits.
        choices: the values to choose from; empty when it is not a choice.
        bounds: the least and the most of a number; None when it is not a number.
        default: the model's default.
        applies: in words, when it has an effect; ``EmailPreferences.applies(name)`` decides.
    """

    name: str
    tab: str
    label: str
    help: str
    kind: SettingKind
    choices: tuple[Choice, ...] = ()
    bounds: tuple[int, int] | None = None
    default: object = attrs.field(hash=False, converter=_read_only, repr=_shown)
    applies: str
    group: str = ""

    def __reduce__(self) -> tuple[functools.partial[SettingDescription], tuple[()]]:
        # A read-only mapping cannot be pickled or deep-copied, so a plain one travels and is wrapped again.
        given = {field.name: getattr(self, field.name) for field in attrs.fields(SettingDescription)}
        return functools.partial(SettingDescription, **given | {"default": _plain(self.default)}), ()


_DEFAULTS: Final = EmailPreferences()
_BUILT_IN: Final = "The built-in VETtrak email client is on."
_SERVER: Final = "Mail server"
_SETTINGS: Final = "Settings"
_ADVANCED: Final = "advanced"

_SOURCES: Final = {
    "microsoft_app": "Microsoft 365: mail by the system",
    "microsoft_sign_in": "Microsoft 365: each person signs in",
    "google_service_account": "Google Workspace: service account",
}
_OWNERS: Final = {
    "microsoft_app": "Microsoft 365 application",
    "microsoft_sign_in": "Microsoft 365 sign-in",
    "google_service_account": "Google Workspace",
}
_FIELDS: Final = {
    "tenant": (
        "Directory (tenant) ID",
        (
            "From the Overview page of the app registration in entra.microsoft.com, or a domain name of the "
            "organisation."
        ),
    ),
    "client_id": ("Application (client) ID", "From the Overview page of the app registration."),
    "secret": (
        "Client secret",
        (
            "The Value of the client secret, not its Secret ID; with a certificate, the passphrase of its "
            "key. Never shown "
            "again once it is entered."
        ),
    ),
    "certificate": (
        "Certificate file",
        "A .pem or .pfx file with the certificate and its key, where there is no client secret.",
    ),
    "mailbox": ("Mailbox", "Leave it empty unless it is another one than the Email login username."),
    "cache": (
        "Sign-ins kept in",
        (
            "The name of a file, or keyring:NAME for the computer's password store; empty is the account's "
            "own folder."
        ),
    ),
    "authority": ("Sign-in service", "Leave it as it is, but for national clouds."),
    "key": (
        "Key of the service account",
        "The name of the JSON key file, or the text in it on one line. Never shown again once it is entered.",
    ),
}


def _source_fields() -> Iterator[SettingDescription]:
    for source, fields in FIELDS.items():
        for field in fields:
            label, what = _FIELDS[field]
            yield SettingDescription(
                name=f"{OAUTH}.{source}.{field}",
                tab=_SERVER,
                label=f"{_OWNERS[source]}: {label}",
                help=f"{_SOURCES[source]}. {what}",
                kind=SettingKind.SECRET if field in {"secret", "key"} else SettingKind.TEXT,
                default=AUTHORITY if field == "authority" else None if field in {"secret", "key"} else "",
                applies=f"Access tokens come from {_SOURCES[source]}.",
                group=_ADVANCED,
            )


_DESCRIPTIONS: Final = (
    SettingDescription(
        name="use_built_in_client",
        tab="",
        label="Use built-in VETtrak email client",
        help="On: mail leaves through the mail server below. Off: it is handed to this computer's default "
        "mail program, such as Outlook, and that program's own server settings count.",
        kind=SettingKind.SWITCH,
        default=_DEFAULTS.use_built_in_client,
        applies="Always.",
    ),
    SettingDescription(
        name="mail_server.host",
        tab=_SERVER,
        label="Mail server address (SMTP)",
        help="The server that takes outgoing mail, such as smtp.office365.com.",
        kind=SettingKind.TEXT,
        default=_DEFAULTS.mail_server.host,
        applies=_BUILT_IN,
    ),
    SettingDescription(
        name="mail_server.port",
        tab=_SERVER,
        label="Email port",
        help="587 for Explicit, 465 for Implicit, 25 for a server in your own network.",
        kind=SettingKind.NUMBER,
        bounds=PORTS,
        default=_DEFAULTS.mail_server.port,
        applies=_BUILT_IN,
    ),
    SettingDescription(
        name="mail_server.tls",
        tab=_SERVER,
        label="SSL/TLS connection method",
        help="How the connection is protected. Explicit is right for nearly every provider.",
        kind=SettingKind.CHOICE,
        choices=(
            Choice(TlsMethod.NONE, "None"),
            Choice(TlsMethod.EXPLICIT, "Explicit"),
            Choice(TlsMethod.IMPLICIT, "Implicit (not recommended)"),
        ),
        default=_DEFAULTS.mail_server.tls,
        applies=_BUILT_IN,
    ),
    SettingDescription(
        name="mail_server.authentication",
        tab=_SERVER,
        label="Authentication type",
        help="How the mail server learns who is sending. Microsoft 365 needs OAuth.",
        kind=SettingKind.CHOICE,
        choices=(
            Choice(AuthenticationType.NONE, "None"),
            Choice(AuthenticationType.PASSWORD, "User/Password"),
            Choice(AuthenticationType.OAUTH2, "OAuth"),
        ),
        default=_DEFAULTS.mail_server.authentication,
        applies=_BUILT_IN,
    ),
    SettingDescription(
        name="mail_server.use_staff_logins",
        tab=_SERVER,
        label="Use individual staff member email logins",
        help="Each staff member sends with the Email Username and Password of their own staff record, and "
        "from their own address.",
        kind=SettingKind.SWITCH,
        default=_DEFAULTS.mail_server.use_staff_logins,
        applies=_BUILT_IN,
    ),
    SettingDescription(
        name="mail_server.username",
        tab=_SERVER,
        label="Email login username",
        help="At most providers the whole e-mail address.",
        kind=SettingKind.TEXT,
        default=_DEFAULTS.mail_server.username,
        applies="The authentication type is not None, and individual logins are off.",
    ),
    SettingDescription(
        name="mail_server.password",
        tab=_SERVER,
        label="Email login password",
        help="Never shown again once it is entered. Gmail wants an app password.",
        kind=SettingKind.SECRET,
        default=_DEFAULTS.mail_server.password,
        applies="The authentication type is User/Password, and individual logins are off.",
    ),
    SettingDescription(
        name="mail_server.wait_between_emails_ms",
        tab=_SERVER,
        label="Wait time between emails",
        help="In milliseconds. Microsoft 365 takes 30 emails a minute, so 2000 suits it.",
        kind=SettingKind.NUMBER,
        bounds=WAITS_MS,
        default=_DEFAULTS.mail_server.wait_between_emails_ms,
        applies=_BUILT_IN,
    ),
    SettingDescription(
        name="mail_server.ehlo_name",
        tab=_SERVER,
        label="EHLO name",
        help="The name that this computer gives to the mail server, such as mail.example.com. Leave it empty "
        "unless the server refuses mail because of it.",
        kind=SettingKind.TEXT,
        default=_DEFAULTS.mail_server.ehlo_name,
        applies=_BUILT_IN,
        group=_ADVANCED,
    ),
    SettingDescription(
        name=OAUTH,
        tab=_SERVER,
        label="Access tokens from",
        help="Where the access token comes from that stands in for a password.",
        kind=SettingKind.CHOICE,
        choices=(Choice("", "Nowhere"), *(Choice(kind, label) for kind, label in _SOURCES.items())),
        default="",
        applies="The authentication type is OAuth.",
        group=_ADVANCED,
    ),
    *_source_fields(),
    SettingDescription(
        name="settings.default_from",
        tab=_SETTINGS,
        label="Default from address",
        help='An address, or "Alias Name" <user@example.com> to show a name. Leave it empty when staff '
        "use individual logins.",
        kind=SettingKind.MAILBOX,
        default=_DEFAULTS.settings.default_from,
        applies=_BUILT_IN,
    ),
    SettingDescription(
        name="settings.default_reply_to",
        tab=_SETTINGS,
        label="Default reply-to address",
        help="All replies go here. Leave it empty if they should return to whoever sent the mail.",
        kind=SettingKind.MAILBOX,
        default=_DEFAULTS.settings.default_reply_to,
        applies=_BUILT_IN,
    ),
    SettingDescription(
        name="settings.bulk_copies",
        tab=_SETTINGS,
        label="For bulk email, send legacy CC/BCC for",
        help="Only the first recipient sends one copy. Every recipient sends one copy for each student: "
        "ten students, ten copies.",
        kind=SettingKind.CHOICE,
        choices=(
            Choice(BulkCopies.FIRST_RECIPIENT, "Only the first recipient"),
            Choice(BulkCopies.EVERY_RECIPIENT, "Every recipient"),
        ),
        default=_DEFAULTS.settings.bulk_copies,
        applies=_BUILT_IN,
    ),
    SettingDescription(
        name="settings.address_separator",
        tab=_SETTINGS,
        label="Email address separator",
        help="Stands between several addresses. Some mail programs want a comma.",
        kind=SettingKind.CHOICE,
        choices=(Choice(";", "Semicolon ( ; )"), Choice(",", "Comma ( , )")),
        default=_DEFAULTS.settings.address_separator,
        applies="Always.",
    ),
    SettingDescription(
        name="settings.staff_display_name",
        tab=_SETTINGS,
        label='Display name in "from" address when sending email from staff member',
        help="The name that recipients see.",
        kind=SettingKind.CHOICE,
        choices=(
            Choice(StaffDisplayName.STAFF_NAME, "Staff member's name"),
            Choice(StaffDisplayName.CUSTOM, "Own display name"),
        ),
        default=_DEFAULTS.settings.staff_display_name,
        applies=_BUILT_IN,
    ),
    SettingDescription(
        name="settings.custom_display_name",
        tab=_SETTINGS,
        label="Own display name",
        help="Such as the organisation's name.",
        kind=SettingKind.TEXT,
        default=_DEFAULTS.settings.custom_display_name,
        applies="The display name is set to Own display name.",
    ),
)

_RECIPIENT_TYPES: Final = (
    Choice(RecipientType.TO, "To"),
    Choice(RecipientType.CC, "CC"),
    Choice(RecipientType.BCC, "BCC"),
    Choice(RecipientType.NONE, "None"),
)


def rules_shown(
    contexts: Iterable[EmailContext], current: EmailPreferences | None
) -> Iterator[tuple[str, EmailContext | None, tuple[str, ...]]]:
    """Which roles of which contexts have a control, in the order of the screen.

    Args:
        contexts: a host's own.
        current: preferences whose rules are shown too, whatever context and role they are for.

    Yields:
        A context's key, the context (None when only the preferences know it), and its roles.

    Raises:
        TypeError: one of the contexts is not an `EmailContext`.
    """
    own: dict[str, EmailContext] = {}
    for context in contexts:
        if not isinstance(context, EmailContext):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise wrong_type(
                "contexts=",
                "EmailContext values",
                context,
                'Write contexts=[EmailContext("open_day", "Open Day", to_roles="client")].',
            )
        own[context.key] = context
    rules: Mapping[str, Mapping[str, RecipientType]] = {} if current is None else current.contexts
    known = {**STANDARD_CONTEXTS, **own}
    for key in dict.fromkeys((*known, *rules)):
        found = known.get(key)
        if found is None:
            yield key, None, tuple(rules[key])
        elif not found.private:
            yield key, found, tuple(dict.fromkeys((*found.to_roles, *found.roles, *rules.get(key, ()))))


def _rules(
    contexts: Iterable[EmailContext], current: EmailPreferences | None
) -> Iterator[SettingDescription]:
    for key, context, roles in rules_shown(contexts, current):
        label = key if context is None else context.label
        defaults = _DEFAULTS.recipient_types(key if context is None else context)
        for role in roles:
            who = ROLE_LABELS.get(role, role)
            yield SettingDescription(
                name=f"contexts.{key}.{role}",
                tab="Email Context",
                group=label,
                label=who,
                help=f'Where {who} stands in email from "{label}": To, CC, BCC or not at all.',
                kind=SettingKind.CHOICE,
                choices=_RECIPIENT_TYPES,
                default=defaults[role],
                applies=_BUILT_IN,
            )


_STANDARD_RULES: Final = tuple(_rules((), None))


def describe_preferences(
    *, contexts: Iterable[EmailContext] = (), current: EmailPreferences | None = None
) -> tuple[SettingDescription, ...]:
    """Describe every control of a settings screen, in the order of VETtrak's screen.

    Args:
        contexts: a host's own contexts, to be shown beside the standard ones.
        current: preferences whose rules are described too where they are for a context or role that is
            not known here. With the same ``contexts``, ``form_values`` has one text for each description.

    Returns:
        One description for each control. The rules of the Email Context tab are named
        "contexts.CONTEXT.ROLE"; private contexts have none.

    Raises:
        TypeError: one of the contexts is not an `EmailContext`.
    """
    own = tuple(contexts)
    rules = _STANDARD_RULES if not own and current is None else tuple(_rules(own, current))
    return _DESCRIPTIONS + rules
