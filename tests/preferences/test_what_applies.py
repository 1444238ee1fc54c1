"""Which settings apply as things stand, and who is written to in a context."""

from __future__ import annotations

import attrs
import pytest

from vetmail_core.contexts import EmailContext, RecipientType
from vetmail_core.errors import PreferencesError
from vetmail_core.preferences import (
    AuthenticationType,
    EmailPreferences,
    MailServer,
    Settings,
    StaffDisplayName,
)

ALL_NAMES = (
    "use_built_in_client",
    "mail_server.host",
    "mail_server.port",
    "mail_server.tls",
    "mail_server.authentication",
    "mail_server.use_staff_logins",
    "mail_server.username",
    "mail_server.password",
    "mail_server.wait_between_emails_ms",
    "mail_server.ehlo_name",
    "mail_server.oauth",
    "settings.default_from",
    "settings.default_reply_to",
    "settings.bulk_copies",
    "settings.address_separator",
    "settings.staff_display_name",
    "settings.custom_display_name",
    "contexts",
)


def test_with_the_built_in_client_off_only_the_switch_and_the_separator_apply() -> None:
    """The rest is the mail program's business, and is kept for the day the switch goes on again."""
    on = EmailPreferences(use_built_in_client=True, mail_server=MailServer(host="smtp.example.com", port=587))
    off = attrs.evolve(on, use_built_in_client=False)
    assert off.applicable_settings() == ("use_built_in_client", "settings.address_separator")
    assert off.mail_server == on.mail_server
    assert attrs.evolve(off, use_built_in_client=True) == on


SHARED = {"mail_server.username", "mail_server.password"}


@pytest.mark.parametrize(
    ("authentication", "use_staff_logins", "missing"),
    [
        (AuthenticationType.NONE, False, {*SHARED, "mail_server.oauth"}),
        (AuthenticationType.NONE, True, {*SHARED, "mail_server.oauth"}),
        (AuthenticationType.PASSWORD, False, {"mail_server.oauth"}),
        (AuthenticationType.PASSWORD, True, {*SHARED, "mail_server.oauth"}),
        (AuthenticationType.OAUTH2, False, {"mail_server.password"}),
        (AuthenticationType.OAUTH2, True, SHARED),
    ],
)
@pytest.mark.parametrize("display_name", list(StaffDisplayName))
def test_the_login_applies_when_it_is_asked_for_and_shared(
    authentication: AuthenticationType,
    *,
    use_staff_logins: bool,
    missing: set[str],
    display_name: StaffDisplayName,
) -> None:
    """And the own display name when it is chosen; everything else applies with the client on."""
    preferences = EmailPreferences(
        use_built_in_client=True,
        mail_server=MailServer(authentication=authentication, use_staff_logins=use_staff_logins),
        settings=Settings(staff_display_name=display_name, custom_display_name="Institute"),
    )
    if display_name is StaffDisplayName.STAFF_NAME:
        missing = missing | {"settings.custom_display_name"}
    assert preferences.applicable_settings() == tuple(name for name in ALL_NAMES if name not in missing)


def test_a_rule_applies_as_the_contexts_do() -> None:
    """Problems are named down to the role, so a screen may ask for such a name."""
    assert not EmailPreferences().applies("contexts.client.guardian")
    assert EmailPreferences(use_built_in_client=True).applies("contexts.client.guardian")


@pytest.mark.parametrize(
    ("name", "advice"), [("mail_server.prot", 'Did you mean "mail_server.port"'), ("x", "Names look like")]
)
def test_a_setting_that_does_not_exist_is_an_error(name: str, advice: str) -> None:
    """A slip in a host's code is not answered with False."""
    with pytest.raises(PreferencesError, match=advice):
        EmailPreferences().applies(name)


def test_a_host_s_own_context_has_recipient_types_like_one_of_the_catalogue() -> None:
    """Its roles as To, its defaults, and over both the preferences' rules under its key."""
    excursion = EmailContext(
        "excursion",
        "Excursion",
        to_roles="client",
        roles=("driver", "guardian"),
        defaults={"driver": RecipientType.CC},
    )
    preferences = EmailPreferences(contexts={"excursion": {"guardian": RecipientType.BCC}})
    assert preferences.recipient_types(excursion) == {
        "client": RecipientType.TO,
        "driver": RecipientType.CC,
        "guardian": RecipientType.BCC,
    }


def test_recipient_types_overlay_catalogue_and_preferences() -> None:
    """The context's own roles, then its defaults, then what the organisation chose."""
    plain = EmailPreferences()
    assert plain.recipient_types("occurrence_class") == {
        "client": RecipientType.TO,
        "class_staff": RecipientType.CC,
    }
    chosen = EmailPreferences(
        contexts={"occurrence_class": {"class_staff": RecipientType.BCC, "mentor": RecipientType.CC}}
    )
    assert chosen.recipient_types("occurrence_class") == {
        "client": RecipientType.TO,
        "class_staff": RecipientType.BCC,
        "mentor": RecipientType.CC,
    }
    assert chosen.recipient_types("client") == {"client": RecipientType.TO}


def test_a_role_that_nobody_decided_on_is_none() -> None:
    """Asking for it is no mistake, and changes nothing."""
    types = EmailPreferences().recipient_types("occurrence_class")
    before = dict(types)
    assert types["guardian"] is RecipientType.NONE
    assert dict(types) == before


def test_an_unknown_context_has_just_its_rules() -> None:
    """The product may have contexts that are not in the catalogue."""
    preferences = EmailPreferences(contexts={"excursion": {"driver": RecipientType.TO}})
    assert preferences.recipient_types("excursion") == {"driver": RecipientType.TO}
    assert preferences.recipient_types("picnic") == {}
