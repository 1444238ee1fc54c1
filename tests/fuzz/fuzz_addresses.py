"""Throw text at the address parser and hold it to its laws: ``nox -s fuzz -- --seconds 600``.

What it looks for: anything but an AddressError, an error without a place, a mailbox that does not read back
the same, a header that a correct reader reads otherwise, a repair that changes who gets the mail. It ends
at the first finding, with the text, the law and the seed.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.address.header_reader import read_header

from vetmail_core.address import (
    AddressError,
    Mailbox,
    collect_mailbox_list,
    format_mailbox_list,
    parse_mailbox,
    unique_mailboxes,
)

SEEDS: Final = (
    "anna@example.com",
    "Anna Berg <anna@example.com>",
    '"Berg, Anna" <anna@example.com>',
    "anna@example.com (Anna (Annie) Berg)",
    '"a b"@example.com; c@[192.0.2.1], d@[IPv6:2001:db8::1]',
    "Zoë Müller <zoë@bücher.example>",
    "“Anna” <<mailto:anna%40example.com>>.",
    "=?utf-8?q?x?= <anna@xn--bcher-kva.example>",
    "'Anna' <anna@Example.COM>;\r\nBob <bob@example.com>,\tkim@example.com；x@y",
    "Team: Anna <anna@example.com>, bob@example.com;",
    "👩\u200d🏫 Kim \u0301e\u0301 می\u200cخواهم <kim@x\u3002example>",
)
PIECES: Final = (
    *"\"'`()<>[]@,;:\\. \t\r\n=?%-_+!aZ09éßя東＠；，。«»„“”‘’",
    *"\x00\x0b\x1f\x7f\x85\u00a0\u00ad\u0301\u0338\u037e\u200b\u200c\u200d\u200e\u202e\u2028\u2066\u3000\ufeff\ufffe",
    *"\ud800\udfff\U000e0041\U0001f469\u212a\u1fef\u2488\uff0d\uff0e",
    *("=?utf-8?q?a?=", "=?", "?=", "mailto:", "MAILTO:", "%40", "%22", "%0d%0a", "xn--", "xn--a", "..", "--"),
    *(
        "<<",
        ">>",
        '\\"',
        "[IPv6:",
        "@[",
        ".local",
        "localhost",
        "a" * 64,
        "ü" * 30,
        "\r\n ",
        "a@b",
        "<a@b.c>",
    ),
)
CONTROLS: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
REWRITTEN: Final = re.compile("[“”„‟«»‘’‚‛‹›\u00a0]|^[ \t]|[ \t]$")


def mutated(chance: random.Random, text: str) -> str:
    """A text changed in a few places."""
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(text))
        to = min(len(text), at + chance.choice((0, 0, 1, 1, 2, 8)))
        match chance.randint(0, 3):
            case 0:
                text = text[:at] + chance.choice(PIECES) + text[to:]
            case 1:
                text = text[:at] + text[to:]
            case 2:
                text = text[:at] + text[at:to] * 2 + text[to:]
            case _:
                text = text[:at] + chance.choice(SEEDS) + text[to:]
    return text[:400]


STEERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def a_text(chance: random.Random) -> str:
    """A text to read: a changed seed, or pieces in any order."""
    if chance.random() < 0.7:
        return mutated(chance, chance.choice(SEEDS))
    return "".join(chance.choice(PIECES) for _ in range(chance.randint(0, 25)))


def check_error(error: AddressError, text: str, *, in_list: bool) -> None:
    """An error has its text and its place, and its sentence shows nothing invisible."""
    assert error.text == text, "the error holds another text"
    assert 0 <= error.start <= error.end <= len(text), "the place lies outside the text"
    assert (error.entry is not None) == in_list, (
        "an entry is told where there is none, or none where there is"
    )
    # What is to be written instead may hold a name with joined signs; nothing that
    # moves a cursor, breaks a line or turns the direction of what is read.
    assert not STEERS.search(str(error)), "the sentence holds a character that steers"
    assert len(str(error)) < 500, "the sentence is too long"


def check_mailbox(mailbox: Mailbox) -> None:
    """A mailbox is valid, reads back the same, and its header says what it is."""
    for part in (mailbox.addr_spec, mailbox.display_name, mailbox.address_key):
        assert not CONTROLS.search(part), "a control character was taken"
    assert Mailbox(mailbox.addr_spec, mailbox.display_name) == mailbox, "the constructor makes another"
    assert parse_mailbox(str(mailbox)) == mailbox, "it reads back as another"
    assert parse_mailbox(str(mailbox), lenient=True) == mailbox, "it reads back leniently as another"
    twin = Mailbox(f"{mailbox.local_part}@{mailbox.ascii_domain}")
    assert twin.address_key == mailbox.address_key, "the form on the wire has another key"
    for smtputf8 in (False, True) if not mailbox.needs_smtputf8 else (True,):
        header = mailbox.header(smtputf8=smtputf8)
        assert smtputf8 or header.isascii(), "a header is not ASCII"
        name, address = read_header(header)
        read = Mailbox(address, name)
        assert (read.display_name, read.address_key) == (mailbox.display_name, mailbox.address_key), header
    assert all(warning.isprintable() for warning in mailbox.warnings), "a warning shows the invisible"


def read_one(text: str, *, lenient: bool) -> Mailbox | None:
    """Read one mailbox and hold what comes to its laws."""
    try:
        mailbox = parse_mailbox(text, lenient=lenient)
    except AddressError as error:
        check_error(error, text, in_list=False)
        return None
    check_mailbox(mailbox)
    return mailbox


def check_list(text: str, separator: str, *, lenient: bool) -> None:
    """Each entry is a mailbox or an error, in order; what was good is written and read back."""
    collected = collect_mailbox_list(text, separator=separator, lenient=lenient)
    for error in collected.errors:
        check_error(error, text, in_list=True)
    places = [(error.entry or 0, error.start) for error in collected.errors]
    assert places == sorted(places), "the errors are out of order"
    for mailbox in collected.mailboxes:
        check_mailbox(mailbox)
    for either in ";,":
        written = format_mailbox_list(collected.mailboxes, separator=either)
        for reading in (False, True):
            again = collect_mailbox_list(written, separator=either, lenient=reading)
            assert again.mailboxes == collected.mailboxes, "a list reads back as another"
    assert len(unique_mailboxes(collected.mailboxes)) == len({m.address_key for m in collected.mailboxes})


def check(text: str) -> None:
    """Hold every way of reading a text to its laws."""
    strict, lenient = (read_one(text, lenient=lenient) for lenient in (False, True))
    if strict is not None:
        assert lenient is not None, "what is read strictly is refused leniently"
        assert lenient.addr_spec == strict.addr_spec, "a repair changed who gets the mail"
        assert REWRITTEN.search(text) or lenient == strict, "a repair changed a name without need"
    for separator in ";,":
        for how in (False, True):
            check_list(text, separator, lenient=how)
    half = len(text) // 2
    for address, name in ((text, ""), (text[:half], text[half:]), ("anna@example.com", text)):
        try:
            made = Mailbox(address, name)
        except AddressError as error:
            check_error(error, error.text, in_list=False)
        else:
            check_mailbox(made)


def main() -> int:
    """Run until the time is over or something is found."""
    parser = argparse.ArgumentParser(description="Fuzz the address parser.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None, help="begin with this one, to see a finding again")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    tried = 0
    while time.monotonic() < end:
        text = a_text(random.Random(seed + tried))  # noqa: S311 - no secret depends on it
        try:
            check(text)
        except Exception:
            sys.stderr.write(f"addresses, seed {seed + tried}: {text!r}\n")
            raise
        tried += 1
    sys.stdout.write(f"addresses: {tried:,} texts from seed {seed}, nothing found\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
