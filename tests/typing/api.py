"""What the public names promise to a type checker; checked by mypy and pyright, never run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

import vetmail_core as v

if TYPE_CHECKING:
    import ssl


def own_source(source: v.EmailSource, email: v.Email) -> bool:
    """What a transport asks of a source."""
    return source.announce()(email)


class OwnTransport:
    """A transport of a third party, by structure alone."""

    def deliver(self, emails: Iterable[v.Email], /) -> Iterator[v.Receipt]:
        """Deliver nothing."""
        raise NotImplementedError(emails)

    def close(self) -> None:
        """Nothing is open."""


class OwnSecret:
    """A password of a host's own vault."""

    def reveal(self) -> str:
        """The password."""
        return "from the vault"


class OwnClock:
    """A clock of a third party."""

    def now(self) -> datetime:
        """Some day."""
        raise NotImplementedError

    def monotonic(self) -> float:
        """Some second."""
        return 0.0

    def sleep(self, seconds: float, /) -> None:
        """Not at all."""


class OwnLedger:
    """A ledger in a host's own database."""

    def state(self, key: str, /) -> v.LedgerState | None:
        """Nothing is known."""
        raise NotImplementedError(key)

    def attempting(self, keys: Iterable[str], /) -> frozenset[str] | None:
        """All are the caller's."""
        raise NotImplementedError(keys)

    def settle(self, receipt: v.Receipt, /) -> None:
        """Nothing is kept."""


def addresses(text: str) -> None:
    """Addresses."""
    mailbox = v.parse_mailbox(text, lenient=True)
    assert_type(mailbox, v.Mailbox)
    assert_type(v.Mailbox("a@example.com", "Ann"), v.Mailbox)
    assert_type(v.Mailbox("a@example.com", display_name="Ann"), v.Mailbox)
    assert_type(mailbox.addr_spec, str)
    assert_type(mailbox.display_name, str)
    assert_type(mailbox.local_part, str)
    assert_type(mailbox.domain, str)
    assert_type(mailbox.ascii_domain, str)
    assert_type(mailbox.needs_smtputf8, bool)
    assert_type(mailbox.address_key, str)
    assert_type(mailbox.warnings, tuple[str, ...])
    assert_type(mailbox.header(smtputf8=True), str)
    assert_type(v.parse_mailbox_list(text, separator=",", lenient=True), tuple[v.Mailbox, ...])
    collected = v.collect_mailbox_list(text, separator=";", lenient=True)
    assert_type(collected, v.CollectedMailboxes)
    assert_type(collected.mailboxes, tuple[v.Mailbox, ...])
    assert_type(collected.errors, tuple[v.AddressError, ...])
    assert_type(v.format_mailbox_list([mailbox], separator=","), str)
    assert_type(v.unique_mailboxes([mailbox]), tuple[v.Mailbox, ...])
    try:
        v.parse_mailbox_list(text)
    except v.AddressListError as error:
        assert_type(error.code, v.AddressErrorCode)
        assert_type(error.text, str)
        assert_type(error.start, int)
        assert_type(error.end, int)
        assert_type(error.entry, int | None)
        assert_type(error.hint, str)
        assert_type(error.errors, tuple[v.AddressError, ...])
        assert_type(error.mailboxes, tuple[v.Mailbox, ...])


def people() -> list[v.Person]:
    """People, staff and logins."""
    guardian = v.Person(None, key="G1", name="Mary Lee", active=False, marketing=False)
    person = v.Person(
        "a@example.com", key="C1", name="Ann", fields={"room": 4}, related={"guardian": (guardian,)}
    )
    assert_type(person.mailbox(), v.Mailbox)
    assert_type(person.key, str)
    assert_type(person.name, str)
    fields: Mapping[str, object] = person.fields
    del fields
    assert_type(person.related, Mapping[str, tuple[v.Person, ...]])
    assert_type(person.active, bool)
    assert_type(person.marketing, bool)
    secrets: list[v.Secret] = [
        v.PlainSecret("p"),
        v.EnvironmentSecret("NAME"),
        v.KeyringSecret("service", "user"),
        OwnSecret(),
    ]
    assert_type(secrets[0].reveal(), str)
    login = v.Login("user", secrets[0])
    assert_type(login.username, str)
    assert_type(login.secret, v.Secret)
    staff = v.Staff("Kim", "kim@example.com", key="S1", login=login)
    assert_type(staff.name, str)
    assert_type(staff.login, v.Login | None)
    return [person, v.Person(v.Mailbox("b@example.com"))]


