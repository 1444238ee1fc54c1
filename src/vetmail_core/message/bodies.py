"""One text as a MIME part.

7bit, quoted-printable or base64 is chosen, whichever is shorter. Lines end with CRLF and have at most 998
octets.

Line ends of any kind (CRLF, LF, a lone CR) are line ends, and the last line has one too, as in the
standard library's ``set_content``.
"""

from __future__ import annotations

from binascii import b2a_base64, b2a_qp
from typing import Final

__all__ = ["base64_lines", "encoded_text", "text_part"]

_LONGEST_LINE: Final = 998  # octets, the line end not counted (RFC 5322, section 2.1.1)
_AS_THEY_ARE: Final = bytes(set(range(0x20, 0x7F)) - {0x3D}) + b"\r\n\t"  # in quoted-printable
_BASE64_LINE: Final = 76  # characters (RFC 2045, section 6.8)


def text_part(text: str, subtype: str) -> bytes:
    """Write a text part: its headers, an empty line, its body.

    Args:
        text: what is read, without lone surrogates.
        subtype: "plain" or "html".
    """
    encoding, body = encoded_text(text)
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + body


def encoded_text(text: str) -> tuple[str, bytes]:
    """Give the transfer encoding of a text, and the text in it."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text[-1:] != "\n":
        text += "\n"
    data = text.replace("\n", "\r\n").encode()
    if text.isascii() and "\0" not in text and _has_short_lines(text):
        return "7bit", data
    return _encoded(data)


def _has_short_lines(text: str) -> bool:
    """Whether every line fits; looks from one line end to the last one within reach, not at every line."""
    start = 0
    while len(text) - start > _LONGEST_LINE + 1:
        end = text.rfind("\n", start, start + _LONGEST_LINE + 1)
        if end < 0:
            return False
        start = end + 1
    return True


def _encoded(data: bytes) -> tuple[str, bytes]:
    quoted = len(data) + 2 * len(data.translate(None, _AS_THEY_ARE))  # without soft line ends
    plain = (len(data) + 2) // 3 * 4  # likewise
    if quoted > plain * 1.1 + 8:
        return "base64", base64_lines(data)
    by_quoting = b2a_qp(data)
    if quoted < plain * 0.9 - 8 or len(by_quoting) <= len(by_base64 := base64_lines(data)):
        return "quoted-printable", by_quoting
    return "base64", by_base64


def base64_lines(data: bytes) -> bytes:
    """Write octets in base64, 76 characters a line, each line with its CRLF."""
    encoded = b2a_base64(data, newline=False)
    lines = [encoded[start : start + _BASE64_LINE] for start in range(0, len(encoded), _BASE64_LINE)]
    lines.append(b"")
    return b"\r\n".join(lines)
