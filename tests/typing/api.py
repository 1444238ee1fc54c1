"""What the public names promise to a type checker; checked by mypy and pyright, never run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import assert_type

import vetmail_core as v


class Own:
    """A transport of a third party, by structure alone."""

    def deliver(self, emails: object, /) -> Iterator[v.Receipt]:
        """Deliver nothing."""
        raise NotImplementedError(emails)

    def close(self) -> None:
        """Nothing is open."""


def addresses(text: str) -> None:
    """Addresses."""
    mailbox = v.parse_mailbox(text, lenient=True)
    assert_type(mailbox, v.Mailbox)
    assert_type(mailbox.addr_spec, str)
    assert_type(mailbox.warnings, tuple[str, ...])
    assert_type(mailbox.header(smtputf8=True), str)
    assert_type(v.parse_mailbox_list(text, separator=","), tuple[v.Mailbox, ...])
    collected = v.collect_mailbox_list(text)
    assert_type(collected.mailboxes, tuple[v.Mailbox, ...])
    assert_type(collected.errors, tuple[v.AddressError, ...])
    assert_type(v.format_mailbox_list([mailbox]), str)
    assert_type(v.unique_mailboxes([mailbox]), tuple[v.Mailbox, ...])
    try:
        v.parse_mailbox_list(text)
    except v.AddressListError as error:
        assert_type(error.code, v.AddressErrorCode)
        assert_type(error.entry, int | None)
        assert_type(error.errors, tuple[v.AddressError, ...])
        assert_type(error.mailboxes, tuple[v.Mailbox, ...])


def preferences(path: Path) -> v.EmailPreferences:
    """Preferences."""
    loaded = v.load_preferences(path)
    assert_type(loaded, v.EmailPreferences)
    assert_type(loaded.mail_server.port, int)
    assert_type(loaded.mail_server.tls, v.TlsMethod)
    assert_type(loaded.settings.default_from, v.Mailbox | None)
    assert_type(loaded.recipient_types("occurrence_class"), Mapping[str, v.RecipientType])
    assert_type(loaded.applies("mail_server.port"), bool)
    assert_type(loaded.applicable_settings(), tuple[str, ...])
    assert_type(v.check_preferences(loaded), tuple[v.Problem, ...])
    assert_type(v.save_preferences(loaded, path, overwrite=True), v.EmailPreferences)
    assert_type(v.describe_preferences(), tuple[v.SettingDescription, ...])
    assert_type(v.provider_for("smtp.office365.com"), v.Provider | None)
    # A string is parsed wherever a mailbox is taken.
    v.Settings(default_from='"Riverside" <office@example.com>', default_reply_to=v.Mailbox("a@example.com"))
    return loaded


def plan(loaded: v.EmailPreferences, people: list[v.Person]) -> v.BulkPlan:
    """Recipients and plans."""
    expansion = v.expand_context("occurrence_class", {"client": people}, loaded)
    assert_type(expansion.recipients, v.Recipients)
    assert_type(expansion.exclusions, tuple[v.Exclusion, ...])
    assert_type(expansion.recipients.all, tuple[v.Mailbox, ...])
    assert_type(expansion.recipients | v.Recipients(to="a@example.com"), v.Recipients)
    sender = v.resolve_sender(loaded, v.Staff("Kim", "kim@example.com"))
    assert_type(sender.mailbox, v.Mailbox)
    assert_type(sender.login, v.Login | None)
    made = v.plan_bulk(v.Content("s", "t"), people, sender=sender, cc="a@example.com")
    v.plan_bulk(lambda person: v.Content(person.name), people, sender=sender)
    assert_type(next(iter(made)), v.Email)
    assert_type(next(made.steps()), v.Email | v.Exclusion)
    summary = made.summary()
    assert_type(summary.emails, int)
    assert_type(summary.copies, Mapping[str, int])
    assert_type(summary.exclusions, Counter[v.ExclusionReason])
    assert_type(summary.first, v.Email | None)
    return made


def messages(email: v.Email) -> None:
    """Messages."""
    assert_type(email.to_message(), EmailMessage)
    assert_type(email.as_bytes(smtputf8=True), bytes)
    assert_type(email.date, datetime | None)
    assert_type(email.content.merge({"name": 1}), v.Content)
    assert_type(v.Attachment.from_path("a.pdf").data, bytes)


def sending(loaded: v.EmailPreferences, made: v.BulkPlan) -> None:
    """Transports and receipts."""
    transport: v.Transport = Own()
    transport = v.EmlTransport(Path("outbox"))
    transport = v.SmtpTransport(
        loaded.mail_server, pipelining=v.Pipelining.CHUNKING, limits=v.Limits(idle_seconds=5)
    )
    assert_type(transport.check(), v.ConnectionCheck)
    transport = v.Retrying(v.RedirectAll(transport, "staging@example.com"), delays=[60.0])
    with v.Mailer(loaded, transport=transport, token=lambda: "token") as mailer:
        receipt = mailer.send(v.Content("s"), to="a@example.com; b@example.com")
        assert_type(receipt, v.Receipt)
        assert_type(receipt.accepted, tuple[v.Mailbox, ...])
        assert_type(receipt.queue_id, str)
        for outcome in receipt.outcomes:
            assert_type(outcome.status, v.Status)
            assert_type(outcome.cause, v.Cause | None)
            assert_type(outcome.reply, v.Reply | None)
            assert_type(outcome.phase, v.Phase | None)
        report = mailer.send_bulk(
            made, ledger=v.SqliteLedger("sent.sqlite"), progress=print, cancel=lambda: False
        )
        assert_type(report, v.Report)
        assert_type(report.failures, tuple[v.Receipt, ...])
        assert_type(report.exclusions, tuple[v.Exclusion, ...])
    assert_type(v.Cause.TLS.advice, str)
    assert_type(v.mailto_uri(receipt.email, separator=","), str)
    assert_type(next(v.deliver_once(v.SqliteLedger("l"), transport, made)), v.Receipt)
