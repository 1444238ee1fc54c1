"""Texts as MIME parts."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import b2a_qp
from quopri import decodestring
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vetmail_core.message.bodies import base64_lines, text_part

if TYPE_CHECKING:
    from collections.abc import Callable


def _split(part: bytes) -> tuple[str, bytes]:
    head, _, body = part.partition(b"\r\n\r\n")
    found = re.fullmatch(
        rb'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: ([a-z0-9-]+)', head
    )
    assert found is not None, head
    return found.group(1).decode(), body


_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "7bit": bytes,
    "quoted-printable": decodestring,
    "base64": b64decode,
}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain words", "7bit"),
        ("", "7bit"),
        ("x" * 998, "7bit"),
        (("x" * 998 + "\n") * 3, "7bit"),
        (".\n..\nFrom here\n", "7bit"),
        ("x" * 998 + "\n" + "x" * 998, "7bit"),
        ("x" * 500 + "\n" + "x" * 998 + "\n" + "x" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("x" * 500 + "\n" + "x" * 999, "quoted-printable"),
        ("x" * 999 + "\n" + "x" * 500, "quoted-printable"),
        ("x" * 5000 + "\nshort", "quoted-printable"),
        ("a\0b" + "c" * 60, "quoted-printable"),
        ("Zoë moved to room 5, says the office", "quoted-printable"),
        ("пожалуйста", "base64"),
        ("日本語" * 50, "base64"),
    ],
)
def test_the_encoding_is_the_shortest_that_fits(text: str, encoding: str) -> None:
    """Plain ASCII stays readable; else quoted-printable or base64, whichever is shorter."""
    assert _split(text_part(text, "plain"))[0] == encoding


def test_html_says_so() -> None:
    """The subtype is the caller's."""
    assert text_part("<p>", "html").startswith(b'Content-Type: text/html; charset="utf-8"\r\n')


@given(
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.text(st.sampled_from("ab. =\t\r\n\0é日\x0b\x85"), max_size=400)
)
@example("a\rb\r\nc\n\n")
@example(".")
@example("tail \n tail\t\nend ")
@example("é" * 5000)
@example("é=\t \n" * 500)
def test_any_text_is_safe_on_the_wire_and_comes_back(text: str) -> None:
    """Seven bits, CRLF only, no line over 998 octets (76 when encoded), and the same lines when read."""
    encoding, body = _split(text_part(text, "plain"))
    assert max(body) < 0x80
    assert b"\0" not in body
    assert body.endswith(b"\r\n")
    lines = body.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= (998 if encoding == "7bit" else 76)
    read = _DECODERS[encoding](body).decode()
    expected = "".join(line + "\r\n" for line in re.split("\r\n|\r|\n", text))
    if re.search("[\r\n]\\Z", text):
        expected = expected.removesuffix("\r\n")
    assert read == expected


@given(st.text(st.sampled_from("abc é日\n"), max_size=300))
@example("é" * 17 + "a" * 83)
@example("é" * 20 + "a" * 83)
def test_what_is_encoded_is_the_shorter_of_both(text: str) -> None:
    """Quoted-printable or base64, by their real lengths, soft line ends and all."""
    encoding, body = _split(text_part(text, "plain"))
    lines = (text if text.endswith("\n") else text + "\n").replace("\n", "\r\n").encode()
    if encoding != "7bit":
        assert len(body) == min(len(b2a_qp(lines)), len(base64_lines(lines)))


@given(st.binary(max_size=300))
def test_base64_lines_are_76_characters(data: bytes) -> None:
    """What attachments are written in."""
    written = base64_lines(data)
    assert b64decode(written) == data
    assert all(len(line) <= 76 for line in written.split(b"\r\n"))
    assert written.endswith(b"\r\n") or not data
