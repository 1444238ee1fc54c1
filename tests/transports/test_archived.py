"""A sent log: the very octets that left, with their receipt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import pytest

from vetmail_core import (
    Archived,
    Attachment,
    Cause,
    Content,
    Email,
    Outcome,
    Receipt,
    Recipients,
    RedirectAll,
    SmtpTransport,
    SqliteLedger,
    Status,
    TransportError,
    deliver_once,
)
from vetmail_core.testing import FakeClock, LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vetmail_core import Transport


def email(to: str, key: str = "", text: str = "t") -> Email:
    """One email with a blind copy."""
    return Email(
        sender="Zo\u00eb <office@example.com>",
        recipients=Recipients(to=to, bcc="audit@example.org"),
        content=Content("Moved", text, attachments=[Attachment("a.pdf", b"%PDF")]),
        key=key,
    )


@attrs.define
class Line:
    """Answers with one status after the other; keeps what it was given."""

    statuses: list[Status] = attrs.field(factory=list)
    sent: list[Email] = attrs.field(factory=list)
    closed: int = 0

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each email, in order."""
        for one in emails:
            self.sent.append(one)
            status = self.statuses.pop(0) if self.statuses else Status.ACCEPTED
            yield Receipt(one, [Outcome(mailbox, status) for mailbox in one.recipients.all])

    def close(self) -> None:
        """Count it."""
        self.closed += 1


def test_the_octets_are_those_that_the_server_got() -> None:
    """Between DATA and the final dot, dots not doubled, with the very Date and Message-ID."""
    kept: list[tuple[Receipt, bytes]] = []
    emails = [email("ann@example.com"), email("lee@example.com", key="k", text=".\n..\nFrom me\n")]
    with (
        LocalSmtpServer() as server,
        Archived(SmtpTransport(server.mail_server), lambda *copy: kept.append(copy)) as transport,
    ):
        receipts = list(transport.deliver(emails))
    assert [receipt for receipt, _ in kept] == receipts
    assert [receipt.email for receipt in receipts] == emails
    assert [octets for _, octets in kept] == [received.data for received in server.emails]
    assert all(b"Date: " in octets and b"Message-ID: " in octets for _, octets in kept)
    assert not any(b"audit@example.org" in octets for _, octets in kept)


def test_an_email_that_needs_smtputf8_is_kept_as_it_left() -> None:
    """In UTF-8, as the server took it."""
    kept: list[bytes] = []
    international = attrs.evolve(email("ann@example.com"), sender="b\u00fc@example.com")
    with (
        LocalSmtpServer() as server,
        Archived(SmtpTransport(server.mail_server), lambda _, octets: kept.append(octets)) as transport,
    ):
        list(transport.deliver([international]))
    assert kept == [received.data for received in server.emails]


def test_a_folder_gets_a_message_and_its_receipt_under_new_names(tmp_path: Path) -> None:
    """Never over an old file, and also by another run; blind copies are in the record alone."""
    folder = tmp_path / "sent"
    clock = FakeClock()
    for key in ("a", "b"):
        line = Line()
        list(Archived(line, folder, clock=clock).deliver([email("ann@example.com", key=key)]))
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        f"00000{number}-ann-example-com.{ending}" for number in (1, 2) for ending in ("eml", "json")
    ]
    (sent,) = line.sent
    assert (folder / names[2]).read_bytes() == sent.as_bytes()
    assert sent.date == clock.now()
    record = json.loads((folder / names[3]).read_text("utf-8"))
    assert record["message_id"] == sent.message_id
    assert record["key"] == "b"
    assert [one["kind"] for one in record["recipients"]] == ["to", "bcc"]
    assert "audit@example.org" not in (folder / names[2]).read_text()


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        (Status.ACCEPTED, True),
        (Status.HANDED_OVER, True),
        (Status.REFUSED, True),
        (Status.DEFERRED, True),
        (Status.UNKNOWN, True),
        (Status.NOT_ATTEMPTED, False),
    ],
)
def test_what_was_tried_is_kept_and_nothing_else(tmp_path: Path, status: Status, *, kept: bool) -> None:
    """Of a refused email the octets are those that would have left."""
    (receipt,) = Archived(Line([status]), tmp_path).deliver([email("ann@example.com")])
    assert receipt.outcomes[0].status is status
    assert len(list(tmp_path.iterdir())) == (2 if kept else 0)


