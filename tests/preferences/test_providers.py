"""What providers require and limit, and how a server is recognised as one of theirs."""

from __future__ import annotations

import pytest

from vetmail_core.credentials import EnvironmentSecret
from vetmail_core.errors import PreferencesError
from vetmail_core.preferences import PROVIDERS, AuthenticationType, Provider, TlsMethod, provider_for

EACH = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)


def test_the_usual_providers_are_known() -> None:
    """By the keys that hosts use."""
    keys = (
        "microsoft365 gmail google_relay amazon_ses sendgrid mailgun postmark brevo zoho resend azure_communication "
        "smtp2go mailjet fastmail telstra microsoft365_direct"
    )
    assert list(PROVIDERS) == keys.split()


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
    if provider.tls is TlsMethod.EXPLICIT:
        assert provider.ports[0] in {25, 587}
    else:
        assert provider.ports == (465,)
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
        ("smtp-broadcasts.postmarkapp.com", "postmark"),
        ("smtp-relay.brevo.com", "brevo"),
        ("smtppro.zoho.in", "zoho"),
        ("smtp.resend.com", "resend"),
        ("smtp.azurecomm.net", "azure_communication"),
        ("mail-au.smtp2go.com", "smtp2go"),
        ("in-v3.mailjet.com", "mailjet"),
        ("smtp.fastmail.com", "fastmail"),
        ("smtp.telstra.com", "telstra"),
        ("college-example-com.mail.protection.outlook.com", "microsoft365_direct"),
        ("mail.protection.outlook.com", None),
        ("a.b.mail.protection.outlook.com", None),
        ("smtp.resend.com.example.net", None),
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
    assert [key for key, provider in PROVIDERS.items() if provider.from_is_login] == [
        "microsoft365",
        "gmail",
        "zoho",
    ]


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


@pytest.mark.parametrize(
    ("licences", "recipients"), [(1, 10_000), (2, 10_312), (25, 14_259), (100, 22_059), (100_000, 1_590_639)]
)
def test_a_tenant_of_microsoft_365_has_a_limit_of_its_own(licences: int, recipients: int) -> None:
    """500 x licences to the power of 0.7, and 9,500: all mailboxes together, outside the organisation."""
    assert PROVIDERS["microsoft365"].tenant_recipients_per_day(licences) == recipients


def test_other_providers_count_by_mailbox_alone() -> None:
    """Nothing is said where no page says it."""
    others = [provider for key, provider in PROVIDERS.items() if key != "microsoft365"]
    assert {provider.tenant_recipients_per_day(50) for provider in others} == {None}


def test_a_tenant_without_a_licence_has_no_limit_to_compute() -> None:
    """A slip is told, whatever the provider."""
    for provider in (PROVIDERS["microsoft365"], PROVIDERS["gmail"]):
        with pytest.raises(ValueError, match="licences must be 1 or more, got 0"):
            provider.tenant_recipients_per_day(0)
        with pytest.raises(TypeError, match="whole number, got bool"):
            provider.tenant_recipients_per_day(True)  # noqa: FBT003 - the slip under test


@EACH
def test_a_provider_fills_in_the_mail_server_tab(provider: Provider) -> None:
    """Port, connection method, way of signing in and wait are its best ones."""
    host = provider.host.replace("REGION", "ap-southeast-2").replace("TENANT", "college-example-com")
    secret = EnvironmentSecret("VETMAIL_PASSWORD")
    tab = provider.mail_server(host=host, username="office", password=secret, use_staff_logins=True)
    assert (tab.host, tab.port, tab.tls) == (host, provider.ports[0], provider.tls)
    assert (tab.authentication, tab.username, tab.password) == (provider.authentication, "office", secret)
    assert tab.use_staff_logins
    assert tab.wait_between_emails_ms == provider.wait_between_emails_ms


def test_a_provider_knows_its_usual_server_and_the_name_all_its_customers_have() -> None:
    """Nothing needs to be looked up."""
    assert PROVIDERS["sendgrid"].mail_server().username == "apikey"
    assert PROVIDERS["resend"].mail_server(username="other").username == "other"
    assert PROVIDERS["gmail"].mail_server().host == "smtp.gmail.com"


@pytest.mark.parametrize(
    ("key", "host", "words"),
    [
        ("amazon_ses", "", "email-smtp.REGION.amazonaws.com.*in the place of REGION"),
        ("microsoft365_direct", "", "in the place of TENANT"),
        ("gmail", "smtp.example.com", "smtp.example.com is not a server of Gmail. Use smtp.gmail.com"),
    ],
)
def test_a_server_that_is_not_the_providers_is_refused(key: str, host: str, words: str) -> None:
    """A region that is missing would be looked up as it stands."""
    with pytest.raises(PreferencesError, match=words) as caught:
        PROVIDERS[key].mail_server(host=host)
    assert [problem.setting for problem in caught.value.problems] == ["mail_server.host"]
