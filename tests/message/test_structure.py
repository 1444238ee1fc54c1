"""Inline images, invitations and attached emails: how the parts stand, and what is refused."""

from __future__ import annotations

import copy
import pickle
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core import Attachment, Content, Email, Mailbox, MergeError, MessageError, Recipients

if TYPE_CHECKING:
    from email.message import EmailMessage

LOGO = Attachment("logo.png", b"\x89PNG", inline="logo")
PLAN = Attachment("plan.pdf", b"%PDF")
ICS = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nSUMMARY:Caf\u00e9\r\nEND:VCALENDAR\r\n"
INVITATION = ICS.encode()
SHOWN = '<p>Hi</p><img src="cid:logo">'
INNER = b"Subject: Inner\r\n\r\nText\r\n"
FORWARDED = Attachment("m.eml", INNER, "message/rfc822")


def parsed(content: Content) -> EmailMessage:
    """The email as the standard library reads it."""
    return message_from_bytes(wire(content), policy=policy.default)


def wire(content: Content) -> bytes:
    """The email as it goes on the wire."""
    return Email(sender="o@example.com", recipients=Recipients("a@example.com"), content=content).as_bytes()


def tree(message: EmailMessage) -> str:
    """The subtypes of all parts."""
    subtype = message.get_content_subtype()
    if message.get_content_maintype() == "multipart":
        inside = ",".join(tree(cast("EmailMessage", part)) for part in message.iter_parts())
        return f"{subtype}({inside})"
    return subtype


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (Content("s", "t"), "plain"),
        (Content("s", html="<p>x</p>"), "html"),
        (Content("s", "t", html=SHOWN, attachments=[LOGO]), "alternative(plain,related(html,png))"),
        (Content("s", html=SHOWN, attachments=[LOGO]), "related(html,png)"),
        (Content("s", html=SHOWN, attachments=[LOGO, PLAN]), "mixed(related(html,png),pdf)"),
        (
            Content("s", "t", html=SHOWN, attachments=[PLAN, LOGO], invitation=INVITATION),
            "mixed(alternative(plain,related(html,png),calendar),pdf)",
        ),
        (Content("s", invitation=INVITATION), "calendar"),
        (Content("s", "t", invitation=INVITATION), "alternative(plain,calendar)"),
        (Content("s", html="<p>x</p>", invitation=INVITATION), "alternative(html,calendar)"),
        (
            Content("s", "t", invitation=INVITATION, attachments=[Attachment("i.ics", INVITATION)]),
            "mixed(alternative(plain,calendar),ics)",
        ),
        (Content("s", "t", attachments=[Attachment("i.ics", INVITATION)]), "mixed(plain,calendar)"),
        (Content("s", "t", attachments=[FORWARDED, PLAN]), "mixed(plain,rfc822,pdf)"),
    ],
)
def test_each_level_stands_only_where_it_has_two_parts(content: Content, expected: str) -> None:
    """By this library and by the standard one alike; and every copy is the same content."""
    assert tree(parsed(content)) == expected
    email = Email(sender="o@example.com", recipients=Recipients("a@example.com"), content=content)
    again = message_from_bytes(email.to_message().as_bytes(policy=policy.SMTP), policy=policy.default)
    assert tree(again) == expected
    for copied in (copy.deepcopy(content), pickle.loads(pickle.dumps(content))):  # noqa: S301 - our own
        assert copied == content
        assert wire(copied) == wire(content)


def test_an_inline_image_is_found_by_its_id() -> None:
    """And is not offered as a file of its own."""
    related = parsed(Content("s", html=SHOWN, attachments=[LOGO]))
    assert related.get_param("type") == "text/html"
    _, image = (cast("EmailMessage", part) for part in related.iter_parts())
    assert image["Content-ID"] == "<logo>"
    assert image.get_content_disposition() == "inline"
    assert image.get_filename() == "logo.png"
    assert image.get_content() == LOGO.data


@pytest.mark.parametrize(
    "html",
    [
        "<img src=cid:a.b%40c>",
        "<IMG SRC='CID:a.b@c'>",
        '<td background = "cid:a.b@c">',
        "<p style=\"background: url('cid:a.b@c')\">",
        '<img src="cid:a.b&#64;c">',
    ],
)
def test_an_id_is_found_wherever_html_shows_an_image(html: str) -> None:
    """In any attribute, with or without quotes, escaped or not."""
    assert parsed(Content("s", html=html, attachments=[Attachment("a.png", b"x", inline="a.b@c")]))


