"""Writing emails into a folder."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from vetmail_core import (
    Attachment,
    Cause,
    EmlTransport,
    Phase,
    Status,
    Transport,
    TransportError,
)
from vetmail_core.testing import FakeClock
from vetmail_core.transports.stamping import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vetmail_core import Email


def names(folder: Path) -> list[str]:
    """What is in the folder, by name."""
    return sorted(path.name for path in folder.iterdir())


def test_it_is_a_transport(tmp_path: Path) -> None:
    """It can stand wherever a transport is asked for."""
    assert isinstance(EmlTransport(tmp_path), Transport)


def test_files_sort_in_sending_order_and_come_in_pairs(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """One message and one record for each email; nothing else stays behind."""
    people = ["zoe@example.com", "sam@example.com", "adam@example.com"]
    with EmlTransport(tmp_path / "outbox") as transport:
        receipts = list(transport.deliver(make_email(to=(one,)) for one in people))
    assert names(tmp_path / "outbox") == [
        "000001-zoe-example-com.eml",
        "000001-zoe-example-com.json",
        "000002-sam-example-com.eml",
        "000002-sam-example-com.json",
        "000003-adam-example-com.eml",
        "000003-adam-example-com.json",
    ]
    assert [str(*receipt.handed_over) for receipt in receipts] == people


def test_the_file_is_the_message_as_it_would_go_over_the_wire(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """Byte for byte, with the clock's Date and the email's Message-ID."""
    email = make_email(key="run 7/sam")
    clock = FakeClock()
    list(EmlTransport(tmp_path, clock=clock).deliver([email]))
    data = (tmp_path / "000001-sam-example-com.eml").read_bytes()
    assert data == stamp(email, clock.now()).as_bytes()
    assert b"\r\nDate: Mon, 02 Mar 2026 09:00:00 +0000\r\n" in data
    assert email.message_id.encode() in data


def test_an_email_without_key_gets_a_message_id(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """The file is a whole message; the record and the message agree about its name."""
    list(EmlTransport(tmp_path).deliver([make_email()]))
    record = json.loads((tmp_path / "000001-sam-example-com.json").read_text(encoding="utf-8"))
    data = (tmp_path / "000001-sam-example-com.eml").read_bytes()
    assert f"\r\nMessage-ID: {record['message_id']}\r\n".encode() in data


def test_a_blind_copy_stands_beside_the_message_and_never_in_it(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """Whoever opens the message does not learn of the auditor; whoever reads the record does."""
    list(EmlTransport(tmp_path).deliver([make_email(bcc=("audit@example.org",))]))
    [message] = tmp_path.glob("*.eml")
    assert b"audit" not in message.read_bytes()
    assert "audit" not in message.name
    record = json.loads(message.with_suffix(".json").read_text(encoding="utf-8"))
    assert record["bcc"] == ["audit@example.org"]


def test_the_record_says_what_the_folder_format_promises(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """The members that readers of the folder rely on."""
    email = make_email(to=('"Sam Lee" <sam@example.com>',), cc=("kim@example.com",), key="k1")
    list(EmlTransport(tmp_path, clock=FakeClock()).deliver([email]))
    record = json.loads((tmp_path / "000001-sam-example-com.json").read_text(encoding="utf-8"))
    assert record == {
        "schema": 1,
        "status": "handed_over",
        "written": "2026-03-02T09:00:00+00:00",
        "key": "k1",
        "message_id": email.message_id,
        "date": "2026-03-02T09:00:00+00:00",
        "sender": '"The Office" <office@example.com>',
        "to": ['"Sam Lee" <sam@example.com>'],
        "cc": ["kim@example.com"],
        "bcc": [],
        "reply_to": [],
        "headers": {},
        "subject": "Your class moved",
        "added_line_end": ["text"],
    }


def test_each_recipient_is_handed_over_and_nobody_accepted(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """A folder takes no responsibility for delivery; the receipt is for the very email that came."""
    email = make_email(cc=("kim@example.com",), bcc=("audit@example.org",))
    [receipt] = EmlTransport(tmp_path).deliver([email])
    assert receipt.email is email
    assert receipt.handed_over == email.recipients.all
    assert {outcome.phase for outcome in receipt.outcomes} == {Phase.HAND_OVER}
    assert receipt.accepted == ()
    assert receipt.ok
    assert receipt.reply is None


def test_emails_are_pulled_one_at_a_time(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """A run of a million emails is never in memory, nor ahead of its receipts."""
    pulled: list[int] = []

    def endless() -> Iterator[Email]:
        while True:
            pulled.append(1)
            yield make_email()

    receipts = EmlTransport(tmp_path).deliver(endless())
    assert pulled == []
    next(receipts)
    assert len(pulled) == 1
    next(receipts)
    assert len(pulled) == 2


def test_an_address_that_needs_smtputf8_is_written_in_utf8(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """A file has no server to refuse it."""
    [receipt] = EmlTransport(tmp_path).deliver([make_email(to=("jörg@example.com",))])
    assert receipt.ok
    assert "To: jörg@example.com\r\n".encode() in (tmp_path / "000001-j-rg-example-com.eml").read_bytes()


def test_a_folder_is_made_only_when_an_email_is_written(tmp_path: Path) -> None:
    """Looking at a run that turns out empty leaves nothing behind."""
    folder = tmp_path / "deep" / "outbox"
    assert list(EmlTransport(folder).deliver([])) == []
    assert not folder.parent.exists()


def test_files_and_folder_are_for_their_owner_alone(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """They hold what students are told."""
    list(EmlTransport(tmp_path / "deep" / "outbox").deliver([make_email()]))
    assert stat.S_IMODE((tmp_path / "deep" / "outbox").stat().st_mode) == 0o700
    for path in (tmp_path / "deep" / "outbox").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_run_goes_on_behind_the_first(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """Yesterday's files stay, and today's sort behind them, whatever else lies in the folder."""
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for _ in range(2):
        list(EmlTransport(tmp_path).deliver([make_email(), make_email(to=("adam@example.com",))]))
    assert [name for name in names(tmp_path) if name.endswith(".eml")] == [
        "000001-sam-example-com.eml",
        "000002-adam-example-com.eml",
        "000003-sam-example-com.eml",
        "000004-adam-example-com.eml",
    ]
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_one_transport_may_run_again_and_again(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """As a Mailer does that sends one email at a time."""
    with EmlTransport(tmp_path) as transport:
        for _ in range(3):
            assert [receipt.ok for receipt in transport.deliver([make_email()])] == [True]
    assert [name[:6] for name in names(tmp_path) if name.endswith(".eml")] == ["000001", "000002", "000003"]


def test_the_file_after_the_millionth_sorts_behind_it(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """Six digits are the usual, not the limit."""
    (tmp_path / "999999-sam-example-com.eml").write_bytes(b"")
    list(EmlTransport(tmp_path).deliver([make_email(), make_email()]))
    assert [name for name in names(tmp_path) if name.endswith(".eml")] == [
        "999999-sam-example-com.eml",
        "a1000000-sam-example-com.eml",
        "a1000001-sam-example-com.eml",
    ]


def test_two_transports_in_turn_never_share_a_name(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """A name that was taken meanwhile is left alone, and the next one is used."""
    email = make_email()
    first = EmlTransport(tmp_path).deliver(iter([email] * 3))
    second = EmlTransport(tmp_path).deliver(iter([email] * 3))
    for run in (first, second, second, first, second, first):
        assert next(run).ok
    assert [name[:6] for name in names(tmp_path) if name.endswith(".eml")] == [
        "000001",
        "000002",
        "000003",
        "000004",
        "000005",
        "000006",
    ]


def test_a_transport_sees_what_another_wrote_between_its_runs(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """Two web workers that share a folder keep the order in which they wrote."""
    one, other = EmlTransport(tmp_path), EmlTransport(tmp_path)
    for transport in (one, other, one, other, one):
        list(transport.deliver([make_email()]))
    written = [name for name in names(tmp_path) if name.endswith(".eml")]
    assert [name[:6] for name in written] == ["000001", "000002", "000003", "000004", "000005"]


@pytest.mark.parametrize("ending", ["json", "eml", "part"])
def test_a_file_in_the_way_is_left_as_it_is(
    tmp_path: Path, make_email: Callable[..., Email], ending: str
) -> None:
    """Somebody else's file of our name is never replaced, nor half of a pair put beside it."""
    run = EmlTransport(tmp_path).deliver(iter([make_email(), make_email()]))
    next(run)
    (tmp_path / f"000002-sam-example-com.{ending}").write_bytes(b"not ours")
    assert next(run).ok
    assert names(tmp_path) == sorted(
        [
            "000001-sam-example-com.eml",
            "000001-sam-example-com.json",
            f"000002-sam-example-com.{ending}",
            "000003-sam-example-com.eml",
            "000003-sam-example-com.json",
        ]
    )
    assert (tmp_path / f"000002-sam-example-com.{ending}").read_bytes() == b"not ours"


