"""mailto links: RFC 6068, and what real programs make of them."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core import (
    AddressError,
    Attachment,
    Content,
    Email,
    Mailbox,
    MessageError,
    Recipients,
    TransportError,
    mailto_uri,
)
from vetmail_core.transports.mailto.uri import checked_uri

if TYPE_CHECKING:
    from collections.abc import Callable

ALPHABET = re.compile(r"[A-Za-z0-9\-._~%@,;?&=:]*")


def body_of(uri: str) -> str:
    """The body as it stands in the link, encoded."""
    return uri.partition("body=")[2]


@pytest.mark.parametrize(
    ("separator", "uri"),
    [
        (
            ";",
            (
                "mailto:sam@example.com;pat@example.com?cc=kim@example.com;lou@example.com"
                "&bcc=audit@example.org;file@example.org&subject=Your%20class%20moved&body=Room%207"
            ),
        ),
        (
            ",",
            (
                "mailto:sam@example.com,pat@example.com?cc=kim@example.com,lou@example.com"
                "&bcc=audit@example.org,file@example.org&subject=Your%20class%20moved&body=Room%207"
            ),
        ),
    ],
)
def test_fields_come_in_a_fixed_order_joined_by_the_separator(
    make_email: Callable[..., Email], separator: str, uri: str
) -> None:
    """To, cc, bcc, subject, body last; the separator raw and without blanks."""
    email = make_email(
        to=("sam@example.com", "pat@example.com"),
        cc=("kim@example.com", "lou@example.com"),
        bcc=("audit@example.org", "file@example.org"),
    )
    assert mailto_uri(email, separator=separator) == uri


def test_the_semicolon_is_the_default(make_email: Callable[..., Email]) -> None:
    """As in the preferences."""
    uri = mailto_uri(make_email(to=("sam@example.com", "pat@example.com")))
    assert uri.startswith("mailto:sam@example.com;pat@example.com?")


@pytest.mark.parametrize(
    ("changes", "uri"),
    [
        ({"subject": "", "text": ""}, "mailto:sam@example.com"),
        ({"subject": "Hi", "text": ""}, "mailto:sam@example.com?subject=Hi"),
        ({"subject": "", "text": "Hi"}, "mailto:sam@example.com?body=Hi"),
        (
            {"to": (), "bcc": ("sam@example.com",), "subject": "", "text": ""},
            "mailto:?bcc=sam@example.com",
        ),
        (
            {"to": (), "cc": ("sam@example.com",), "subject": "", "text": "a"},
            "mailto:?cc=sam@example.com&body=a",
        ),
    ],
)
def test_empty_fields_are_left_out(
    make_email: Callable[..., Email], changes: dict[str, object], uri: str
) -> None:
    """No `subject=` with nothing behind it, and `mailto:?bcc=` for an email of blind copies alone."""
    assert mailto_uri(make_email(**changes)) == uri


@pytest.mark.parametrize(
    ("subject", "encoded"),
    [
        ("100% & a=b; c, d? #e", "100%25%20%26%20a%3Db%3B%20c%2C%20d%3F%20%23e"),
        ("C++ 1+1=2", "C%2B%2B%201%2B1%3D2"),
        ("%20", "%2520"),
        ("%0D%0ABcc: evil@example.net", "%250D%250ABcc%3A%20evil%40example.net"),
        ("a@b:c/d", "a%40b%3Ac%2Fd"),
        ("-._~", "-._~"),
        ("Zażółć", "Za%C5%BC%C3%B3%C5%82%C4%87"),
        ("😀", "%F0%9F%98%80"),
        ("مرحبا", "%D9%85%D8%B1%D8%AD%D8%A8%D8%A7"),
        ("Zoe\u0308", "Zoe%CC%88"),
        ("tab\there", "tab%09here"),
    ],
)
def test_text_is_encoded_once_and_wholly(
    make_email: Callable[..., Email], subject: str, encoded: str
) -> None:
    """UTF-8, percent-encoded, whatever a link or a program could take for its own; never normalised."""
    uri = mailto_uri(make_email(subject=subject, text=subject))
    assert uri == f"mailto:sam@example.com?subject={encoded}&body={encoded}"


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("a\nb", "a%0D%0Ab"),
        ("a\r\nb", "a%0D%0Ab"),
        ("a\rb", "a%0D%0Ab"),
        ("a\n\r\n\rb\n", "a%0D%0A%0D%0A%0D%0Ab%0D%0A"),
        ("a\r\r\nb", "a%0D%0A%0D%0Ab"),
    ],
)
def test_every_kind_of_line_end_becomes_one_crlf(
    make_email: Callable[..., Email], text: str, encoded: str
) -> None:
    """%0D%0A (RFC 6068, section 5); never %0D%0D%0A."""
    assert body_of(mailto_uri(make_email(text=text))) == encoded


@pytest.mark.parametrize(
    "text",
    [
        "see https://example.com/a?b=c&d=e#f",
        "x&attach=/etc/passwd&bcc=evil@example.net",
        "--attach /etc/passwd",
        "\"quoted\" 'single' `back`",
        "back\\slash \\r\\n",
        "$(id) $HOME %PATH% !history!",
        "%20 %0D%0A %",
        "</a><script>",
        "^&|<>",
    ],
)
def test_a_text_that_looks_like_a_command_stays_text(make_email: Callable[..., Email], text: str) -> None:
    """It comes back byte for byte, and adds no field to the link."""
    uri = mailto_uri(make_email(text=text, bcc=("audit@example.org",)))
    assert unquote(body_of(uri)) == text
    assert set(parse_qs(urlsplit(uri).query)) == {"bcc", "subject", "body"}
    assert ALPHABET.fullmatch(uri)


@pytest.mark.parametrize(
    ("address", "encoded"),
    [
        ("a+b@example.com", "a%2Bb@example.com"),
        ("o'brien@example.com", "o%27brien@example.com"),
        ("50%e?#@example.com", "50%25e%3F%23@example.com"),
        ("a&b=c@example.com", "a%26b%3Dc@example.com"),
        ("a%40evil.example@example.com", "a%2540evil.example@example.com"),
        ("ann@müller.example", "ann@xn--mller-kva.example"),
        ("jörg@example.com", "j%C3%B6rg@example.com"),
        ("ann@[10.0.0.7]", "ann@%5B10.0.0.7%5D"),
        ("ann@[IPv6:2001:db8::1]", "ann@%5BIPv6%3A2001%3Adb8%3A%3A1%5D"),
        ('"Ray, Bob" <b@example.com>', "b@example.com"),
        ('"evil@example.net?bcc=x" <b@example.com>', "b@example.com"),
    ],
)
def test_an_address_stands_without_its_name_and_encoded(
    make_email: Callable[..., Email], address: str, encoded: str
) -> None:
    """The domain as A-label, the local part as UTF-8; only the @ between them is raw."""
    uri = mailto_uri(make_email(to=(address,), cc=("kim@example.com",), subject="", text=""))
    assert uri == f"mailto:{encoded}?cc=kim@example.com"


@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_an_address_in_quotes_is_refused(make_email: Callable[..., Email], field: str) -> None:
    """Programs take the comma inside for the list's own; it needs a draft file."""
    email = make_email(**{"to": ("sam@example.com",), field: ('"smith, john"@example.com',)})
    with pytest.raises(MessageError, match=r'an address in quotes, "smith, john"@example\.com') as caught:
        mailto_uri(email)
    assert (
        "Use MailtoTransport, which makes a draft file of it, or write to that person at another address"
        in str(caught.value)
    )


