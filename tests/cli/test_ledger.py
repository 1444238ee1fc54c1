"""ledger: who is not done, and how an administrator settles it without a line of Python."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from vetmail_core import (
    Cause,
    Content,
    Email,
    LedgerError,
    Mailbox,
    Outcome,
    Receipt,
    Recipients,
    Reply,
    SqliteLedger,
    Status,
    read_bounce,
)
from vetmail_core.ledger import LedgerState
from vetmail_core.ledger.settling import resolve_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.cli.conftest import Said

OFFICE = Mailbox("office@example.com")


def _email(key: str, *addresses: str) -> Email:
    to, *cc = (Mailbox(address) for address in addresses)
    return Email(
        sender=OFFICE,
        recipients=Recipients(to=(to,), cc=tuple(cc)),
        content=Content("Hello", "Hi"),
        key=key,
        message_id=f"<{key[-1]}@example.com>",
    )


def _settle(ledger: SqliteLedger, key: str, **outcomes: Outcome) -> None:
    email = _email(key, *(outcome.mailbox.addr_spec for outcome in outcomes.values()))
    ledger.settle(Receipt(email, tuple(outcomes.values())))


def _outcome(address: str, status: Status, cause: Cause | None = None) -> Outcome:
    reply = Reply(550, "5.1.1", "No such user") if status is Status.REFUSED else None
    return Outcome(Mailbox(address), status, cause=cause, reply=reply)


@pytest.fixture
def path(folder: Path) -> Path:
    """A ledger with one email of each kind."""
    with SqliteLedger(folder / "L") as ledger:
        _settle(ledger, "spring/ann", to=_outcome("ann@example.com", Status.ACCEPTED))
        _settle(ledger, "spring/bob", to=_outcome("bob@example.com", Status.UNKNOWN, Cause.CONNECTION))
        _settle(ledger, "spring/cy", to=_outcome("cy@example.com", Status.REFUSED, Cause.BAD_RECIPIENT))
        _settle(ledger, "autumn/di", to=_outcome("di@example.com", Status.DEFERRED, Cause.MAILBOX_FULL))
        _settle(
            ledger,
            "spring/ed",
            to=_outcome("ed@example.com", Status.ACCEPTED),
            cc=_outcome("boss@example.com", Status.REFUSED, Cause.BAD_RECIPIENT),
        )
        _settle(ledger, "spring/fay", to=_outcome("fay@example.com", Status.HANDED_OVER))
    return folder / "L"


def _states(path: Path) -> dict[str, LedgerState | None]:
    with SqliteLedger(path) as ledger:
        keys = ("spring/ann", "spring/bob", "spring/cy", "autumn/di", "spring/ed", "spring/fay")
        return {key: ledger.state(key) for key in keys}


def test_the_list_says_who_is_not_done_and_why(vetmail: Callable[..., Said], path: Path) -> None:
    """With the key to settle it by, and the totals of everybody."""
    said = vetmail("ledger", "list", "--ledger", "L")
    assert said.status == 0, said.err
    rows = said.out.splitlines()[2:]
    assert [row.split()[0] for row in rows if "/" in row.split(" ")[0]] == [
        "spring/bob",
        "spring/cy",
        "autumn/di",
        "spring/ed",
    ]
    assert "in doubt" in rows[0]
    assert "bob@example.com" in rows[0]
    assert "it may have arrived" in rows[0]
    assert "cy@example.com refused: bad recipient: 550 5.1.1 No such user" in rows[1]
    assert "mailbox full" in rows[2]
    assert "boss@example.com refused" in rows[3]
    assert rows[-1] == "in all: 1 in doubt, 1 refused, 1 open, 2 accepted, 1 handed over"
    assert path.exists()


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (("--batch", "autumn"), ["autumn/di"]),
        (("--state", "in-doubt"), ["spring/bob"]),
        (("--state", "unknown"), ["spring/bob"]),
        (("--state", "accepted"), ["spring/ann", "spring/ed"]),
        (("--state", "handed_over"), ["spring/fay"]),
        (("--state", "under-way"), []),
        (("--batch", "win"), []),
    ],
)
def test_a_list_can_be_of_one_mailing_or_one_state(
    vetmail: Callable[..., Said], path: Path, words: Sequence[str], keys: Sequence[str]
) -> None:
    """Whatever words of the two vocabularies are used."""
    said = vetmail("ledger", "list", "--ledger", path.name, *words)
    assert [line.split()[0] for line in said.out.splitlines() if "/" in line.split(" ")[0]] == list(keys)


def test_the_keys_of_a_batch_are_found_whatever_its_name(vetmail: Callable[..., Said], folder: Path) -> None:
    """A slash in it is escaped in keys."""
    with SqliteLedger(folder / "L") as ledger:
        _settle(ledger, "a%2Fb/ann", to=_outcome("ann@example.com", Status.UNKNOWN))
    assert "a%2Fb/ann" in vetmail("ledger", "list", "--ledger", "L", "--batch", "a/b").out


@pytest.mark.parametrize(
    ("option", "state"),
    [
        ("--arrived", LedgerState.ACCEPTED),
        ("--not-sent", LedgerState.DEFERRED),
        ("--give-up", LedgerState.REFUSED),
    ],
)
def test_a_doubt_ends_as_somebody_found_out(
    vetmail: Callable[..., Said], path: Path, option: str, state: LedgerState
) -> None:
    """Arrived, not sent, or not to be sent at all."""
    said = vetmail("ledger", "resolve", "--ledger", "L", "spring/bob", option)
    assert said.status == 0, said.err
    assert said.out.startswith("1 email ")
    assert _states(path)["spring/bob"] is state


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("resolve", "spring/bob", "nobody", "--arrived"), "no email with the key 'nobody'"),
        (("resolve", "spring/bob", "spring/ann", "--arrived"), "it is accepted"),
        (("retry", "spring/cy", "spring/ann"), "is accepted, so there is nothing to send again"),
        (("retry", "spring/cy", "nobody"), "no email with the key"),
        (("retry",), "or --all"),
        (("retry", "--all", "spring/bob"), "or --all"),
        (("list", "--state", "lost"), "in-doubt, refused"),
        (("lift", "ann@example.com"), "not left out"),
        (("resolve", "spring/bob"), "--arrived"),
    ],
)
def test_all_keys_are_settled_or_none(
    vetmail: Callable[..., Said], path: Path, words: Sequence[str], sentence: str
) -> None:
    """A typing error in the second key must not leave half of it done."""
    before = _states(path)
    said = vetmail("ledger", words[0], "--ledger", "L", *words[1:])
    assert (said.status, said.out) == (2, "")
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1
    assert _states(path) == before


def test_a_retry_reopens_doubts_and_named_refusals(vetmail: Callable[..., Said], path: Path) -> None:
    """A second copy is possible for a doubt, and said; who was accepted in the same email stays so."""
    every = vetmail("ledger", "retry", "--ledger", "L", "--all")
    assert every.status == 0, every.err
    assert "1 email sent again by the next run" in every.out
    assert "second copy" in every.out
    named = vetmail("ledger", "retry", "--ledger", "L", "spring/cy", "spring/ed")
    assert "second copy" not in named.out
    states = _states(path)
    assert [states[key] for key in ("spring/bob", "spring/cy", "spring/ed")] == [LedgerState.DEFERRED] * 3
    with sqlite3.connect(path) as database:
        ((detail,),) = database.execute("SELECT detail FROM emails WHERE key='spring/ed'").fetchall()
    database.close()
    assert {address: entry[0] for address, entry in json.loads(detail).items()} == {
        "ed@example.com": "accepted",
        "boss@example.com": "deferred",
    }


@pytest.mark.parametrize("content", [None, b""])
@pytest.mark.parametrize(
    "words", [("list",), ("retry", "--all"), ("resolve", "k", "--arrived"), ("lift", "a@b.example")]
)
def test_a_ledger_that_is_not_there_is_not_made(
    vetmail: Callable[..., Said], folder: Path, words: Sequence[str], content: bytes | None
) -> None:
    """A name typed wrong would show an empty ledger, and everybody as never sent to."""
    if content is not None:
        (folder / "L").write_bytes(content)
    before = sorted(folder.iterdir())
    said = vetmail("ledger", words[0], "--ledger", "L", *words[1:])
    assert (said.status, len(said.err.splitlines())) == (2, 1)
    assert "there is no ledger L" in said.err
    assert sorted(folder.iterdir()) == before


def test_another_programs_database_is_left_alone(vetmail: Callable[..., Said], folder: Path) -> None:
    """One line, and the file as it was."""
    with sqlite3.connect(folder / "L") as other:
        other.execute("CREATE TABLE notes (text TEXT)")
    other.close()
    said = vetmail("ledger", "list", "--ledger", "L")
    assert (said.status, len(said.err.splitlines())) == (2, 1)
    assert "another program" in said.err


def test_an_email_under_way_waits_for_its_run(vetmail: Callable[..., Said], folder: Path) -> None:
    """Nobody settles what is being sent at this moment."""
    with SqliteLedger(folder / "L") as ledger:
        ledger.attempting(["spring/ann"])
        assert "under way" in vetmail("ledger", "list", "--ledger", "L").out
        said = vetmail("ledger", "resolve", "--ledger", "L", "spring/ann", "--arrived")
        assert said.status == 2
        assert "at this moment" in said.err


BOUNCE = b"""\
From: postmaster@example.com
To: office@example.com
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: text/plain

It did not arrive.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; example.com

Final-Recipient: rfc822; ann@example.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 No such user
--x
Content-Type: text/rfc822-headers

Message-ID: <n@example.com>

--x--
"""


def test_an_address_that_is_left_out_is_written_to_again(vetmail: Callable[..., Said], path: Path) -> None:
    """Once somebody knows that the mailbox is there again."""
    with SqliteLedger(path) as ledger:
        bounce = read_bounce(BOUNCE)
        assert bounce is not None
        assert ledger.take_bounce(bounce)
        assert ledger.suppressed("ann@example.com")
    said = vetmail("ledger", "lift", "--ledger", "L", "ann@example.com")
    assert (said.status, said.out) == (0, "ann@example.com is written to again\n"), said.err
    with SqliteLedger(path) as ledger:
        assert ledger.suppressed("ann@example.com") is None


def test_a_doubt_cannot_end_as_a_doubt(path: Path) -> None:
    """Accepted, deferred or refused; nothing else is an answer."""
    with SqliteLedger(path) as ledger, pytest.raises(LedgerError, match="accepted, deferred or refused"):
        resolve_all(ledger.tables, ["spring/bob"], LedgerState.UNKNOWN)
