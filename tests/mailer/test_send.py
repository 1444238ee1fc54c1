"""One email, from preferences to receipt."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from vetmail_core import (
    ROLE_LABELS,
    AddressListError,
    AuthenticationType,
    Cause,
    Content,
    Deadlines,
    DeliveryError,
    EmailPreferences,
    Limits,
    Mailbox,
    Mailer,
    MailServer,
    MailtoTransport,
    MergeError,
    Person,
    PreferencesError,
    RecipientsError,
    RecipientType,
    RedirectAll,
    Retrying,
    Settings,
    SmtpTransport,
    Staff,
    Status,
    TlsMethod,
    transport_for,
)
from vetmail_core.errors import TransportValueError
from vetmail_core.sender import UNKNOWN_SENDER
from vetmail_core.testing import FakeClock, LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from vetmail_core import Transport

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from
HELLO = Content("Your class moved", "It is in room 4 now.")


def test_one_email_goes_to_everyone_in_it(smtpd: LocalSmtpServer) -> None:
    """Split at the preferences' separator; the blind copy stands in no header."""
    with Mailer(smtpd.server_preferences()) as mailer:
        receipt = mailer.send(
            HELLO, to="ann@example.com; lee@example.com", cc=["kim@example.com"], bcc="log@example.com"
        )
    assert receipt.ok
    (received,) = smtpd.emails
    assert received.recipients == ("ann@example.com", "lee@example.com", "kim@example.com", "log@example.com")
    assert b"log@example.com" not in received.data
    assert received.subject == "Your class moved"
    assert smtpd.verbs[-1] == "QUIT"


def test_the_separator_is_the_preferences(preferences: EmailPreferences, counting: Make) -> None:
    """A comma where the organisation says comma."""
    comma = attrs.evolve(preferences, settings=attrs.evolve(preferences.settings, address_separator=","))
    with Mailer(comma, transport=counting()) as mailer:
        receipt = mailer.send(HELLO, to="ann@example.com, lee@example.com")
    assert len(receipt.accepted) == 2


@pytest.mark.parametrize(
    "to",
    [
        "ann@example.com",
        Mailbox("ann@example.com"),
        ["ann@example.com"],
        (Mailbox("ann@example.com"),),
        {"ann@example.com"},
    ],
    ids=["string", "mailbox", "list of strings", "tuple of mailboxes", "set"],
)
def test_recipients_come_in_any_form(
    preferences: EmailPreferences, counting: Make, to: Iterable[Mailbox | str] | Mailbox | str
) -> None:
    """One mailbox, a string, or any iterable of both."""
    with Mailer(preferences, transport=counting()) as mailer:
        assert [m.addr_spec for m in mailer.send(HELLO, to=to).accepted] == ["ann@example.com"]


def test_a_bad_entry_stops_before_anything_is_sent(preferences: EmailPreferences, counting: Make) -> None:
    """The error names the entry."""
    transport = counting()
    with Mailer(preferences, transport=transport) as mailer, pytest.raises(AddressListError):
        mailer.send(HELLO, to="ann@example.com; not an address")
    assert transport.count == 0


def test_nobody_to_send_to_is_an_error(preferences: EmailPreferences, counting: Make) -> None:
    """Before anything is tried."""
    with Mailer(preferences, transport=counting()) as mailer, pytest.raises(RecipientsError):
        mailer.send(HELLO)


def test_a_context_adds_its_roles(preferences: EmailPreferences, counting: Make) -> None:
    """Class staff are copied in an email to a class, as the catalogue says."""
    with Mailer(preferences, transport=counting()) as mailer:
        receipt = mailer.send(
            HELLO,
            to="ann@example.com",
            context="occurrence_class",
            people={"class_staff": Person("kim@example.com", name="Kim Lee")},
        )
        alone = mailer.send(HELLO, to="ann@example.com", context="occurrence_class")
    assert [m.addr_spec for m in receipt.email.recipients.cc] == ["kim@example.com"]
    assert not alone.email.recipients.cc
    assert alone.warnings == (f"nobody to write to as {ROLE_LABELS['class_staff']}",), "To was typed"


