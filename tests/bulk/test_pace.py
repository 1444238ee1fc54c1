"""A preview says how long a run takes at least, and what the provider has against its size."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core import Content, EmailPreferences, MailServer, Person, plan_bulk
from vetmail_core.bulk.pace import Pace, at_least, least_seconds
from vetmail_core.preferences import PROVIDERS

if TYPE_CHECKING:
    from vetmail_core.bulk import PlanSummary


def _summary(
    number: int, *, host: str = "smtp.office365.com", wait_ms: int = 2000, built_in: bool = True, cc: int = 0
) -> PlanSummary:
    preferences = EmailPreferences(
        use_built_in_client=built_in, mail_server=MailServer(host=host, wait_between_emails_ms=wait_ms)
    )
    return plan_bulk(
        Content("Hello", "Text"),
        [Person(f"p{n}@example.com", key=str(n)) for n in range(number)],
        sender="office@example.com",
        cc=[f"c{n}@example.com" for n in range(cc)],
        preferences=preferences,
    ).summary()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, ""),
        (1, "at least 1 min"),
        (180, "at least 3 min"),
        (200, "at least 4 min"),
        (3540, "at least 59 min"),
        (3541, "at least 1 h 00 min"),
        (3600, "at least 1 h 00 min"),
        (3601, "at least 1 h 00 min"),
        (4680, "at least 1 h 18 min"),
        (40_000, "at least 11 h 06 min"),
    ],
)
def test_a_time_is_said_in_minutes_and_hours(seconds: float, said: str) -> None:
    """As an office person reads it."""
    assert at_least(seconds) == said


@pytest.mark.parametrize(
    ("wait_ms", "per_minute", "seconds"), [(0, None, 0), (2000, None, 180), (500, 30, 180), (5000, 30, 450)]
)
def test_the_slower_of_the_wait_and_the_providers_rate_decides(
    wait_ms: int, per_minute: float | None, seconds: float
) -> None:
    """A short wait does not make a provider quicker."""
    assert least_seconds(90, wait_ms=wait_ms, per_minute=per_minute) == seconds


def test_a_summary_has_the_time_and_says_it() -> None:
    """In `seconds` for a host, in words for people, also after it was handed to another process."""
    summary = _summary(90)
    assert summary.seconds == 180
    assert "at least 3 min" in str(summary).splitlines()
    assert pickle.loads(pickle.dumps(summary)).seconds == 180  # noqa: S301 - our own bytes
    quick = _summary(90, host="mail.example.com", wait_ms=0)
    assert quick.seconds == 0
    assert "at least" not in str(quick)


def test_of_a_mail_program_no_time_is_known() -> None:
    """Its windows wait for a person."""
    assert _summary(90, built_in=False).seconds == 0


def test_more_than_the_provider_takes_a_day_is_a_warning_with_both_numbers() -> None:
    """Copies are counted; up to its number nothing is said."""
    assert _summary(10_000).warnings == ()
    (warning,) = _summary(10_001).warnings
    assert warning.startswith("10,001 recipients; Microsoft 365 takes 10,000 a day.")


def test_more_than_the_provider_takes_in_a_message_is_a_warning() -> None:
    """It leaves in parts, which nobody should be surprised by."""
    pace = Pace(provider=attrs.evolve(PROVIDERS["microsoft365"], recipients_per_message=50))
    assert list(pace.warnings(recipients=50, largest=50)) == []
    (warning,) = pace.warnings(recipients=51, largest=51)
    assert warning == (
        "An email has 51 recipients; Microsoft 365 takes 50 a message, so it leaves in several parts."
    )
    assert list(Pace().warnings(recipients=10**6, largest=10**6)) == []
    unstated = attrs.evolve(PROVIDERS["microsoft365"], recipients_per_message=None, recipients_per_day=None)
    assert list(Pace(provider=unstated).warnings(recipients=10**6, largest=10**6)) == []


def test_the_largest_email_of_a_plan_is_the_one_that_counts() -> None:
    """The copies go with the first email only."""
    most = PROVIDERS["microsoft365"].recipients_per_message
    assert most is not None
    assert any("in several parts" in warning for warning in _summary(2, cc=most).warnings)