def test_what_keeping_raises_is_a_warning_and_the_run_goes_on(tmp_path: Path) -> None:
    """A full disk costs no mail and no report."""
    (tmp_path / "sent").write_text("a file where the folder should be")
    to_a_folder = Archived(Line(), tmp_path / "sent")
    first, second = to_a_folder.deliver([email("ann@example.com"), email("lee@example.com")])
    assert first.ok
    assert second.ok
    assert first.warnings[0].startswith("kept no copy: [Errno 17]")

    def full(_receipt: Receipt, _octets: bytes) -> None:
        raise ValueError

    (receipt,) = Archived(Line(), full).deliver([email("ann@example.com")])
    assert receipt.warnings == ("kept no copy: ValueError",)


def test_a_remembered_receipt_is_not_kept_again(tmp_path: Path) -> None:
    """Nothing left now."""

    @attrs.define
    class Remembering:
        def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
            for one in emails:
                outcomes = [Outcome(mailbox, Status.ACCEPTED) for mailbox in one.recipients.all]
                yield Receipt(one, outcomes, remembered=True)

        def close(self) -> None: ...

    (receipt,) = Archived(Remembering(), tmp_path).deliver([email("ann@example.com")])
    assert receipt.remembered
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_knows_through_it_what_has_left(tmp_path: Path) -> None:
    """What another worker has is held back, and not kept."""
    emails = [email("ann@example.com", key="a"), email("lee@example.com", key="b")]
    kept: list[str] = []
    with SqliteLedger(tmp_path / "sent.db") as ledger, LocalSmtpServer() as server:
        for _ in range(2):
            with Archived(
                SmtpTransport(server.mail_server), lambda receipt, _: kept.append(receipt.email.key)
            ) as transport:
                list(deliver_once(ledger, transport, emails))
    assert kept == ["a", "b"]

    class Source(list[Email]):
        def announce(self) -> object:
            return lambda one: one is not emails[0]

        def __next__(self) -> Email:
            return self.pop(0) if self else next(iter(()))

        def __iter__(self) -> Iterator[Email]:
            return cast("Iterator[Email]", self)

    held, sent = Archived(Line(), lambda receipt, _: kept.append(receipt.email.key)).deliver(Source(emails))
    assert held.outcomes[0].cause is Cause.HELD_ELSEWHERE
    assert sent.accepted
    assert kept == ["a", "b", "b"]


def test_it_is_a_wrapper_like_the_others(tmp_path: Path) -> None:
    """Within a redirection it keeps what left; it closes what it was given, and says what it is made of."""
    line = Line()
    with RedirectAll(Archived(line, tmp_path), "me@example.com") as transport:
        list(transport.deliver([email("ann@example.com")]))
    (message,) = tmp_path.glob("*.eml")
    assert b"To: me@example.com" in message.read_bytes()
    assert line.closed == 1
    assert repr(Archived(line, Path("sent"))) == f"Archived({line!r}, {Path('sent')!r})"


@pytest.mark.parametrize("keep", ["sent", None, 5])
def test_something_else_than_a_folder_or_a_function_is_a_type_error(keep: object) -> None:
    """A text is most often a path."""
    with pytest.raises(TypeError, match=r'Write Archived\(transport, Path\("sent"\)\)'):
        Archived(Line(), cast("Path", keep))
    with pytest.raises(TransportError):
        Archived(cast("Transport", "x"), Path("sent"))
