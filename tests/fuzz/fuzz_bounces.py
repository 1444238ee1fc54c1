"""Throw octets at the reading of bounces and hold it to its laws: ``nox -s fuzz -- --seconds 600``.

What it looks for: an exception, a reading that could break a line or move a cursor, a notice without an
action, a bounce without a notice, and a cause for what did not fail. It ends at the first finding, with the
octets and the seed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from typing import Final

from vetmail_core.bounces import Action, read_bounce

HEAD: Final = b"From: <>\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
ABUSE: Final = b"Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
LINES: Final = (
    HEAD, ABUSE, b"--b\r\n", b"--b--\r\n", b"\r\n", b"Content-Type: message/delivery-status\r\n",
    b"Content-Type: message/global-delivery-status\r\n", b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text/rfc822-headers\r\n", b"Content-Type: message/feedback-report\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Feedback-Type: abuse\r\n", b"Original-Rcpt-To: <a@example.com>\r\n",
    b"Original-Envelope-Id: b+201/C5\r\n", b"Original-Envelope-Id: +00+FF+\r\n",
    b"Final-Recipient: rfc822; a@example.com\r\n", b"Final-Recipient: utf-8; \\x{E5}\\x{110000}@x\r\n",
    b"Original-Recipient: rfc822;a+2Bb@example.com\r\n", b"Action: failed (gave up)\r\n",
    b"Action: delayed\r\n", b"Action: nothing\r\n", b"Status: 5.0.0\r\n", b"Status: 5.1.1 (no)\r\n",
    b"Diagnostic-Code: smtp; 550-5.1.1 no\r\n 550 5.1.1 such user\r\n",
    b"Diagnostic-Code: x; \xff\x1b[2J\r\n",
    b"Message-ID: <one@example.com>\r\n", b"In-Reply-To: <one@example.com>\r\n",
    b"Hi. This is the qmail-send program at x.\r\n\r\n", b"<a@example.com>:\r\nno such user (#5.1.1)\r\n\r\n",
    b"--- Below this line is a copy of the message.\r\n\r\n",
)  # fmt: skip


def an_email(chance: random.Random) -> bytes:
    """What a mailbox may hold: often the beginning of a report, sometimes bent, sometimes cut."""
    parts = [HEAD, b"--b\r\n", LINES[5], b"\r\n"] if chance.random() < 0.7 else []
    parts += [chance.choice(LINES) for _ in range(chance.randrange(40))]
    octets = bytearray(b"".join(parts))
    for _ in range(chance.choice((0, 0, 1, 5)) if octets else 0):
        octets[chance.randrange(len(octets))] = chance.randrange(256)
    return bytes(octets[: chance.randrange(len(octets) + 1)] if chance.random() < 0.2 else octets)


def hold(octets: bytes) -> bool:
    """Read it; whether it was a bounce."""
    bounce = read_bounce(octets)
    if bounce is None:
        return False
    assert bounce.notices, "a bounce about nobody"
    for notice in bounce.notices:
        assert notice.action in Action, "an action that nobody knows"
        assert len(notice.said) <= 300, "too long a reading"
        assert not set(notice.said) & set("\r\n\x00\x1b"), "a reading that breaks the line"
        went = notice.action in {Action.DELIVERED, Action.RELAYED, Action.EXPANDED, Action.COMPLAINED}
        assert not (went and notice.cause), "a cause for what did not fail"
    return True


def main() -> int:
    """Run until the time is over or something is found."""
    parser = argparse.ArgumentParser(description="Fuzz the reading of bounces.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None, help="begin with this one, to see a finding again")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    tried = read = 0
    while time.monotonic() < end:
        octets = an_email(random.Random(seed + tried))  # noqa: S311 - no secret depends on it
        try:
            read += hold(octets)
        except Exception:
            sys.stderr.write(f"bounces, seed {seed + tried}: {octets!r}\n")
            raise
        tried += 1
    sys.stdout.write(f"bounces: {tried:,} emails from seed {seed}, {read:,} of them bounces, nothing found\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