def contexts() -> None:
    """Contexts."""
    context = v.STANDARD_CONTEXTS["occurrence_class"]
    assert_type(context, v.EmailContext)
    assert_type(context.key, str)
    assert_type(context.label, str)
    assert_type(context.to_roles, tuple[str, ...])
    assert_type(context.roles, tuple[str, ...])
    assert_type(context.defaults, Mapping[str, v.RecipientType])
    assert_type(context.private, bool)
    assert_type(v.ROLE_LABELS, Mapping[str, str])
    v.EmailContext("k", "L", to_roles=("client",), roles=(), defaults={}, private=True)
    assert_type(v.RecipientType("cc"), v.RecipientType)


def preferences(path: Path) -> v.EmailPreferences:
    """Preferences."""
    loaded = v.load_preferences(path)
    assert_type(loaded, v.EmailPreferences)
    assert_type(loaded.use_built_in_client, bool)
    server = loaded.mail_server
    assert_type(server, v.MailServer)
    assert_type(server.host, str)
    assert_type(server.port, int)
    assert_type(server.tls, v.TlsMethod)
    assert_type(server.authentication, v.AuthenticationType)
    assert_type(server.use_staff_logins, bool)
    assert_type(server.username, str)
    assert_type(server.password, v.Secret | None)
    assert_type(server.wait_between_emails_ms, int)
    settings = loaded.settings
    assert_type(settings, v.Settings)
    assert_type(settings.default_from, v.Mailbox | None)
    assert_type(settings.default_reply_to, v.Mailbox | None)
    assert_type(settings.bulk_copies, v.BulkCopies)
    assert_type(settings.address_separator, str)
    assert_type(settings.staff_display_name, v.StaffDisplayName)
    assert_type(settings.custom_display_name, str)
    assert_type(loaded.contexts, Mapping[str, Mapping[str, v.RecipientType]])
    assert_type(loaded.recipient_types("occurrence_class"), Mapping[str, v.RecipientType])
    assert_type(loaded.applies("mail_server.port"), bool)
    assert_type(loaded.applicable_settings(), tuple[str, ...])
    assert_type(v.save_preferences(loaded, path, include_secrets=True, overwrite=True), v.EmailPreferences)
    assert_type(v.preferences_from_dict({"schema": 1}), v.EmailPreferences)
    assert_type(v.preferences_to_dict(loaded, include_secrets=True)["schema"], object)
    assert_type(v.default_preferences_path(), Path)
    # A string is parsed wherever a mailbox is taken.
    v.Settings(default_from='"Riverside" <office@example.com>', default_reply_to=v.Mailbox("a@example.com"))
    return loaded


def looking_at_preferences(loaded: v.EmailPreferences) -> None:
    """Checks, providers and the description of the screen."""
    problems = v.check_preferences(loaded, staff=v.Staff("Kim", "kim@example.com"))
    assert_type(problems, tuple[v.Problem, ...])
    assert_type(problems[0].severity, v.Severity)
    assert_type(problems[0].setting, str)
    assert_type(problems[0].message, str)
    assert_type(problems[0].advice, str)
    described = v.describe_preferences()
    assert_type(described, tuple[v.SettingDescription, ...])
    assert_type(described[0].name, str)
    assert_type(described[0].label, str)
    assert_type(described[0].help, str)
    assert_type(described[0].default, object)
    assert_type(described[0].group, str)
    posted: dict[str, str | list[str]] = {**v.form_values(loaded), "use_built_in_client": ["off", "on"]}
    assert_type(v.preferences_from_form(posted, current=loaded), v.EmailPreferences)
    provider = v.provider_for("smtp.office365.com")
    assert_type(provider, v.Provider | None)
    provider = v.PROVIDERS["microsoft365"]
    assert_type(provider.host, str)
    assert_type(provider.ports, tuple[int, ...])
    assert_type(provider.tls, v.TlsMethod)
    assert_type(provider.authentication, v.AuthenticationType)
    assert_type(provider.messages_per_minute, int | None)
    assert_type(provider.recipients_per_day, int | None)
    assert_type(provider.recipients_per_message, int | None)
    assert_type(provider.message_bytes, int | None)
    assert_type(provider.connections, int | None)
    assert_type(provider.notes, tuple[str, ...])
    assert_type(provider.sources, tuple[str, ...])


