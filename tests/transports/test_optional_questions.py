"""The optional questions of a transport: answered by each, and passed on by every wrapper."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

import vetmail_core
from vetmail_core import (
    Archived,
    ConnectionCheck,
    Content,
    EmailPreferences,
    EmlTransport,
    ImapDrafts,
    Login,
    Mailer,
    MailtoTransport,
    PlainSecret,
    Receipt,
    RedirectAll,
    Retrying,
    Settings,
    SmtpTransport,
    Spaced,
    Spacing,
    Staff,
    Transport,
    TransportError,
)
from vetmail_core.testing import LocalSmtpServer, Outbox, email
from vetmail_core.transports.base import ask, chooses_sender, hang_up, nothing
from vetmail_core.transports.mailto.problems import TooManyWindowsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vetmail_core import Email

SOURCE = Path(str(vetmail_core.__file__)).parent
WRAPPERS: dict[str, Callable[[Transport], Transport]] = {
    "RedirectAll": lambda inner: RedirectAll(inner, "me@example.com"),
    "Retrying": lambda inner: Retrying(inner, delays=[]),
    "Spaced": lambda inner: Spaced(inner, Spacing(0)),
    "Archived": lambda inner: Archived(inner, nothing),
}
STACKS = (
    (),
    ("RedirectAll",),
    ("Retrying",),
    ("Spaced",),
    ("Archived",),
    ("Spaced", "RedirectAll", "Retrying", "Archived"),
)


class Plain:
    """A host's transport: the two methods, and no more."""

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Never asked here."""
        raise AssertionError(emails)

    def close(self) -> None:
        """Nothing to end."""


class Waiting(Plain):
    """A transport that answers every question in its own way."""

    trouble = "Connection refused by smtp.example.com port 587"
    chooses_sender = True

    def __init__(self) -> None:
        self.asked: list[object] = []

    def hang_up(self) -> None:
        """Write it down."""
        self.asked.append("hang_up")

    def wind_up(self) -> None:
        """Write it down."""
        self.asked.append("wind_up")

    def check(self, recipient: str, *, sender: str | None = None) -> str:
        """Write it down."""
        self.asked.append(("check", recipient, sender))
        return "found"

    def check_windows(self, count: int) -> None:
        """Write it down."""
        self.asked.append(("check_windows", count))


def piled(stack: tuple[str, ...], transport: Transport) -> Transport:
    """A transport within wrappers, named from outside in."""
    for name in reversed(stack):
        transport = WRAPPERS[name](transport)
    return transport


def mail_program() -> tuple[list[str], Transport]:
    """A mail program that writes down what it is to open."""
    opened: list[str] = []
    return opened, MailtoTransport(open_uri=opened.append, max_windows=2)


@pytest.mark.parametrize("stack", STACKS, ids="-".join)
def test_every_question_reaches_the_transport_inside_any_number_of_wrappers(stack: tuple[str, ...]) -> None:
    """One base passes them all on."""
    inner = Waiting()
    transport = piled(stack, inner)
    assert ask(transport, "trouble", default="") == inner.trouble
    assert chooses_sender(transport) is True
    hang_up(transport)
    ask(transport, "wind_up", default=nothing)()
    ask(transport, "check_windows", default=nothing)(3)
    check: Callable[..., object] = ask(transport, "check", default=nothing)
    assert check("sam@example.com", sender="office@example.com") == "found"
    assert inner.asked == [
        "hang_up",
        "wind_up",
        ("check_windows", 3),
        ("check", "sam@example.com", "office@example.com"),
    ]


@pytest.mark.parametrize("stack", STACKS, ids="-".join)
def test_a_transport_without_the_questions_answers_no_within_wrappers_too(stack: tuple[str, ...]) -> None:
    """Two methods are enough for a transport of a host's own."""
    transport = piled(stack, Plain())
    assert ask(transport, "trouble", default="") == ""
    assert chooses_sender(transport) is False
    hang_up(transport)
    ask(transport, "wind_up", default=nothing)()
    ask(transport, "check_windows", default=nothing)(3)
    assert ask(transport, "check", default=None) is None


