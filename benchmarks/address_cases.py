"""Addresses as people type them and as attackers do, each with the one right answer.

What is here is settled: RFC 5321, 5322, 6531 or UTS 46 decides it, or a wrong answer sends mail to somebody
else. Matters of taste (what to repair, what a name may look like) are left out.
"""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["CASES", "Case"]


@attrs.frozen
class Case:
    """One text and what it is.

    Attributes:
        kind: the row of the report it counts for.
        text: what was typed.
        separator: the separator of the list it is; "" for one mailbox.
        answer: name and address of each mailbox; None when it must be refused.
    """

    kind: str
    text: str
    separator: str
    answer: tuple[tuple[str, str], ...] | None


def _one(kind: str, *rows: tuple[str, str, str]) -> list[Case]:
    return [Case(kind, text, "", ((name, address),)) for text, name, address in rows]


def _refused(kind: str, *texts: str) -> list[Case]:
    return [Case(kind, text, "", None) for text in texts]


def _list(kind: str, separator: str, *rows: tuple[str, tuple[tuple[str, str], ...] | None]) -> list[Case]:
    return [Case(kind, text, separator, answer) for text, answer in rows]


_ANNA: Final = ("Anna Berg", "anna@example.com")
_PERSIAN: Final = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # with the non-joiner it is spelled with
_BEN: Final = ("", "ben@example.org")
_COMMA: Final = ("Berg, Anna", "anna@example.com")

