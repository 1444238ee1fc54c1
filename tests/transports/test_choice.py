"""Which transport the preferences ask for."""

from __future__ import annotations

import pytest

from vetmail_core.credentials import Login, PlainSecret
from vetmail_core.errors import PreferencesError, TransportError
from vetmail_core.people import Staff
from vetmail_core.preferences import AuthenticationType, EmailPreferences, MailServer, Settings
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports import MailtoTransport, SmtpTransport, transport_for

ANNA = Login("anna@example.com", PlainSecret("anna's own"))


def test_the_mail_program_takes_over_when_the_built_in_client_is_off() -> None:
    """Of all settings only the separator applies then."""
    transport = transport_for(EmailPreferences(settings=Settings(address_separator=",")))
    assert isinstance(transport, MailtoTransport)
    assert "," in repr(transport)


def test_the_built_in_client_sends_through_the_mail_server() -> None:
    """The server of the preferences, with the clock that was given."""
    transport = transport_for(
        EmailPreferences(
            use_built_in_client=True,
            mail_server=MailServer(host="mail.example.com", port=587),
            settings=Settings(default_from="office@example.com"),
        ),
        clock=FakeClock(),
    )
    assert isinstance(transport, SmtpTransport)
    assert repr(transport) == "SmtpTransport(mail.example.com:587, tls=none, auto)"


def test_a_staff_member_sends_with_their_own_login() -> None:
    """No shared login is needed when individual logins are used."""
    preferences = EmailPreferences(
        use_built_in_client=True,
        mail_server=MailServer(
            host="mail.example.com", authentication=AuthenticationType.PASSWORD, use_staff_logins=True
        ),
    )
    transport = transport_for(preferences, staff=Staff("Anna", "anna@example.com", login=ANNA))
    assert isinstance(transport, SmtpTransport)
    with pytest.raises(PreferencesError, match="no e-mail login"):
        transport_for(preferences, staff=Staff("Ben", "ben@example.com"))


def test_the_built_in_client_without_a_server_is_an_error_naming_the_setting() -> None:
    """A help desk is told where to enter it."""
    with pytest.raises(PreferencesError, match="Mail server address") as caught:
        transport_for(EmailPreferences(use_built_in_client=True))
    assert [problem.setting for problem in caught.value.problems] == ["mail_server.host"]


def test_oauth_without_a_token_function_is_misuse() -> None:
    """The host has to bring one."""
    preferences = EmailPreferences(
        use_built_in_client=True,
        mail_server=MailServer(
            host="mail.example.com", authentication=AuthenticationType.OAUTH2, username="office@example.com"
        ),
        settings=Settings(default_from="office@example.com"),
    )
    with pytest.raises(TransportError, match="token="):
        transport_for(preferences)
    assert isinstance(transport_for(preferences, token=lambda: "t"), SmtpTransport)
