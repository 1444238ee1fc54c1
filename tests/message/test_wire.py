"""The wire form against the standard library's."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vetmail_core.address import Mailbox
from vetmail_core.errors import AddressError, MessageError, VetmailError
from vetmail_core.message import Attachment, Content, Email
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from email.message import EmailMessage

    Make = Callable[..., Email]
    Read = Callable[[bytes], EmailMessage]

READABLE = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
TEXTS = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    | st.text(st.sampled_from("ab. =\t\r\n\0é日\x85"), max_size=300)
    | st.sampled_from(["", ".", "\r", "\n", "x" * 5000, "é" * 5000, "a\rb\r\n.\r\n", "From x\n", "tail \n"])
)
NAIVE_LIMITS = (datetime(1900, 1, 2), datetime(2100, 1, 1))  # noqa: DTZ001 - as hypothesis wants them
LABELS = st.text("abcxyz0189", min_size=1, max_size=20)


@st.composite
def mailboxes(draw: st.DrawFn) -> Mailbox:
    """Mailboxes with names in any script."""
    local = draw(LABELS | st.sampled_from(['"a b"', "a.b+c", "x" * 64, '"a@b"']))
    domain = draw(
        st.sampled_from(["example.com", "bücher.example", "example.org", "[192.0.2.1]", "localhost"])
    )
    name = draw(
        st.text("abc \"\\,.;:<>()'@", max_size=30)
        | st.text(READABLE, max_size=60)
        | st.sampled_from(["Smith, John", "=?utf-8?q?x?=", "Zoë " * 20, "x" * 300, "José Ñandú"])
    )
    try:
        return Mailbox(f"{local}@{domain}", name)
    except AddressError:
        return Mailbox(f"{local}@{domain}")


@st.composite
def emails(draw: st.DrawFn) -> Email:
    """Any email that needs no SMTPUTF8."""
    boxes = draw(
        st.lists(st.tuples(st.sampled_from(["to", "cc", "bcc"]), mailboxes()), min_size=1, max_size=6)
    )
    files = st.builds(
        Attachment,
        # Attachment refuses names that lead to a folder or turn the direction of writing.
        st.text(READABLE, min_size=1, max_size=100)
        .map(lambda name: re.sub("[/\\\\\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", "_", name))
        .filter(lambda name: name.strip() not in {"", ".", ".."}),
        st.binary(max_size=100),
        st.sampled_from(["application/pdf", "text/csv", "image/png", "text/calendar; method=REQUEST"]),
    )
    return Email(
        sender=draw(mailboxes()),
        recipients=Recipients(
            **{box: [mailbox for at, mailbox in boxes if at == box] for box in ("to", "cc", "bcc")}
        ),
        content=Content(
            draw(st.text(READABLE | st.just("\t"), max_size=200)),
            draw(TEXTS),
            html=draw(TEXTS),
            attachments=draw(st.lists(files, max_size=2)),
        ),
        reply_to=draw(st.lists(mailboxes(), max_size=2)),
        key=draw(st.text(max_size=5)),
        date=draw(st.none() | st.datetimes(*NAIVE_LIMITS, timezones=st.just(UTC))),
        headers=draw(
            st.dictionaries(
                st.sampled_from(["X-One", "X-Two", "Feedback-ID"]),
                st.text(READABLE, max_size=120),
                max_size=2,
            )
        ),
    )


def _lines(text: str) -> list[str]:
    lines = re.split("\r\n|\r|\n", text)
    return lines[:-1] if len(lines) > 1 and lines[-1] == "" else lines


def _body(message: EmailMessage, kind: str) -> list[str] | None:
    part = message.get_body((kind,))
    return None if part is None else _lines(part.get_content())


def _files(message: EmailMessage) -> list[tuple[str | None, str, str | None, bytes]]:
    return [
        (
            part["Content-Disposition"].params["filename"],  # get_filename() strips blanks
            part.get_content_type(),
            part.get_content_charset(),
            bytes(part.get_payload(decode=True)),
        )
        for part in message.iter_attachments()
    ]


def _addresses(message: EmailMessage, name: str) -> list[tuple[str, str]]:
    header = message[name]
    return [] if header is None else [(a.display_name, a.addr_spec) for a in header.addresses]


def _expected(mailboxes: Iterable[Mailbox]) -> list[str]:
    return [f"{m.local_part}@{m.ascii_domain}" for m in mailboxes]


@settings(max_examples=150)
@given(emails())
def test_any_email_reads_back_equal_to_the_standard_librarys_object(read: Read, email: Email) -> None:
    """Headers, addresses, text, HTML and attachments: the same from the bytes as from to_message()."""
    ours, theirs = read(email.as_bytes()), email.to_message()
    skipped = {"content-type"}  # boundaries differ
    assert {(name, str(value)) for name, value in ours.items() if name.lower() not in skipped} == {
        (name, str(value)) for name, value in theirs.items() if name.lower() not in skipped
    }
    assert ours.get_content_type() == theirs.get_content_type()
    for name in ("From", "To", "Cc", "Reply-To"):
        assert _addresses(ours, name) == _addresses(theirs, name)
    for kind in ("plain", "html"):
        assert _body(ours, kind) == _body(theirs, kind)
    assert _files(ours) == _files(theirs)
    assert max(theirs.as_bytes()) < 0x80
    assert b"\0" not in theirs.as_bytes()
    again = read(theirs.as_bytes())
    assert str(again["Subject"]) == email.content.subject
    assert (_body(again, "plain"), _files(again)) == (_body(theirs, "plain"), _files(theirs))


@settings(max_examples=150)
@given(emails())
def test_any_email_reads_back_as_what_was_put_in(read: Read, email: Email) -> None:
    """The law again, from the values themselves: nothing rests on to_message() being right."""
    message = read(email.as_bytes())
    content = email.content
    assert str(message["Subject"]) == content.subject
    assert [spec for _, spec in _addresses(message, "From")] == _expected([email.sender])
    assert [spec for _, spec in _addresses(message, "To")] == _expected(email.recipients.to)
    assert [spec for _, spec in _addresses(message, "Cc")] == _expected(email.recipients.cc)
    assert [spec for _, spec in _addresses(message, "Reply-To")] == _expected(email.reply_to)
    assert (message["Message-ID"] or "") == email.message_id
    assert {name: str(message[name]) for name in email.headers} == email.headers
    if email.date is not None:
        assert message["Date"].datetime == email.date.replace(microsecond=0)
    if content.text or not content.html:
        assert _body(message, "plain") == _lines(content.text)
    if content.html:
        assert _body(message, "html") == _lines(content.html)
    assert [(name, data) for name, _, _, data in _files(message)] == [
        (a.filename, a.data) for a in content.attachments
    ]
    assert not message.defects


@settings(max_examples=150)
@given(emails())
def test_any_email_is_safe_on_the_wire(email: Email) -> None:
    """Seven bits, CRLF only, lines of at most 998 octets, headers folded at 78, no Bcc."""
    data = email.as_bytes()
    assert max(data) < 0x80
    assert b"\0" not in data
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    assert data.endswith(b"\r\n")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    head = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    for line in head:
        value = re.sub(rb"^[!-9;-~]+: ", b"", line)
        assert len(line) <= 78 or b" " not in value.strip(), line  # one word that fits on no line
        assert line.strip()
    assert not re.search(rb"^bcc", data.partition(b"\r\n\r\n")[0], re.IGNORECASE | re.MULTILINE)
    shown = {
        m.address_key for m in (email.sender, *email.recipients.to, *email.recipients.cc, *email.reply_to)
    }
    assert not {m.address_key for m in email.recipients.bcc} & shown or email.recipients.bcc


HOSTILE = st.text(
    st.sampled_from('\r\n\0\x0b\x0c\x1c\x85\u2028\ud800\t :;=?<>@"\\Bbcé日'), max_size=12
) | st.sampled_from(
    [
        "x\r\nBcc: eve@example.com",
        "x\nBcc: eve@example.com",
        "x\r\n\r\nbody",
        "=?utf-8?q?x=0D=0ABcc:_e@x?=",
        "Bcc",
    ]
)


@settings(max_examples=300)
@given(
    HOSTILE, st.sampled_from(["subject", "sender", "name", "value", "id", "file", "type", "reply", "merge"])
)
def test_no_text_in_any_place_opens_a_header(read: Read, text: str, place: str) -> None:
    """It is refused where it is given, or stays the value it is: no header, part or body comes of it."""

    def at(name: str, otherwise: str) -> str:
        return text if place == name else otherwise

    try:
        email = Email(
            sender=Mailbox("office@example.com", at("sender", "Office")),
            recipients=Recipients(to="sam@example.com", bcc="audit@example.com"),
            content=Content(
                at("subject", "Hi ${name}"),
                "Dear ${name}",
                html="<p>${name}</p>",
                attachments=[Attachment(at("file", "a.bin"), b"x", at("type", "text/plain"))],
            ).merge({"name": at("merge", "Sam")}),
            reply_to=at("reply", "help@example.com"),
            message_id=at("id", "<1@example.com>"),
            headers={at("name", "X-Test"): at("value", "1")},
        )
    except VetmailError:
        return
    message = read(email.as_bytes())
    names = [
        "From",
        "To",
        "Reply-To",
        "Subject",
        "Message-ID",
        *email.headers,
        "MIME-Version",
        "Content-Type",
    ]
    if not email.message_id:
        names.remove("Message-ID")
    if not email.reply_to:
        names.remove("Reply-To")
    assert message.keys() == names
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds[:4] == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html"]
    assert len(kinds) == 5
    assert str(message["Subject"]) == email.content.subject


def test_the_bytes_of_a_small_email(make_email: Make) -> None:
    """What goes on the wire, to the last octet."""
    email = make_email(
        Content("Class moved", "Dear Sam,\n.\nRoom 5 now."),
        recipients=Recipients(
            to='"Sam" <sam@example.com>', cc="trainer@example.com", bcc="audit@example.com"
        ),
        reply_to="help@example.com",
        message_id="<1@example.com>",
        date=datetime(2026, 1, 5, 9, 30, tzinfo=UTC),
        headers={"Auto-Submitted": "auto-generated"},
    )
    assert email.as_bytes() == (
        b"From: The Office <office@example.com>\r\n"
        b"To: Sam <sam@example.com>\r\n"
        b"Cc: trainer@example.com\r\n"
        b"Reply-To: help@example.com\r\n"
        b"Subject: Class moved\r\n"
        b"Date: Mon, 05 Jan 2026 09:30:00 +0000\r\n"
        b"Message-ID: <1@example.com>\r\n"
        b"Auto-Submitted: auto-generated\r\n"
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: text/plain; charset="utf-8"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Dear Sam,\r\n.\r\nRoom 5 now.\r\n"
    )


@pytest.mark.parametrize(
    ("boxes", "written"),
    [
        ({"to": "a@b.example"}, "To: a@b.example\r\n"),
        ({"cc": "a@b.example"}, "Cc: a@b.example\r\n"),
        ({"cc": "a@b.example", "bcc": "c@d.example"}, "Cc: a@b.example\r\n"),
        ({"to": "a@b.example", "cc": "c@d.example"}, "To: a@b.example\r\nCc: c@d.example\r\n"),
        ({"to": "a@b.example", "bcc": "c@d.example"}, "To: a@b.example\r\n"),
        ({"bcc": "c@d.example"}, "To: undisclosed-recipients:;\r\n"),
        (
            {"to": "a@bücher.example", "cc": "Zoe <c@faß.example>"},
            "To: a@xn--bcher-kva.example\r\nCc: Zoe <c@xn--fa-hia.example>\r\n",
        ),
    ],
)
def test_a_message_names_those_it_is_shown_to(make_email: Make, boxes: dict[str, str], written: str) -> None:
    """No header is empty, none is there twice, and the domains are A-labels for any server."""
    data = make_email(recipients=Recipients(**boxes)).as_bytes().decode()
    assert data.startswith(f"From: The Office <office@example.com>\r\n{written}Subject: ")


def test_blind_copies_alone_say_so(make_email: Make, read: Read) -> None:
    """A message to nobody visible names nobody, in the form every reader knows (RFC 5322, section 3.4)."""
    email = make_email(recipients=Recipients(bcc=["a@example.org", "b@example.org"]))
    for data in (email.as_bytes(), email.to_message().as_bytes()):
        assert b"To: undisclosed-recipients:;\r\n" in data
        assert b"example.org" not in data
        assert read(data)["To"].addresses == ()
    assert email.to_message()["Bcc"] is None


def test_an_address_that_needs_smtputf8_is_written_only_where_it_may_be(make_email: Make) -> None:
    """UTF-8 for the address that needs it and nothing else; the domain as A-labels; refused without."""
    email = make_email(
        Content("Zoë"),
        recipients=Recipients(
            to=["zoë@bücher.example", '"Zoë" <plain@example.com>'], bcc="jürgen@example.com"
        ),
    )
    with pytest.raises(MessageError, match=r"the address zoë@.* has letters beyond ASCII before its @"):
        email.as_bytes()
    data = email.as_bytes(smtputf8=True)
    assert "To: zoë@xn--bcher-kva.example, ".encode() in data
    assert b"<plain@example.com>" in data
    assert b"Subject: =?utf-8?q?Zo=C3=AB?=\r\n" in data
    assert "jürgen".encode() not in data
    plain = make_email(Content("Zoë"))
    assert plain.as_bytes(smtputf8=True) == plain.as_bytes()
    message = email.to_message()
    assert "zoë@xn--bcher-kva.example" in str(message["To"])
    assert message.as_bytes().startswith(data.partition(b"MIME-Version")[0])


def test_a_blind_copy_that_needs_smtputf8_leaves_the_bytes_plain(make_email: Make) -> None:
    """It is in the envelope only, so the message itself can be written for any server."""
    email = make_email(recipients=Recipients(to="a@example.com", bcc="zoë@example.com"))
    assert email.needs_smtputf8
    assert email.as_bytes() == make_email(recipients=Recipients(to="a@example.com")).as_bytes()


@example("Zoë" * 30)
@example("x" * 900)
@given(st.text(READABLE, min_size=1, max_size=100))
def test_the_standard_librarys_object_writes_the_same_headers(make_email: Make, name: str) -> None:
    """It is told not to fold or encode again, which it does wrongly for some names."""
    try:
        sender = Mailbox("a@example.com", name)
    except AddressError:
        return
    email = make_email(Content(name, "t"), sender=sender, message_id="<1@b>")
    assert email.to_message().as_bytes().startswith(email.as_bytes().partition(b"MIME-Version")[0])


def _address(length: int) -> str:
    """An address of that many characters."""
    return f"{'l' * 30}@{'d' * (length - 44)}.{'e' * 5}.example"[:length]


@pytest.mark.parametrize("length", range(1, 70))
def test_a_line_that_holds_an_encoded_word_is_shorter(make_email: Make, length: int) -> None:
    """76 characters at most (RFC 2047, section 2), in every header, the comma between mailboxes too."""
    long = Mailbox(f"{'a' * (length % 40 + 1)}@example.com", "é" * length)
    other = Mailbox(f"{'b' * (length % 40 + 1)}@example.com", "ö" * length)
    boxes = Recipients(to=[long, '"B" <b@example.com>', other], cc=["c@example.com", "é <d@example.com>"])
    email = make_email(Content("é" * length), sender=long, reply_to=long, recipients=boxes)
    for line in email.as_bytes().split(b"\r\n"):
        assert len(line) <= (76 if b"=?" in line else 78)


@pytest.mark.parametrize(
    ("boxes", "written"),
    [
        (["a@b.example"], "To: a@b.example\r\n"),
        (["a@b.example", "c@d.example"], "To: a@b.example, c@d.example\r\n"),
        ([_address(74)], f"To: {_address(74)}\r\n"),
        ([_address(75)], f"To:\r\n {_address(75)}\r\n"),
        ([_address(77)], f"To:\r\n {_address(77)}\r\n"),
        ([_address(78)], f"To: {_address(78)}\r\n"),
        ([_address(90)], f"To: {_address(90)}\r\n"),
        (["a@b.example", _address(90)], f"To: a@b.example,\r\n {_address(90)}\r\n"),
        ([_address(62), "a@b.example"], f"To: {_address(62)},\r\n a@b.example\r\n"),
        (["a@b.example", _address(61)], f"To: a@b.example, {_address(61)}\r\n"),
        (["a@b.example", _address(62)], f"To: a@b.example,\r\n {_address(62)}\r\n"),
    ],
)
def test_a_list_of_mailboxes_is_folded_between_them(make_email: Make, boxes: list[str], written: str) -> None:
    """As many to a line as fit 78 characters, the comma with them; an address is never broken."""
    data = make_email(recipients=Recipients(to=boxes)).as_bytes().decode()
    assert written in data
    assert written.replace("\r\n ", " ").removeprefix("To: ").strip().split(", ") == boxes


LONG = Mailbox("a@example.com", f"{'x' * 61} {'y' * 13}")
LONGER = Mailbox("a@example.com", f"{'x' * 62} {'y' * 13}")
LAST_LINE = f"{'y' * 13} <a@example.com>"


@pytest.mark.parametrize(
    ("boxes", "written"),
    [
        ([LONG, _address(46)], f"To: {'x' * 61}\r\n {LAST_LINE}, {_address(46)}\r\n"),
        ([LONG, _address(47)], f"To: {'x' * 61}\r\n {LAST_LINE},\r\n {_address(47)}\r\n"),
        (["a@b.example", LONG], f"To: a@b.example, {'x' * 61}\r\n {LAST_LINE}\r\n"),
        (["a@b.example", LONGER], f"To: a@b.example,\r\n {'x' * 62}\r\n {LAST_LINE}\r\n"),
    ],
)
def test_a_line_that_a_long_name_shares_is_filled(
    make_email: Make, boxes: list[str | Mailbox], written: str
) -> None:
    """Its first line and its last count by themselves, and not all of it together."""
    assert written in make_email(recipients=Recipients(to=boxes)).as_bytes().decode()
