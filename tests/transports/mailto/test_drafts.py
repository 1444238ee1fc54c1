"""Draft files: what is in them, and where they lie."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core import Attachment, MessageError
from vetmail_core.sender import UNKNOWN_SENDER
from vetmail_core.testing import FakeClock
from vetmail_core.transports.mailto.drafts import DraftFolder, draft_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from vetmail_core import Email


def test_from_is_the_first_header_and_the_draft_is_marked(make_email: Callable[..., Email]) -> None:
    """Linux takes a file that starts with X-Unsent for plain text; Outlook needs the mark."""
    lines = draft_bytes(make_email()).split(b"\r\n")
    assert lines[:2] == [b"From:", b"X-Unsent: 1"]


def test_from_is_left_to_the_mail_program_unless_it_is_asked_for(make_email: Callable[..., Email]) -> None:
    """Thunderbird warns of every sender that is no account of its own."""
    email = make_email()
    assert b"office@example.com" not in draft_bytes(email)
    assert draft_bytes(email, with_sender=True).startswith(b"From: The Office <office@example.com>\r\n")


def test_a_draft_has_a_message_id_only_by_a_key(make_email: Callable[..., Email]) -> None:
    """Pure: no clock and no chance; the same email is the same draft."""
    email = make_email()
    assert draft_bytes(email) == draft_bytes(email)
    assert b"Date:" not in draft_bytes(email)
    assert b"Message-ID" not in draft_bytes(email)
    assert b"Message-ID: <" in draft_bytes(attrs.evolve(email, key="class/1", message_id=""))


def test_a_draft_with_a_control_character_in_its_text_is_refused(make_email: Callable[..., Email]) -> None:
    """Programs cut it off there."""
    with pytest.raises(MessageError, match=r"U\+0000 at character 2"):
        draft_bytes(make_email(text="a\0b"))


def test_blind_copies_stand_in_a_draft(make_email: Callable[..., Email]) -> None:
    """It is not a message on the wire; the mail program takes them off when it sends."""
    blind = [f"person{number}@example.org" for number in range(500)]
    blind[3] = '"Zoë, Müller" <zoe@müller.example>'
    message = message_from_bytes(draft_bytes(make_email(bcc=blind)), policy=policy.default)
    assert message.get_all("Bcc") is not None
    addresses = [address.addr_spec for address in message["Bcc"].addresses]
    assert len(addresses) == 500
    assert addresses[3] == "zoe@xn--mller-kva.example"
    assert message["Bcc"].addresses[3].display_name == "Zoë, Müller"
    assert message["To"] == "sam@example.com"


def test_a_draft_of_blind_copies_alone_writes_to_nobody_else(make_email: Callable[..., Email]) -> None:
    """The stand-in `undisclosed-recipients:;` belongs on the wire, not into a To that a person sees."""
    data = draft_bytes(make_email(to=(), bcc=("audit@example.org",)))
    assert b"undisclosed" not in data
    assert b"\r\nBcc: audit@example.org\r\n" in data


def test_no_line_of_a_draft_is_too_long(make_email: Callable[..., Email]) -> None:
    """998 octets (RFC 5322, section 2.1.1), however many blind copies."""
    data = draft_bytes(make_email(bcc=[f"person{number}@example.org" for number in range(300)]))
    assert max(map(len, data.split(b"\r\n"))) <= 998


def test_text_html_and_attachments_are_as_in_the_message(make_email: Callable[..., Email]) -> None:
    """Behind the headers it is the wire form."""
    email = make_email(
        html="<p>Room 7</p>",
        attachments=(Attachment("plan.pdf", b"%PDF"),),
        reply_to=("reply@example.com",),
        headers={"X-Batch": "7"},
    )
    message = message_from_bytes(draft_bytes(email, with_sender=True), policy=policy.default)
    del message["X-Unsent"]
    assert message.as_bytes() == message_from_bytes(email.as_bytes(), policy=policy.default).as_bytes()
    assert message["Reply-To"] == "reply@example.com"


def test_an_address_beyond_ascii_is_written_in_utf8(make_email: Callable[..., Email]) -> None:
    """In To and in Bcc; a file has no server to refuse it."""
    data = draft_bytes(make_email(to=("jörg@example.com",), bcc=("zoë@example.com",)))
    assert "\r\nTo: jörg@example.com\r\n".encode() in data
    assert "\r\nBcc: zoë@example.com\r\n".encode() in data


def test_a_draft_is_private(tmp_path: Path) -> None:
    """It holds blind copies and what a student is told: 0600 in 0700, made on demand."""
    path = DraftFolder(tmp_path / "deep" / "drafts", clock=FakeClock()).write(b"From: x\r\n")
    assert path.parent == tmp_path / "deep" / "drafts"
    assert path.suffix == ".eml"
    assert path.read_bytes() == b"From: x\r\n"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_usual_folder_is_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody else looks, and where a person is told to find it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = DraftFolder(None, clock=FakeClock()).write(b"")
    assert path.parent == tmp_path / "vetmail_core" / "drafts"


def test_a_program_from_a_snap_gets_its_drafts_where_it_may_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Snap reads the home folder, but nothing hidden in it; there, too, old drafts are swept."""
    monkeypatch.setenv("HOME", str(tmp_path))
    clock = FakeClock()
    folder = DraftFolder(None, clock=clock)
    path = folder.write(b"", for_snap=True)
    assert path.parent == tmp_path / "vetmail-drafts"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    os.utime(path, (0, 0))
    folder.sweep()
    assert not path.exists()


