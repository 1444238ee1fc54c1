"""A provider that counts the organisation as a whole: its limit is said before a mailing comes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Said

FILE = ("--preferences", "email-preferences.json")
MICROSOFT = {"host": "smtp.office365.com"}


def _limits(said: Said) -> list[str]:
    return [line for line in said.out.splitlines() if "Microsoft 365 lets" in line]


@pytest.mark.parametrize(
    ("words", "figure"),
    [
        ((), "10,000 people outside it in 24 hours with 1 licence, and more people with more licences"),
        (("--licences", "1"), "10,000 people outside it in 24 hours with 1 licence"),
        (("--licences", "25"), "14,259 people outside it in 24 hours with 25 licences"),
        (("--licences", "1200"), "with 1,200 licences"),
    ],
)
def test_check_says_how_many_people_the_whole_organisation_may_write_to(
    change_preferences: Callable[..., None],
    vetmail: Callable[..., Said],
    words: tuple[str, ...],
    figure: str,
) -> None:
    """Of as many licences as were typed; else the least there is, and how to say more."""
    change_preferences(use_built_in_client=True, mail_server=MICROSOFT)
    (line,) = _limits(vetmail("check", *FILE, *words))
    assert figure in line
    assert ("--licences N" in line) is (not words)


@pytest.mark.parametrize(
    ("client", "host"), [(True, "smtp.gmail.com"), (True, "mail.example.com"), (False, "smtp.office365.com")]
)
def test_where_nobody_counts_the_organisation_nothing_is_said(
    change_preferences: Callable[..., None],
    vetmail: Callable[..., Said],
    client: bool,  # noqa: FBT001 - a row's value
    host: str,
) -> None:
    """Another provider, a server nobody knows, or a mail program that sends by a server of its own."""
    change_preferences(use_built_in_client=client, mail_server={"host": host})
    said = vetmail("check", *FILE)
    assert "24 hours" not in said.out
    assert "lets all mailboxes" not in said.out


@pytest.mark.parametrize(
    ("people", "words", "said"),
    [
        (7_999, (), None),
        (8_000, (), "8,000 recipients, near a day's limit"),
        (10_000, (), "10,000 recipients, near a day's limit"),
        (10_001, (), "10,001 recipients, more than a day's limit"),
        (4_000, ("--cc", "audit@example.org"), "8,000 recipients, near a day's limit"),
        (8_000, ("--licences", "25"), None),
        (7_999, ("--one-email",), None),
        (8_000, ("--one-email",), "8,000 recipients, near a day's limit"),
    ],
)
def test_preview_speaks_of_the_limit_where_the_mailing_comes_near_it(
    change_preferences: Callable[..., None],
    vetmail: Callable[..., Said],
    folder: Path,
    people: int,
    words: tuple[str, ...],
    said: str | None,
) -> None:
    """Copies are recipients too; four fifths of the day's number are near."""
    change_preferences(
        use_built_in_client=True,
        mail_server=MICROSOFT,
        settings={"bulk_copies": "every_recipient"},
    )
    rows = (f"student{number}@example.com" for number in range(people))
    (folder / "many.csv").write_text("\n".join(["address", *rows]), encoding="utf-8")
    (folder / "same.txt").write_text("Room 7", encoding="utf-8")
    shown = vetmail(
        "preview", *FILE, "--people", "many.csv", "--subject", "Moved", "--text", "same.txt", *words
    )
    assert shown.status == 0, shown.err
    lines = _limits(shown)
    assert len(lines) == (said is not None)
    assert said is None or said in lines[0]
    assert said is None or "--first" in lines[0]
