"""Every cause tells a help desk what to do."""

from __future__ import annotations

import pytest

from vetmail_core import Cause

# The labels of the preferences screen and the staff record, as VETtrak prints them.
SETTINGS = (
    "Mail server address (SMTP)",
    "Email port",
    "SSL/TLS connection method",
    "Authentication type",
    "Email login username",
    "Email login password",
    "Email Username",
    "Use individual staff member email logins",
    "Wait time between emails",
    "Default from address",
    "For bulk email, send legacy CC/BCC for",
    "EHLO name",
)
# No setting cures these: the person, the email or the moment is the matter.
WITHOUT_A_SETTING = {
    Cause.BAD_RECIPIENT,
    Cause.MAILBOX_FULL,
    Cause.RECIPIENT_THROTTLED,
    Cause.GREYLISTED,
    Cause.HELD_ELSEWHERE,
    Cause.BLOCKED,
    Cause.TOO_LARGE,
    Cause.CANCELLED,
}


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_advice_in_one_plain_sentence(cause: Cause) -> None:
    """It begins like a sentence, ends like one, and holds no other."""
    advice = cause.advice
    assert advice[0].isupper()
    assert advice.endswith(".")
    assert ". " not in advice
    assert 60 < len(advice) < 350


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause not in WITHOUT_A_SETTING])
def test_the_advice_names_the_setting_where_one_is_the_cure(cause: Cause) -> None:
    """By its label and tab, so that it can be found on the screen."""
    assert any(f'"{setting}"' in cause.advice for setting in SETTINGS)
    assert "Email preferences" in cause.advice


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause in WITHOUT_A_SETTING])
def test_no_setting_is_named_where_none_would_help(cause: Cause) -> None:
    """Nobody is sent to change a setting in vain."""
    assert not any(setting in cause.advice for setting in SETTINGS)


def test_the_advice_about_a_sender_names_what_receivers_check() -> None:
    """Half of such refusals come from the domain's records, not from the login."""
    assert all(word in Cause.SENDER_NOT_ALLOWED.advice for word in ("SPF", "DKIM", "DMARC"))


def test_no_two_causes_share_their_advice() -> None:
    """Else they would be one cause."""
    assert len({cause.advice for cause in Cause}) == len(Cause)