def recipients(loaded: v.EmailPreferences, persons: list[v.Person]) -> v.Sender:
    """Recipients, and who an email is from."""
    both = v.Recipients(to="a@example.com") | v.Recipients.parse(
        cc="b@example.com, c@example.com", separator=","
    )
    assert_type(both, v.Recipients)
    assert_type(both.to, tuple[v.Mailbox, ...])
    assert_type(both.all, tuple[v.Mailbox, ...])
    v.Recipients([v.Mailbox("a@example.com")], cc=("b@example.com",), bcc="c@example.com")
    expansion = v.expand_context("occurrence_class", {"client": persons}, loaded)
    assert_type(expansion, v.Expansion)
    assert_type(expansion.recipients, v.Recipients)
    assert_type(expansion.empty_roles, tuple[str, ...])
    assert_type(expansion.exclusions, tuple[v.Exclusion, ...])
    exclusion = expansion.exclusions[0]
    assert_type(exclusion.person, v.Person)
    assert_type(exclusion.reason, v.ExclusionReason)
    assert_type(exclusion.detail, str)
    sender = v.resolve_sender(loaded, v.Staff("Kim", "kim@example.com"))
    assert_type(sender, v.Sender)
    assert_type(sender.mailbox, v.Mailbox)
    assert_type(sender.reply_to, tuple[v.Mailbox, ...])
    assert_type(sender.login, v.Login | None)
    return sender


def messages() -> v.Email:
    """Messages."""
    attachment = v.Attachment.from_path("a.pdf")
    assert_type(attachment, v.Attachment)
    assert_type(attachment.filename, str)
    assert_type(attachment.data, bytes)
    assert_type(attachment.media_type, str)
    content = v.Content("s", "t", html="<p>t</p>", attachments=[attachment, v.Attachment("b.txt", b"b")])
    assert_type(content.merge({"name": 1}), v.Content)
    assert_type(content.attachments, tuple[v.Attachment, ...])
    email = v.Email(
        sender="office@example.com",
        recipients=v.Recipients(to="a@example.com"),
        content=content,
        reply_to=(v.Mailbox("b@example.com"),),
        key="k",
        headers={"Auto-Submitted": "auto-generated"},
    )
    assert_type(email.sender, v.Mailbox)
    assert_type(email.recipients, v.Recipients)
    assert_type(email.reply_to, tuple[v.Mailbox, ...])
    assert_type(email.key, str)
    assert_type(email.message_id, str)
    assert_type(email.date, datetime | None)
    assert_type(email.to_message(), EmailMessage)
    assert_type(email.as_bytes(smtputf8=True), bytes)
    assert_type(email.needs_smtputf8, bool)
    return email


def plan(loaded: v.EmailPreferences, persons: list[v.Person], sender: v.Sender) -> v.BulkPlan:
    """Plans."""
    made = v.plan_bulk(
        v.Content("s", "t"),
        persons,
        sender=sender,
        cc="a@example.com",
        copies=v.BulkCopies.EVERY_RECIPIENT,
        context="occurrence_class",
        shared={"class_staff": persons},
        preferences=loaded,
        context_copies=v.BulkCopies.FIRST_RECIPIENT,
        marketing=True,
        batch="b",
        headers={"X-Course": "${course}"},
        unsubscribe="https://example.com/leave?who=${address}",
    )
    assert_type(made, v.BulkPlan)
    v.plan_bulk(
        lambda person: v.Content(person.name),
        persons,
        sender="a@example.com",
        headers=lambda person: {"X-Client": person.key},
        unsubscribe=lambda person: f"mailto:leave@example.com?subject={person.key}",
    )
    assert_type(next(iter(made)), v.Email)
    assert_type(next(made.steps()), v.Email | v.Exclusion)
    summary = made.summary()
    assert_type(summary, v.PlanSummary)
    assert_type(summary.emails, int)
    assert_type(summary.copies, Mapping[str, int])
    assert_type(summary.exclusions, Counter[v.ExclusionReason])
    assert_type(summary.first, v.Email | None)
    return made


