"""One sentence for each answer of a provider, which an administrator can act on."""

from __future__ import annotations

import copy
import pickle

import pytest

from vetmail_core.errors import TokenError, VetmailError
from vetmail_core.tokens import entra, workspace
from vetmail_core.tokens.asking import Answer
from vetmail_core.tokens.hidden import HiddenText

ENTRA = [
    (7000215, ("Value", "Secret ID")),
    (7000222, ("new client secret", "Certificates & secrets")),
    (700016, ("Application (client) ID", "Directory (tenant) ID")),
    (90002, ("Directory (tenant) ID",)),
    (900023, ("Directory (tenant) ID",)),
    (65001, ("Grant admin consent", "API permissions")),
    (700027, ("upload", "Certificates & secrets")),
    (700024, ("the computer's clock",)),
    (700025, ("Allow public client flows",)),
    (7000218, ("Allow public client flows",)),
    (7000112, ("Enterprise applications", "Enabled for users to sign in")),
    (70011, ("SMTP.SendAsApp",)),
    (1002012, ("SMTP.SendAsApp",)),
    (53000, ("Conditional Access",)),
    (530003, ("Conditional Access",)),
    (50076, ("sign in again",)),
    (50079, ("sign in again",)),
    (700082, ("sign in again",)),
    (50173, ("sign in again",)),
    (700084, ("sign in again",)),
    (50034, ("mailbox", "Directory (tenant) ID")),
    (50057, ("Active users",)),
    (50053, ("sign-in logs",)),
    (70020, ("vetmail sign-in",)),
    (999_888, ("gave no token", "login.microsoftonline.com/error?code=999888")),
]
HIDDEN = "Something about 'Riverside mail' for kim@example.com. Trace ID: 0000aaaa"


def answer(**facts: object) -> Answer:
    """An answer that says no."""
    return Answer(400, HiddenText(), {}, {"error_description": HIDDEN, **facts})


@pytest.mark.parametrize(("code", "words"), ENTRA)
@pytest.mark.parametrize("listed", [True, False])
def test_an_answer_of_microsoft_is_one_sentence_with_its_number(
    code: int, words: tuple[str, ...], *, listed: bool
) -> None:
    """The number may stand in a list or in the text alone."""
    facts: dict[str, object] = {"error": "invalid_client", "error_description": f"AADSTS{code}: {HIDDEN}"}
    error = entra.judge(answer(**facts, **({"error_codes": [True, code]} if listed else {})))
    for word in (*words, f"AADSTS{code}"):
        assert word in str(error)
    for hidden in ("Riverside", "kim@", "0000aaaa"):
        assert hidden not in str(error)
    assert not error.transient


def test_an_answer_of_microsoft_without_a_number_is_told_by_its_word() -> None:
    """And a word that is no word is not told at all."""
    for word in ("authorization_declined", "expired_token", "bad_verification_code"):
        assert "vetmail sign-in" in str(entra.judge(answer(error=word)))
    assert '"strange_word"' in str(entra.judge(answer(error="strange_word")))
    assert '"unknown"' in str(entra.judge(answer(error="kim@example.com", error_codes=["x"])))


GOOGLE = [
    (
        "unauthorized_client",
        ("Domain Wide Delegation", "API controls", "https://mail.google.com/", "Client ID"),
    ),
    ("invalid_grant", ("mailbox", "clock")),
    ("invalid_client", ("client", "deleted")),
    ("access_denied", ("API controls", "trust")),
    ("admin_policy_enforced", ("API controls", "trusted")),
    ("disabled_client", ("disabled", "Service Accounts")),
    ("something_else", ("gave no token", "something_else")),
    ("kim@example.com", ("gave no token", "unknown")),
]


@pytest.mark.parametrize(("word", "words"), GOOGLE)
def test_an_answer_of_google_is_one_sentence_with_its_word(word: str, words: tuple[str, ...]) -> None:
    """In the names of the admin console."""
    error = workspace.judge_service_account(answer(error=word))
    for part in words:
        assert part in str(error)
    assert "Riverside" not in str(error)
    assert not error.transient


def test_what_google_says_of_a_sign_in_is_another_sentence() -> None:
    """A consent screen in Testing ends sign-ins after a week."""
    error = workspace.judge_sign_in(answer(error="invalid_grant"))
    assert "sign in again" in str(error)
    assert "Testing" in str(error)
    assert workspace.judge_sign_in(answer(error="server_error")).transient


def test_no_two_causes_share_a_sentence() -> None:
    """Each row of the tables leads somewhere else."""
    rows = [
        entra.judge(answer(error="x", error_codes=[code])) for codes in entra._SENTENCES for code in codes[:1]
    ]
    rows += [workspace.judge_service_account(answer(error=word)) for word, _ in GOOGLE[:-1]]
    rows += [workspace.judge_sign_in(answer(error="invalid_grant"))]
    sentences = [error.message for error in rows]
    assert len(set(sentences)) == len(sentences)


def test_a_token_error_travels_whole() -> None:
    """From a worker process to the one that reports."""
    error = TokenError("No token.", advice="Do this.", transient=True, retry_after=7)
    for travelled in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own
        assert str(travelled) == "No token. Do this."
        assert (travelled.message, travelled.advice) == ("No token.", "Do this.")
        assert (travelled.transient, travelled.retry_after) == (True, 7)
    assert isinstance(error, VetmailError)
    assert str(TokenError("No token.")) == "No token."


@pytest.mark.parametrize(
    ("message", "options", "kind", "words"),
    [
        (5, {}, TypeError, r"TokenError\(message=...\) must be a string, got int"),
        ("x", {"advice": None}, TypeError, r"advice=...\) must be a string"),
        ("x", {"transient": 1}, TypeError, "must be True or False, got 1"),
        ("x", {"retry_after": "7"}, TypeError, "number of seconds or None"),
        ("x", {"retry_after": True}, TypeError, "number of seconds or None"),
        ("x", {"retry_after": -1}, ValueError, "from 0, got -1"),
        ("x", {"retry_after": float("nan")}, ValueError, "from 0, got nan"),
    ],
)
def test_a_token_error_of_a_host_is_checked_where_it_is_made(
    message: str, options: dict[str, object], kind: type[Exception], words: str
) -> None:
    """A pause of a text would fail in the middle of a run."""
    with pytest.raises(kind, match=words):
        TokenError(message, **options)  # type: ignore[arg-type]
