"""Reading a folder back."""

from __future__ import annotations

import json
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vetmail_core import (
    Attachment,
    Content,
    Email,
    EmlTransport,
    Mailbox,
    Recipients,
    TransportError,
)
from vetmail_core.testing import FakeClock
from vetmail_core.transports.eml import read_folder
from vetmail_core.transports.stamping import stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_images_invitations_forwarded_email_and_bounces_are_read_back(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """Whatever its parts are; an attached email is one part, whatever is in it."""
    forwarded = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nText\r\n--b--\r\n'
    email = attrs.evolve(
        make_email(
            text="Text\n",
            html='<img src="cid:logo">\n',
            attachments=(
                Attachment("logo.png", b"png", inline="logo"),
                Attachment("m.eml", forwarded, "message/rfc822"),
            ),
        ),
        bounce_to="bounces@example.org",
        key="run 7/sam",
        message_id="",
    )
    content = attrs.evolve(email.content, invitation=b"BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nEND:VCALENDAR\r\n")
    email = attrs.evolve(email, content=content)
    clock = FakeClock()
    list(EmlTransport(tmp_path, clock=clock).deliver([email]))
    [stored] = read_folder(tmp_path)
    assert stored.email == stamp(email, clock.now())


def test_what_was_written_is_read_back_whole(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """Every field of the email, the blind copies too, with the Date and Message-ID it was given."""
    email = attrs.evolve(
        make_email(
            to=('"Lee, Sam" <sam@example.com>', "pat@example.com"),
            cc=("Zoë Müller <zoe@müller.example>",),
            bcc=("audit@example.org",),
            subject="Größe: 50% & more, ünïcödé",
            text="Line one\n.\nFrom here\n\nlast line without end",
            html="<p>Line <b>one</b></p>\n",
            attachments=(
                Attachment("plan.csv", b"a;b\r\n1;2\n"),
                Attachment("Prüfung.pdf", bytes(range(256))),
            ),
            key="run 7/sam",
        ),
        reply_to=("office@example.com", '"Kim" <kim@example.com>'),
        headers={"Auto-Submitted": "auto-generated"},
    )
    clock = FakeClock()
    [receipt] = EmlTransport(tmp_path, clock=clock).deliver([email])
    [stored] = read_folder(tmp_path)
    assert stored.email == stamp(email, clock.now())
    assert stored.written == clock.now()
    assert stored.path == tmp_path / "000001-sam-example-com.eml"
    assert stored.data == stored.path.read_bytes()
    again = stored.receipt()
    assert again.email is stored.email
    assert again.outcomes == receipt.outcomes


def test_emails_come_back_in_sending_order(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """Over several runs, and whatever the names."""
    people = ["zoe@example.com", "adam@example.com", "mia@example.com"]
    for person in people:
        list(EmlTransport(str(tmp_path)).deliver([make_email(to=(person,))]))
    assert [str(*one.email.recipients.to) for one in read_folder(str(tmp_path))] == people


_TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r"), max_size=80)
_BYTES = st.binary(max_size=200)


@settings(max_examples=60, deadline=None)
@given(
    text=_TEXTS,
    html=_TEXTS,
    data=st.lists(_BYTES, max_size=2),
    kind=st.sampled_from(["application/pdf", "text/plain", "text/html", "image/png"]),
)
def test_any_content_survives_the_way_out_and_back(
    text: str, html: str, data: list[bytes], kind: str
) -> None:
    """Law: reading back gives the content that was handed over."""
    content = Content(
        "Report",
        text,
        html=html,
        attachments=[Attachment(f"{n}.bin", one, kind) for n, one in enumerate(data)],
    )
    email = Email(
        sender=Mailbox("office@example.com"), recipients=Recipients(to="sam@example.com"), content=content
    )
    with TemporaryDirectory() as folder:
        list(EmlTransport(folder).deliver([email]))
        [stored] = read_folder(folder)
    assert stored.email.content == content


def test_what_is_not_of_a_pair_is_passed_over(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """A killed write, an unfinished one and somebody's notes are no emails."""
    list(EmlTransport(tmp_path).deliver([make_email()]))
    for name in ("000002-sam-example-com.json", "000003-sam-example-com.part", "notes.txt", "saved.eml"):
        (tmp_path / name).write_bytes(b"{")
    assert len(list(read_folder(tmp_path))) == 1


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A mistyped name is an error, not an empty run."""
    with pytest.raises(TransportError, match="otbox cannot be read: No such file or directory"):
        list(read_folder(tmp_path / "otbox"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda record: record.unlink(), "No such file or directory"),
        (lambda record: record.write_text("{", encoding="utf-8"), "Expecting property name"),
        (lambda record: record.write_bytes(b"\xff\xfe"), "decode"),
        (
            lambda record: record.write_text("[1]", encoding="utf-8"),
            'expected a JSON object with "schema": 1',
        ),
        (lambda record: _change(record, schema=2), 'expected a JSON object with "schema": 1'),
        (lambda record: _change(record, sender=7), 'expected a text as "sender", got 7'),
        (lambda record: _change(record, bcc="a@b.c"), "expected a list as \"bcc\", got 'a@b.c'"),
        (lambda record: _change(record, headers=[]), 'expected an object as "headers", got \\[\\]'),
        (lambda record: _change(record, to=["nobody"]), "nobody"),
        (lambda record: _change(record, to=[]), "no recipient"),
        (lambda record: _change(record, written="yesterday"), "yesterday"),
    ],
)
def test_a_damaged_record_is_an_error_that_names_the_file(
    tmp_path: Path, make_email: Callable[..., Email], damage: Callable[[Path], None], said: str
) -> None:
    """A run that was tampered with is not read as something else."""
    list(EmlTransport(tmp_path).deliver([make_email()]))
    damage(tmp_path / "000001-sam-example-com.json")
    with pytest.raises(TransportError, match=said) as caught:
        list(read_folder(tmp_path))
    assert "000001-sam-example-com.eml and the .json beside it are not what" in str(caught.value)


def _change(record: Path, **members: object) -> None:
    facts = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps(facts | members), encoding="utf-8")


def test_a_message_that_was_changed_by_hand_is_read_as_it_stands(
    tmp_path: Path, make_email: Callable[..., Email]
) -> None:
    """Content comes out of the message; the record beside it says only what the message does not."""
    list(EmlTransport(tmp_path).deliver([make_email()]))
    [message] = tmp_path.glob("*.eml")
    message.write_bytes(message.read_bytes().replace(b"Room 7", b"Room 8"))
    [stored] = read_folder(tmp_path)
    assert stored.email.content.text == "Room 8"


def test_a_message_in_no_utf8_is_an_error(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """Octets that are no text are not guessed at."""
    list(EmlTransport(tmp_path).deliver([make_email()]))
    [message] = tmp_path.glob("*.eml")
    message.write_bytes(message.read_bytes().replace(b"Room 7", b"Room \xff"))
    with pytest.raises(TransportError, match="decode"):
        list(read_folder(tmp_path))


def test_the_email_may_not_be_sent_twice_by_mistake(tmp_path: Path, make_email: Callable[..., Email]) -> None:
    """Key and Message-ID are those of the run, so a ledger knows the email again."""
    email = make_email(key="run 7/sam")
    list(EmlTransport(tmp_path).deliver([email]))
    [stored] = read_folder(tmp_path)
    assert (stored.email.key, stored.email.message_id) == (email.key, email.message_id)
