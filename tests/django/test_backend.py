"""What Django may count on: the count, what is raised, one connection, the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, EmailMultiAlternatives, send_mail
from django.test import override_settings

import django
from vetmail_core import (
    Content,
    DeliveryError,
    Email,
    EmailPreferences,
    MessageError,
    PreferencesError,
    Recipients,
    RedirectAll,
    SmtpTransport,
    save_preferences,
    transport_for,
)
from vetmail_core.django import EmailBackend
from vetmail_core.testing import FakeClock, LocalSmtpServer, Outbox, capture

if TYPE_CHECKING:
    from pathlib import Path

    from vetmail_core import Transport

NEW = django.VERSION >= (6, 1)
OURS = "vetmail_core.django.EmailBackend"


def _message(subject: str = "News", to: str = "sam@example.com", **more: object) -> EmailMessage:
    return EmailMessage(subject, "Text", "office@example.com", [to], **more)


def options(**given: object) -> override_settings:
    """The two options where each version of Django has them."""
    if NEW:
        return override_settings(MAILERS={"default": {"BACKEND": OURS, "OPTIONS": given}})
    return override_settings(EMAIL_BACKEND=OURS, VETMAIL=given)


BAD = (
    _message("Line\nbreak"),
    _message(to="not an address"),
    _message(to="zoë@example.com"),
    _message(headers={"X-Note": "a\r\nBcc: x@example.com"}),
)


@pytest.mark.parametrize("bad", BAD, ids=["subject", "recipient", "beyond ASCII", "header"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_message_keeps_no_other_back(bad: EmailMessage, place: int, project: LocalSmtpServer) -> None:
    """The others are sent first; then it is told, or with fail_silently only counted."""
    messages = [_message("One"), _message("Two")]
    messages.insert(place, bad)
    with pytest.raises(ValueError, match=r".") as caught:
        EmailBackend().send_messages(messages)
    assert caught.value.__notes__ == ["2 of 3 messages were sent."]
    assert [one.subject for one in project.emails] == ["One", "Two"]
    assert EmailBackend(fail_silently=True).send_messages(messages) == 2


def test_a_refused_message_is_an_error_that_holds_its_receipt(project: LocalSmtpServer) -> None:
    """The first that failed is raised when all have their answer."""
    project.faults.refuse("old@example.com")
    messages = [_message("To old", "old@example.com"), _message("To Sam"), _message("Bad\nline")]
    with pytest.raises(DeliveryError, match='Nobody was sent "To old"') as caught:
        EmailBackend().send_messages(messages)
    assert caught.value.receipt.outcomes[0].mailbox.addr_spec == "old@example.com"
    assert [one.subject for one in project.emails] == ["To Sam"]
    assert EmailBackend(fail_silently=True).send_messages(messages) == 1


def test_a_message_that_one_of_two_gets_is_counted(project: LocalSmtpServer) -> None:
    """As with Django's own backend: it was sent."""
    project.faults.refuse("old@example.com")
    assert EmailBackend().send_messages([_message(cc=["old@example.com"])]) == 1


def test_a_mistake_in_the_program_is_never_silenced(project: LocalSmtpServer) -> None:
    """What is no matter of mail is raised, after the others were sent."""
    wrong = _message()
    wrong.attachments = [("a.txt", object(), "application/pdf", "one too many")]
    with pytest.raises(TypeError):
        EmailBackend(fail_silently=True).send_messages([wrong, _message()])
    assert len(project.emails) == 1


def test_nobody_to_send_to_is_nothing_sent() -> None:
    """No connection is opened for it."""
    assert EmailBackend().send_messages([]) == 0
    assert EmailBackend().send_messages([EmailMessage("News", "Text", None, [])]) == 0
    assert EmailMessage("News", "Text", None, [], bcc=[""]).send() == 0


def test_one_connection_for_many_calls(project: LocalSmtpServer) -> None:
    """Between open and close there is one session; without them each call has its own."""
    backend = EmailBackend()
    with backend:
        assert backend.open() is False
        backend.send_messages([_message("One")])
        backend.send_messages([_message("Two"), _message("Three")])
    assert project.verbs.count("EHLO") == 1
    assert backend.send_messages([_message("Four")]) == 1
    assert backend.open() is True
    backend.close()
    backend.close()
    assert project.verbs.count("EHLO") == 2
    assert [one.subject for one in project.wait_for(4)] == ["One", "Two", "Three", "Four"]


