"""What the usual mail providers require and allow, as data with sources.

A limit that no page states is None, never a guess, and each figure has its page. Nothing is looked up at
run time.
"""

from __future__ import annotations

import math
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.errors import PreferencesError
from vetmail_core.preferences.host_names import ascii_host
from vetmail_core.preferences.model import AuthenticationType, MailServer, TlsMethod

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vetmail_core.credentials import Secret

__all__ = ["PROVIDERS", "Provider", "provider_for"]

_MB: Final = 1024 * 1024
_NONE, _PASSWORD, _OAUTH2 = AuthenticationType.NONE, AuthenticationType.PASSWORD, AuthenticationType.OAUTH2


@attrs.frozen(kw_only=True)
class Provider:
    """One provider of outgoing mail.

    Attributes:
        name: what people call it.
        host: the server to enter; "REGION" in it stands for the provider's region, "TENANT" for the
        customer's word. other_hosts: further servers of the same provider, written likewise.
        ports: the ports it answers at, the best first.
        tls: the connection method that fits ``ports[0]``.
        tls_required: mail is refused on a connection in clear.
        authentication: the best way to sign in.
        authentications: all ways it accepts, the best first.
        from_is_login: From must be the login's own address, or one it may send as.
        fixed_username: the one user name that all its customers have, "" when each has an own one.
        messages_per_minute: for one mailbox; None when not published.
        recipients_per_day: for one mailbox, over rolling 24 hours; None when not published.
        recipients_per_message: To, CC and BCC together; None when not published.
        message_bytes: size of a message as sent; None when not published.
        connections: at once, for one mailbox; None when not published.
        tenant_formula: factor, exponent and least number of ``tenant_recipients_per_day``; None when
        there is none.
        notes: what else to know, one sentence each.
        sources: the pages all this is from.
    """

    name: str
    host: str
    other_hosts: tuple[str, ...] = ()
    ports: tuple[int, ...]
    tls: TlsMethod = TlsMethod.EXPLICIT
    tls_required: bool
    authentication: AuthenticationType
    authentications: tuple[AuthenticationType, ...]
    from_is_login: bool = False
    fixed_username: str = ""
    messages_per_minute: int | None = None
    recipients_per_day: int | None = None
    recipients_per_message: int | None = None
    message_bytes: int | None = None
    connections: int | None = None
    tenant_formula: tuple[int, float, int] | None = None
    notes: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def wait_between_emails_ms(self) -> int:
        """The shortest pause that keeps one mailbox under the provider's rate, in milliseconds."""
        return 0 if self.messages_per_minute is None else -(-60_000 // self.messages_per_minute)

    def tenant_recipients_per_day(self, licences: int) -> int | None:
        """How many people outside the organisation all its mailboxes together may write to in 24 hours.

        Args:
            licences: for Exchange Online, from 1. A trial tenant has 5,000 whatever it has licences for.

        Returns:
            The number, rounded; None for providers that count by mailbox alone.

        Raises:
            TypeError: this is not a whole number.
            ValueError: there is no licence.
        """
        if not isinstance(licences, int) or isinstance(licences, bool):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise TypeError(f"licences must be a whole number, got {type(licences).__name__}.")
        if licences < 1:
            raise ValueError(f"licences must be 1 or more, got {licences}.")
        if self.tenant_formula is None:
            return None
        factor, exponent, least = self.tenant_formula
        return round(factor * math.pow(licences, exponent) + least)

    def mail_server(
        self,
        *,
        host: str = "",
        username: str = "",
        password: Secret | None = None,
        use_staff_logins: bool = False,
    ) -> MailServer:
        """Fill in the **Mail server** tab for this provider.

        Args:
            host: one of its servers, where it has several or the name holds a region; "" is the usual one.
            username: the login; "" is the one that all its customers have, where there is one.
            password: where the password lives.
            use_staff_logins: each sender's own login.

        Returns:
            The first port with its connection method, the best way to sign in, and the wait of its pace.

        Raises:
            PreferencesError: the host is needed, or is not one of this provider's.
        """
        chosen = host or self.host
        if not host and _PLACE.search(self.host):
            raise PreferencesError.about(
                "mail_server.host",
                f"{self.name} has a server for each customer or region ({self.host}), and none is named.",
                "Name it: mail_server(host=...), with your own word in the place of "
                f"{_PLACE.findall(self.host)[0]}.",
            )
        if not self.serves(chosen):
            raise PreferencesError.about(
                "mail_server.host",
                f"{chosen} is not a server of {self.name}.",
                f"Use {self.host}.",
            )
        return MailServer(
            host=chosen,
            port=self.ports[0],
            tls=self.tls,
            authentication=self.authentication,
            use_staff_logins=use_staff_logins,
            username=username or self.fixed_username,
            password=password,
            wait_between_emails_ms=self.wait_between_emails_ms,
        )

    def serves(self, host: str) -> bool:
        """Whether a server, as entered in the preferences, is one of this provider's."""
        name = ascii_host(host) or ""
        return any(_pattern(own).fullmatch(name) for own in (self.host, *self.other_hosts))


_PLACE: Final = re.compile("REGION|TENANT")


def _pattern(host: str) -> re.Pattern[str]:
    return re.compile(_PLACE.sub("[a-z0-9-]+", re.escape(host)))


PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(
    {
        "microsoft365": Provider(
            name="Microsoft 365",
            host="smtp.office365.com",
            other_hosts=("smtp-mail.outlook.com",),
            ports=(587, 25),
            tls_required=True,
            authentication=_OAUTH2,
            authentications=(_OAUTH2, _PASSWORD),
            from_is_login=True,
            messages_per_minute=30,
            recipients_per_day=10_000,
            recipients_per_message=500,
            message_bytes=35 * _MB,
            connections=3,
            tenant_formula=(500, 0.7, 9_500),
            notes=(
                "Basic authentication (a password) is off by default from the end of December 2026.",
                "An administrator may turn it on again until a date announced in the second half of 2027.",
                "Tenants made after December 2026 have OAuth only.",
                "SMTP AUTH must be enabled for the tenant and for the mailbox.",
                "Another From address needs the Send As right on it: 554 5.2.252 SendAsDenied without.",
                "Administrators may allow up to 1,000 recipients and 150 MB for a message.",
                (
                    "All mailboxes of a tenant together: 10,000 external recipients in 24 hours with 1 "
                    "licence, 22,059 with "
                    "100; a trial tenant 5,000."
                ),
            ),
            sources=(
                "https://techcommunity.microsoft.com/blog/exchange/updated-exchange-online-smtp-auth-basic-authentication-deprecation-timeline/4489835",
                "https://techcommunity.microsoft.com/t5/exchange-team-blog/changes-coming-to-the-smtp-authenticated-submission-client/ba-p/607825",
                "https://services.dartmouth.edu/TDClient/1806/Portal/KB/PrintArticle?ID=168187",
                "https://northcentral.teamdynamix.com/TDClient/1980/Portal/KB/ArticleDet?ID=70527",
                "https://helpcenter.zensai.com/hc/en-us/articles/360015355257-Implications-of-Microsoft-Exchange-Online-limits-on-Learn365-email-notifications",
                "https://vtcri.kayako.com/article/38-limitations-when-sending-email-to-virginia-tech",
                "https://learn.microsoft.com/en-us/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits",
                "https://docs.bookyourpto.com/features/smtp-troubleshoot",
                "https://techcommunity.microsoft.com/blog/exchange/introducing-exchange-online-tenant-outbound-email-limits/4372797",
            ),
        ),
        "gmail": Provider(
            name="Gmail",
            host="smtp.gmail.com",
            other_hosts=("smtp.googlemail.com",),
            ports=(587, 465),
            tls_required=True,
            authentication=_PASSWORD,
            authentications=(_PASSWORD, _OAUTH2),
            from_is_login=True,
            recipients_per_day=10_000,
            recipients_per_message=100,
            message_bytes=25 * _MB,
            notes=(
                "The password is an app password, which needs 2-step verification.",
                "The account's own password is refused.",
                "Google Workspace: 2,000 messages a day (trial 500) and at most 3,000 external recipients.",
                "A free Gmail account: 500 a day.",
            ),
            sources=(
                "https://support.google.com/a/answer/166852",
                "https://grokipedia.com/page/Gmail_SMTP_authentication",
                "https://smith.edu/tara/googleapps/mail_limits.html",
                "https://helpdesk.lowercolumbia.edu/kb/faq.php?id=487",
                "https://customer.vettrak.com.au/hc/en-us/articles/218639778-Cloud-Service-Email-Settings",
            ),
        ),
        "google_relay": Provider(
            name="Google Workspace relay",
            host="smtp-relay.gmail.com",
            ports=(587, 465, 25),
            tls_required=False,
            authentication=_PASSWORD,
            authentications=(_PASSWORD, _OAUTH2, _NONE),
            recipients_per_day=10_000,
            recipients_per_message=100,
            message_bytes=25 * _MB,
            notes=(
                "An administrator allows the sending computer's IP address, a login, or both.",
                "A login works on a connection with TLS only.",
                "At peak times it answers 450 4.2.1: wait and send again.",
            ),
            sources=(
                "https://support.google.com/a/answer/2956491",
                "https://support.google.com/a/answer/166852",
                "https://kb.raramuridesign.com/a-guide-to-smtp-errors.html",
            ),
        ),
        "amazon_ses": Provider(
            name="Amazon SES",
            host="email-smtp.REGION.amazonaws.com",
            other_hosts=("email-smtp-fips.REGION.amazonaws.com",),
            ports=(587, 2587, 465, 2465, 25),
            tls_required=True,
            authentication=_PASSWORD,
            authentications=(_PASSWORD,),
            recipients_per_message=50,
            message_bytes=40 * _MB,
            notes=(
                "User name and password are SES's own SMTP credentials, not those of the AWS account.",
                "Rate and day's quota belong to the account, and count recipients.",
                "A new account is in the sandbox: 1 recipient a second, 200 a day.",
                "The From address or its domain must be verified: 554 Message rejected without.",
                "One badly formed address makes it refuse the whole message.",
            ),
            sources=(
                "https://docs.aws.amazon.com/ses/latest/dg/smtp-connect.html",
                "https://docs.aws.amazon.com/ses/latest/dg/send-email-smtp.md",
                "https://docs.aws.amazon.com/ses/latest/dg/quotas.html",
                "https://docs.aws.amazon.com/sdkfornet/v3/apidocs/items/SimpleEmail/MSimpleEmailServiceSendEmailAsyncSendEmailRequestCancellationToken.html",
                "https://gist.github.com/chrisroos/6b32b07aefa010526f7e5cfe58d61978",
                "https://repost.aws/es/knowledge-center/ses-554-400-message-rejected-error",
            ),
        ),
        "sendgrid": Provider(
            name="SendGrid",
            host="smtp.sendgrid.net",
            ports=(587, 2525, 25, 465),
            tls_required=False,
            authentication=_PASSWORD,
            authentications=(_PASSWORD,),
            fixed_username="apikey",
            recipients_per_message=1_000,
            message_bytes=30 * _MB,
            notes=(
                'The user name is the word "apikey", the password an API key.',
                "At most 5,000 messages on one connection; the day's number is that of the plan.",
                "The From address must be an allowed sender.",
            ),
            sources=(
                "https://sendgrid.com/docs/API_Reference/SMTP_API/integrating_with_the_smtp_api.html",
                "https://www.twilio.com/docs/sendgrid/for-developers/sending-email/integrating-with-the-smtp-api.md",
                "https://docs.sendgrid.com/api-reference/mail-send/limitations",
                "https://sendgrid.com/docs/for-developers/sending-email/smtp-errors-and-troubleshooting/",
            ),
        ),
        "mailgun": Provider(
            name="Mailgun",
            host="smtp.mailgun.org",
            other_hosts=("smtp.eu.mailgun.org",),
            ports=(587, 2525, 25, 465),
            tls_required=False,
            authentication=_PASSWORD,
            authentications=(_PASSWORD,),
            recipients_per_message=1_000,
            message_bytes=25 * _MB,
            notes=(
                "User name and password are the SMTP credentials of the sending domain, not the API key.",
                "Customers of the European region use smtp.eu.mailgun.org.",
            ),
            sources=(
                "https://smtptester.org/guides/mailgun-smtp-test/",
                "https://kb.umbhost.net/email-smtp/sending-email-via-mailgun-smtp/",
                "https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages",
                "https://www.captaindns.com/it/blog/mailgun-transactional-email-technical-guide",
            ),
        ),
        "postmark": Provider(
            name="Postmark",
            host="smtp.postmarkapp.com",
            other_hosts=("smtp-broadcasts.postmarkapp.com",),
            ports=(587, 2525, 25),
            tls_required=False,
            authentication=_PASSWORD,
            authentications=(_PASSWORD,),
            notes=(
                "User name and password are both the server's API token.",
                "Mail to many at once goes through smtp-broadcasts.postmarkapp.com.",
                "The From address or its domain must be verified.",
            ),
            sources=(
                "https://postmarkapp.com/support/article/811-how-do-i-send-with-smtp",
                "https://postmarkapp.com/support/article/common-smtp-connection-errors",
                "https://github.com/umputun/remark42/discussions/1359",
            ),
        ),
        "brevo": Provider(
            name="Brevo",
            host="smtp-relay.brevo.com",
            ports=(587, 2525, 465),
            tls_required=False,
            authentication=_PASSWORD,
            authentications=(_PASSWORD,),
            notes=("The password is an SMTP key, not the API key.",),
            sources=(
                "https://developers.brevo.com/docs/smtp-integration",
                "https://smtptester.org/guides/brevo-smtp-test/",
            ),
        ),
        "zoho": Provider(
            name="Zoho Mail",
            host="smtppro.zoho.com.au",
            other_hosts=(
                "smtp.zoho.com.au",
                "smtp.zoho.com",
                "smtppro.zoho.com",
                "smtp.zoho.eu",
                "smtppro.zoho.eu",
                "smtp.zoho.in",
                "smtppro.zoho.in",
                "smtp.zoho.jp",
                "smtppro.zoho.jp",
            ),
            ports=(587, 465),
            tls_required=True,
            authentication=_PASSWORD,
            authentications=(_PASSWORD,),
            from_is_login=True,
            notes=(
                "The server is that of the account's region; another region's looks like a wrong password.",
                "With two-factor sign-in the password is an app password.",
            ),
            sources=("https://www.zoho.com/mail/help/zoho-smtp.html", "https://postigo.net/smtp/zoho"),
        ),
        "resend": Provider(
            name="Resend",
            host="smtp.resend.com",
            ports=(587, 2587, 25, 465, 2465),
            tls_required=False,
            authentication=_PASSWORD,
            authentications=(_PASSWORD,),
            fixed_username="resend",
            notes=(
                'The user name is the word "resend", the password an API key.',
                "The domain of the From address must be verified.",
            ),
            sources=("https://resend.com/changelog/smtp-service", "https://resend.com/docs/send-with-smtp"),
        ),
        "azure_communication": Provider(
            name="Azure Communication Services",
            host="smtp.azurecomm.net",
            ports=(587,),
            tls_required=True,
            authentication=_PASSWORD,
            authentications=(_PASSWORD,),
            messages_per_minute=30,
            recipients_per_message=50,
            message_bytes=10 * _MB,
            notes=(
                "The password is a client secret of an app registration that has a role on the resource.",
                "At first 30 messages a minute and 100 an hour; Microsoft raises it on request.",
            ),
            sources=("https://chkja.dk/?p=980",),
        ),
        "smtp2go": Provider(
            name="SMTP2GO",
            host="mail.smtp2go.com",
            other_hosts=("mail-au.smtp2go.com",),
            ports=(587, 2525, 8025, 25, 80, 465, 8465, 443),
            tls_required=False,
            authentication=_PASSWORD,
            authentications=(_PASSWORD,),
            notes=(
                "User name and password are those of an SMTP user, not of the account.",
                "The From address or its domain must be verified.",
            ),
            sources=("https://developers.smtp2go.com/docs/smtp-relay",),
        ),
        "mailjet": Provider(
            name="Mailjet",
            host="in-v3.mailjet.com",
            ports=(587, 25, 465),
            tls_required=False,
            authentication=_PASSWORD,
            authentications=(_PASSWORD,),
            notes=(
                "The user name is the API key, the password the secret key.",
                "The From address or its domain must be validated.",
            ),
            sources=("https://smtptester.org/guides/mailjet-smtp-test/",),
        ),
        "fastmail": Provider(
            name="Fastmail",
            host="smtp.fastmail.com",
            ports=(587, 465),
            tls_required=True,
            authentication=_PASSWORD,
            authentications=(_PASSWORD,),
            notes=(
                "The password is an app password; the account's own is refused.",
                "Fastmail itself names port 465 with Implicit; 587 with Explicit works too.",
            ),
            sources=(
                "https://www.fastmail.com/help/technical/servernamesandports.html",
                "https://xenocept.com/docs/email-setup/fastmail.html",
            ),
        ),
        "telstra": Provider(
            name="Telstra Mail",
            host="smtp.telstra.com",
            ports=(465,),
            tls=TlsMethod.IMPLICIT,
            tls_required=True,
            authentication=_PASSWORD,
            authentications=(_PASSWORD,),
            notes=("The user name is the whole address, such as somebody@bigpond.com.",),
            sources=("https://autoconfig.thunderbird.net/v1.1/bigpond.com",),
        ),
        "microsoft365_direct": Provider(
            name="Microsoft 365 direct send",
            host="TENANT.mail.protection.outlook.com",
            ports=(25,),
            tls_required=False,
            authentication=_NONE,
            authentications=(_NONE,),
            notes=(
                (
                    "No login; it takes mail for the organisation's own mailboxes only, unless a connector "
                    "knows the "
                    "sending internet address."
                ),
                "Many internet providers block port 25.",
            ),
            sources=(
                "https://technet.microsoft.com/en-us/library/dn592151(v=exchg.150).aspx",
                "https://www.kjctech.net/options-to-send-emails-using-microsoft-365/",
            ),
        ),
    }
)
"""The providers known here, by key."""


def provider_for(host: str) -> Provider | None:
    """Find the provider that a server belongs to.

    Args:
        host: the server as entered in the preferences; how it is spelled does not matter.

    Returns:
        The provider, or None for any other server.
    """
    return next((provider for provider in PROVIDERS.values() if provider.serves(host)), None)