def test_whom_a_context_does_not_reach_is_in_the_receipts_warnings(
    preferences: EmailPreferences, counting: Make
) -> None:
    """A guardian without an address, a role that nobody holds: nobody is lost in silence."""
    contexts = {"occurrence_class": {"class_staff": RecipientType.CC, "guardian": RecipientType.CC}}
    with Mailer(attrs.evolve(preferences, contexts=contexts), transport=counting()) as mailer:
        receipt = mailer.send(
            HELLO,
            to="ann@example.com",
            context="occurrence_class",
            people={"client": [Person("ann@example.com")], "guardian": [Person(None, name="Mary Lee")]},
        )
    assert any("Mary Lee has no e-mail address" in warning for warning in receipt.warnings)
    assert f"nobody to write to as {ROLE_LABELS['class_staff']}" in receipt.warnings


@pytest.mark.parametrize(
    "given",
    [
        {"to": "ann@example.com", "cc": "kim@example.com"},
        {"to": "ann@example.com", "bcc": ["kim@example.com"]},
        {"to": "ann@example.com; kim@example.com"},
        {"cc": "kim@example.com", "people": {"client": [Person("ann@example.com")]}},
        {"to": "kim@example.com", "people": {"client": [Person("ann@example.com")]}},
    ],
)
def test_a_private_email_is_copied_to_nobody(
    preferences: EmailPreferences, counting: Make, given: dict[str, Any]
) -> None:
    """A password goes to one address, whether the others were typed or hold a role; nothing is sent."""
    transport = counting()
    with Mailer(preferences, transport=transport) as mailer:
        with pytest.raises(
            RecipientsError, match=r"never copied, but it would also go to (kim|ann)@example\.com"
        ):
            mailer.send(HELLO, context="account", **given)
        assert transport.count == 0
        people = {"client": [Person("ann@example.com")]}
        assert mailer.send(HELLO, to="ann@example.com", context="account", people=people).ok


def test_the_sender_is_the_staff_member_under_the_preferences(
    preferences: EmailPreferences, counting: Make
) -> None:
    """Their name on the shared address, replies to them; and headers as given."""
    transport = counting()
    with Mailer(preferences, staff=Staff("Kim Lee", "kim@example.com"), transport=transport) as mailer:
        mailer.send(HELLO, to="ann@example.com", headers={"Auto-Submitted": "auto-generated"})
    assert str(transport.last.sender) == '"Kim Lee" <office@example.com>'
    assert [str(m) for m in transport.last.reply_to] == ['"Kim Lee" <kim@example.com>']
    assert dict(transport.last.headers) == {"Auto-Submitted": "auto-generated"}


def test_no_sender_is_an_error(counting: Make) -> None:
    """Where to enter it is in the sentence."""
    with (
        Mailer(EmailPreferences(), transport=counting()) as mailer,
        pytest.raises(PreferencesError, match="Default from"),
    ):
        mailer.send(HELLO, to="ann@example.com")


def test_when_nobody_was_accepted_the_error_says_why_and_what_to_do(smtpd: LocalSmtpServer) -> None:
    """It holds the receipt, for a program."""
    smtpd.faults.refuse("old@example.com", code=550, enhanced="5.1.1")
    with Mailer(smtpd.server_preferences()) as mailer, pytest.raises(DeliveryError) as caught:
        mailer.send(HELLO, to="old@example.com")
    assert str(caught.value).startswith(
        'Nobody was sent "Your class moved": old@example.com: refused (550 5.1.1'
    )
    assert Cause.BAD_RECIPIENT.advice in str(caught.value)
    assert caught.value.receipt.reason in str(caught.value)
    assert caught.value.receipt.refused


