"""A plan up to its first emails."""

from __future__ import annotations

import pytest

from vetmail_core import BulkPlan, Content, EmailPreferences, Mailer, Person, RecipientsError, Settings
from vetmail_core.testing import Outbox


def _plan(*addresses: str) -> BulkPlan:
    preferences = EmailPreferences(
        use_built_in_client=True, settings=Settings(default_from="office@example.com")
    )
    people = [Person(address, key=f"C{n}") for n, address in enumerate(addresses)]
    return Mailer(preferences, transport=Outbox()).plan_bulk(Content("Hello", "Hi"), people)


def test_the_first_emails_are_those_of_the_whole_plan() -> None:
    """Whoever is left out before the last of them is a step; whoever comes after it is not walked."""
    plan = _plan("a@example.com", "", "b@example.com", "", "c@example.com").first(2)
    assert [str(email.recipients.to[0]) for email in plan] == ["a@example.com", "b@example.com"]
    assert len(list(plan.steps())) == 3
    assert plan.summary().emails == 2
    assert _plan("a@example.com").first(5).summary().emails == 1


def test_no_first_email_is_a_mistake() -> None:
    """Nought of a plan is not a plan."""
    with pytest.raises(RecipientsError, match="a number from 1, got 0"):
        _plan("a@example.com").first(0)


def test_a_summary_shows_each_email_as_it_counts() -> None:
    """What a table needs to know of its columns takes no walk of its own."""
    seen: list[str] = []
    _plan("a@example.com", "", "b@example.com").summary(
        seen=lambda email: seen.append(str(email.recipients.to[0]))
    )
    assert seen == ["a@example.com", "b@example.com"]
