"""A correct reader of address headers, written from the RFCs and from nothing of the library."""

from __future__ import annotations

import base64
import re

_TOKEN = re.compile(
    r"(?P<blank>[ \t]+)"
    r'|"(?P<quoted>(?:[^"\\]|\\.)*+)"'
    r'|<(?P<address>(?:"(?:[^"\\]|\\.)*+"|[^"<> \t])+)>\Z'
    r"|(?P<atom>[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+)"  # RFC 5322 section 3.2.3, RFC 6532
)
_WORD = re.compile(r"=\?([^?]+)\?([bBqQ])\?([^?]*)\?=")


def _decoded(word: re.Match[str]) -> str:
    assert len(word[0]) <= 75  # RFC 2047 section 2
    charset, encoding, text = word.groups()
    if encoding in "bB":
        return base64.b64decode(text, validate=True).decode(charset)
    assert re.fullmatch(r"[A-Za-z0-9!*+/=_\-]*", text)  # RFC 2047 section 5 (3): inside a phrase
    octets = re.sub("=([0-9A-F]{2})", lambda hexed: chr(int(hexed[1], 16)), text.replace("_", " "))
    return octets.encode("latin-1").decode(charset)


def read_header(written: str) -> tuple[str, str]:
    """Read ``name <address>`` as RFC 5322 and RFC 2047 have it: the name and the address.

    Raises:
        AssertionError: it is not written as they say.
    """
    first, *others = written.split("\r\n")
    for line in (first, *others):
        assert len(line.encode()) <= 998  # RFC 5322 section 2.1.1
        assert line.strip()
    assert all(line.startswith(" ") for line in others)
    unfolded = "".join((first, *others))
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", unfolded)
    if not unfolded.endswith(">"):
        return "", unfolded
    name, gap, after_word = "", "", False
    position = 0
    while (token := _TOKEN.match(unfolded, position)) is not None:
        position = token.end()
        match token.lastgroup:
            case "blank":
                gap = " "
                continue
            case "address":
                return name, token["address"]
            case "quoted":
                word, text = None, re.sub(r"\\(.)", r"\1", token["quoted"])
            case _:
                word = _WORD.fullmatch(token["atom"])
                text = token["atom"] if word is None else _decoded(word)
        # The blank between two encoded words belongs to neither (RFC 2047 section 6.2).
        name += ("" if not name or (word is not None and after_word) else gap) + text
        gap, after_word = "", word is not None
    raise AssertionError(unfolded[position:])