def test_the_error_does_not_need_a_cause_or_a_reply(preferences: EmailPreferences, counting: Make) -> None:
    """A transport of a host's own may give neither."""
    answers = {"ann@example.com": Status.NOT_ATTEMPTED}
    with (
        Mailer(preferences, transport=counting(answers)) as mailer,
        pytest.raises(DeliveryError, match=r"ann@example\.com: not attempted\.$"),
    ):
        mailer.send(HELLO, to="ann@example.com")


def test_one_accepted_recipient_is_enough(smtpd: LocalSmtpServer) -> None:
    """The receipt tells of the other."""
    smtpd.faults.refuse("old@example.com")
    with Mailer(smtpd.server_preferences()) as mailer:
        receipt = mailer.send(HELLO, to="ann@example.com; old@example.com")
    assert (len(receipt.accepted), len(receipt.refused)) == (1, 1)


def test_a_draft_that_was_handed_over_is_no_error(preferences: EmailPreferences) -> None:
    """With the built-in client off the mail program has it."""
    opened: list[str] = []
    with Mailer(preferences, transport=MailtoTransport(open_uri=opened.append)) as mailer:
        assert mailer.send(HELLO, to="ann@example.com").handed_over
    assert len(opened) == 1


@pytest.mark.parametrize("staff", [None, Staff("Kim Lee", "kim@example.com")], ids=["the system", "staff"])
@pytest.mark.parametrize(
    "settings",
    [
        Settings(address_separator=","),
        Settings(address_separator=",", default_from="office@example.com"),
        Settings(address_separator=",", default_reply_to="desk@example.com"),
        Settings(
            address_separator=",", default_from="office@example.com", default_reply_to="desk@example.com"
        ),
    ],
    ids=["nothing else", "default from", "default reply-to", "both"],
)
@pytest.mark.parametrize("given", [True, False], ids=["given", "of its own"])
def test_for_a_mail_program_only_the_separator_counts(
    settings: Settings,
    staff: Staff | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    given: bool,
) -> None:
    """No sender, login or Reply-To is missed or turns the link into a file; the program has its own."""
    preferences = EmailPreferences(
        settings=settings,
        mail_server=MailServer(authentication=AuthenticationType.PASSWORD, use_staff_logins=True),
    )
    opened: list[str] = []
    if not given:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("DISPLAY", ":9")
        monkeypatch.setattr(sys, "platform", "linux")
        for name, does in (("xdg-mime", "echo it.desktop"), ("xdg-open", f'echo "$1" >> {tmp_path}/opened')):
            (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
            (tmp_path / name).chmod(0o755)
    transport = MailtoTransport(separator=",", open_uri=opened.append) if given else None
    with Mailer(preferences, staff=staff, transport=transport) as mailer:
        assert mailer.send(HELLO, to="ann@example.com, lee@example.com").handed_over
        report = mailer.send_bulk(mailer.plan_bulk(HELLO, [Person("kim@example.com")]))
    assert report.handed_over == 1
    if not given:
        opened = (tmp_path / "opened").read_text(encoding="utf-8").splitlines()
    assert [uri.partition("?")[0] for uri in opened] == [
        "mailto:ann@example.com,lee@example.com",
        "mailto:kim@example.com",
    ]


def test_whether_a_transport_chooses_the_sender_is_asked_of_it(
    counting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of a host's own may say so too: then no sender, Reply-To or login is worked out."""
    transport = counting()
    monkeypatch.setattr(transport, "chooses_sender", True, raising=False)
    with Mailer(EmailPreferences(), transport=transport) as mailer:
        mailer.send(HELLO, to="ann@example.com")
    assert transport.last.sender == UNKNOWN_SENDER


def test_a_given_transport_that_is_no_mail_program_keeps_the_rules_of_the_sender(counting: Make) -> None:
    """Tests and trials see the From and Reply-To of the preferences, whichever client is chosen in them."""
    preferences = EmailPreferences(
        settings=Settings(default_from="office@example.com", default_reply_to="desk@example.com")
    )
    transport = counting()
    with Mailer(preferences, transport=transport) as mailer:
        mailer.send(HELLO, to="ann@example.com")
    assert [m.addr_spec for m in transport.last.reply_to] == ["desk@example.com"]


def test_the_connection_is_made_when_it_is_needed_and_kept_between_emails(smtpd: LocalSmtpServer) -> None:
    """Two emails, one greeting; none for a mailer that sends nothing."""
    with Mailer(smtpd.server_preferences()):
        pass
    assert smtpd.verbs == ()
    with Mailer(smtpd.server_preferences()) as mailer:
        mailer.send(HELLO, to="ann@example.com")
        mailer.send(HELLO, to="lee@example.com")
    assert smtpd.verbs.count("EHLO") == 1


def test_a_transport_that_was_handed_in_is_its_owners_to_close(
    preferences: EmailPreferences, counting: Make
) -> None:
    """Several mailers may share one; and a mailer that never opened one has nothing to close."""
    transport = counting()
    for _ in range(2):
        with Mailer(preferences, transport=transport) as mailer:
            mailer.send(HELLO, to="ann@example.com")
    assert (transport.count, transport.closed) == (2, 0)
    with Mailer(preferences, transport=Retrying(transport, delays=[])) as mailer:
        mailer.send(HELLO, to="ann@example.com")
    assert (transport.count, transport.closed) == (3, 0)
    Mailer(preferences).close()


def test_a_context_that_comes_to_nobody_says_who_was_left_out(
    preferences: EmailPreferences, counting: Make
) -> None:
    """The one person has no address, and nobody is class staff."""
    mailer = Mailer(preferences, transport=counting())
    with pytest.raises(RecipientsError, match=r"comes to nobody: .*Ann has no e-mail address.*Class Staff"):
        mailer.send(HELLO, context="occurrence_class", people={"client": [Person(None, name="Ann")]})


def test_people_without_a_context_are_not_passed_over(preferences: EmailPreferences, counting: Make) -> None:
    """Nothing says whether they are To, CC or BCC; so nothing goes."""
    transport = counting()
    with pytest.raises(RecipientsError, match="no context says which of them is To"):
        Mailer(preferences, transport=transport).send(
            HELLO, to="ann@example.com", people={"class_staff": [Person("kim@example.com")]}
        )
    assert transport.count == 0


@pytest.mark.parametrize(
    "wrapped",
    [lambda inner: inner, lambda inner: Retrying(RedirectAll(inner, "test@example.com"), delays=[])],
)
def test_the_connection_of_a_transport_that_was_handed_in_is_ended_politely(
    preferences: EmailPreferences, smtpd: LocalSmtpServer, wrapped: Callable[[Transport], Transport]
) -> None:
    """QUIT when the mailer is left, inside wrappers too, and the next mailer connects again."""
    transport = wrapped(SmtpTransport(smtpd.mail_server))
    for _ in range(2):
        with Mailer(preferences, transport=transport) as mailer:
            mailer.send(HELLO, to="ann@example.com")
        mailer.close()
        assert smtpd.verbs[-1] == "QUIT"
    assert smtpd.verbs.count("QUIT") == 2


def test_every_wait_goes_through_the_clock(waiting: Callable[[int], EmailPreferences]) -> None:
    """A test of a host hands one in and does not sleep."""
    clock = FakeClock()
    with Mailer(waiting(2000), clock=clock) as mailer:
        mailer.send(HELLO, to="ann@example.com")
        mailer.send(HELLO, to="lee@example.com")
    assert sum(clock.slept) == pytest.approx(2.0)


def test_the_wait_is_kept_when_the_connection_is_a_new_one(
    waiting: Callable[[int], EmailPreferences], smtpd: LocalSmtpServer
) -> None:
    """The server counts what comes, not by which connection."""
    clock = FakeClock()
    mailer = Mailer(waiting(2000), clock=clock)
    mailer.send(HELLO, to="ann@example.com")
    mailer.close()
    mailer.send(HELLO, to="lee@example.com")
    mailer.close()
    assert sum(clock.slept) == pytest.approx(2.0)
    assert smtpd.verbs.count("QUIT") == 2


def test_the_settings_and_the_sender_can_be_read(preferences: EmailPreferences) -> None:
    """For a host that is handed a mailer."""
    staff = Staff("Kim Lee", "kim@example.com")
    mailer = Mailer(preferences, staff=staff)
    assert mailer.preferences is preferences
    assert mailer.staff is staff
    assert mailer.last_report is None
    assert isinstance(mailer.preferences.settings, Settings)


# -- patience ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limits", "least", "most"), [(None, 5, 20), (Limits(reconnect_seconds=60), 20, 60)])
def test_somebody_who_waits_for_one_email_is_not_kept_long(
    preferences: EmailPreferences, limits: Limits | None, least: float, most: float
) -> None:
    """Nobody answers: twenty seconds at most, unless limits are given; a bulk run has five minutes."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = MailServer(
        host="127.0.0.1", port=port, tls=TlsMethod.NONE, authentication=AuthenticationType.NONE
    )
    clock = FakeClock()
    with Mailer(attrs.evolve(preferences, mail_server=server), limits=limits, clock=clock) as mailer:
        with pytest.raises(DeliveryError):
            mailer.send(HELLO, to="sam@example.com")
        paused = sum(clock.slept)
        assert least < paused <= most
        plan = mailer.plan_bulk(HELLO, [Person("sam@example.com", key="C1")])
        assert mailer.send_bulk(plan).not_attempted == 1
    assert (sum(clock.slept) - paused > 200) is (limits is None)


def test_a_bulk_run_behind_a_single_send_has_a_connection_of_its_own_patience(smtpd: LocalSmtpServer) -> None:
    """With limits given there is one patience, and one connection."""
    for limits, connections in ((None, 2), (Limits(), 1)):
        before = smtpd.verbs.count("EHLO")
        with Mailer(smtpd.server_preferences(), limits=limits, deadlines=Deadlines(quit=1)) as mailer:
            mailer.send(HELLO, to="sam@example.com")
            mailer.send(HELLO, to="sam@example.com")
            mailer.send_bulk(mailer.plan_bulk(HELLO, [Person("ann@example.com", key="C1")]))
        assert smtpd.verbs.count("EHLO") - before == connections


@pytest.mark.parametrize("given", [{"limits": Limits()}, {"deadlines": Deadlines()}])
def test_limits_for_a_transport_that_was_handed_in_are_a_mistake(
    preferences: EmailPreferences, counting: Make, given: Make
) -> None:
    """It has its own."""
    with pytest.raises(TransportValueError, match=f"either transport= or {next(iter(given))}, got both"):
        Mailer(preferences, transport=counting(), **given)


def test_limits_are_no_matter_for_a_mail_program() -> None:
    """It is the same transport with and without them."""
    mailer = Mailer(EmailPreferences(use_built_in_client=False), limits=Limits(), deadlines=Deadlines())
    assert "by the preferences" in repr(mailer)
    assert isinstance(transport_for(mailer.preferences, limits=Limits()), MailtoTransport)


def test_fields_are_merged_into_one_email_and_its_headers(
    preferences: EmailPreferences, counting: Make
) -> None:
    """As a plan does it; what a value holds is text, whatever it looks like."""
    with Mailer(preferences, transport=counting()) as mailer:
        receipt = mailer.send(
            Content("For ${first_name}", "${note}", html="<p>${note}</p>"),
            to="ann@example.com",
            headers={"X-Course": "${course}"},
            fields={"first_name": "Zo\u00eb", "note": "${x} & y", "course": "B\u00e4ckerei"},
        )
    content = receipt.email.content
    assert (content.subject, content.text) == ("For Zo\u00eb", "${x} & y")
    assert content.html == "<p>${x} &amp; y</p>"
    assert receipt.email.headers == {"X-Course": "B\u00e4ckerei"}


@pytest.mark.parametrize(
    ("content", "headers", "field", "place"),
    [
        (Content("s", "Hi ${first_name}"), {}, "first_name", "text"),
        (Content("s", html="<p>${course}</p>"), {}, "course", "html"),
        (Content("s"), {"X-Course": "${course}"}, "course", "header X-Course"),
    ],
)
@pytest.mark.parametrize("fields", [None, {"last_name": "Lee"}])
def test_a_field_that_nobody_gave_stops_before_anything_is_sent(
    preferences: EmailPreferences,
    counting: Make,
    content: Content,
    headers: dict[str, str],
    field: str,
    place: str,
    fields: dict[str, str] | None,
) -> None:
    """A raw ${first_name} never leaves the house."""
    transport = counting()
    with Mailer(preferences, transport=transport) as mailer, pytest.raises(MergeError) as caught:
        mailer.send(content, to="ann@example.com", headers=headers, fields=fields)
    assert (caught.value.field, caught.value.place) == (field, place)
    assert transport.count == 0


def test_a_content_merged_by_the_host_goes_as_it_is(preferences: EmailPreferences, counting: Make) -> None:
    """Its values are text by now."""
    merged = Content("s", "Hi ${name}").merge({"name": "${x}"})
    with Mailer(preferences, transport=counting()) as mailer:
        receipt = mailer.send(merged, to="ann@example.com", fields={"x": "never"})
    assert receipt.email.content.text == "Hi ${x}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ["desk@example.com"]),
        ("a@example.com; b@example.com", ["a@example.com", "b@example.com"]),
        (Mailbox("a@example.com"), ["a@example.com"]),
        (["a@example.com", Mailbox("b@example.com")], ["a@example.com", "b@example.com"]),
        ((), []),
    ],
)
def test_reply_to_replaces_what_the_preferences_say(
    preferences: EmailPreferences,
    counting: Make,
    given: Iterable[Mailbox | str] | Mailbox | str | None,
    expected: list[str],
) -> None:
    """One email's answers may go elsewhere, or back to the sender."""
    own = attrs.evolve(
        preferences, settings=attrs.evolve(preferences.settings, default_reply_to="desk@example.com")
    )
    with Mailer(own, transport=counting()) as mailer:
        receipt = mailer.send(HELLO, to="ann@example.com", reply_to=given)
    assert [mailbox.addr_spec for mailbox in receipt.email.reply_to] == expected


def test_a_key_without_a_ledger_fixes_the_message_id(preferences: EmailPreferences, counting: Make) -> None:
    """The same on every machine, whatever the text says."""
    with Mailer(preferences, transport=counting()) as mailer:
        first = mailer.send(HELLO, to="ann@example.com", key="reset-17")
        second = mailer.send(Content("Again"), to="ann@example.com", key="reset-17")
        without = mailer.send(HELLO, to="ann@example.com")
    assert first.email.key == "reset-17"
    assert first.email.message_id == second.email.message_id != ""
    assert without.email.key == without.email.message_id == ""


def test_an_email_to_nobody_says_why_also_when_every_role_is_set_to_none(
    preferences: EmailPreferences, counting: Make
) -> None:
    """No sentence ends in an empty reason."""
    off = attrs.evolve(preferences, contexts={"client": {"client": RecipientType.NONE}})
    with (
        Mailer(off, transport=counting()) as mailer,
        pytest.raises(RecipientsError, match="comes to nobody: every role of the context is set to None"),
    ):
        mailer.send(HELLO, context="client", people={"client": Person("ann@example.com")})
