"""What Django's own backend puts on the wire, ours puts there too."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import MIMEPart
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from email.mime.text import MIMEText
from email.parser import BytesParser
from typing import TYPE_CHECKING, cast

import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend as DjangosBackend
from django.utils.translation import gettext_lazy

import django
from vetmail_core.django import EmailBackend

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage as WholeMessage
    from email.message import Message as Parsed

    from vetmail_core.testing import LocalSmtpServer, ReceivedEmail

NEW = django.VERSION >= (6, 1)
TO = ["Sam <sam@example.com>"]
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
CALENDAR = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:7\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
CASES: dict[str, Callable[[], EmailMessage]] = {}


def _case(make: Callable[[], EmailMessage]) -> Callable[[], EmailMessage]:
    CASES[make.__name__.strip("_")] = make
    return make


def _message(subject: object = "News", body: object = "Text\n", **more: object) -> EmailMessage:
    given = {"to": TO, "from_email": "office@example.com", **more}
    return EmailMessage(subject, body, given.pop("from_email"), given.pop("to"), **given)


def with_part(made: EmailMessage, part: MIMEBase) -> EmailMessage:
    """Attach a part as each version of Django wants it: 6.1 has turned to MIMEPart."""
    parser = BytesParser(cast("type[WholeMessage]", MIMEPart), policy=policy.default)
    made.attach(parser.parsebytes(part.as_bytes()) if NEW else part)
    return made


@_case
def _plain() -> EmailMessage:
    return _message()


@_case
def _everybody() -> EmailMessage:
    return _message(
        to=["sam@example.com", "Zoë <zoe@example.com>"],
        cc=["Ann Lee <ann@example.com>"],
        bcc=["log@example.org"],
        reply_to=["Desk <desk@example.com>", "two@example.com"],
    )


@_case
def _only_blind_copies() -> EmailMessage:
    return _message(to=[], bcc=["one@example.com", "two@example.com"])


@_case
def _one_address_in_to_and_cc() -> EmailMessage:
    return _message(to=["sam@example.com"], cc=["sam@example.com"])


@_case
def _html_alone() -> EmailMessage:
    made = _message(body="<p>Grüße</p>")
    made.content_subtype = "html"
    return made


@_case
def _two_alternatives() -> EmailMessage:
    made = EmailMultiAlternatives("Class", "See you", "office@example.com", TO)
    made.attach_alternative("<p>See <b>you</b></p>", "text/html")
    made.attach_alternative('{"class": 7}', "application/json")
    return made


@_case
def _an_invitation() -> EmailMessage:
    made = EmailMultiAlternatives("Class", "See you", "office@example.com", TO)
    made.attach_alternative(CALENDAR, "text/calendar; method=REQUEST")
    return made


@_case
def _html_with_a_picture_in_it() -> EmailMessage:
    made = EmailMultiAlternatives("Logo", "Text", "office@example.com", TO)
    made.attach_alternative('<img src="cid:logo">', "text/html")
    picture = MIMEImage(PICTURE, "png")
    picture["Content-ID"] = "<logo>"
    picture.add_header("Content-Disposition", "inline", filename="logo.png")
    if not NEW:
        made.mixed_subtype = "related"
    return with_part(made, picture)


@_case
def _a_part_of_an_unusual_kind() -> EmailMessage:
    part = MIMEBase("application", "x-room", room="7")
    part.set_payload("AAEC")
    part["Content-Transfer-Encoding"] = "base64"
    part["X-Part"] = "kept"
    return with_part(_message(), part)


@_case
def _files() -> EmailMessage:
    made = _message(body="See the files")
    made.attach("map.txt", "Room 7, Straße\n", "text/plain")
    made.attach("Plan für Zoë.pdf", b"%PDF-1.4", "application/pdf")
    made.attach(None, b"\0\1", "application/octet-stream")
    made.attach("rows.csv", b"a,b\r\n1,2\r\n")
    made.attach("../up", b"up", "application/zip")
    return made


@_case
def _a_file_without_a_body() -> EmailMessage:
    made = _message(body="")
    made.attach("map.pdf", b"%PDF", "application/pdf")
    return made


@_case
def _a_text_in_its_own_charset() -> EmailMessage:
    made = _message(body="Grüße")
    made.encoding = "iso-8859-1"
    return with_part(made, MIMEText("Straße", "plain", "iso-8859-15"))


@_case
def _an_attached_email_in_octets() -> EmailMessage:
    made = _message("Forwarded")
    made.attach("inner.eml", _message("Inner").message().as_bytes(), "message/rfc822")
    return made


@_case
def _an_attached_message() -> EmailMessage:
    made = _message("Forwarded")
    made.attach("inner.eml", _message("Inner", body="in it: ü"), "message/rfc822")
    return made


@_case
def _another_from_in_the_header() -> EmailMessage:
    return _message(from_email="bounces@example.com", headers={"From": "Office <office@example.com>"})


@_case
def _a_from_without_a_domain() -> EmailMessage:
    return _message(headers={"From": "webmaster"})


@_case
def _headers_of_its_own() -> EmailMessage:
    headers = {
        "Message-ID": "<1@example.com>",
        "Date": "Mon, 02 Mar 2026 09:00:00 +1000",
        "Sender": "desk@example.com",
        "Reply-To": "reply@example.com",
        "X-Course": "Bäckerei",
        "List-Unsubscribe": "<https://rto.example/u?a=1>",
        "References": "<0@example.com>",
        "Resent-From": "again@example.com",
        "Received": "from here by there; Mon, 02 Mar 2026 09:00:00 +1000",
    }
    return _message(headers=headers, reply_to=["other@example.com"])


@_case
def _to_and_cc_that_are_only_shown() -> EmailMessage:
    shown = {"To": "undisclosed-recipients:;", "Cc": "shown@example.com"}
    return _message(headers=shown, cc=["real@example.com"])


@_case
def _a_message_id_and_a_date_that_are_none() -> EmailMessage:
    return _message(headers={"Message-ID": "seven", "Date": "Mon, 02 Mar 2026 09:00:00 -0000"})


@_case
def _lazy_texts() -> EmailMessage:
    lazy = gettext_lazy
    return _message(
        lazy("Password reset"), lazy("Reset"), from_email=lazy("desk@example.com"), to=[lazy("s@example.com")]
    )


@_case
def _a_name_and_a_domain_beyond_ascii() -> EmailMessage:
    return _message(
        "Grüße aus der Bäckerei " * 5, from_email="Zoë <zoe@bücher.example>", to=["ü <x@bücher.example>"]
    )


@_case
def _merge_fields_are_text() -> EmailMessage:
    return _message("Hi ${first_name}", "Dear {{name}}, ${x}")


@_case
def _long_lines_and_dots() -> EmailMessage:
    return _message(body="x" * 1200 + "\n.\n..\nFrom here\r\nthere\n")


def _through(backend: object, made: EmailMessage, server: LocalSmtpServer) -> ReceivedEmail:
    before = len(server.emails)
    assert backend.send_messages([made]) == 1  # type: ignore[attr-defined]
    return server.wait_for(before + 1)[-1]


def _djangos(server: LocalSmtpServer) -> object:
    if NEW:
        return DjangosBackend(host=server.host, port=server.port, alias="default")
    return DjangosBackend(host=server.host, port=server.port)


def facts(received: ReceivedEmail) -> dict[str, object]:
    """What a reader can see; not boundaries, encodings, the order of headers and what each run makes anew."""
    parsed = message_from_bytes(received.data, policy=policy.default)
    return {
        "from": received.sender,
        "for": sorted(set(received.recipients)),
        "headers": sorted(
            (name.lower(), str(value))
            for name, value in parsed.items()
            if not name.lower().startswith("content-") and name.lower() not in {"date", "message-id"}
        ),
        "parts": _tree(parsed),
    }


def _tree(part: Parsed) -> object:
    facts = {
        "kind": part.get_content_type(),
        "parameters": {
            name.lower(): value
            for name, value in part.get_params([])
            if name.lower() not in {"boundary", part.get_content_type()}
        },
        "disposition": str(part.get("Content-Disposition")),
        "own": sorted((n.lower(), str(v)) for n, v in part.items() if n.lower() in {"content-id", "x-part"}),
    }
    if part.is_multipart():
        return facts, [
            _tree(inner) for inner in _within(part)
        ] if part.get_content_maintype() == "multipart" else _inner_of(part)
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    # SMTP ends the last line of a text that is sent as it is; one that is encoded says whether it had an end.
    return facts, b"\n".join(octets.splitlines()) if part.get_content_maintype() == "text" else octets


def _within(part: Parsed) -> list[Parsed]:
    return cast("list[Parsed]", part.get_payload())


def _inner_of(part: Parsed) -> object:
    (inner,) = _within(part)
    drawn_anew = {"date", "message-id", "content-transfer-encoding"}
    return [(n.lower(), str(v)) for n, v in inner.items() if n.lower() not in drawn_anew], _tree(inner)


@pytest.mark.parametrize("name", CASES)
def test_a_message_is_the_same_through_both_backends(name: str, project: LocalSmtpServer) -> None:
    """Headers, parts, parameters and envelope of every kind of message that Django makes."""
    by_django = _through(_djangos(project), CASES[name](), project)
    by_us = _through(EmailBackend(), CASES[name](), project)
    assert facts(by_us) == facts(by_django)
    assert b"log@example.org" not in by_us.data


@pytest.mark.parametrize("name", CASES)
def test_what_we_send_fits_every_server(name: str, project: LocalSmtpServer) -> None:
    """Seven bits, lines of at most 998 octets, CRLF; Date and Message-ID are always there."""
    received = _through(EmailBackend(), CASES[name](), project)
    lines = received.data.split(b"\r\n")
    assert received.data.isascii()
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert received.message["Date"]
    assert received.message["Message-ID"]


def test_a_date_and_a_message_id_of_its_own_stay(project: LocalSmtpServer) -> None:
    """They are on the wire as given."""
    received = _through(EmailBackend(), _headers_of_its_own(), project)
    assert received.message["Message-ID"] == "<1@example.com>"
    assert received.message["Date"] == "Mon, 02 Mar 2026 09:00:00 +1000"


@pytest.mark.parametrize("place", ["from_email", "to", "cc"])
def test_a_name_with_a_comma_that_nobody_quoted_is_read(place: str, project: LocalSmtpServer) -> None:
    """Some versions of Django refuse it, others write two addresses; it is one person."""
    written = "Lee, Ann <ann@example.com>"
    made = _message(**{place: written if place == "from_email" else [written]})
    received = _through(EmailBackend(), made, project)
    header = received.message[{"from_email": "From", "to": "To", "cc": "Cc"}[place]]
    assert [(one.display_name, one.addr_spec) for one in header.addresses] == [
        ("Lee, Ann", "ann@example.com")
    ]
    assert "ann@example.com" in (received.sender, *received.recipients)
    assert made.from_email in {written, "office@example.com"}


def test_a_bcc_header_never_leaves(project: LocalSmtpServer) -> None:
    """Django 5 would show it, Django 6 refuses it; here nobody sees it, by either way."""
    made = _message(headers={"Bcc": "log@example.org"})
    if NEW:
        with pytest.raises(ValueError, match="Bcc"):
            EmailBackend().send_messages([made])
    else:
        assert b"log@example.org" not in _through(EmailBackend(), made, project).data
