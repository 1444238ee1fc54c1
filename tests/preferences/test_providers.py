"""What providers require and limit, and how a server is recognised as one of theirs."""

from __future__ import annotations

import pytest

from vetmail_core.preferences import PROVIDERS, AuthenticationType, Provider, TlsMethod, provider_for

EACH = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)


def test_the_usual_providers_are_known() -> None:
    """By the keys that hosts use."""
    keys = ["microsoft365", "gmail", "google_relay", "amazon_ses", "sendgrid", "mailgun"]
    assert list(PROVIDERS) == keys


@EACH
def test_each_figure_has_its_page(provider: Provider) -> None:
    """Data without a source is hearsay."""
    assert provider.sources
    assert all(source.startswith("https://") for source in provider.sources)
    assert provider.notes
    assert all(note.endswith((".", "without.")) for note in provider.notes)


@EACH
def test_the_best_choice_is_among_the_choices(provider: Provider) -> None:
    """What a screen fills in works: TLS by STARTTLS at the first port, and the first way of signing in."""
    assert provider.tls is TlsMethod.EXPLICIT
    assert provider.ports[0] == 587
    assert provider.authentication is provider.authentications[0]


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("smtp.office365.com", "microsoft365"),
        ("SMTP.Office365.COM", "microsoft365"),
        ("smtp.office365.com.", "microsoft365"),
        ("ｓｍｔｐ.office365.com", "microsoft365"),
        ("smtp。office365。com", "microsoft365"),
        ("smtp..office365.com", None),
        ("smtp-mail.outlook.com", "microsoft365"),
        ("smtp.gmail.com", "gmail"),
        ("smtp.googlemail.com", "gmail"),
        ("smtp-relay.gmail.com", "google_relay"),
        ("email-smtp.ap-southeast-2.amazonaws.com", "amazon_ses"),
        ("email-smtp-fips.us-east-1.amazonaws.com", "amazon_ses"),
        ("smtp.sendgrid.net", "sendgrid"),
        ("smtp.mailgun.org", "mailgun"),
        ("smtp.eu.mailgun.org", "mailgun"),
        ("", None),
        ("smtp.example.com", None),
        ("smtp.office365.com.example.com", None),
        ("notsmtp.gmail.com", None),
        ("email-smtp.a.b.amazonaws.com", None),
        ("smtpxgmail.com", None),
    ],
)
def test_a_server_leads_to_its_provider(host: str, key: str | None) -> None:
    """Whole names only: a look-alike is a stranger."""
    assert provider_for(host) is (None if key is None else PROVIDERS[key])


def test_the_facts_that_checks_rely_on() -> None:
    """As the providers' pages state them."""
    microsoft, gmail = PROVIDERS["microsoft365"], PROVIDERS["gmail"]
    assert microsoft.authentication is AuthenticationType.OAUTH2
    assert (microsoft.messages_per_minute, microsoft.connections) == (30, 3)
    assert (microsoft.recipients_per_day, microsoft.recipients_per_message) == (10_000, 500)
    assert (gmail.recipients_per_message, gmail.message_bytes) == (100, 25 * 1024 * 1024)
    assert PROVIDERS["amazon_ses"].recipients_per_message == 50
    assert PROVIDERS["sendgrid"].fixed_username == "apikey"
    assert [key for key, provider in PROVIDERS.items() if provider.from_is_login] == ["microsoft365", "gmail"]


def test_a_rate_tells_the_wait() -> None:
    """30 a minute is one every 2,000 milliseconds; without a rate there is nothing to wait for."""
    assert PROVIDERS["microsoft365"].wait_between_emails_ms == 2_000
    assert PROVIDERS["sendgrid"].wait_between_emails_ms == 0


@pytest.mark.parametrize(
    ("key", "ports", "recipients", "megabytes"),
    [
        ("microsoft365", (587, 25), 500, 35),
        ("gmail", (587, 465), 100, 25),
        ("google_relay", (587, 465, 25), 100, 25),
        ("amazon_ses", (587, 2587, 465, 2465, 25), 50, 40),
        ("sendgrid", (587, 2525, 25, 465), 1_000, 30),
        ("mailgun", (587, 2525, 25, 465), 1_000, 25),
    ],
)
def test_ports_and_limits_are_those_of_the_pages(
    key: str, ports: tuple[int, ...], recipients: int, megabytes: int
) -> None:
    """A figure is copied by hand from a page, so it is copied twice."""
    provider = PROVIDERS[key]
    assert provider.ports == ports
    assert provider.recipients_per_message == recipients
    assert provider.message_bytes == megabytes * 1024 * 1024