@pytest.mark.parametrize(
    ("html", "attachments", "words"),
    [
        (
            '<img src="cid:logoo">',
            [LOGO],
            'shows "cid:logoo", and no attachment is inline="logoo"; did you mean "logo"?',
        ),
        ('<img src="cid:x">', [], 'attach it: Attachment(name, data, inline="x")'),
        ("<p>no image</p>", [LOGO], 'inline="logo" is not shown by the html'),
        ("<p>the acid:logo, or (cid:logo)</p>", [LOGO], "is not shown by the html"),
        ("", [LOGO], "is not shown by the html"),
        (SHOWN, [LOGO, attrs.evolve(PLAN, inline="logo")], 'two attachments have inline="logo"'),
    ],
)
def test_an_image_that_would_not_be_shown_is_refused(
    html: str, attachments: list[Attachment], words: str
) -> None:
    """A reader would see a broken image, or a file that nobody meant to attach."""
    with pytest.raises(MessageError) as caught:
        Content("s", "t", html=html, attachments=attachments)
    assert words in str(caught.value)


def test_merged_html_is_looked_at_after_merging() -> None:
    """A field may choose the image."""
    content = Content("s", html='<img src="cid:${which}">', attachments=[LOGO])
    assert tree(parsed(content.merge({"which": "logo"}))) == "related(html,png)"
    with pytest.raises(MessageError, match="cid:other"):
        content.merge({"which": "other"})
    with pytest.raises(MergeError):
        content.merge({})
    with pytest.raises(MessageError, match="cid:"):
        content.finished()


@pytest.mark.parametrize("inline", ["a b", "<a>", "a\nb", "\u00e9", 5, "x" * 300])
def test_an_id_that_no_header_can_carry_is_refused(inline: object) -> None:
    """ASCII, without spaces and angle brackets."""
    with pytest.raises(MessageError, match='an id such as inline="logo"'):
        Attachment("logo.png", b"x", inline=cast("str", inline))


def test_an_attached_email_is_never_inline() -> None:
    """No html shows one."""
    with pytest.raises(MessageError, match="is an email, which no html can show"):
        Attachment("m.eml", INNER, "message/rfc822", inline="x")


@pytest.mark.parametrize(
    ("line", "method"),
    [
        ("METHOD:REQUEST", "REQUEST"),
        ("method:cancel", "CANCEL"),
        ("METH\r\n OD:CAN\r\n\tCEL", "CANCEL"),
        ("METHOD;X-A=b:reply ", "REPLY"),
    ],
)
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_an_invitation_says_its_method(line: str, method: str, end: str) -> None:
    """And its octets come back with CRLF line ends."""
    text = f"BEGIN:VCALENDAR\r\n{line}\r\nSUMMARY:Caf\u00e9 {'x' * 100}\r\nEND:VCALENDAR\r\n"
    content = Content("s", "t", invitation=text.replace("\r\n", end).encode())
    _, part = (cast("EmailMessage", part) for part in parsed(content).iter_parts())
    assert part["Content-Type"] == f'text/calendar; method="{method}"; charset="utf-8"'
    assert f'text/calendar; method={method}; charset="utf-8"'.encode() in wire(content)
    assert part["Content-Disposition"] is None
    assert part.get_payload(decode=True) == text.encode()


@pytest.mark.parametrize(
    ("invitation", "words"),
    [
        (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "has no METHOD"),
        (b"BEGIN:VCALENDAR\r\nX-METHOD:REQUEST\r\n", "has no METHOD"),
        (b"METHOD:REQUEST\r\n", "has no BEGIN:VCALENDAR"),
        (b"", "has no BEGIN:VCALENDAR"),
        (b"BEGIN:VCALENDAR\xff", "is not UTF-8: found byte 0xff at 15"),
        (ICS, "needs bytes, got str; write calendar.encode()"),
    ],
)
def test_something_else_than_an_invitation_is_refused(invitation: object, words: str) -> None:
    """No program would know what to do with it."""
    with pytest.raises(MessageError) as caught:
        Content("s", invitation=cast("bytes", invitation))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (INNER, INNER),
        (b"Subject: Inner\n\nText", INNER),
        (b"", b"\r\n"),
        (
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nCaf\xc3\xa9",
            None,
        ),
        (b"Content-Type: application/x\r\n\r\n\xff\xfe\r\n", None),
        (b"Subject: Caf\xc3\xa9\r\n\r\nText\r\n", None),
        (b"Subject: a\r\n\r\n" + b"x" * 1200 + b"\r\n", None),
    ],
)
def test_an_attached_email_stands_as_it_is_in_seven_bits(octets: bytes, expected: bytes | None) -> None:
    """Never in base64 as a whole (RFC 2046, section 5.2.1); parts in it are encoded, and read the same."""
    content = Content("s", "t", attachments=[Attachment("m.eml", octets, "Message/RFC822")])
    data = wire(content)
    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 998
    _, part = (cast("EmailMessage", part) for part in parsed(content).iter_parts())
    assert (part["Content-Transfer-Encoding"], part.get_filename()) == ("7bit", "m.eml")
    if expected is not None:
        assert data.split(b'filename="m.eml"\r\n\r\n')[1].startswith(expected)
    given_one = message_from_bytes(octets, policy=policy.default)
    (inner,) = cast("list[EmailMessage]", part.get_payload())
    assert inner.get_payload(decode=True).rstrip() == given_one.get_payload(decode=True).rstrip()  # type: ignore[union-attr]