def transports(server: v.MailServer, token: Callable[[], str], context: ssl.SSLContext) -> v.Transport:
    """Transports."""
    transport: v.Transport = OwnTransport()
    transport = v.EmlTransport(Path("outbox"))
    transport = v.MailtoTransport(separator=",", open_uri=print, drafts=Path("d"), max_uri_length=2000)
    transport = v.SmtpTransport(
        server,
        login=v.Login("user", v.PlainSecret("p")),
        token=token,
        pipelining=v.Pipelining.CHUNKING,
        ssl_context=context,
        deadlines=v.Deadlines(dot=300, quit=2.5),
        limits=v.Limits(idle_seconds=5, recipients_per_message=50),
        ehlo_name="app.example.com",
        allow_cleartext_auth=False,
        clock=OwnClock(),
    )
    assert_type(transport.check("a@example.com"), v.ConnectionCheck)
    clock: v.Clock = v.SystemClock()
    assert_type(clock.now(), datetime)
    assert_type(clock.monotonic(), float)
    kept: list[tuple[v.Receipt, bytes]] = []
    transport = v.Archived(transport, Path("sent"))
    transport = v.Archived(transport, lambda receipt, octets: kept.append((receipt, octets)))
    transport = v.Retrying(v.RedirectAll(transport, "staging@example.com"), delays=[60.0], clock=clock)
    pause = v.Spacing(2.0, clock=clock)
    transport = v.Spaced(transport, pause)
    assert_type(v.HandOverWarning("semicolon_list"), v.HandOverWarning)
    assert_type(v.transport_for(v.EmailPreferences(), staff=None, token=token), v.Transport)
    return transport


def sending(loaded: v.EmailPreferences, made: v.BulkPlan, transport: v.Transport) -> v.Receipt:
    """The mailer and the ledger."""
    ledger: v.Ledger = OwnLedger()
    ledger = v.SqliteLedger("sent.sqlite")
    shared = v.SharedSpacing(ledger, "office", per_minute=30, connections=3, recipients_per_day=10_000)
    assert_type(shared.forecast(made.summary()), v.Forecast)
    assert_type(ledger.state("key"), v.LedgerState | None)
    assert_type(v.Limits().recipients_per_message, int | None)
    v.Mailer(loaded, limits=v.Limits(message_bytes=1_000_000), deadlines=v.Deadlines(quit=1)).close()
    v.transport_for(loaded, limits=None, deadlines=None).close()
    with v.Mailer(loaded, transport=transport, token=lambda: "token", clock=OwnClock()) as mailer:
        assert_type(mailer, v.Mailer)
        one = v.Person("a@example.com")
        assert_type(mailer.plan_bulk(v.Content("s"), [], cc="a@example.com", batch="b"), v.BulkPlan)
        assert_type(
            mailer.plan_bulk(v.Content("s"), one, bcc=one.mailbox(), shared={"staff": one}), v.BulkPlan
        )
        mailer.send(v.Content("s"), to=one.mailbox(), context="client", people={"guardian": one})
        try:
            receipt = mailer.send(v.Content("s"), to="a@example.com; b@example.com", headers={"X-A": "b"})
            receipt = mailer.send(
                v.Content("${a}"), to="a@example.com", fields={"a": 1}, reply_to=(), key="k", ledger=ledger
            )
        except v.DeliveryError as error:
            receipt = error.receipt
        assert_type(receipt, v.Receipt)
        progress = v.Progress(made.summary().emails, wait_ms=0)
        assert_type(progress.fraction, float)
        assert_type(progress.seconds_left, float | None)
        try:
            report = mailer.send_bulk(made, ledger=ledger, progress=progress, cancel=lambda: False)
        except v.RunInterrupted as interrupt:
            report = interrupt.report
        assert_type(report, v.Report)
        assert_type(report.emails, int)
        assert_type(report.accepted, int)
        assert_type(report.not_attempted, int)
        assert_type(report.failures, tuple[v.Receipt, ...])
        assert_type(report.exclusions, tuple[v.Exclusion, ...])
        assert_type(report.ok, bool)
    assert_type(next(v.deliver_once(ledger, transport, made, retry_unknown=True)), v.Receipt)
    return receipt