def test_djangos_own_functions_send_by_it(project: LocalSmtpServer) -> None:
    """send_mail, a message's send, a password reset: all of django.core.mail."""
    assert send_mail("Reset", "Text", None, ["sam@example.com"], html_message="<p>Text</p>") == 1
    assert _message("Second").send() == 1
    first, _ = project.wait_for(2)
    assert first.sender == "office@example.com"
    assert first.message.get_content_type() == "multipart/alternative"


def test_a_server_that_is_away_is_said_or_silenced(server: LocalSmtpServer) -> None:
    """Nothing was tried: the reason is in the error."""
    away = server.mail_server
    server.close()

    def line() -> Transport:
        return SmtpTransport(away, clock=FakeClock())

    with options(transport=line):
        backend = mail.mailers.default if NEW else mail.get_connection()
        with pytest.raises(DeliveryError, match=r"127\.0\.0\.1"):
            backend.send_messages([_message()])
    assert EmailBackend(fail_silently=True, transport=line).send_messages([_message()]) == 0


def preferences_of_the_test() -> EmailPreferences:
    """Found by its dotted name."""
    return LINES[-1][1]


def transport_of_the_test() -> Transport:
    """Likewise."""
    return LINES[-1][0].line()


LINES: list[tuple[Outbox, EmailPreferences]] = []


def test_a_preferences_file_is_read_at_each_opening(server: LocalSmtpServer, tmp_path: Path) -> None:
    """What an administrator changes counts for the next message; a path as text or as Path."""
    file = tmp_path / "email-preferences.json"
    backend = EmailBackend(preferences=str(file))
    with pytest.raises(PreferencesError, match="email-preferences"):
        backend.send_messages([_message()])
    assert EmailBackend(preferences=file, fail_silently=True).send_messages([_message()]) == 0
    save_preferences(server.server_preferences(), file)
    assert backend.send_messages([_message()]) == 1
    assert EmailBackend(preferences=file).send_messages([_message()]) == 1


