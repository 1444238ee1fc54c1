"""What the names of the test kit promise to a type checker; checked by mypy and pyright, never run."""

from __future__ import annotations

import ssl
from typing import assert_type

import vetmail_core as v
from vetmail_core import testing as t


class TestOwnTransport(t.TransportContract):
    """The contract, subclassed as a host does."""

    def make_transport(self, faults: t.Faults) -> v.Transport:
        """Any transport will do."""
        del faults
        return v.EmlTransport("outbox")


class TestOwnLedger(t.LedgerContract):
    """The contract of a ledger, likewise."""

    def make_ledger(self) -> v.Ledger:
        """Any ledger will do."""
        return v.SqliteLedger("sent.ledger")


def kit(server: t.LocalSmtpServer) -> None:
    """The test kit."""
    clock = t.FakeClock()
    assert_type(clock.slept, tuple[float, ...])
    faults = t.Faults().refuse("a@example.com", code=550, enhanced="5.1.1").drop(after=v.Phase.DOT, times=1)
    assert_type(faults, t.Faults)
    assert_type(faults.unused(), tuple[t.Fault, ...])
    assert_type(faults.unused()[0].kind, t.FaultKind)
    outbox = t.Outbox(faults=faults, clock=clock)
    assert_type(outbox.mailer(t.preferences(), staff=t.a_staff_member()), v.Mailer)
    record = outbox.assert_sent(to="a@example.com", subject=t.contains("moved"), times=1)
    assert_type(record, t.Record)
    assert_type(record.email, v.Email)
    assert_type(record.receipt, v.Receipt)
    wish: t.Matcher = t.any_of(t.matches("a+"), "b")
    outbox.assert_none(text=wish)
    assert_type(t.Outbox.from_folder("outbox"), t.Outbox)
    with t.capture(strict=False) as captured:
        assert_type(captured, t.Outbox)
    assert_type(server.host, str)
    assert_type(server.port, int)
    assert_type(server.faults, t.Faults)
    assert_type(server.verbs, tuple[str, ...])
    assert_type(server.emails, tuple[t.ReceivedEmail, ...])
    assert_type(server.server_preferences(), v.EmailPreferences)
    assert_type(server.client_context, ssl.SSLContext)
    assert_type(t.a_student("Sam"), v.Person)
    assert_type(t.an_employer(), v.Person)
    assert_type(t.content(), v.Content)
    assert_type(t.email(), v.Email)
    assert_type(t.render(t.email()), str)
    assert_type(t.normalise(b""), bytes)
    t.approve("approved.txt", t.email())
    assert_type(t.strategies.people().example(), v.Person)