def test_attachments_are_refused(make_email: Callable[..., Email]) -> None:
    """Never dropped in silence, and never as the `attach=` that some programs obey."""
    with pytest.raises(MessageError, match="because it has attachments"):
        mailto_uri(make_email(attachments=(Attachment("a.pdf", b"x"),)))


def test_html_alone_is_refused_and_beside_a_text_left_out(make_email: Callable[..., Email]) -> None:
    """A link without the words would be an empty email."""
    with pytest.raises(MessageError, match=r"formatted text \(HTML\) alone"):
        mailto_uri(make_email(text="", html="<p>Room 7</p>"))
    assert body_of(mailto_uri(make_email(html="<p>Room 7</p>"))) == "Room%207"


@pytest.mark.parametrize("character", ["\0", "\x07", "\x08", "\x0e", "\x1b", "\x1f", "\x7f"])
def test_a_control_character_in_the_text_is_refused(make_email: Callable[..., Email], character: str) -> None:
    """Not stripped; the error says which and where, and nothing of the text."""
    with pytest.raises(MessageError, match=f"U\\+{ord(character):04X} at character 5") as caught:
        mailto_uri(make_email(text=f"\tab\r{character}secret"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("character", ["\x0b", "\x0c"])
def test_a_soft_line_break_of_a_word_processor_ends_a_line(
    make_email: Callable[..., Email], character: str
) -> None:
    """No program shows the character itself."""
    assert body_of(mailto_uri(make_email(text=f"Room 7{character}floor 2"))) == "Room%207%0D%0Afloor%202"


def test_a_line_break_in_a_subject_cannot_come_this_far(make_email: Callable[..., Email]) -> None:
    """It would put a Bcc into the draft of Evolution, Sylpheed and NeoMutt."""
    with pytest.raises(MessageError):
        make_email(subject="Hi\r\nBcc: evil@example.net")


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.com?attach=/etc/passwd&bcc=evil@example.net",
        "x@[y',attachment='file:///etc/passwd',format='text]",
        "ann@example.com\r\nBcc: evil@example.net",
        "ann@example.com,evil@example.net",
        "ann@example.com;evil@example.net",
        "ann@example.com%0D%0ABcc:evil@example.net",
        "mailto:ann@example.com",
    ],
)
def test_an_address_that_would_break_out_cannot_come_this_far(
    make_email: Callable[..., Email], address: str
) -> None:
    """Put into a link as it is, each of these attaches a file or adds a recipient in some program."""
    with pytest.raises(AddressError):
        make_email(to=(address,))