def test_an_attached_email_that_cannot_be_written_in_seven_bits_is_refused() -> None:
    """With the way out."""
    broken = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n\xff preamble\r\n--b\r\n\r\nx\r\n--b--\r\n'
    content = Content("s", "t", attachments=[Attachment("m.eml", broken, "message/rfc822")])
    with pytest.raises(MessageError, match="attach it as application/octet-stream"):
        wire(content)


def test_a_boundary_stands_in_no_attached_email() -> None:
    """An email may carry an earlier one of ours."""
    first = Content("s", "t", attachments=[PLAN])
    inner = wire(first)
    content = Content("s", "t", attachments=[Attachment("m.eml", inner, "message/rfc822"), PLAN])
    mark = parsed(first).get_boundary()
    assert mark is not None
    assert parsed(content).get_boundary() not in {mark, None}
    assert tree(parsed(content)) == "mixed(plain,rfc822,pdf)"


@given(
    text=st.sampled_from(["", "t"]),
    html=st.sampled_from(["", "<p>x</p>"]),
    inline=st.lists(st.sampled_from("abc"), unique=True),
    files=st.lists(st.sampled_from([PLAN, FORWARDED]), max_size=3),
    invitation=st.sampled_from([None, INVITATION]),
)
def test_every_combination_parses_back(
    text: str, html: str, inline: list[str], files: list[Attachment], invitation: bytes | None
) -> None:
    """Each part once, with its octets."""
    shown = html and html + "".join(f'<img src="cid:{name}">' for name in inline)
    images = [Attachment(f"{name}.png", name.encode(), inline=name) for name in inline] if html else []
    message = parsed(Content("s", text, html=shown, attachments=[*files, *images], invitation=invitation))
    assert not message.defects
    leaves = [part for part in message.walk() if part.get_content_maintype() not in {"multipart", "message"}]
    found = [
        (part.get_content_type(), part.get_payload(decode=True), part["Content-ID"])
        for part in leaves
        if part["Content-Type"] is not None
    ]
    expected: list[tuple[str, bytes, str | None]]
    expected = [("text/plain", f"{text}\r\n".encode(), None)] * bool(text or not (html or invitation))
    expected += [("text/html", f"{shown}\r\n".encode(), None)] * bool(html)
    expected += [("image/png", image.data, f"<{image.inline}>") for image in images]
    expected += [("text/calendar", INVITATION, None)] * bool(invitation)
    expected += [("application/pdf", PLAN.data, None) for one in files if one is PLAN]
    assert found == expected
    assert sum(part.get_content_type() == "message/rfc822" for part in message.walk()) == files.count(
        FORWARDED
    )


def test_bounces_go_to_the_envelope_alone() -> None:
    """MAIL FROM says where; From stays, and no header tells of it."""
    email = Email(
        sender="office@example.com",
        recipients=Recipients("a@example.com"),
        content=Content("s"),
        bounce_to="Bounces <bounces@rto.example>",
    )
    assert email.envelope_sender == Mailbox("bounces@rto.example", "Bounces")
    assert b"bounces" not in email.as_bytes()
    assert attrs.evolve(email, bounce_to=None).envelope_sender == email.sender
    assert not email.needs_smtputf8
    assert attrs.evolve(email, bounce_to="b\u00fc@rto.example").needs_smtputf8
    with pytest.raises(MessageError, match="bounce_to"):
        attrs.evolve(email, bounce_to=cast("str", 5))
