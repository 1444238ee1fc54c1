"""Preferences of any depth are read or refused."""

from __future__ import annotations

import pytest

from vetmail_core import PreferencesError, preferences_from_dict


def _nested(depth: int, inner: object = 0) -> dict[str, object]:
    document: dict[str, object] = {"a": inner}
    for _ in range(depth - 1):
        document = {"a": document}
    return document


@pytest.mark.parametrize("name", ["settings", "mail_server", "contexts", "of a later version"])
def test_what_is_nested_too_deep_is_an_error_of_the_preferences(name: str) -> None:
    """And none of Python's own, wherever it stands; so is what holds itself."""
    round_and_round: list[object] = []
    round_and_round.append(round_and_round)
    for value in (_nested(5_000), _nested(1, round_and_round), [[_nested(5_000)]]):
        with pytest.raises(PreferencesError, match="nested deeper than 100"):
            preferences_from_dict({"schema": 1, name: value})


def test_what_is_nested_as_a_person_would_is_kept() -> None:
    """Ninety levels, and one value in many places."""
    one: dict[str, object] = {}
    for _ in range(60):
        one = {"a": one, "b": one}
    preferences = preferences_from_dict({"schema": 1, "later": _nested(30, one)})
    assert "later" in preferences.unknown[""]