CASES: Final = (
    *_one(
        "typed well",
        ("anna@example.com", "", "anna@example.com"),
        (" anna@example.com ", "", "anna@example.com"),
        ("<anna@example.com>", "", "anna@example.com"),
        ("Anna Berg <anna@example.com>", "Anna Berg", "anna@example.com"),
        ("Anna Berg<anna@example.com>", "Anna Berg", "anna@example.com"),
        ("Anna   Berg <anna@example.com>", "Anna Berg", "anna@example.com"),
        ("A. B. Berg <anna@example.com>", "A. B. Berg", "anna@example.com"),
        ("Sean O'Neill <sean@example.com>", "Sean O'Neill", "sean@example.com"),
        ('"Berg, Anna" <anna@example.com>', "Berg, Anna", "anna@example.com"),
        ('"Anna  Berg" <anna@example.com>', "Anna  Berg", "anna@example.com"),
        (r'"Anna \"Annie\" Berg" <anna@example.com>', 'Anna "Annie" Berg', "anna@example.com"),
        (r'"back\\slash" <anna@example.com>', "back\\slash", "anna@example.com"),
        ('"Anna @ work" <anna@example.com>', "Anna @ work", "anna@example.com"),
        ('"Berg; Anna" <anna@example.com>', "Berg; Anna", "anna@example.com"),
        ("anna@example.com (Anna Berg)", "Anna Berg", "anna@example.com"),
        ("Anna (Sydney) Berg <anna@example.com>", "Anna Berg", "anna@example.com"),
        ("Zoë Müller <zoe@example.com>", "Zoë Müller", "zoe@example.com"),
        ("王小明 <wang@example.com>", "王小明", "wang@example.com"),
        (f"{_PERSIAN} <zahra@example.com>", _PERSIAN, "zahra@example.com"),
        ("anna+class@example.com", "", "anna+class@example.com"),
        ("a/b=c!d#e$f%g&h*i@example.com", "", "a/b=c!d#e$f%g&h*i@example.com"),
        ("anna@localhost", "", "anna@localhost"),
        ("anna@server.local", "", "anna@server.local"),
        ("anna@3com.example", "", "anna@3com.example"),
        ("anna@[192.0.2.1]", "", "anna@[192.0.2.1]"),
        ("anna@[IPv6:2001:db8::1]", "", "anna@[IPv6:2001:db8::1]"),
        ("anna@bücher.example", "", "anna@xn--bcher-kva.example"),
        ("anna@faß.example", "", "anna@xn--fa-hia.example"),
        ("anna@bücher\u3002example", "", "anna@xn--bcher-kva.example"),
        ("jörg@example.com", "", "jörg@example.com"),
        ('"anna berg"@example.com', "", '"anna berg"@example.com'),
        ('"anna@home"@example.com', "", '"anna@home"@example.com'),
        ("x" * 64 + "@example.com", "", "x" * 64 + "@example.com"),
    ),
    *_refused(
        "no address at all",
        "",
        "Anna Berg",
        "anna",
        "anna@",
        "@example.com",
        "Anna <>",
        "anna.example.com",
        '"anna@example.com"',
        "anna at example.com",
    ),
    *_refused(
        "mistyped",
        "anna@@example.com",
        "anna@example@com",
        "anna berg@example.com",
        "anna @example.com",
        "anna@ example.com",
        "anna@exam ple.com",
        "anna..berg@example.com",
        ".anna@example.com",
        "anna.@example.com",
        "anna@example..com",
        "anna@.example.com",
        "anna@example,com",
        "anna@-example.com",
        "anna@example-.com",
        "anna@my_school.example",
        "anna@example.com>",
        "Anna <anna@example.com",
        "Anna anna@example.com>",
        '"Anna <anna@example.com>',
        "anna@example.com (Anna",
        "anna@[192.0.2.1",
        "anna@[192.0.2.700]",
        "anna@192.0.2.1",
        "anna@[IPv6:1::2::3]",
        r"anna\berg@example.com",
        "x" * 65 + "@example.com",
        "é" * 33 + "@example.com",
        "anna@" + "x" * 64 + ".example",
        "anna@example.com ben@example.org",
        "<anna@example.com> <ben@example.org>",
        "Anna <anna@example.com> Berg",
        "<<anna@example.com>>",
    ),
    *_refused(
        "hostile",
        "user@good.example(x)evil.example",
        "user(x)name@good.example",
        "boss@bank.example <evil@example.com>",
        "anna@example.com\r\nBcc: evil@example.com",
        "anna@example.com\nevil@example.com",
        "Anna\r\nBcc: x <anna@example.com>",
        '"Anna\r\nBcc: evil@example.com" <anna@example.com>',
        '"Anna\r\n\r\n<script>" <anna@example.com>',
        "anna\x00@example.com",
        '"Anna\x00" <anna@example.com>',
        "anna@example.com\x00.evil.example",
        "anna@exam\u200bple.com",
        "anna\u202e@example.com",
        "Anna\u2028 <anna@example.com>",
        "Anna \ud800 <anna@example.com>",
        '"anna\r\n"@example.com',
        "=?utf-8?q?evil=40evil.example=3e=00?=@example.com",
        "<@relay.example:anna@example.com>",
        "anna@xn--0.example",
        "anna@ab--cd.example",
        '"a@evil.example> "x@good.example',
    ),
    *_list(
        "lists at a comma",
        ",",
        ("Anna Berg <anna@example.com>, ben@example.org", (_ANNA, _BEN)),
        ("ben@example.org,Anna Berg <anna@example.com>", (_BEN, _ANNA)),
        ('"Berg, Anna" <anna@example.com>, ben@example.org', (_COMMA, _BEN)),
        ("anna@example.com (Berg, Anna), ben@example.org", (_COMMA, _BEN)),
        ('"a,b"@example.com, ben@example.org', (("", '"a,b"@example.com'), _BEN)),
        ("ben@example.org, ben@example.org", (_BEN, _BEN)),
        ("Anna <anna@example.com>, bogus, ben@example.org", None),
        ('"Berg, Anna <anna@example.com>, ben@example.org', None),
        ("Anna <anna@example.com, ben@example.org", None),
        ("anna@example.com ben@example.org, x@example.net", None),
        ("anna@example.com, evil@example.net\x00", None),
        ("anna@example.com, ben@example.org(x)evil.example", None),
    ),
    *_list(
        "lists at a semicolon",
        ";",
        ("Anna Berg <anna@example.com>; ben@example.org", (_ANNA, _BEN)),
        ("ben@example.org;Anna Berg <anna@example.com>;", (_BEN, _ANNA)),
        ("Berg, Anna <anna@example.com>; ben@example.org", (_COMMA, _BEN)),
        ('"Berg; Anna" <anna@example.com>; ben@example.org', (("Berg; Anna", "anna@example.com"), _BEN)),
        ("anna@example.com (Berg; Anna); ben@example.org", (("Berg; Anna", "anna@example.com"), _BEN)),
        ('"a;b"@example.com; ben@example.org', (("", '"a;b"@example.com'), _BEN)),
        (";; ben@example.org ;;", (_BEN,)),
        ("anna@example.com, ben@example.org", None),
        ("bogus; ben@example.org", None),
        ('"Berg; Anna <anna@example.com>; ben@example.org', None),
        ("Anna <anna@example.com; ben@example.org", None),
        ("anna@example.com\nevil@example.net; ben@example.org", None),
    ),
)
