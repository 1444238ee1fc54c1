"""A process that sends a few emails loads what it uses, and no pattern that is slow to compile."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from vetmail_core.address import addr_spec, domain, lists
from vetmail_core.testing import LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_NEEDED = (
    "asyncio",
    "cattrs",
    "difflib",
    "email",
    "email_validator",
    "hashlib",
    "hmac",
    "html",
    "json",
    "mmap",
    "pathlib",
    "platformdirs",
    "random",
    "secrets",
    "shutil",
    "smtplib",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "urllib.parse",
    "vetmail_core.aio",
    "vetmail_core.bulk",
    "vetmail_core.ledger",
    "vetmail_core.mailer",
    "vetmail_core.transports.mailto",
    "vetmail_core.transports.smtp.check",
)
TEN_EMAILS = """
import sys
from vetmail_core import Content, Email, MailServer, Recipients, SmtpTransport

emails = [
    Email(
        sender="office@example.com",
        recipients=Recipients(f"p{number}@example.com"),
        content=Content("Class on Monday", "See you at nine."),
    )
    for number in range(10)
]
with SmtpTransport(MailServer(host="127.0.0.1", port=int(sys.argv[1]))) as transport:
    assert all(receipt.ok for receipt in transport.deliver(emails))
print(*sys.modules)
"""
EVERY_CHARACTER = "".join(map(chr, range(sys.maxunicode + 1)))


@pytest.fixture
def smtpd() -> Iterator[LocalSmtpServer]:
    """A real server on the loopback address."""
    with LocalSmtpServer() as server:
        yield server


@pytest.mark.wire
def test_ten_emails_load_nothing_that_they_do_not_use(smtpd: LocalSmtpServer) -> None:
    """No TLS where none is asked for, no SQLite without a ledger, no JSON: a short script starts quickly."""
    said = subprocess.run(
        [sys.executable, "-I", "-c", TEN_EMAILS, str(smtpd.port)], capture_output=True, text=True, check=True
    )
    assert len(smtpd.emails) == 10
    assert set(NOT_NEEDED) & set(said.stdout.split()) == set()


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        (addr_spec._NOT_ATOM, r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~\-.\x80-\uffff]"),
        (domain._NOT_HOST, r"[^A-Za-z0-9.\-\x80-\uffff]"),
    ],
)
def test_the_signs_that_are_left_out_are_all_of_ascii_but_those_that_may_stand(
    pattern: re.Pattern[str], meant: str
) -> None:
    """Named one by one the set compiles quickly; it is the same set."""
    beyond = EVERY_CHARACTER[128:]
    assert pattern.search(beyond) is None
    assert pattern.findall(EVERY_CHARACTER[:128]) == re.findall(meant, EVERY_CHARACTER[:128])


def test_an_atom_may_hold_every_letter_beyond_ascii() -> None:
    """As the patterns before had it: to the last code point."""
    atom = EVERY_CHARACTER[128:] + "A!#$%&'*+/=?^_`{|}~-0"
    assert addr_spec._DOT_ATOM.fullmatch(f"{atom}.{atom}") is not None
    for sign in '\x00 "(),:;<>@[\\]\x7f\n':
        assert addr_spec._DOT_ATOM.fullmatch(f"a{sign}b") is None


def test_a_name_in_quotes_is_read_quickly_where_it_is_plain_ascii() -> None:
    """Whatever else it holds is read by the rules."""
    inside = "".join(sign for sign in map(chr, range(0x20, 0x7F)) if sign not in '"\\')
    assert lists._FAST_ONE.fullmatch(f'"{inside}" <kim@example.com>') is not None
    for sign in ("\x1f", "\x7f", "\\", "\u00e9", "\U0010ffff"):
        assert lists._FAST_ONE.fullmatch(f'"a{sign}b" <kim@example.com>') is None
