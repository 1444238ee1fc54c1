"""Preferences of every shape, for laws."""

from __future__ import annotations

import string

import pytest
from hypothesis import strategies as st

from vetmail_core.address import Mailbox
from vetmail_core.contexts import ROLE_LABELS, STANDARD_CONTEXTS, RecipientType
from vetmail_core.credentials import EnvironmentSecret, KeyringSecret, PlainSecret
from vetmail_core.preferences import (
    AuthenticationType,
    BulkCopies,
    EmailPreferences,
    MailServer,
    Settings,
    StaffDisplayName,
    TlsMethod,
)

_LINE = st.text(
    st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")),
    max_size=30,
)
_SOME_LINE = _LINE.filter(bool)
_HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,5}){0,3}", fullmatch=True)
_NAMES = st.text(string.ascii_letters + string.digits + " .,;'\"äé", max_size=30).map(
    lambda name: " ".join(name.split())
)
_MAILBOXES = st.none() | st.builds(
    Mailbox, st.from_regex(r"[a-z][a-z0-9]{0,10}@[a-z]{1,10}\.example", fullmatch=True), _NAMES
)
_SECRETS = (
    st.none()
    | st.builds(PlainSecret, _SOME_LINE)
    | st.builds(EnvironmentSecret, st.from_regex(r"[A-Z_]{1,20}", fullmatch=True))
    | st.builds(KeyringSecret, _SOME_LINE, _SOME_LINE)
)
_SERVERS = st.builds(
    MailServer,
    host=st.just("") | _HOSTS,
    port=st.integers(1, 65_535),
    tls=st.sampled_from(TlsMethod),
    authentication=st.sampled_from(AuthenticationType),
    use_staff_logins=st.booleans(),
    username=_LINE,
    password=_SECRETS,
    wait_between_emails_ms=st.integers(0, 86_400_000),
    ehlo_name=st.sampled_from(["", "mail.example.com", "[192.0.2.7]"]),
)
_SETTINGS = st.builds(
    Settings,
    default_from=_MAILBOXES,
    default_reply_to=_MAILBOXES,
    bulk_copies=st.sampled_from(BulkCopies),
    address_separator=st.sampled_from(";,"),
    staff_display_name=st.just(StaffDisplayName.STAFF_NAME),
    custom_display_name=_NAMES,
) | st.builds(
    Settings,
    staff_display_name=st.just(StaffDisplayName.CUSTOM),
    custom_display_name=_NAMES.filter(bool),
)
_CONTEXT_KEYS = st.sampled_from([key for key, context in STANDARD_CONTEXTS.items() if not context.private])
_RULES = st.dictionaries(
    _CONTEXT_KEYS | _SOME_LINE.filter(lambda key: key not in STANDARD_CONTEXTS),
    st.dictionaries(
        st.sampled_from(list(ROLE_LABELS)) | _SOME_LINE, st.sampled_from(RecipientType), max_size=4
    ),
    max_size=4,
)


@pytest.fixture(scope="session")
def any_preferences() -> st.SearchStrategy[EmailPreferences]:
    """Preferences of every shape that can stand."""
    return st.builds(
        EmailPreferences,
        use_built_in_client=st.booleans(),
        mail_server=_SERVERS,
        settings=_SETTINGS,
        contexts=_RULES,
    )