_WRITER = """
import sys
from vetmail_core import Content, Email, EmlTransport, Mailbox, Recipients
who, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
emails = (
    Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(to="sam@example.com"),
        content=Content(f"{who} {number}", "Hello"),
    )
    for number in range(count)
)
print("ready", flush=True)
sys.stdin.readline()
assert all(receipt.ok for receipt in EmlTransport(folder).deliver(emails))
"""


def test_programs_that_write_at_once_lose_nothing_and_keep_their_order(tmp_path: Path) -> None:
    """Three programs, one folder, the same recipient in each name."""
    folder = tmp_path / "outbox"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, who, str(folder), "60"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for who in ("one", "two", "three")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        writer.communicate(b"go\n", timeout=60)
        assert writer.returncode == 0
    subjects = [
        json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["subject"].split()
        for path in sorted(folder.glob("*.eml"))
    ]
    assert len(names(folder)) == 2 * 3 * 60
    for who in ("one", "two", "three"):
        assert [number for name, number in subjects if name == who] == [str(number) for number in range(60)]


def test_a_folder_that_cannot_be_made_stops_the_run_with_a_reason(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """No exception: each email is answered for, and the words say where and what to do."""
    (tmp_path / "outbox").write_text("a file, not a folder", encoding="utf-8")
    emails = [make_email(), make_email(bcc=("audit@example.org",))]
    receipts = list(EmlTransport(tmp_path / "outbox").deliver(emails))
    assert [receipt.email for receipt in receipts] == emails
    for receipt in receipts:
        assert receipt.not_attempted == receipt.email.recipients.all
        assert not receipt.ok
        assert receipt.attempts == 0
        for outcome in receipt.outcomes:
            assert (outcome.status, outcome.cause, outcome.phase) == (
                Status.NOT_ATTEMPTED,
                Cause.OTHER,
                Phase.HAND_OVER,
            )
            assert outcome.reply == receipt.reply
        assert receipt.reply is not None
        assert receipt.reply.code == 0
        assert (
            f"could not be written into the folder {tmp_path / 'outbox'}: File exists" in receipt.reply.text
        )
        assert "start the run again" in receipt.reply.text


@pytest.mark.usefixtures("full_disk")
def test_when_the_disk_is_full_nothing_half_written_stays(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """What was written before stays; the email that did not fit and those behind it are not attempted."""
    large = make_email(attachments=(Attachment("scan.pdf", bytes(300_000)),))
    transport = EmlTransport(tmp_path)
    receipts = list(transport.deliver([make_email(), large, make_email()]))
    assert [receipt.ok for receipt in receipts] == [True, False, False]
    assert names(tmp_path) == ["000001-sam-example-com.eml", "000001-sam-example-com.json"]
    assert receipts[1].reply is not None
    assert "File too large" in receipts[1].reply.text
    assert [receipt.ok for receipt in transport.deliver([make_email()])] == [True]
    assert names(tmp_path)[-1] == "000002-sam-example-com.json"


def test_a_folder_that_vanishes_in_mid_run_stops_the_run(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """A network drive may go at any moment."""
    folder = tmp_path / "outbox"
    run = EmlTransport(folder).deliver(iter([make_email(), make_email()]))
    assert next(run).ok
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert next(run).not_attempted
    assert not folder.exists()


def test_an_error_of_the_caller_is_the_callers(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """An OSError out of the emails themselves (a CSV that cannot be read) is not taken for a full disk."""

    def emails() -> Iterator[Email]:
        yield make_email()
        raise FileNotFoundError("people.csv")

    run = EmlTransport(tmp_path).deliver(emails())
    assert next(run).ok
    with pytest.raises(FileNotFoundError, match=r"people\.csv"):
        next(run)


def test_a_closed_transport_refuses(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """Closing twice is fine; delivering afterwards is misuse."""
    transport = EmlTransport(tmp_path)
    transport.close()
    transport.close()
    with pytest.raises(TransportError, match="is closed; make a new one"):
        transport.deliver([make_email()])
    assert names(tmp_path) == []


def test_repr_names_the_folder(tmp_path: Path) -> None:
    """What a log shows."""
    assert repr(EmlTransport("outbox")) == "EmlTransport('outbox')"
    assert repr(EmlTransport(tmp_path)) == f"EmlTransport({str(tmp_path)!r})"


def test_the_date_is_today_without_a_clock(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """The system's clock is the default."""
    before = datetime.now(UTC)
    list(EmlTransport(tmp_path).deliver([make_email()]))
    record = json.loads((tmp_path / "000001-sam-example-com.json").read_text(encoding="utf-8"))
    assert before <= datetime.fromisoformat(record["written"]) <= datetime.now(UTC)


def test_what_a_killed_run_left_is_cleared_a_day_later(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """Halves of our own pairs; what is young may be another run's, and what has another name is not ours."""
    clock = FakeClock()
    young, old = clock.now() - timedelta(hours=1), clock.now() - timedelta(days=2)
    for name, when in {
        "000007-ann.part": old,
        "000007-ann.json": old,
        "000008-kim.json": young,
        "notes.part": old,
        "000009-sam.eml": old,
        "000009-sam.json": old,
    }.items():
        (tmp_path / name).write_text("{}", encoding="utf-8")
        os.utime(tmp_path / name, (when.timestamp(), when.timestamp()))
    (tmp_path / "000006-link.part").symlink_to(tmp_path / "notes.part")
    os.utime(tmp_path / "000006-link.part", (old.timestamp(), old.timestamp()), follow_symlinks=False)
    assert all(receipt.ok for receipt in EmlTransport(tmp_path, clock=clock).deliver([make_email()]))
    assert names(tmp_path) == [
        "000006-link.part",
        "000008-kim.json",
        "000009-sam.eml",
        "000009-sam.json",
        "000010-sam-example-com.eml",
        "000010-sam-example-com.json",
        "notes.part",
    ]


def test_a_link_in_the_way_is_not_written_through(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """Neither the message nor its record nor what they are written as first; the next number is free."""
    folder = tmp_path / "outbox"
    folder.mkdir()
    for number, ending in enumerate(("json", "part", "eml"), start=1):
        (folder / f"{number:06}-sam-example-com.{ending}").symlink_to(tmp_path / "nowhere")
    transport = EmlTransport(folder)
    assert all(receipt.ok for receipt in transport.deliver([make_email()]))
    assert "000004-sam-example-com.eml" in names(folder)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"], ids=["NUL", "half a pair"])
def test_a_folder_that_no_system_can_name_is_the_reason_of_a_receipt(
    tmp_path: Path, make_email: Callable[..., Email], name: str
) -> None:
    """Which can be printed."""
    (receipt,) = EmlTransport(f"{tmp_path}/{name}").deliver([make_email()])
    assert receipt.not_attempted
    assert "its name holds" in receipt.reason
    assert receipt.reason.isprintable()
