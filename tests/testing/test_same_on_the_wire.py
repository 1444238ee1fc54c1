"""A script of faults means the same in memory and on a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from vetmail_core import Deadlines, Login, Pipelining, PlainSecret, SmtpTransport, TlsMethod
from vetmail_core.receipts import Phase
from vetmail_core.testing import FakeClock, FaultKind, Faults, LocalSmtpServer, Outbox, email, strategies

if TYPE_CHECKING:
    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

pytestmark = pytest.mark.wire

Script = Callable[[Faults], Faults]

# Every fault the kit has, at every phase where it can be; a name for each.
SCRIPTS: dict[str, Script] = {
    "none": lambda faults: faults,
    "refuse one": lambda faults: faults.refuse("pat@example.com"),
    "refuse a domain": lambda faults: faults.refuse("@example.org", 550, "5.4.1"),
    "refuse everybody": lambda faults: faults.refuse(),
    "refuse one, once": lambda faults: faults.refuse("pat@example.com").then_accept(),
    "refuse the greeting": lambda faults: faults.refuse(None, 554, "5.7.1", at=Phase.GREETING, times=1),
    "refuse STARTTLS": lambda faults: faults.refuse(None, 554, "5.7.3", at=Phase.STARTTLS, times=1),
    "refuse MAIL": lambda faults: faults.refuse(None, 550, "5.1.8", at=Phase.MAIL),
    "refuse MAIL, once": lambda faults: faults.refuse(None, 553, "5.1.7", at=Phase.MAIL, times=1),
    "refuse DATA": lambda faults: faults.refuse("pat@example.com", 554, "5.6.0", at=Phase.DATA),
    "refuse the message": lambda faults: faults.refuse("pat@example.com", 554, "5.6.0", at=Phase.DOT),
    "mailbox full": lambda faults: faults.refuse("pat@example.com", 552, "5.2.2"),
    "defer one": lambda faults: faults.defer("pat@example.com", 450, "4.2.0"),
    "defer one, once": lambda faults: faults.defer("pat@example.com", 451, "4.7.1").then_accept(),
    "defer everybody": lambda faults: faults.defer(),
    "defer the greeting": lambda faults: faults.defer(None, 421, "4.3.2", at=Phase.GREETING, times=2),
    "defer STARTTLS": lambda faults: faults.defer(None, 454, "4.7.0", at=Phase.STARTTLS, times=1),
    "421 at MAIL": lambda faults: faults.defer(None, 421, "4.7.0", at=Phase.MAIL, times=1),
    "421 at RCPT for ever": lambda faults: faults.defer("pat@example.com", 421, "4.7.0"),
    "421 at the dot": lambda faults: faults.defer(None, 421, "4.3.0", at=Phase.DOT, times=1),
    "defer DATA": lambda faults: faults.defer(None, 451, "4.3.0", at=Phase.DATA, times=1),
    "defer the message": lambda faults: faults.defer(None, 451, "4.3.0", at=Phase.DOT, times=1),
    "throttle": lambda faults: faults.throttle(),
    "throttle later": lambda faults: faults.throttle(after=1, times=2),
    "too many on one connection": lambda faults: faults.throttle(452, "4.5.3"),
    "auth fails": lambda faults: faults.auth_fails(),
    "auth fails for now": lambda faults: faults.auth_fails(454, "4.7.0", times=1),
    "drop after connecting": lambda faults: faults.drop(Phase.CONNECT),
    "drop after the greeting": lambda faults: faults.drop(Phase.GREETING),
    "drop after STARTTLS": lambda faults: faults.drop(Phase.STARTTLS),
    "drop in the handshake": lambda faults: faults.drop(Phase.TLS),
    "drop after AUTH": lambda faults: faults.drop(Phase.AUTH),
    "drop after MAIL": lambda faults: faults.drop(Phase.MAIL),
    "drop after MAIL, for ever": lambda faults: faults.drop(Phase.MAIL, None),
    "drop after RCPT": lambda faults: faults.drop(Phase.RCPT, address="pat@example.com"),
    "drop after DATA": lambda faults: faults.drop(Phase.DATA),
    "drop in the body": lambda faults: faults.drop(Phase.BODY),
    "drop after the dot": lambda faults: faults.drop(),
    "drop after the dot for one": lambda faults: faults.drop(address="pat@example.com"),
    "stall at the greeting": lambda faults: faults.stall(Phase.CONNECT),
    "stall at EHLO": lambda faults: faults.stall(Phase.GREETING),
    "stall at STARTTLS": lambda faults: faults.stall(Phase.STARTTLS),
    "stall in the handshake": lambda faults: faults.stall(Phase.TLS),
    "stall at AUTH": lambda faults: faults.stall(Phase.AUTH),
    "stall at MAIL": lambda faults: faults.stall(Phase.MAIL),
    "stall at RCPT": lambda faults: faults.stall(Phase.RCPT),
    "stall at DATA": lambda faults: faults.stall(Phase.DATA),
    "stall in the body": lambda faults: faults.stall(Phase.BODY),
    "stall at the dot": lambda faults: faults.stall(),
    "office365.basic_retired": lambda faults: faults.office365.basic_retired(),
    "office365.smtp_auth_disabled": lambda faults: faults.office365.smtp_auth_disabled(),
    "office365.throttled": lambda faults: faults.office365.throttled(),
    "office365.send_as_denied": lambda faults: faults.office365.send_as_denied(),
    "gmail.app_password_needed": lambda faults: faults.gmail.app_password_needed(),
    "gmail.daily_quota": lambda faults: faults.gmail.daily_quota(),
    "ses.throttled": lambda faults: faults.ses.throttled(),
    "ses.daily_quota": lambda faults: faults.ses.daily_quota(),
    "ses.sender_not_verified": lambda faults: faults.ses.sender_not_verified(),
    "two in a row": lambda faults: faults.defer("pat@example.com").then_accept().drop(),
}

# Only a script with a silence is waited for; the others may take the time a busy machine needs.
_SHORT = Deadlines(greeting=1, command=1, tls=1, auth=1, data=1, body=1, dot=1, quit=0.4)


def _told(receipt: Receipt) -> list[object]:
    """What a receipt says, without the words for a line that broke, which differ from socket to socket."""
    return [
        receipt.attempts,
        *(
            (
                outcome.mailbox.addr_spec,
                outcome.status,
                outcome.cause,
                outcome.phase,
                outcome.reply if outcome.reply is not None and outcome.reply.code else None,
            )
            for outcome in receipt.outcomes
        ),
    ]


def _emails() -> list[Email]:
    return [
        email("sam@example.com", key="class/1"),
        email("pat@example.com; ana@example.org", bcc="audit@example.org", key="class/2"),
        email("lee@example.com", key="class/3"),
    ]


def _on_the_wire(faults: Faults, pipelining: Pipelining = Pipelining.ENVELOPE) -> list[list[object]]:
    login = Login("kim", PlainSecret("secret"))
    silent = any(fault.kind is FaultKind.STALL for fault in faults.script)
    with (
        LocalSmtpServer(tls=TlsMethod.EXPLICIT, login=login, faults=faults) as smtpd,
        SmtpTransport(
            smtpd.mail_server,
            ssl_context=smtpd.client_context,
            deadlines=_SHORT if silent else Deadlines(),
            pipelining=pipelining,
            clock=FakeClock(),
        ) as transport,
    ):
        return [_told(receipt) for receipt in transport.deliver(_emails())]


def _in_memory(faults: Faults) -> list[list[object]]:
    return [_told(receipt) for receipt in Outbox(faults=faults).deliver(_emails())]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_gives_the_same_receipts_on_the_wire(name: str) -> None:
    """The same faults, asked as often, give the same outcomes, causes, phases, replies and tries."""
    on_wire, in_memory = SCRIPTS[name](Faults()), SCRIPTS[name](Faults())
    wire = _on_the_wire(on_wire)
    memory = _in_memory(in_memory)
    assert memory == wire
    assert in_memory.fired() == on_wire.fired()
    assert (not in_memory.fired()) is (name == "none")


@pytest.mark.parametrize("name", [name for name in SCRIPTS if "stall" not in name])
def test_the_outcomes_are_the_same_with_the_next_envelope_under_way(name: str) -> None:
    """As a client pipelines when left alone; only the number of tries may differ."""
    wire = _on_the_wire(SCRIPTS[name](Faults()), Pipelining.AUTO)
    memory = _in_memory(SCRIPTS[name](Faults()))
    assert [outcomes for _, *outcomes in wire] == [outcomes for _, *outcomes in memory]


@pytest.mark.parametrize(
    "name",
    [
        "refuse STARTTLS",
        "defer STARTTLS",
        "auth fails",
        "auth fails for now",
        "drop after STARTTLS",
        "drop in the handshake",
        "drop after AUTH",
        "office365.basic_retired",
        "office365.smtp_auth_disabled",
        "gmail.app_password_needed",
    ],
)
def test_a_server_asks_for_what_the_script_needs_to_fire(name: str) -> None:
    """A fault at AUTH, STARTTLS or TLS, on a server that was told of neither login nor TLS."""
    in_memory = SCRIPTS[name](Faults())
    with LocalSmtpServer() as smtpd:
        SCRIPTS[name](smtpd.faults)
        server = smtpd.server_preferences().mail_server
        with SmtpTransport(server, ssl_context=smtpd.client_context, clock=FakeClock()) as transport:
            wire = [_told(receipt) for receipt in transport.deliver(_emails())]
        assert _in_memory(in_memory) == wire
        assert smtpd.faults.fired() == in_memory.fired() > 0
        assert smtpd.faults.unused() == ()


@settings(max_examples=8, deadline=None)
@given(script=strategies.faults())
def test_any_script_gives_the_same_receipts_on_the_wire(script: Faults) -> None:
    """Scripts nobody thought of, too."""
    wire = _on_the_wire(script.rewound())
    assert _in_memory(script.rewound()) == wire