def test_a_folder_that_was_given_is_for_every_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `~` for the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    from pathlib import Path as AnyPath  # noqa: PLC0415 - the name is for annotations above

    folder = DraftFolder(AnyPath("~/mine"), clock=FakeClock())
    assert folder.write(b"").parent == folder.write(b"", for_snap=True).parent == tmp_path / "mine"


def test_a_relative_folder_gives_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mail program runs in another folder."""
    monkeypatch.chdir(tmp_path)
    from pathlib import Path as AnyPath  # noqa: PLC0415 - the name is for annotations above

    path = DraftFolder(AnyPath("drafts"), clock=FakeClock()).write(b"")
    assert path.is_absolute()
    assert path.parent == tmp_path / "drafts"


def test_drafts_of_yesterday_are_swept_and_nothing_else(tmp_path: Path) -> None:
    """After 24 hours; younger drafts and other people's files stay."""
    clock = FakeClock()
    folder = DraftFolder(tmp_path, clock=clock)

    def aged(path: Path, hours: float) -> Path:
        moment = (clock.now() - timedelta(hours=hours)).timestamp()
        os.utime(path, (moment, moment))
        return path

    old, young = aged(folder.write(b"old"), 24.1), aged(folder.write(b"young"), 23.9)
    foreign = tmp_path / "letter.eml"
    foreign.write_bytes(b"mine")
    aged(foreign, 100)
    folder.sweep()
    assert not old.exists()
    assert sorted(tmp_path.iterdir()) == sorted([young, foreign])


def test_a_folder_that_was_never_made_is_swept_already(tmp_path: Path) -> None:
    """Sweeping makes none."""
    DraftFolder(tmp_path / "drafts", clock=FakeClock()).sweep()
    assert not (tmp_path / "drafts").exists()


def test_an_old_draft_that_cannot_be_deleted_stops_nothing(tmp_path: Path) -> None:
    """On Windows a mail program may still hold it open; here it is a folder of that name."""
    (tmp_path / "vetmail-draft-held.eml").mkdir()
    os.utime(tmp_path / "vetmail-draft-held.eml", (0, 0))
    DraftFolder(tmp_path, clock=FakeClock()).sweep()
    assert (tmp_path / "vetmail-draft-held.eml").exists()


def test_a_draft_from_nobody_known_leaves_the_from_to_the_mail_program(
    make_email: Callable[..., Email],
) -> None:
    """The stand-in for its account is shown to nobody, and From is still the first header."""
    data = draft_bytes(attrs.evolve(make_email(), sender=UNKNOWN_SENDER), with_sender=True)
    assert data.startswith(b"From:\r\nX-Unsent: 1\r\n")
    assert b"from@unknown.invalid" not in data


def test_a_folder_that_no_system_can_name_is_an_error_of_the_system() -> None:
    """Said when a draft is written, not when old ones are swept."""
    folder = DraftFolder(Path("drafts\0"), clock=FakeClock())
    folder.sweep()
    with pytest.raises(OSError, match="its name holds"):
        folder.write(b"")