@pytest.mark.parametrize(
    ("transport", "sender_is_chosen"),
    [
        (MailtoTransport(open_uri=print), True),
        (ImapDrafts("imap.example.com", login=Login("kim", PlainSecret("made up"))), True),
        (EmlTransport("outbox"), False),
        (Outbox(), False),
        (Outbox().line(), False),
        (SmtpTransport(vetmail_core.MailServer(host="smtp.example.com")), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_transport_of_the_library_answers(transport: Transport, *, sender_is_chosen: bool) -> None:
    """Without a connection nothing is wrong and there is nothing to end."""
    assert transport.trouble == ""  # type: ignore[attr-defined]
    assert transport.chooses_sender is sender_is_chosen  # type: ignore[attr-defined]
    assert transport.hang_up() is None  # type: ignore[attr-defined]


def test_hang_up_through_wrappers_says_quit() -> None:
    """The connection that rests is ended politely, and the next run makes another."""
    with LocalSmtpServer() as server:
        transport = piled(("RedirectAll", "Spaced"), SmtpTransport(server.mail_server))
        emails = [email("sam@example.com")]
        assert next(transport.deliver(emails)).ok
        hang_up(transport)
        assert server.verbs[-1] == "QUIT"
        assert next(transport.deliver(emails)).ok
        transport.close()


def test_a_connection_is_checked_through_wrappers() -> None:
    """A trial set-up is tried as the real one is."""
    with LocalSmtpServer() as server, SmtpTransport(server.mail_server) as inner:
        found = RedirectAll(Retrying(inner, delays=[]), "me@example.com").check("sam@example.com")
    assert isinstance(found, ConnectionCheck)
    assert found.ok


def test_a_mail_program_in_a_wrapper_sends_without_a_default_from() -> None:
    """The program's own account says who sends."""
    opened, transport = mail_program()
    mailer = Mailer(EmailPreferences(), transport=piled(("RedirectAll",), transport))
    receipt = mailer.send(Content("Trial", "Room 4"), to="a@example.com")
    assert [mailbox.addr_spec for mailbox in receipt.handed_over] == ["a@example.com"]
    assert opened[0].startswith("mailto:me@example.com?")


@pytest.mark.parametrize("stack", STACKS, ids="-".join)
def test_a_mail_program_gets_the_same_from_with_and_without_wrappers(stack: tuple[str, ...]) -> None:
    """The staff member, and no Reply-To that would keep the email out of a link."""
    opened, transport = mail_program()
    preferences = EmailPreferences(settings=Settings(default_from="office@example.com"))
    mailer = Mailer(preferences, staff=Staff("Kim", "kim@example.com"), transport=piled(stack, transport))
    receipt = mailer.send(Content("Trial", "Room 4"), to="a@example.com")
    assert receipt.email.sender.addr_spec == "kim@example.com"
    assert receipt.email.reply_to == ()
    assert unquote(opened[0]).startswith("mailto:")


def test_too_many_windows_are_told_beforehand_through_wrappers() -> None:
    """A preview says what the run would say."""
    _, transport = mail_program()
    with pytest.raises(TooManyWindowsError):
        ask(piled(("Spaced", "RedirectAll"), transport), "check_windows", default=nothing)(3)
    assert issubclass(TooManyWindowsError, TransportError)


def _classes_with_deliver() -> set[str]:
    """Every class of the library that delivers, or whose base does."""
    bases: dict[str, set[str]] = {}
    delivers: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
                if "deliver" in methods and "Protocol" not in bases[node.name]:
                    delivers.add(node.name)
    while more := {name for name, above in bases.items() if above & delivers} - delivers:
        delivers |= more
    return delivers


def test_nothing_in_the_library_asks_for_the_class_of_a_transport() -> None:
    """A wrapper would hide the class; what matters is a question that it passes on."""
    lanes = {"ChunkLane", "DataLane"}  # below the transports, the same: a run asks a lane what it can do
    transports = _classes_with_deliver() | lanes
    assert {
        "SmtpTransport",
        "MailtoTransport",
        "EmlTransport",
        "ImapDrafts",
        "Outbox",
        *WRAPPERS,
    } <= transports
    asked = [
        f"{path.relative_to(SOURCE)}:{node.lineno}: {ast.unparse(node)}"
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"isinstance", "issubclass"}
        and transports & {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
    ]
    assert asked == []
