"""Checks of what was typed into the settings, or written into their file."""

from __future__ import annotations

import pytest

from vetmail_core.errors import Severity
from vetmail_core.preferences import check_preferences, preferences_from_dict

HINT, WARNING = Severity.HINT, Severity.WARNING


def _problems(**parts: object) -> list[tuple[Severity, str, str]]:
    data: dict[str, object] = {
        "schema": 1,
        "use_built_in_client": True,
        "mail_server": {"host": "smtp.example.com", "tls": "explicit", "port": 587},
        "settings": {"default_from": "office@example.com"},
    }
    for name, value in parts.items():
        before = data.get(name)
        data[name] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    found = check_preferences(preferences_from_dict(data))
    return [(one.severity, one.setting, f"{one.message} {one.advice}") for one in found]


@pytest.mark.parametrize(
    ("parts", "setting", "words"),
    [
        (
            {"mail_server": {"wait_between_email_ms": 2000}},
            "mail_server.wait_between_email_ms",
            "Did you mean wait_between_emails_ms?",
        ),
        ({"Settings": {}}, "Settings", "Did you mean settings?"),
        ({"settings": {"deafult_from": "a@example.com"}}, "settings.deafult_from", "default_from?"),
        ({"settings": {"zzz": 1}}, "settings.zzz", "Delete it, unless a later version wrote it."),
        ({"use_built_in_client": False, "mail_sever": {}}, "mail_sever", "mail_server?"),
    ],
)
def test_a_setting_that_is_not_known_is_a_hint(parts: dict[str, object], setting: str, words: str) -> None:
    """It changes nothing, which whoever wrote it should know."""
    found = [(kind, said) for kind, name, said in _problems(**parts) if name == setting]
    assert [kind for kind, _ in found] == [HINT]
    assert words in found[0][1]


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("smtp.offcie365.com", "smtp.office365.com"),
        ("SMTP.gmial.com.", "smtp.gmail.com"),
        ("smtp.sendgrid.ent", "smtp.sendgrid.net"),
        ("smtp.office365.com", None),
        ("smtp.mail.com", None),
        ("smtp.ymail.com", None),
        ("smtp.riverside.example", None),
    ],
)
def test_a_host_one_letter_from_a_provider_s_is_a_warning(host: str, near: str | None) -> None:
    """Unless its domain is a provider of its own."""
    told = [
        (kind, words)
        for kind, setting, words in _problems(mail_server={"host": host})
        if setting == "mail_server.host"
    ]
    assert [kind for kind, _ in told] == ([] if near is None else [WARNING])
    assert all(f"Enter {near}" in words for _, words in told)


@pytest.mark.parametrize("setting", ["default_from", "default_reply_to"])
@pytest.mark.parametrize(
    ("mailbox", "words"),
    [
        ("\u201cRiverside\u201d <o@example.com>", "\u201c\u201d are part of the name"),
        ("Ryan & Sons (RTO 1234) <o@example.com>", '"Ryan & Sons (RTO 1234)" <o@example.com>'),
        ("o@gmial.com", "gmail.com"),
    ],
)
def test_an_odd_mailbox_is_a_warning(setting: str, mailbox: str, words: str) -> None:
    """An alias in curly quotes, or one that lost its code in brackets, goes out with every email."""
    told = [
        (kind, said)
        for kind, name, said in _problems(settings={setting: mailbox})
        if name == f"settings.{setting}" and kind is WARNING
    ]
    assert len(told) == 1
    assert words in told[0][1]


def test_a_secret_in_clear_text_is_a_hint() -> None:
    """With the form that keeps it out of the file; the secret itself is nowhere."""
    secret = {"plain": "hunter2hunter2"}
    server = {"authentication": "password", "username": "u@example.com", "password": secret}
    told = _problems(mail_server=server)
    assert (HINT, "mail_server.password") in [row[:2] for row in told]
    assert not any("hunter2" in words for _, _, words in told)
    server = {**server, "password": {"environment": "PASSWORD"}}
    assert not any(name == "mail_server.password" for _, name, _ in _problems(mail_server=server))