def test_no_option_means_the_shared_file(
    server: LocalSmtpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that every program of this machine reads."""
    file = tmp_path / "email-preferences.json"
    save_preferences(server.server_preferences(), file)
    monkeypatch.setattr("vetmail_core.preferences.store.default_preferences_path", lambda: file)
    assert EmailBackend().send_messages([_message()]) == 1
    assert len(server.emails) == 1


def test_a_server_opens_no_mail_program() -> None:
    """With the built-in client off there is nobody to press Send."""
    backend = EmailBackend(preferences=EmailPreferences)
    with pytest.raises(PreferencesError, match="a server has none"):
        backend.send_messages([_message()])


def test_options_by_dotted_names(server: LocalSmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a function that gives preferences, and of one that gives a transport."""
    import sys  # noqa: PLC0415 - this module is found under a name of its own

    monkeypatch.setitem(sys.modules, "names_of_the_test", sys.modules[__name__])
    outbox = Outbox()
    LINES.append((outbox, server.server_preferences()))
    with options(preferences="names_of_the_test.preferences_of_the_test"):
        assert _message("By the preferences").send() == 1
    with options(transport="names_of_the_test.transport_of_the_test"):
        assert _message("By the transport").send() == 1
    assert [one.subject for one in server.emails] == ["By the preferences"]
    outbox.assert_sent(subject="By the transport", times=1)


def test_a_dotted_name_that_leads_nowhere_is_named() -> None:
    """As a mistake of the settings, with the option."""
    with pytest.raises(ImproperlyConfigured, match=r"transport .* 'portal.nowhere.line'"):
        EmailBackend(transport="portal.nowhere.line").open()


@pytest.mark.parametrize(
    ("setting", "words"),
    [("portal.mail", "needs a dictionary, got str"), ({"tranport": "x"}, "got 'tranport'")],
)
def test_a_setting_that_is_wrong_is_named(setting: object, words: str) -> None:
    """At once, and not when the first password reset fails."""
    with override_settings(VETMAIL=setting), pytest.raises(ImproperlyConfigured, match=words):
        EmailBackend()


def test_a_login_that_django_would_use_is_passed_over(project: LocalSmtpServer) -> None:
    """The preferences know the login; send_mail hands over its own arguments all the same."""
    if NEW:
        with pytest.raises(mail.InvalidMailer, match="username"):
            EmailBackend(alias="default", username="office")
    else:
        assert EmailBackend(username="office", password="x").send_messages([_message()]) == 1
        assert len(project.emails) == 1


def test_a_test_sees_what_django_sends() -> None:
    """Subject, text, html, files and headers, as of any other email."""
    with capture() as outbox, options(transport=outbox.line):
        made = EmailMultiAlternatives(
            "Grüße",
            "Text\n",
            "office@example.com",
            ["Sam <sam@example.com>"],
            bcc=["log@example.org"],
            reply_to=["desk@example.com"],
            headers={"X-Course": "Bäckerei", "Message-ID": "<1@example.com>"},
        )
        made.attach_alternative("<p>cid: none</p>", "text/html")
        made.attach_alternative('{"a": 1}', "application/json")
        made.attach("map.pdf", b"%PDF", "application/pdf")
        made.attach("inner.eml", _message("Inner"), "message/rfc822")
        made.attach("../up", b"up", "application/zip")
        assert made.send() == 1
        record = outbox.assert_sent(
            to="sam@example.com",
            bcc="log@example.org",
            sender="office@example.com",
            reply_to="desk@example.com",
            subject="Grüße",
            text="Text\n",
            html="<p>cid: none</p>\n" if NEW else "<p>cid: none</p>",
            attachment="map.pdf",
            headers={"X-Course": "Bäckerei"},
        )
        names = [one.filename for one in record.email.content.attachments]
        assert names == ["attachment", "map.pdf", "inner.eml", "attachment"]
        assert b"Subject: Inner" in record.email.content.attachments[2].data
        assert record.receipt.email.message_id == "<1@example.com>"
        outbox.assert_bcc_hidden()


def test_a_redirected_message_says_whom_it_was_for(server: LocalSmtpServer) -> None:
    """In its subject and headers, and nobody else is shown or written to."""

    def redirected() -> Transport:
        return RedirectAll(transport_for(server.server_preferences()), "me@example.com")

    made = _message(
        "Grüße", cc=["ann@example.com"], bcc=["log@example.org"], headers={"X-Original-To": "old"}
    )
    made.attach("map.pdf", b"%PDF", "application/pdf")
    assert EmailBackend(transport=redirected).send_messages([made]) == 1
    (received,) = server.emails
    assert received.recipients == ("me@example.com",)
    assert received.subject == "[for sam@example.com and 2 more] Grüße"
    assert received.message["To"] == "me@example.com"
    assert received.message.get_all("X-Original-To") == ["sam@example.com"]
    assert received.message["X-Original-Cc"] == "ann@example.com"
    assert received.message["Cc"] is None
    assert received.message["From"] == "office@example.com"


# What is the message's, and not Django's.


def _written(octets: bytes) -> Email:
    return Email(
        sender="office@example.com",
        recipients=Recipients("sam@example.com"),
        content=Content("x"),
        written=octets,
    )


def test_a_written_message_is_sent_as_it_is_but_for_bcc_and_line_ends() -> None:
    """Blind copies are in no octets, folded or not."""
    email = _written(b"Subject: a\nBCC: x@example.com,\n y@example.com\nTo: b\n\nText \xc3\xa4\n")
    assert b"x@example.com" not in email.as_bytes()
    assert b"y@example.com" not in email.as_bytes()
    assert email.as_bytes().startswith(b"Subject: a\r\nTo: b\r\n")
    assert email.as_bytes().isascii()
    assert email.to_message()["Subject"] == "a"
    assert "Text" not in repr(email)


@pytest.mark.parametrize(
    "octets", [b"", b"no header here\r\n\r\nText", b"a b\r\n folded: from nowhere\r\n\r\nText"]
)
def test_a_written_message_begins_with_its_headers(octets: bytes) -> None:
    """What has none is no message."""
    with pytest.raises(MessageError, match="begins with its headers"):
        _written(octets)


def test_a_written_message_is_octets() -> None:
    """A text has no charset that anybody knows."""
    with pytest.raises(MessageError, match=r"got str; write message\.as_bytes"):
        _written("Subject: a\r\n\r\n")  # type: ignore[arg-type]


def test_a_text_in_a_charset_that_nobody_knows_is_read_as_far_as_it_goes() -> None:
    """Its octets leave as they are."""
    from vetmail_core.message.written import content_of  # noqa: PLC0415 - an inner room

    content = content_of(b"Subject: a\x01b\r\nContent-Type: text/plain; charset=martian\r\n\r\n\xe4b\r\n")
    assert content.text == "\N{REPLACEMENT CHARACTER}b\n"
    assert content.subject == "a b"
