"""Attachments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vetmail_core.errors import MessageError
from vetmail_core.message import Attachment

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage
    from pathlib import Path

    Read = Callable[[bytes], EmailMessage]


@pytest.mark.parametrize(
    ("filename", "media_type"),
    [
        ("invoice.pdf", "application/pdf"),
        ("INVOICE.PDF", "application/pdf"),
        ("class list.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("mail.eml", "application/octet-stream"),
        ("README", "application/octet-stream"),
        (".pdf", "application/pdf"),
    ],
)
def test_the_media_type_is_guessed_from_the_name(filename: str, media_type: str) -> None:
    """The guess is the same on every machine; what is not known is octets."""
    assert Attachment(filename, b"").media_type == media_type


def test_a_file_is_read_under_its_own_name(tmp_path: Path) -> None:
    """The folder does not travel."""
    path = tmp_path / "résumé.txt"
    path.write_bytes(b"\xff\x00")
    assert Attachment.from_path(path) == Attachment("résumé.txt", b"\xff\x00")
    assert Attachment.from_path(str(path)).media_type == "text/plain"


@pytest.mark.parametrize(
    ("filename", "said"),
    [
        ("", "an attachment needs a file name"),
        (None, "an attachment needs a file name, such as invoice.pdf, got None"),
        ("x" * 256, "256 characters and may have 255"),
        ('a.pdf"\r\nBcc: eve@example.com', "holds a line break .carriage return. at character 7"),
        ("a\0.pdf", "a NUL character"),
        ("\ud800.pdf", "half of a surrogate pair U.D800"),
        (" ", "an attachment needs a file name"),
        (".", "an attachment needs a file name"),
        ("..", "an attachment needs a file name"),
        ("../../.bashrc", "holds '/' at character 3, .* give the file's own name alone"),
        ("/etc/passwd", "holds '/' at character 1"),
        ("C:\\autoexec.bat", r"holds '\\\\' at character 3"),
        ("invoice\u202efdp.exe", r"holds U\+202E RIGHT-TO-LEFT OVERRIDE at character 8"),
        ("\u2067a.pdf", r"U\+2067 RIGHT-TO-LEFT ISOLATE"),
        ("a.pdf\u200f", r"U\+200F RIGHT-TO-LEFT MARK"),
    ],
)
def test_a_name_that_cannot_be_sent_is_refused(filename: str, said: str) -> None:
    """A name is one line of readable text, names no folder, and its ending is what it shows."""
    with pytest.raises(MessageError, match=said):
        Attachment(filename, b"")


@pytest.mark.parametrize(
    ("media_type", "said"),
    [
        ("pdf", "needs a media type such as application/pdf, got 'pdf'"),
        ("", "needs a media type"),
        (None, "got None"),
        ("application/pdf\r\nBcc: eve@example.com", "needs a media type"),
        ('text/x; a="\r\n"', "needs a media type"),
        ("text/x; a=é", "needs a media type"),
        ("text/x; a=" + "b" * 250, "needs a media type"),
        ("message/partial", "cannot be of type message/partial.*attach the file as application/octet-stream"),
        ("Multipart/mixed", "cannot be of type Multipart/mixed"),
    ],
)
def test_a_media_type_that_cannot_be_sent_is_refused(media_type: str, said: str) -> None:
    """A multipart may not be encoded, so it is refused with the way out."""
    with pytest.raises(MessageError, match=said):
        Attachment("a.bin", b"", media_type)


def test_a_media_type_may_be_as_long_as_a_name() -> None:
    """255 characters, parameters and all."""
    longest = "text/x; a=" + "b" * 245
    assert Attachment("a.bin", b"", longest).media_type == longest


def test_data_are_bytes() -> None:
    """Text has no octets before it is encoded; the error says so, and does not show it."""
    with pytest.raises(MessageError, match=r"a.txt needs bytes, got str; open the file in binary mode"):
        Attachment("a.txt", "private words")  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_data_that_could_change_are_copied_by_the_caller(kind: Callable[[bytes], bytes]) -> None:
    """What is encoded once has to stay what it was."""
    with pytest.raises(MessageError, match=rf"got {kind.__name__}; copy them with bytes\(data\)"):
        Attachment("a.txt", kind(b"x"))


def test_the_repr_shows_no_data() -> None:
    """Logs do not fill with files."""
    shown = repr(Attachment("a.pdf", b"private" * 1000))
    assert shown == "Attachment(filename='a.pdf', data=<7000 bytes>, media_type='application/pdf')"


def test_an_attachment_is_encoded_once() -> None:
    """The same octets object is handed out at every call."""
    paper = Attachment("a.pdf", b"x" * 1000)
    assert paper.mime_part() is paper.mime_part()


@pytest.mark.parametrize(
    ("given_type", "data", "written"),
    [
        ("text/csv", "Zoë".encode(), 'text/csv; charset="utf-8"'),
        ("text/csv", b"\xff", "text/csv"),
        ("Text/CSV;charset=latin-1", b"\xff", 'text/csv; charset="latin-1"'),
        (
            'text/calendar; method=REQUEST; charset="utf-8"',
            b"x",
            'text/calendar; method="REQUEST"; charset="utf-8"',
        ),
        ("application/pdf", b"x", "application/pdf"),
    ],
)
def test_a_text_says_its_charset(given_type: str, data: bytes, written: str) -> None:
    """Valid UTF-8 is declared, as a mail program could not know; parameters of the caller are kept."""
    part = Attachment("a", data, given_type).mime_part().decode()
    assert part.startswith(f'Content-Type: {written};\r\n name="a"\r\nContent-Transfer-Encoding: base64\r\n')


@pytest.mark.parametrize(
    ("filename", "written"),
    [
        ("a.pdf", ' filename="a.pdf"'),
        ('the "best" one.pdf', ' filename="the \\"best\\" one.pdf"'),
        ("x" * 60 + ".pdf", '\r\n filename="' + "x" * 60 + '.pdf"'),
        ("Zoë's 100%.pdf", "\r\n filename*=utf-8''Zo%C3%AB%27s%20100%25.pdf"),
        ("=?utf-8?q?x?=.pdf", "\r\n filename*=utf-8''%3D%3Futf-8%3Fq%3Fx%3F%3D.pdf"),
        ("x" * 34, ' filename="' + "x" * 34 + '"'),
        ("x" * 35, '\r\n filename="' + "x" * 35 + '"'),
        ("x" * 255, '\r\n filename="' + "x" * 255 + '"'),
        ('"' * 255, '\r\n filename="' + '\\"' * 255 + '"'),
        ("é" * 163, "\r\n filename*=utf-8''" + "%C3%A9" * 163),
        # a character stays whole
        ("é" * 164, "\r\n filename*0*=utf-8''" + "%C3%A9" * 162 + ";\r\n filename*1*=%C3%A9%C3%A9"),
        ("xxx" + "é" * 163, "\r\n filename*0*=utf-8''xxx" + "%C3%A9" * 162 + ";\r\n filename*1*=%C3%A9"),
    ],
)
def test_a_name_is_quoted_or_by_rfc_2231(filename: str, written: str) -> None:
    """ASCII is one quoted string of any length; any other is percent-encoded, in one piece where it fits."""
    head = Attachment(filename, b"").mime_part().decode()
    assert f"Content-Disposition: attachment;{written}\r\n\r\n" in head


@pytest.mark.parametrize(
    ("filename", "media_type", "written"),
    [
        ("a.pdf", "application/pdf", 'application/pdf;\r\n name="a.pdf"'),
        ('the "best".pdf', "application/pdf", 'application/pdf;\r\n name="the \\"best\\".pdf"'),
        ("Zoë.pdf", "application/pdf", 'application/pdf;\r\n name="=?utf-8?b?Wm/Dqy5wZGY=?="'),
        ("a.ics", "text/calendar; name=own.ics", 'text/calendar; name="own.ics"; charset="utf-8"'),
    ],
)
def test_the_name_is_beside_the_media_type_too(filename: str, media_type: str, written: str) -> None:
    """Some mail programs look for it there alone; a name that the caller gave there stays."""
    head = Attachment(filename, b"", media_type).mime_part().decode()
    assert f"Content-Type: {written}\r\n" in head


_NOT_IN_NAMES = "/\\\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(
    st.text(
        st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters=_NOT_IN_NAMES),
        min_size=1,
        max_size=255,
    ).filter(lambda name: name.strip() not in {"", ".", ".."}),
    st.binary(max_size=200),
)
@example("é" * 255, b"")
@example("\U0001f600" * 255, b"\r\n.\r\n")
@example('"' * 60, b"")
@example(" padded ", b"")
@example("''%41'", b"")
def test_any_name_and_data_come_back(read: Read, filename: str, data: bytes) -> None:
    """The standard library reads the name, at both places, and the octets back; no line is too long."""
    part = Attachment(filename, data, "application/x-test").mime_part()
    head = part.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 998
    message = read(part)
    assert message["Content-Type"].params["name"] == filename
    assert message["Content-Disposition"].params["filename"] == filename  # get_filename() strips blanks
    assert message.get_payload(decode=True) == data
    assert message.get_content_type() == "application/x-test"


@pytest.mark.parametrize("path", ["/dev/zero", "a\0b", "a\ud800b"])
def test_what_is_no_file_is_not_attached(path: str) -> None:
    """Said at once, in a sentence that can be printed."""
    with pytest.raises(MessageError, match="cannot be attached") as caught:
        Attachment.from_path(path)
    assert str(caught.value).isprintable()
