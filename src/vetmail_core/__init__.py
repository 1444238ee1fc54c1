"""E-mail under an organisation's preferences, for VETtrak, the Trainer Portal and their tests.

The way through the house, in the order in which a value walks it::

    preferences -> contexts -> recipients -> emails -> transport -> receipts

Everything before the transport is pure: no file, network, clock or environment is touched. The transport
answers for every recipient. Importing this package is cheap: a heavy module is loaded when one of its names
is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core._lazy import late

if TYPE_CHECKING:
    from vetmail_core.address import (
        CollectedMailboxes,
        Mailbox,
        collect_mailbox_list,
        format_mailbox_list,
        parse_mailbox,
        parse_mailbox_list,
        unique_mailboxes,
    )
    from vetmail_core.bounces import (
        Action,
        Bounce,
        BounceTaken,
        NeverReached,
        Notice,
        read_bounce,
    )
    from vetmail_core.bulk import (
        BulkPlan,
        PlanSummary,
        plan_bulk,
    )
    from vetmail_core.clock import (
        Clock,
        SystemClock,
    )
    from vetmail_core.contexts import (
        ROLE_LABELS,
        STANDARD_CONTEXTS,
        EmailContext,
        RecipientType,
    )
    from vetmail_core.credentials import (
        EnvironmentSecret,
        KeyringSecret,
        Login,
        PlainSecret,
        Secret,
    )
    from vetmail_core.errors import (
        AddressError,
        AddressErrorCode,
        AddressListError,
        DeliveryError,
        LedgerError,
        MergeError,
        MessageError,
        PreferencesError,
        Problem,
        RecipientsError,
        Severity,
        StalePreferencesError,
        TokenError,
        TransportError,
        VetmailError,
    )
    from vetmail_core.ledger import (
        Ledger,
        LedgerState,
        SqliteLedger,
        deliver_once,
    )
    from vetmail_core.mailer import (
        Mailer,
        Progress,
        RunInterrupted,
    )
    from vetmail_core.message import (
        Attachment,
        Content,
        Email,
    )
    from vetmail_core.people import (
        Person,
        Staff,
    )
    from vetmail_core.preferences import (
        PROVIDERS,
        AuthenticationType,
        BulkCopies,
        EmailPreferences,
        MailServer,
        Provider,
        SettingDescription,
        Settings,
        StaffDisplayName,
        TlsMethod,
        check_preferences,
        default_preferences_path,
        describe_preferences,
        form_values,
        load_preferences,
        preferences_from_dict,
        preferences_from_form,
        preferences_to_dict,
        provider_for,
        save_preferences,
    )
    from vetmail_core.receipts import (
        Cause,
        Outcome,
        Phase,
        Receipt,
        Reply,
        Report,
        Status,
        receipt_from_dict,
    )
    from vetmail_core.recipients import (
        Exclusion,
        ExclusionReason,
        Expansion,
        Recipients,
        expand_context,
    )
    from vetmail_core.sender import (
        Sender,
        resolve_sender,
    )
    from vetmail_core.spacing import Forecast, SharedSpacing
    from vetmail_core.tokens import (
        FileTokens,
        GoogleServiceAccount,
        KeyringTokens,
        MicrosoftApp,
        MicrosoftSignIn,
        TokenCache,
        TokenSource,
    )
    from vetmail_core.transports import (
        Archived,
        ConnectionCheck,
        Deadlines,
        EmailSource,
        EmlTransport,
        HandOverWarning,
        ImapDrafts,
        Limits,
        MailtoTransport,
        Pipelining,
        RedirectAll,
        Retrying,
        SmtpTransport,
        Spaced,
        Spacing,
        Transport,
        draft_bytes,
        mailto_uri,
        transport_for,
    )

__version__: Final = "0.1.0"

__all__ = [
    "PROVIDERS",
    "ROLE_LABELS",
    "STANDARD_CONTEXTS",
    "Action",
    "AddressError",
    "AddressErrorCode",
    "AddressListError",
    "Archived",
    "Attachment",
    "AuthenticationType",
    "Bounce",
    "BounceTaken",
    "BulkCopies",
    "BulkPlan",
    "Cause",
    "Clock",
    "CollectedMailboxes",
    "ConnectionCheck",
    "Content",
    "Deadlines",
    "DeliveryError",
    "Email",
    "EmailContext",
    "EmailPreferences",
    "EmailSource",
    "EmlTransport",
    "EnvironmentSecret",
    "Exclusion",
    "ExclusionReason",
    "Expansion",
    "FileTokens",
    "Forecast",
    "GoogleServiceAccount",
    "HandOverWarning",
    "ImapDrafts",
    "KeyringSecret",
    "KeyringTokens",
    "Ledger",
    "LedgerError",
    "LedgerState",
    "Limits",
    "Login",
    "MailServer",
    "Mailbox",
    "Mailer",
    "MailtoTransport",
    "MergeError",
    "MessageError",
    "MicrosoftApp",
    "MicrosoftSignIn",
    "NeverReached",
    "Notice",
    "Outcome",
    "Person",
    "Phase",
    "Pipelining",
    "PlainSecret",
    "PlanSummary",
    "PreferencesError",
    "Problem",
    "Progress",
    "Provider",
    "Receipt",
    "RecipientType",
    "Recipients",
    "RecipientsError",
    "RedirectAll",
    "Reply",
    "Report",
    "Retrying",
    "RunInterrupted",
    "Secret",
    "Sender",
    "SettingDescription",
    "Settings",
    "Severity",
    "SharedSpacing",
    "SmtpTransport",
    "Spaced",
    "Spacing",
    "SqliteLedger",
    "Staff",
    "StaffDisplayName",
    "StalePreferencesError",
    "Status",
    "SystemClock",
    "TlsMethod",
    "TokenCache",
    "TokenError",
    "TokenSource",
    "Transport",
    "TransportError",
    "VetmailError",
    "check_preferences",
    "collect_mailbox_list",
    "default_preferences_path",
    "deliver_once",
    "describe_preferences",
    "draft_bytes",
    "expand_context",
    "form_values",
    "format_mailbox_list",
    "load_preferences",
    "mailto_uri",
    "parse_mailbox",
    "parse_mailbox_list",
    "plan_bulk",
    "preferences_from_dict",
    "preferences_from_form",
    "preferences_to_dict",
    "provider_for",
    "read_bounce",
    "receipt_from_dict",
    "resolve_sender",
    "save_preferences",
    "transport_for",
    "unique_mailboxes",
]

_HOMES: Final = {
    ".preferences": (
        "PROVIDERS AuthenticationType BulkCopies EmailPreferences MailServer Provider SettingDescription "
        "Settings StaffDisplayName TlsMethod check_preferences default_preferences_path "
        "describe_preferences form_values load_preferences preferences_from_dict preferences_from_form "
        "preferences_to_dict provider_for save_preferences"
    ),
    ".contexts": "ROLE_LABELS STANDARD_CONTEXTS EmailContext RecipientType",
    ".people": "Person Staff",
    ".recipients": "Exclusion ExclusionReason Expansion Recipients expand_context",
    ".sender": "Sender resolve_sender",
    ".message": "Attachment Content Email",
    ".bounces": "Action Bounce BounceTaken NeverReached Notice read_bounce",
    ".bulk": "BulkPlan PlanSummary plan_bulk",
    ".transports": (
        "Archived ConnectionCheck Deadlines EmailSource EmlTransport HandOverWarning ImapDrafts Limits "
        "MailtoTransport Pipelining RedirectAll Retrying SmtpTransport Spaced Spacing Transport draft_bytes "
        "mailto_uri transport_for"
    ),
    ".spacing": "Forecast SharedSpacing",
    ".ledger": "Ledger LedgerState SqliteLedger deliver_once",
    ".mailer": "Mailer Progress RunInterrupted",
    ".receipts": "Cause Outcome Phase Receipt Reply Report Status receipt_from_dict",
    ".address": (
        "CollectedMailboxes Mailbox collect_mailbox_list format_mailbox_list parse_mailbox "
        "parse_mailbox_list unique_mailboxes"
    ),
    ".credentials": "EnvironmentSecret KeyringSecret Login PlainSecret Secret",
    ".clock": "Clock SystemClock",
    ".errors": (
        "AddressError AddressErrorCode AddressListError DeliveryError LedgerError MergeError "
        "MessageError PreferencesError Problem RecipientsError Severity StalePreferencesError "
        "TokenError TransportError VetmailError"
    ),
    ".tokens": (
        "FileTokens GoogleServiceAccount KeyringTokens MicrosoftApp MicrosoftSignIn TokenCache TokenSource"
    ),
}

__getattr__, __dir__ = late(__name__, _HOMES)