def test_reply_to_and_headers_have_no_place_in_a_link(make_email: Callable[..., Email]) -> None:
    """Nothing but to, cc, bcc, subject and body; programs obey other fields, attach= among them."""
    email = make_email(reply_to=("reply@example.com",), headers={"X-Batch": "7"})
    assert mailto_uri(email) == mailto_uri(make_email())


@pytest.mark.parametrize("separator", ["", " ", "|", ";;", ", ", "\n"])
def test_another_separator_is_refused(make_email: Callable[..., Email], separator: str) -> None:
    """The error names the setting to change."""
    with pytest.raises(TransportError, match=r'is ";" or ",", not .* Set "Email address separator"'):
        mailto_uri(make_email(), separator=separator)


@pytest.mark.parametrize(
    "uri",
    [
        "mailto:a@b.example body",
        "mailto:a@b.example?body=\n",
        "mailto:a@b.example?body='",
        "mailto:$(id)@b.example",
        "-mailto:a@b.example",
        "http://example.com",
        "mailto:jörg@example.com",
        "",
    ],
)
def test_a_link_outside_the_alphabet_never_leaves(uri: str) -> None:
    """The last look before a program gets it; the error does not repeat the link, which names people."""
    with pytest.raises(TransportError, match="was not opened") as caught:
        checked_uri(uri)
    assert "example" not in str(caught.value)


# "=?" begins an encoded word, which no address may hold.
LOCAL = st.text("abcXYZ019!#$%&'*+/=?^_`{|}~-ößé名", min_size=1, max_size=12).filter(
    lambda text: "=?" not in text
)
MAILBOXES = st.lists(
    st.builds(
        "{}@{}".format,
        LOCAL,
        st.sampled_from(["example.com", "EXAMPLE.org", "müller.example", "sub.example.net"]),
    ).map(Mailbox),
    max_size=4,
)
TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc"], whitelist_characters="\t\r\n"), max_size=60)
SUBJECTS = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=40)


@st.composite
def emails(draw: st.DrawFn) -> Email:
    """Emails that a link can carry."""
    to, cc, bcc = draw(MAILBOXES), draw(MAILBOXES), draw(MAILBOXES)
    return Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(to=to, cc=cc, bcc=bcc or [Mailbox("one@example.com")]),
        content=Content(draw(SUBJECTS), draw(TEXTS)),
    )


@given(emails(), st.sampled_from(";,"))
def test_a_link_decodes_to_the_fields_of_the_email(email: Email, separator: str) -> None:
    """Law: read by the standard library, it is the email's recipients, subject and text, and no more."""
    uri = mailto_uri(email, separator=separator)
    parts = urlsplit(uri)
    assert parts.scheme == "mailto"
    assert not parts.fragment
    fields = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    assert all(len(values) == 1 for values in fields.values())
    lists = {"to": parts.path} | dict(
        field.split("=", 1) for field in parts.query.split("&") if field.startswith(("cc=", "bcc="))
    )
    for name in ("to", "cc", "bcc"):
        raw = lists.get(name, "")
        written = [unquote(one) for one in raw.split(separator)] if raw else []
        mailboxes = getattr(email.recipients, name)
        assert written == [f"{mailbox.local_part}@{mailbox.ascii_domain}" for mailbox in mailboxes]
    assert fields.get("subject", [""]) == [email.content.subject]
    lines = email.content.text.replace("\r\n", "\n").replace("\r", "\n")
    assert fields.get("body", [""]) == [lines.replace("\n", "\r\n")]
    assert set(fields) <= {"cc", "bcc", "subject", "body"}


@given(emails(), st.sampled_from(";,"))
def test_every_link_is_of_the_alphabet(email: Email, separator: str) -> None:
    """Law: nothing in it that a shell, a desktop file or a mail program could take for its own."""
    uri = mailto_uri(email, separator=separator)
    assert ALPHABET.fullmatch(uri)
    assert checked_uri(uri) == uri


def test_writing_a_link_brings_in_no_network_code() -> None:
    """It is pure, and a screen that shows a link shall not wait for TLS to load."""
    heavy = {"ssl", "socket", "http.client", "email.message", "smtplib"}
    code = "import sys; from vetmail_core import MailtoTransport, mailto_uri; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert heavy.isdisjoint(loaded.split())


def test_an_invitation_needs_more_than_a_link() -> None:
    """A link has nowhere to put a calendar; the sentence says what to do."""
    calendar = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"
    email = Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients("sam@example.com"),
        content=Content("Class", "See you.", invitation=calendar),
    )
    with pytest.raises(MessageError, match="has a calendar invitation"):
        mailto_uri(email)
