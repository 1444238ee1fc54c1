"""Every error: what it may be caught as, and that it keeps its facts on the way to another process."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from vetmail_core import errors
from vetmail_core.address import Mailbox
from vetmail_core.errors import (
    AddressError,
    AddressErrorCode,
    AddressListError,
    DeliveryError,
    LedgerError,
    MergeError,
    MessageError,
    PreferencesError,
    Problem,
    RecipientsError,
    Severity,
    StalePreferencesError,
    TokenError,
    TransportError,
    TransportValueError,
    VetmailError,
)
from vetmail_core.message import Content, Email
from vetmail_core.receipts import Outcome, Receipt, Status
from vetmail_core.recipients import Recipients

BAD = AddressError(
    "no @", code=AddressErrorCode.NO_ADDRESS, text="ann; bob", start=5, end=8, entry=2, hint="write one"
)
PROBLEM = Problem(severity=Severity.ERROR, setting="mail_server.port", message="No.", advice="Enter 587.")
ANN = Mailbox("ann@example.com")
RECEIPT = Receipt(
    Email(sender=ANN, recipients=Recipients(ANN), content=Content("Hello"), key="k"),
    [Outcome(ANN, Status.UNKNOWN)],
)

EVERY_ERROR = [
    (BAD, True),
    (AddressListError("entry 2: no @", errors=[BAD], mailboxes=[ANN], text="ann; bob"), True),
    (PreferencesError.of([PROBLEM], opening="The file cannot be used."), True),
    (StalePreferencesError("changed", problems=[PROBLEM]), True),
    (RecipientsError("nobody"), True),
    (MessageError("a line break"), True),
    (MergeError("unknown", field="first_nam", place="subject"), True),
    (TransportError("closed"), False),
    (TransportValueError("a separator"), True),
    (LedgerError("locked"), False),
    (TokenError("The token is refused.", advice="Renew the secret.", transient=True, retry_after=5), False),
    (DeliveryError("nobody accepted", receipt=RECEIPT), False),
]


@pytest.mark.parametrize(("error", "about_a_value"), EVERY_ERROR, ids=lambda one: type(one).__name__)
def test_an_error_is_the_librarys_and_one_about_a_value_is_a_value_error(
    error: VetmailError, *, about_a_value: bool
) -> None:
    """``except VetmailError`` catches all; whoever checks input may write ``except ValueError``."""
    assert isinstance(error, VetmailError)
    assert isinstance(error, ValueError) is about_a_value


@pytest.mark.parametrize("error", [error for error, _ in EVERY_ERROR], ids=lambda one: type(one).__name__)
def test_an_error_keeps_its_facts(error: VetmailError) -> None:
    """A worker process hands it back whole: sentence, attributes and notes."""
    error.add_note("in the row 7 of the file")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 - our own bytes
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert other.__notes__ == error.__notes__
        for name, fact in vars(error).items():
            mine, yours = fact, getattr(other, name)
            assert [*map(str, yours)] == [*map(str, mine)] if name == "errors" else yours == mine


def test_no_error_is_left_out_above() -> None:
    """A new error comes with a row; those of a wrong type have a table of their own."""
    kinds = {
        kind
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, Exception) and not name.startswith("_")
    }
    assert kinds == {type(error) for error, _ in EVERY_ERROR} | {VetmailError}


@pytest.mark.parametrize("promised", [MessageError, RecipientsError, MergeError, TransportError, LedgerError])
def test_a_wrong_type_is_a_type_error_and_the_class_that_was_promised(promised: type[VetmailError]) -> None:
    """A host may catch either; a worker process hands it back whole."""
    error = errors.wrong_type("an email", "a Content", 5, "write Content(subject)", error=promised)
    assert isinstance(error, promised)
    assert isinstance(error, TypeError)
    other = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(other) is type(error)
    assert str(other) == "an email needs a Content, got int; write Content(subject)"


@pytest.mark.parametrize(
    ("cure", "end"),
    [
        ("", "got int"),
        ("Write Mailer(preferences).", "got int. Write Mailer(preferences)."),
        ("read the file", "got int; read the file"),
    ],
)
def test_a_wrong_type_is_told_in_one_form(cure: str, end: str) -> None:
    """What needs what, what it got, what to do; the value itself, which may be a secret, is not shown."""
    error = errors.wrong_type("Mailer()", "EmailPreferences", 987_654, cure)
    assert type(error) is TypeError
    assert str(error) == f"Mailer() needs EmailPreferences, {end}"


def test_an_address_list_error_speaks_of_the_first_bad_entry() -> None:
    """So a form that shows one fault shows the right place."""
    error = AddressListError("entry 2", errors=[BAD, BAD], mailboxes=[ANN], text="ann; bob")
    assert (error.code, error.start, error.end, error.entry) == (BAD.code, 5, 8, 2)
    assert (error.hint, error.text, error.mailboxes) == ("write one", "ann; bob", (ANN,))


@pytest.mark.parametrize(
    ("count", "opening", "sentence"),
    [
        (1, "", "mail_server.port: No. Enter 587."),
        (1, "The file cannot be used.", "The file cannot be used. mail_server.port: No. Enter 587."),
        (2, "", "2 settings are not valid:" + 2 * "\n  mail_server.port: No. Enter 587."),
        (2, "It is damaged.", "It is damaged." + 2 * "\n  mail_server.port: No. Enter 587."),
    ],
)
def test_a_preferences_error_speaks_of_every_problem(count: int, opening: str, sentence: str) -> None:
    """One on a line of its own, where there are several."""
    error = PreferencesError.of(iter(count * [PROBLEM]), opening=opening)
    assert str(error) == sentence
    assert error.problems == tuple(count * [PROBLEM])
