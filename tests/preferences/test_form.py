"""A settings screen there and back: its controls' texts, and preferences from what a browser posts."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core.contexts import EmailContext, RecipientType
from vetmail_core.credentials import EnvironmentSecret, PlainSecret, Secret
from vetmail_core.preferences import (
    EmailPreferences,
    MailServer,
    PreferencesError,
    Settings,
    StalePreferencesError,
    TlsMethod,
    describe_preferences,
    form_values,
    preferences_from_form,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CURRENT = EmailPreferences(
    use_built_in_client=True,
    mail_server=MailServer(
        host="mail.example.org",
        port=2525,
        tls=TlsMethod.EXPLICIT,
        use_staff_logins=True,
        username=" kept blanks ",
        password=EnvironmentSecret("OFFICE_PASSWORD"),
    ),
    settings=Settings(default_from='"Front Desk" <desk@example.org>', default_reply_to="replies@example.org"),
    contexts={"event": {"event_staff": RecipientType.CC}, "tour.day": {"guide": RecipientType.TO}},
    revision="r1",
)
Posted = dict[str, "str | Sequence[str]"]


def posted(changes: Mapping[str, object]) -> Posted:
    """The whole page as it was drawn, with some controls changed."""
    return cast("Posted", {**form_values(CURRENT), **changes})


def changed(changes: Mapping[str, object]) -> dict[str, str]:
    """The controls that show another text after these changes."""
    after = form_values(preferences_from_form(posted(changes), current=CURRENT))
    before = form_values(CURRENT)
    return {name: text for name, text in after.items() if before.get(name) != text}


def problems(changes: Mapping[str, object]) -> dict[str, str]:
    """The problems of a form, by control."""
    with pytest.raises(PreferencesError) as caught:
        preferences_from_form(posted(changes), current=CURRENT)
    assert len({problem.setting for problem in caught.value.problems}) == len(caught.value.problems)
    return {problem.setting: f"{problem.message} {problem.advice}" for problem in caught.value.problems}


def test_every_described_control_has_one_text_and_no_secret_is_shown() -> None:
    """A page can be drawn from descriptions and texts alone."""
    values = form_values(CURRENT)
    described = [description.name for description in describe_preferences(current=CURRENT)]
    assert list(values) == [*described, "revision"]
    assert values["mail_server.password"] == ""
    assert values["mail_server.tls"] == "explicit"
    assert values["settings.default_from"] == '"Front Desk" <desk@example.org>'
    assert values["contexts.occurrence_class.class_staff"] == "cc"
    assert values["contexts.tour.day.guide"] == "to"
    assert values["revision"] == "r1"
    assert not any(name.startswith("contexts.account") for name in values)
    with pytest.raises(TypeError):
        values["mail_server.port"] = "1"  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("mail_server.host", "\tsmtp.example.net \n", "smtp.example.net"),
        ("mail_server.port", "\u00a0465 ", "465"),
        ("mail_server.port", "00025", "25"),
        ("mail_server.username", " other ", "other"),
        ("mail_server.use_staff_logins", "False", "off"),
        ("mail_server.use_staff_logins", "", "off"),
        ("mail_server.use_staff_logins", ["off"], "off"),
        ("use_built_in_client", "0", "off"),
        ("mail_server.tls", "implicit", "implicit"),
        ("mail_server.tls", ["none", "implicit"], "implicit"),
        ("settings.address_separator", ",", ","),
        ("settings.default_reply_to", "  ", ""),
        ("settings.default_from", " Office Team <office@example.org>", '"Office Team" <office@example.org>'),
        ("contexts.event.event_staff", "none", "none"),
        ("contexts.tour.day.guide", "bcc", "bcc"),
    ],
)
def test_a_text_is_read_by_its_kind(name: str, text: object, shown: str) -> None:
    """What a person means by it, and nothing else changes."""
    assert changed({name: text}) == {name: shown}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mail_server.use_staff_logins", ["off", "on"]),
        ("mail_server.use_staff_logins", ["on", "off"]),
        ("mail_server.use_staff_logins", "TRUE"),
        ("mail_server.port", []),
        ("mail_server.port", ["1", "2525"]),
        ("mail_server.username", ["x", " kept blanks "]),
        ("contexts.event.event_staff", ["to", "cc"]),
        ("mail_server.password", ""),
        ("mail_server.password.remove", ""),
        ("csrf_token", "x"),
        ("save", 1),
        ("mail_server", "x"),
    ],
)
def test_what_says_the_same_changes_nothing(name: str, text: object) -> None:
    """A box beside its hidden "off", an empty password, a repeated value, a button."""
    assert preferences_from_form(posted({name: text}), current=CURRENT) == CURRENT


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        *(
            ("mail_server.port", text, "from 1 to 65535")
            for text in ("", "0", "65536", "+25", "2_5", "\u0662\u0665", "25.0", "9" * 5000)
        ),
        ("mail_server.wait_between_emails_ms", "-1", "from 0 to 86400000"),
        ("mail_server.tls", "Implicit", 'Expected one of "none", "explicit", "implicit"'),
        ("mail_server.tls", "", "Choose one"),
        (
            "mail_server.use_staff_logins",
            ["off", "perhaps"],
            'Expected "on" or "off", found the text "perhaps"',
        ),
        ("mail_server.password.remove", "y", 'Expected "on" or "off"'),
        ("mail_server.host", "https://smtp.example.net", "name of a mail server"),
        ("mail_server.port", 25, "Expected a text, found the number 25"),
        ("mail_server.port", [25], "Expected a text, found a list"),
        ("mail_server.port", None, "Expected a text"),
        ("settings.default_from", "two@@example.org", "one e-mail address"),
        ("settings.default_from", "a@example.org\r\nBcc: b@example.org", "settings.default_from"),
        ("settings.custom_display_name", "a\x07b", "control character"),
        ("contexts.event.client", "TO", 'Expected one of "to", "cc", "bcc", "none"'),
        ("mail_server.prot", "25", 'Did you mean "mail_server.port"?'),
        ("mail_server.pasword.remove", "on", 'Did you mean "mail_server.password.remove"?'),
        ("settings.", "x", "no control of this name"),
        ("contexts.zzzzzzzzzzzzzzzzzzzzzz", "to", "form_values() has the names"),
        ("contexts.evnt.client", "to", 'Did you mean "contexts.event.client"?'),
        ("contexts.account.client", "to", '"Account and Password" email is private'),
    ],
)
def test_a_text_that_cannot_be_read_is_a_problem_beside_its_control(
    name: str, text: object, words: str
) -> None:
    """With what was expected, what came and what to do."""
    found = problems({name: text})
    assert list(found) == [name]
    assert words in f"{name} {found[name]}"


def test_every_mistake_is_told_at_once_in_the_order_of_the_screen() -> None:
    """A text that cannot be read hides nobody else's problem, the model's own rules among them."""
    found = problems(
        {
            "mail_server.nonsense": "x",
            "contexts.event.client": "x",
            "settings.staff_display_name": "custom",
            "settings.default_from": "nobody",
            "mail_server.port": "x",
            "mail_server.host": "a b",
        }
    )
    assert list(found) == [
        "mail_server.host",
        "mail_server.port",
        "settings.default_from",
        "settings.custom_display_name",
        "contexts.event.client",
        "mail_server.nonsense",
    ]


@pytest.mark.parametrize(
    ("changes", "stored"),
    [
        ({}, EnvironmentSecret("OFFICE_PASSWORD")),
        ({"mail_server.password": ["typed", ""]}, EnvironmentSecret("OFFICE_PASSWORD")),
        ({"mail_server.password": "  with blanks "}, PlainSecret("  with blanks ")),
        ({"mail_server.password.remove": ["off", "on"]}, None),
        ({"mail_server.password": "new", "mail_server.password.remove": "on"}, PlainSecret("new")),
    ],
)
def test_a_stored_password_stays_until_another_is_typed_or_it_is_taken_away(
    changes: dict[str, object], stored: Secret | None
) -> None:
    """The page never holds it, so an empty field means nothing."""
    assert preferences_from_form(posted(changes), current=CURRENT).mail_server.password == stored


@pytest.mark.parametrize("typed", ["hunter2\n", b"hunter2", ["hunter2", 1]])
def test_a_password_that_cannot_be_kept_is_not_shown(typed: object) -> None:
    """Neither in the problem nor in a traceback that prints local variables."""
    with pytest.raises(PreferencesError) as caught:
        preferences_from_form(posted({"mail_server.password": typed}), current=CURRENT)
    (problem,) = caught.value.problems
    assert problem.setting == "mail_server.password"
    traceback = caught.value.__traceback__
    frames: list[str] = []
    while traceback is not None:
        if traceback.tb_frame.f_globals["__name__"].startswith("vetmail_core."):
            frames += map(repr, traceback.tb_frame.f_locals.values())
        traceback = traceback.tb_next
    assert frames
    assert "hunter2" not in f"{caught.value} {frames}"


def test_a_switched_off_client_posts_one_control_and_loses_nothing() -> None:
    """A browser does not post disabled controls: a missing one keeps its value."""
    current = attrs.evolve(CURRENT, use_built_in_client=False)
    form = {"settings.address_separator": ",", "revision": "r1"}
    result = preferences_from_form(form, current=current)
    assert result == attrs.evolve(current, settings=attrs.evolve(current.settings, address_separator=","))


def test_a_rule_is_written_down_only_when_it_changes() -> None:
    """Saving an untouched page adds no rules; going back to a default is a rule all the same."""
    plain = EmailPreferences()
    name = "contexts.occurrence_class.class_staff"
    form = {"revision": "", name: "cc"}
    assert preferences_from_form(form, current=plain).contexts == {}
    blind = preferences_from_form(form | {name: "bcc"}, current=plain)
    assert blind.contexts == {"occurrence_class": {"class_staff": RecipientType.BCC}}
    assert preferences_from_form(form, current=blind).contexts == {
        "occurrence_class": {"class_staff": RecipientType.CC}
    }


def test_a_hosts_own_context_is_read_when_it_is_given() -> None:
    """Its defaults stand in the controls; without it the names are unknown."""
    own = EmailContext(
        "open_day", "Open Day", to_roles="client", roles="guide", defaults={"guide": RecipientType.BCC}
    )
    private = EmailContext("results", "Results", to_roles="client", private=True)
    values = form_values(CURRENT, contexts=[own])
    assert values["contexts.open_day.guide"] == "bcc"
    form = {"revision": "r1", "contexts.open_day.guide": "cc"}
    result = preferences_from_form(form, current=CURRENT, contexts=[own])
    assert result.contexts["open_day"] == {"guide": RecipientType.CC}
    with pytest.raises(PreferencesError, match="no control of this name"):
        preferences_from_form(form, current=CURRENT)
    with pytest.raises(PreferencesError, match='"Results" email is private'):
        preferences_from_form(
            {"revision": "r1", "contexts.results.client": "to"}, current=CURRENT, contexts=[private]
        )


def test_two_rules_whose_names_are_one_share_the_first_ones_control() -> None:
    """Keys may hold dots, so names are looked up whole; such a pair is rare, and neither rule is lost."""
    current = EmailPreferences(
        contexts={"a": {"b.c": RecipientType.TO}, "a.b": {"c": RecipientType.CC, "d": RecipientType.CC}}
    )
    values = form_values(current)
    assert preferences_from_form(values, current=current) == current
    result = preferences_from_form({**values, "contexts.a.b.c": "none"}, current=current)
    assert result.contexts == {"a": {"b.c": RecipientType.NONE}, "a.b": current.contexts["a.b"]}


@pytest.mark.parametrize("also", [{}, {"mail_server.port": "x"}])
def test_anothers_change_in_between_is_found_before_anything_else(also: dict[str, str]) -> None:
    """The page was drawn from another revision, so nothing of it is taken."""
    with pytest.raises(StalePreferencesError, match="Somebody else saved these preferences") as caught:
        preferences_from_form(posted({"revision": "r0", **also}), current=CURRENT)
    assert [problem.setting for problem in caught.value.problems] == ["revision"]


@pytest.mark.parametrize(
    ("revision", "words"), [(None, "found nothing"), (7, "found the number 7"), ([], 'has no "revision"')]
)
def test_a_form_without_a_revision_is_refused(revision: object, words: str) -> None:
    """Without it a change made by somebody else would be lost unseen."""
    found = problems({"revision": revision, "mail_server.port": "x"})
    assert list(found) == ["revision"]
    assert words in found["revision"]
    form = posted({})
    del form["revision"]
    with pytest.raises(PreferencesError, match=r'form_values\(preferences\)\["revision"\]'):
        preferences_from_form(form, current=CURRENT)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: form_values(cast("EmailPreferences", {})),
            r"form_values\(\) needs EmailPref",
        ),
        (
            lambda: preferences_from_form({}, current=cast("EmailPreferences", None)),
            r"preferences_from_form\(\) needs EmailPreferences, got NoneType",
        ),
        (
            lambda: preferences_from_form(cast("dict[str, str]", "a=b"), current=CURRENT),
            r"needs a mapping of names to texts, got str\. Give it the form's data",
        ),
    ],
)
def test_a_wrong_call_is_told_what_to_give(call: st.SearchStrategy[object], words: str) -> None:
    """Before anything is read."""
    with pytest.raises(TypeError, match=words):
        call()  # type: ignore[operator]


def outcome(
    form: Mapping[str, str | Sequence[str]], current: EmailPreferences
) -> EmailPreferences | set[str]:
    """What a form gives: preferences, or the names of the controls that have a problem."""
    try:
        return preferences_from_form(form, current=current)
    except PreferencesError as error:
        return {problem.setting for problem in error.problems}


@given(data=st.data())
def test_an_untouched_page_changes_nothing(
    data: st.DataObject, any_preferences: st.SearchStrategy[EmailPreferences]
) -> None:
    """For all preferences, whatever their texts hold; what is not known here and the revision stay too."""
    current = attrs.evolve(
        data.draw(any_preferences), revision="r7", unknown={"mail_server": {"later": [1, 2]}}
    )
    result = preferences_from_form(form_values(current), current=current)
    assert result == current
    assert (result.revision, result.unknown) == (current.revision, current.unknown)


@given(data=st.data())
def test_any_controls_of_another_page_change_what_they_name_and_nothing_else(
    data: st.DataObject, any_preferences: st.SearchStrategy[EmailPreferences]
) -> None:
    """Whichever controls were enabled."""
    current, other = data.draw(any_preferences), data.draw(any_preferences)
    before, after = form_values(current), form_values(other)
    picked = data.draw(st.sets(st.sampled_from(sorted(before.keys() & after.keys()))))
    texts = {name: after[name] for name in picked} | {"revision": ""}
    result = outcome(texts, current)
    expected = {name: text.strip() for name, text in {**before, **texts}.items()}
    own_name = expected["settings.staff_display_name"] == "custom"
    if own_name and not expected["settings.custom_display_name"]:
        # The one thing that two good pages can disagree on: a name of one's own is asked for, and is empty.
        assert result == {"settings.custom_display_name"}
    else:
        assert isinstance(result, EmailPreferences)
        assert {name: text.strip() for name, text in form_values(result).items()} == expected


@given(form=st.dictionaries(st.sampled_from(sorted(form_values(CURRENT))), st.text() | st.lists(st.text())))
def test_any_texts_give_preferences_or_problems_of_their_controls(form: dict[str, str | list[str]]) -> None:
    """Nothing that a browser can post breaks a page."""
    form["revision"] = CURRENT.revision
    result = outcome(form, CURRENT)
    assert isinstance(result, EmailPreferences) or result <= {*form, "settings.custom_display_name"}
