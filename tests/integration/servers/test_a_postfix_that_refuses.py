"""What a real Postfix refuses late, and to whom: nobody is forgotten, and nobody mailed twice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core import (
    Cause,
    Content,
    Email,
    Mailbox,
    MailServer,
    Pipelining,
    Receipt,
    Recipients,
    SmtpTransport,
    SqliteLedger,
    Status,
    TlsMethod,
    deliver_once,
)
from vetmail_core.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.integration.conftest import Postfix

    Start = Callable[..., Postfix]

CLASS = tuple(f"p{number}@example.com" for number in range(40))


def _emails(sender: str = "office@example.com") -> list[Email]:
    return [
        Email(
            sender=Mailbox(sender),
            recipients=Recipients(to=address),
            content=Content("Your class moved", "It is in room 4 now."),
            key=f"monday:{address}",
        )
        for address in CLASS
    ]


def _transport(server: Postfix, mode: Pipelining = Pipelining.AUTO) -> SmtpTransport:
    where = MailServer(host="127.0.0.1", port=server.port, tls=TlsMethod.NONE)
    return SmtpTransport(where, pipelining=mode, clock=FakeClock())


def _once(ledger: Path, server: Postfix, emails: Iterable[Email]) -> list[Receipt]:
    with SqliteLedger(ledger) as opened, _transport(server) as transport:
        return list(deliver_once(opened, transport, emails))


def _filed(server: Postfix) -> Counter[str]:
    server.settle(messages=len(CLASS))
    return Counter({address: len(messages) for address, messages in server.filed().items()})


def _ended_by(receipts: list[Receipt], cause: Cause) -> None:
    """The first person was asked, the others were not, and everybody is open for the same cause."""
    outcomes = [outcome for receipt in receipts for outcome in receipt.outcomes]
    assert len(outcomes) == len(CLASS)
    assert {outcome.cause for outcome in outcomes} == {cause}
    assert all(outcome.is_open for outcome in outcomes)
    assert sum(outcome.status is not Status.NOT_ATTEMPTED for outcome in outcomes) == 1


def test_a_sender_that_is_refused_at_rcpt_is_nobodys_address(postfix_with: Start, tmp_path: Path) -> None:
    """Postfix keeps what it has against the sender until RCPT; with another sender everybody gets it."""
    server = postfix_with(
        "smtpd_sender_restrictions = check_sender_access inline:{office@example.com=REJECT}"
    )
    ledger = tmp_path / "monday.ledger"
    _ended_by(_once(ledger, server, _emails()), Cause.SENDER_NOT_ALLOWED)
    assert all(receipt.ok for receipt in _once(ledger, server, _emails("college@example.com")))
    assert _filed(server) == Counter(CLASS)


@pytest.mark.parametrize(
    ("settings", "screened"),
    [
        ("smtpd_client_restrictions = check_client_access cidr:FOLDER/clients", False),
        (
            (
                "postscreen_access_list = cidr:FOLDER/clients\npostscreen_denylist_action = enforce\n"
                "postscreen_greet_wait = 1s"
            ),
            True,
        ),
    ],
    ids=["client access map", "postscreen"],
)
def test_a_network_that_is_refused_at_rcpt_is_nobodys_address(
    postfix_with: Start, tmp_path: Path, *, settings: str, screened: bool
) -> None:
    """A block ends the run at the first person; once it is lifted everybody gets it."""
    server = postfix_with(settings, screened=screened)
    server.write("clients", "127.0.0.0/8 reject\n")
    ledger = tmp_path / "monday.ledger"
    _ended_by(_once(ledger, server, _emails()), Cause.BLOCKED)
    server.write("clients", "127.0.0.0/8 permit\n")
    assert all(receipt.ok for receipt in _once(ledger, server, _emails()))
    assert _filed(server) == Counter(CLASS)


def test_a_deep_test_of_postscreen_costs_one_connection(postfix_with: Start, tmp_path: Path) -> None:
    """`450 4.3.2` on a client's first connection: the run goes on over the next, and all arrive."""
    server = postfix_with(
        "postscreen_access_list =\npostscreen_greet_wait = 1s\npostscreen_greet_action = enforce\n"
        "postscreen_bare_newline_enable = yes\npostscreen_bare_newline_action = enforce\n"
        "postscreen_non_smtp_command_enable = yes\npostscreen_pipelining_enable = yes",
        screened=True,
    )
    assert all(receipt.ok for receipt in _once(tmp_path / "monday.ledger", server, _emails()))
    assert _filed(server) == Counter(CLASS)
    assert "450 4.3.2" in (server.folder / "maillog").read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", list(Pipelining), ids=lambda mode: mode.value)
def test_unknown_addresses_beyond_the_error_limit_cost_the_good_ones_nothing(
    postfix_with: Start, mode: Pipelining
) -> None:
    """One email to 75 people and 25 whom nobody knows, at the default smtpd_hard_error_limit of 20."""
    server = postfix_with(
        "virtual_mailbox_maps = inline:{" + ",".join(f"p{n}@example.com=all/" for n in range(75)) + "}\n"
        "smtpd_recipient_restrictions = reject_unlisted_recipient, permit_mynetworks, reject\n"
        "smtpd_error_sleep_time = 0"
    )
    people = [f"p{number}@example.com" for number in range(75)]
    for number in range(25):
        people.insert(number * 4, f"gone{number}@example.com")
    email = attrs.evolve(_emails()[0], recipients=Recipients(bcc=people))
    with _transport(server, mode) as transport:
        (receipt,) = transport.deliver([email])
    assert {mailbox.local_part[:4] for mailbox in receipt.refused} == {"gone"}
    assert (len(receipt.accepted), len(receipt.refused)) == (75, 25)
    server.settle(messages=75)
    assert set(Counter({address: len(m) for address, m in server.filed().items()}).values()) == {1}
    assert len(server.filed()) == 75
