"""Wrong calls, each answered by one sentence that says what to write, before anything is sent."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from vetmail_core import (
    AddressError,
    Archived,
    Attachment,
    Content,
    Email,
    EmailPreferences,
    EmlTransport,
    Mailbox,
    Mailer,
    MailServer,
    MailtoTransport,
    MessageError,
    Person,
    PreferencesError,
    Recipients,
    RedirectAll,
    Retrying,
    Settings,
    SmtpTransport,
    Spaced,
    Spacing,
)
from vetmail_core.testing import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from vetmail_core import Receipt, Transport

EMAIL = Email(sender="o@example.com", recipients=Recipients("a@example.com"), content=Content("s"))
PREFERENCES = EmailPreferences(use_built_in_client=True, settings=Settings(default_from="o@example.com"))
FOLDER = EmlTransport("never-made")
TRANSPORTS: list[Callable[[], Transport]] = [
    lambda: SmtpTransport(MailServer(host="127.0.0.1")),
    MailtoTransport,
    lambda: FOLDER,
    lambda: RedirectAll(FOLDER, "me@example.com"),
    lambda: Retrying(FOLDER, delays=[1]),
    lambda: Spaced(FOLDER, Spacing(0)),
    lambda: Archived(FOLDER, Path("never-made")),
    Outbox,
    lambda: Outbox().line(),
]


@pytest.mark.parametrize("make", TRANSPORTS)
def test_one_email_instead_of_several_is_told_to_stand_in_brackets(make: Callable[[], Transport]) -> None:
    """At the call, not when the receipts are asked for."""
    with pytest.raises(TypeError, match=re.escape("got one Email. Put it in brackets: [email].")):
        make().deliver(cast("list[Email]", EMAIL))


def _call(transport: Transport) -> None:
    """Call it, and forget what it gives."""
    transport.deliver([EMAIL])


@pytest.mark.parametrize("make", TRANSPORTS)
def test_receipts_that_are_never_asked_for_are_a_warning_with_the_line_of_the_call(
    make: Callable[[], Transport],
) -> None:
    """Nothing was sent, and nobody would know."""
    transport = make()
    with pytest.warns(ResourceWarning, match="never asked for, so nothing was sent") as caught:
        _call(transport)
    line = inspect.getsourcelines(_call)[1] + 2
    assert {(one.filename, one.lineno) for one in caught} == {(__file__, line)}


def test_receipts_that_were_asked_for_or_put_away_are_no_warning() -> None:
    """A caller may walk away."""
    with Outbox() as outbox:
        assert len(list(outbox.line().deliver([EMAIL]))) == 1
        receipts = RedirectAll(FOLDER, "me@example.com").deliver([EMAIL])
        cast("Generator[Receipt]", receipts).close()
        receipts = RedirectAll(FOLDER, "me@example.com").deliver([EMAIL])
        with pytest.raises(KeyError):
            cast("Generator[Receipt]", receipts).throw(KeyError("x"))
        outbox.assert_sent(1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda mailer: mailer.send_bulk([EMAIL], progress=object()),
            r"progress= needs a function, got object",
        ),
        (lambda mailer: mailer.send_bulk([EMAIL], cancel=True), r"cancel= needs a function, got bool"),
        (lambda mailer: mailer.send_bulk(EMAIL), r"send_bulk\(\) needs an iterable of emails.*\[email\]"),
        (lambda _: SmtpTransport(cast("MailServer", "localhost")), r'MailServer\(host="localhost"\)'),
    ],
)
def test_a_wrong_kind_of_thing_is_a_type_error_before_anything_is_sent(
    call: Callable[[Mailer], object], words: str
) -> None:
    """With what to write instead."""
    with Outbox() as outbox:
        with outbox.mailer(PREFERENCES) as mailer, pytest.raises(TypeError, match=words):
            call(mailer)
        outbox.assert_none()


def test_a_file_that_cannot_be_read_is_a_bad_message_and_a_bad_file(tmp_path: Path) -> None:
    """Whoever catches either class catches it; the system's own error is its cause."""
    with pytest.raises(MessageError, match=r"nowhere\.pdf cannot be attached: No such file") as caught:
        Attachment.from_path(tmp_path / "nowhere.pdf")
    error = caught.value
    assert isinstance(error, OSError)
    assert isinstance(error.__cause__, FileNotFoundError)
    assert (error.errno, error.filename) == (error.__cause__.errno, str(tmp_path / "nowhere.pdf"))


def test_a_name_beside_an_address_is_shown_the_way_to_parse_mailbox() -> None:
    """The class takes an address alone."""
    with pytest.raises(AddressError, match=r"parse_mailbox\(text\)"):
        Mailbox("Ann <ann@example.com>")


def test_no_server_and_no_sender_are_told_together() -> None:
    """One visit to the settings screen is enough."""
    empty = EmailPreferences(use_built_in_client=True)
    with Mailer(empty) as mailer, pytest.raises(PreferencesError) as caught:
        mailer.send(Content("s"), to="ann@example.com")
    assert [one.setting for one in caught.value.problems] == ["mail_server.host", "settings.default_from"]
    with Mailer(empty, transport=FOLDER) as mailer, pytest.raises(PreferencesError) as caught:
        mailer.send(Content("s"), to="ann@example.com")
    assert [one.setting for one in caught.value.problems] == ["settings.default_from"]


@pytest.mark.parametrize(
    ("kind", "wrong", "note"),
    [
        (Settings, "reply_to", "Settings() has no argument reply_to. Did you mean default_reply_to?"),
        (Person, "email", "Person() has no argument email. Did you mean address?"),
        (MailServer, "user_name", "MailServer() has no argument user_name. Did you mean username?"),
        (Settings, "zzzz", "Settings() has no argument zzzz. It has: default_from, default_reply_to,"),
    ],
)
def test_an_argument_that_does_not_exist_is_noted_with_the_nearest(
    kind: type[object], wrong: str, note: str
) -> None:
    """Python's own sentence stands, and the note says what to write."""
    with pytest.raises(TypeError, match=wrong) as caught:
        kind(**{wrong: "a@example.com"})
    assert caught.value.__notes__[0].startswith(note)
    with pytest.raises(TypeError) as caught:
        kind(1, 2, 3, 4)  # type: ignore[call-arg]
    assert not hasattr(caught.value, "__notes__")
