"""Throw a server's octets at the SMTP core and hold it to its laws: ``nox -s fuzz -- --seconds 600``.

What it looks for: an exception, replies that depend on how the network cut the octets, a reply beyond its
limits, a reading that could move a cursor or break a line, a message that is finished twice or never, and an
acceptance that no yes stands behind. It ends at the first finding, with the octets and the seed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from typing import Final

from vetmail_core import Content, Email, Mailbox, Recipients
from vetmail_core.receipts import Cause, Phase, Status
from vetmail_core.transports.replies import meaning
from vetmail_core.transports.smtp import Pipelining
from vetmail_core.transports.smtp.rules.auth import oauth_status, scrubbed
from vetmail_core.transports.smtp.rules.by_bdat import ChunkLane
from vetmail_core.transports.smtp.rules.login import Lost
from vetmail_core.transports.smtp.rules.message import Job, Transaction
from vetmail_core.transports.smtp.rules.pipeline import DataLane, Lane, Memory
from vetmail_core.transports.smtp.rules.protocol import (
    LINE_OCTETS,
    REPLY_LINES,
    REPLY_OCTETS,
    Capabilities,
    ReplyParser,
    read_reply,
)

LINES: Final = (
    b"220 mail.example.com ESMTP", b"250-mail.example.com", b"250-SIZE 1000", b"250-AUTH=LOGIN PLAIN",
    b"250-AUTH XOAUTH2", b"250 PIPELINING", b"250 2.1.0 ok", b"250 2.1.5 ok", b"250 2.0.0 queued as 4711",
    b"250", b"250-", b"354 go ahead", b"334 VXNlcm5hbWU6", b"334 eyJzdGF0dXMiOiI0MDEifQ==", b"235 2.7.0 ok",
    b"421 4.3.2 closing", b"421 4.7.0 slow down", b"450 4.2.1 too fast", b"452 4.5.3 too many",
    b"452 4.2.2 full", b"454 4.7.0 later",
    b"503 5.5.1 bad sequence", b"530 5.7.0 STARTTLS first", b"535 5.7.8 no",
    b"550 5.1.1 no such user", b"550-5.1.1 no", b"552 5.3.4 too large", b"554 5.7.1 spam", b"555 5.5.4 no",
)  # fmt: skip
ODDITIES: Final = (
    b"\r", b"\n", b"\r\n", b"\x00", b"\x1b[2J", b"\xff", b"\xe2\x80\xae", b"-", b" ", b"2", b"999 x\r\n",
    b"x" * 1_999, b"250-x\r\n" * 99, b"250 " + b"y" * 1_994 + b"\r\n",
)  # fmt: skip
CAN: Final = Capabilities(keywords=frozenset({"PIPELINING", "CHUNKING", "SIZE", "DSN"}))
MODES: Final = tuple(Pipelining)


def a_stream(chance: random.Random) -> bytes:
    """What a server may say: mostly replies, sometimes bent."""
    parts = []
    for _ in range(chance.randrange(40)):
        line = chance.choice(LINES)
        parts.append(line + chance.choice((b"\r\n", b"\r\n", b"\r\n", b"\n")))
        if chance.random() < 0.05:
            parts.append(chance.choice(ODDITIES))
    octets = bytearray(b"".join(parts))
    for _ in range(chance.choice((0, 0, 0, 1, 3)) if octets else 0):
        octets[chance.randrange(len(octets))] = chance.randrange(256)
    return bytes(octets)


def pieces_of(octets: bytes, chance: random.Random) -> list[bytes]:
    """The same octets, as a network may cut them."""
    pieces, start = [], 0
    while start < len(octets):
        size = chance.choice((1, 2, 7, 64, 1_460, 65_536))
        pieces.append(octets[start : start + size])
        start += size
    return pieces


def hold_parser(octets: bytes, chance: random.Random) -> None:
    """Replies are the same however they come, within their limits, and safe to read."""
    whole, parts = ReplyParser(), ReplyParser()
    expected = whole.feed(octets)
    found = [raw for piece in pieces_of(octets, chance) for raw in parts.feed(piece)]
    assert found == expected, "another split, other replies"
    assert (parts.broken, parts.unfinished) == (whole.broken, whole.unfinished), "another split, another end"
    for raw in expected:
        lines = raw.split(b"\n")
        assert len(lines) <= REPLY_LINES, "too many lines"
        assert len(raw) <= REPLY_OCTETS, "too many octets"
        assert max(map(len, lines)) <= LINE_OCTETS, "too long a line"
        reply = read_reply(raw)
        assert 200 <= reply.code <= 599, "no code"
        assert str(reply).isprintable() or not raw.isascii(), "a reading that moves the cursor"
        assert not set(str(reply)) & set("\r\n\x00\x1b\u202e"), "a reading that breaks the line"
        Capabilities.read(raw)
        oauth_status(raw)
        assert b"queued" not in scrubbed(raw, (b"queued",)), "a secret that is left"
        for phase in Phase:
            meaning(reply, phase)


def a_transaction(chance: random.Random) -> Transaction:
    """A message to a few."""
    email = Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(to=[f"p{number}@example.com" for number in range(chance.randint(1, 4))]),
        content=Content("s", "t"),
    )
    return Transaction(Job(email), email.recipients.all, b"Subject: s\r\n\r\nt\r\n")


def hold_lane(octets: bytes, chance: random.Random) -> None:
    """Each message is finished once, each recipient answered once, and a yes has a yes behind it."""
    mode = chance.choice(MODES)
    lane: Lane = (
        ChunkLane(CAN, 4, proved=chance.random() < 0.5)
        if mode is Pipelining.CHUNKING
        else DataLane(CAN, mode, Memory())
    )
    parser, pieces = ReplyParser(), pieces_of(octets, chance)
    waiting = [a_transaction(chance) for _ in range(6)]
    everything, sent = list(waiting), 0
    finished: list[Transaction] = []
    while not lane.over:
        while waiting and lane.room:
            lane.put(waiting.pop(0))
        if lane.awaited is None or mode is Pipelining.CHUNKING:
            sent += len(lane.take()[0])
        assert lane.due(sent) <= max(lane.outstanding, 0), "more answers due than owed"
        if not pieces or parser.broken:
            break
        lane.receive(parser.feed(pieces.pop(0)))
        finished += lane.done
        lane.done.clear()
    cause = chance.choice((Cause.CONNECTION, Cause.PROTOCOL))
    lost = Lost("gone", phase=Phase.MAIL, cause=cause, closed=chance.random() < 0.5)
    lane.abandon(sent - chance.choice((0, 0, 1, 30)), lost)
    finished += lane.done
    order = [id(one) for one in everything[: len(finished)]]
    assert [id(one) for one in finished] == order, "finished twice or out of order"
    assert len(finished) + len(waiting) == len(everything), "a message that is not finished"
    for one in finished:
        if one.again is None:
            undecided = (id(mailbox) for group in one.left for mailbox in group)
            answered = [*(id(outcome.mailbox) for outcome in one.outcomes), *undecided]
            assert sorted(answered) == sorted(map(id, one.mailboxes)), "not one outcome for each recipient"
        for outcome in one.outcomes if one.again is None else ():
            code = 0 if outcome.reply is None else outcome.reply.code
            assert (outcome.status is Status.ACCEPTED) == (200 <= code < 300), "a yes without a yes"
            assert outcome.status is not Status.REFUSED or code >= 500, "refused without a no"


def main() -> int:
    """Run until the time is over or something is found."""
    parser = argparse.ArgumentParser(description="Fuzz the reading of SMTP replies.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None, help="begin with this one, to see a finding again")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    tried = 0
    while time.monotonic() < end:
        chance = random.Random(seed + tried)  # noqa: S311 - no secret depends on it
        octets = a_stream(chance)
        try:
            hold_parser(octets, chance)
            hold_lane(octets, chance)
        except Exception:
            sys.stderr.write(f"SMTP replies, seed {seed + tried}: {octets!r}\n")
            raise
        tried += 1
    sys.stdout.write(f"SMTP replies: {tried:,} streams from seed {seed}, nothing found\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
