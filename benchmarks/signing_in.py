"""What a connection costs that signs in with a token kept in memory, beside one with a plain function.

usage: python benchmarks/signing_in.py [--quick]
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

import trustme
from benchmarks.harness import Section, Table, seconds_each
from benchmarks.smtp import sink
from tests.tokens.endpoint import CLIENT, SECRET, TENANT, TokenEndpoint

from vetmail_core import (
    AuthenticationType,
    Content,
    Email,
    MailServer,
    MicrosoftApp,
    PlainSecret,
    Recipients,
    SmtpTransport,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST: Final = 1.1
FUNCTION: Final = "a plain function"
KEPT: Final = "MicrosoftApp"
FRESH: Final = "MicrosoftApp, ten equal ones in turn"


@contextlib.contextmanager
def _endpoint() -> Iterator[TokenEndpoint]:
    """The token endpoint of the tests, which this process trusts while it lasts."""
    authority = trustme.CA()
    before = os.environ.get("SSL_CERT_FILE")
    with tempfile.TemporaryDirectory() as folder, TokenEndpoint(authority) as endpoint:
        authority.cert_pem.write_to_path(Path(folder) / "ca.pem")
        os.environ["SSL_CERT_FILE"] = str(Path(folder) / "ca.pem")
        try:
            yield endpoint
        finally:
            os.environ.pop("SSL_CERT_FILE")
            if before is not None:
                os.environ["SSL_CERT_FILE"] = before


def _rivals(port: int, connections: int, endpoint: TokenEndpoint) -> dict[str, Callable[[], object]]:
    server = MailServer(
        host="127.0.0.1",
        port=port,
        authentication=AuthenticationType.OAUTH2,
        username="office@example.com",
    )
    email = Email(
        sender="office@example.com",
        recipients=Recipients("student@example.com"),
        content=Content("Your class moved", "It is in room 4 now."),
    )

    def app() -> MicrosoftApp:
        return MicrosoftApp(
            tenant=TENANT, client_id=CLIENT, secret=PlainSecret(SECRET), authority=endpoint.authority
        )

    source = app()
    text = source.of("office@example.com")()  # fetched, and kept: from here on nobody is asked

    def each(token: Callable[[], Callable[[], str]]) -> None:
        for _ in range(connections):
            with SmtpTransport(server, token=token()) as transport:
                assert all(receipt.ok for receipt in transport.deliver([email]))

    equal = [app() for _ in range(10)]
    turns = iter(range(1_000_000))
    return {
        FUNCTION: lambda: each(lambda: lambda: text),
        KEPT: lambda: each(lambda: source),
        FRESH: lambda: each(lambda: equal[next(turns) % 10]),
    }


def run(*, quick: bool) -> Section:
    """Measure.

    Args:
        quick: fewer connections and turns.
    """
    rows: list[list[str]] = []
    raw: dict[str, object] = {}
    with _endpoint() as endpoint:
        for round_trip_ms, connections in ((0, 200 if quick else 600), (10, 10 if quick else 30)):
            with sink(round_trip_ms) as port:
                rivals = _rivals(port, connections, endpoint)
                seconds = seconds_each(rivals, rounds=5 if quick else 11)
            assert len(endpoint.posts) == 1, "one token serves them all"
            each = {name: taken / connections for name, taken in seconds.items()}
            ratios = {name: each[name] / each[FUNCTION] for name in (KEPT, FRESH)}
            raw[f"{round_trip_ms} ms"] = {"seconds": each, "ratios": ratios}
            rows.append(
                [
                    f"{round_trip_ms} ms",
                    *(f"{taken * 1000:.2f}" for taken in each.values()),
                    *(f"{ratio:.2f} x" for ratio in ratios.values()),
                    f"{MOST} x",
                ]
            )
    table = Table(
        title="Milliseconds for a connection with one email",
        columns=["round trip", FUNCTION, KEPT, FRESH, "ratio", "ratio, ten", "at most"],
        rows=rows,
        note="Connect, EHLO, AUTH XOAUTH2, one email, QUIT; nothing is encrypted. Medians of runs in turn.",
    )
    return Section(
        name="signing_in",
        title="Signing in with a token",
        prose="A token is fetched once and kept for its life, for all sources of a process that are equal. "
        "The function beside it says the same token from a variable.",
        tables=[table],
        raw=raw,
    )


if __name__ == "__main__":
    section = run(quick="--quick" in sys.argv)
    for shown in section.tables:
        print(shown.title)
        for row in (shown.columns, *shown.rows):
            print(" | ".join(row))