def receipts(receipt: v.Receipt) -> None:
    """Receipts."""
    assert_type(receipt.email, v.Email)
    assert_type(receipt.accepted, tuple[v.Mailbox, ...])
    assert_type(receipt.handed_over, tuple[v.Mailbox, ...])
    assert_type(receipt.attempts, int)
    assert_type(receipt.reply, v.Reply | None)
    assert_type(receipt.ok, bool)
    assert_type(receipt.queue_id, str)
    assert_type(receipt.reason, str)
    assert_type(receipt.remembered, bool)
    assert_type(receipt.to_dict(), dict[str, object])
    assert_type(v.receipt_from_dict(receipt.to_dict()), v.Receipt)
    for outcome in receipt.outcomes:
        assert_type(outcome, v.Outcome)
        assert_type(outcome.mailbox, v.Mailbox)
        assert_type(outcome.status, v.Status)
        assert_type(outcome.cause, v.Cause | None)
        assert_type(outcome.reply, v.Reply | None)
        assert_type(outcome.phase, v.Phase | None)
    reply = v.Reply(250, "2.0.0", "Ok")
    assert_type(reply.code, int)
    assert_type(reply.enhanced, str)
    assert_type(reply.text, str)
    assert_type(v.Cause.TLS.advice, str)
    assert_type(v.mailto_uri(receipt.email, separator=","), str)
    assert_type(v.draft_bytes(receipt.email, with_sender=True), bytes)
    drafts = v.ImapDrafts("imap.example.com", username="kim@example.com", token=lambda: "a token")
    assert_type(list(drafts.deliver([receipt.email])), list[v.Receipt])
    assert_type(drafts.chooses_sender, bool)


def bounces(raw: bytes, taken: v.BounceTaken, missing: v.NeverReached) -> None:
    """What came back, and what a ledger makes of it."""
    bounce = v.read_bounce(raw)
    assert_type(bounce, v.Bounce | None)
    if bounce is not None:
        assert_type(bounce.envelope_id, str)
        assert_type(bounce.notices, tuple[v.Notice, ...])
        assert_type(bounce.notices[0].action, v.Action)
        assert_type(bounce.notices[0].cause, v.Cause | None)
    assert_type(taken.suppressed, str)
    assert_type(missing.times, int)


def errors(error: Exception) -> None:
    """Whoever catches the base catches all of them; those about values are ValueErrors."""
    about_values: tuple[type[ValueError], ...] = (
        v.AddressError,
        v.AddressListError,
        v.PreferencesError,
        v.StalePreferencesError,
        v.RecipientsError,
        v.MessageError,
        v.MergeError,
    )
    all_of_them: tuple[type[v.VetmailError], ...] = (
        v.AddressError,
        v.PreferencesError,
        v.RecipientsError,
        v.MessageError,
        v.MergeError,
        v.TokenError,
        v.TransportError,
        v.LedgerError,
        v.DeliveryError,
    )
    if isinstance(error, v.PreferencesError):
        assert_type(error.problems, tuple[v.Problem, ...])
    elif not isinstance(error, (*about_values, *all_of_them)):
        raise error


def tokens(key: Path, secret: v.EnvironmentSecret, cache: v.TokenCache, source: v.TokenSource) -> None:
    """A source is a function that returns a text, and can be told that it was refused."""
    sources: tuple[v.TokenSource, ...] = (
        v.MicrosoftApp(tenant="a.example", client_id="app", secret=secret, certificate=key),
        v.MicrosoftSignIn(tenant="a.example", client_id="app", mailbox="kim@a.example", cache=cache),
        v.GoogleServiceAccount(key, mailbox="kim@a.example"),
        v.GoogleServiceAccount(secret),
    )
    caches: tuple[v.TokenCache, ...] = (v.FileTokens(), v.FileTokens(key), v.KeyringTokens("vetmail"))
    for one in (*sources, source):
        assert_type(one(), str)
        v.MailServer(oauth=one)
    assert_type([kept.read("entry") for kept in caches], list[str | None])
    error = v.TokenError("no", advice="do", transient=True, retry_after=7)
    assert_type(error.transient, bool)
    assert_type(v.PROVIDERS["microsoft365"].tenant_recipients_per_day(25), int | None)
    assert_type(v.PROVIDERS["gmail"].mail_server(username="kim"), v.MailServer)
