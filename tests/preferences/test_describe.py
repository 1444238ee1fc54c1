"""The description of every setting: complete against the model."""

from __future__ import annotations

import copy
import enum
import pickle
import typing

import attrs
import pytest

from vetmail_core.contexts import STANDARD_CONTEXTS, EmailContext, RecipientType
from vetmail_core.preferences import (
    EmailPreferences,
    MailServer,
    PreferencesError,
    SettingDescription,
    SettingKind,
    Settings,
    describe_preferences,
)
from vetmail_core.preferences.model import SETTING_NAMES

DESCRIBED = {
    description.name: description
    for description in describe_preferences()
    if description.tab != "Email Context" and not description.name.startswith("mail_server.oauth")
}
SOURCES = [
    description for description in describe_preferences() if description.name.startswith("mail_server.oauth")
]
RULES = [description for description in describe_preferences() if description.tab == "Email Context"]


def model_settings() -> dict[str, tuple[object, object]]:
    """Dotted name -> type and default of every setting, straight from the model's classes."""
    found: dict[str, tuple[object, object]] = {}
    defaults = EmailPreferences()
    types = typing.get_type_hints(EmailPreferences)
    for field in attrs.fields(EmailPreferences):
        value = getattr(defaults, field.name)
        if isinstance(value, (MailServer, Settings)):
            inner = typing.get_type_hints(type(value))
            for part in attrs.fields(type(value)):
                if part.name == "oauth":
                    continue  # a value of several fields, each with a control of its own
                found[f"{field.name}.{part.name}"] = (inner[part.name], getattr(value, part.name))
        elif field.eq and field.name != "contexts":
            found[field.name] = (types[field.name], value)
    return found


def test_every_setting_of_the_model_is_described_in_its_order() -> None:
    """A setting added to the model and forgotten here fails this test."""
    assert list(DESCRIBED) == list(model_settings())
    assert [source.name for source in SOURCES] == [name for name in SETTING_NAMES if "oauth" in name]
    assert len(DESCRIBED) + len(SOURCES) + len(RULES) == len(
        {description.name for description in describe_preferences()}
    )


@pytest.mark.parametrize("description", describe_preferences(), ids=lambda description: description.name)
def test_a_description_goes_to_another_process_and_back(description: SettingDescription) -> None:
    """A settings screen may live behind a queue or in a cache; what comes back is as read-only as before."""
    for travelled in (pickle.loads(pickle.dumps(description)), copy.deepcopy(description)):  # noqa: S301 - our own
        assert travelled == description
        assert type(travelled.default) is type(description.default)
        assert repr(travelled) == repr(description)
    assert "mappingproxy" not in repr(description)


def test_each_default_is_the_models() -> None:
    """The screen shows what the library would do."""
    defaults = {name: default for name, (_type, default) in model_settings().items()}
    assert {name: description.default for name, description in DESCRIBED.items()} == defaults


def expected_kind(kind: object) -> set[SettingKind]:
    """The controls that fit a type of the model."""
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {SettingKind.CHOICE}
    fitting = {
        bool: {SettingKind.SWITCH},
        int: {SettingKind.NUMBER},
        str: {SettingKind.TEXT, SettingKind.CHOICE},
    }
    return fitting.get(typing.cast("type", kind), {SettingKind.SECRET, SettingKind.MAILBOX})


def test_each_control_fits_its_type() -> None:
    """A switch for a yes or no, a list for a choice."""
    for name, (kind, _default) in model_settings().items():
        assert DESCRIBED[name].kind in expected_kind(kind), name


def test_each_choice_is_offered_once() -> None:
    """All members of the enumeration, in its order, each with a label; no choices elsewhere."""
    for name, (kind, default) in model_settings().items():
        choices = [choice.value for choice in DESCRIBED[name].choices]
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            assert choices == list(kind), name
        elif DESCRIBED[name].kind is SettingKind.CHOICE:
            assert default in choices, name
        else:
            assert choices == [], name
        assert all(choice.label for choice in DESCRIBED[name].choices)


def test_a_number_has_the_bounds_of_the_model() -> None:
    """What the screen lets through the constructor takes, and nothing beyond."""
    for name, description in DESCRIBED.items():
        assert (description.bounds is not None) is (description.kind is SettingKind.NUMBER), name
        if description.bounds is None:
            continue
        least, most = description.bounds
        field = name.removeprefix("mail_server.")
        for value in (least, most):
            assert getattr(MailServer(**{field: value}), field) == value  # type: ignore[arg-type]
        for value in (least - 1, most + 1):
            with pytest.raises(PreferencesError, match=f"from {least} to {most}"):
                MailServer(**{field: value})  # type: ignore[arg-type]


def test_each_setting_has_words_for_people() -> None:
    """Label, help and when it applies; labels of one tab and group differ, and so does every help text."""
    for description in describe_preferences():
        assert description.label
        assert description.help.endswith(".")
        assert description.applies.endswith(".")
    described = describe_preferences()
    assert len({(one.tab, one.group, one.label) for one in described}) == len(described)
    assert len({one.help for one in described}) == len(described)


def test_the_tabs_are_vettraks() -> None:
    """One switch above three tabs."""
    tabs = list(dict.fromkeys(description.tab for description in describe_preferences()))
    assert tabs == ["", "Mail server", "Settings", "Email Context"]


def test_the_labels_are_vettraks() -> None:
    """Somebody who knows VETtrak's screen finds everything under its name."""
    assert [
        description.label
        for description in describe_preferences()
        if description.tab in {"", "Mail server"} and not description.group
    ] == [
        "Use built-in VETtrak email client",
        "Mail server address (SMTP)",
        "Email port",
        "SSL/TLS connection method",
        "Authentication type",
        "Use individual staff member email logins",
        "Email login username",
        "Email login password",
        "Wait time between emails",
    ]


def test_a_setting_that_hardly_anybody_needs_is_marked_as_advanced() -> None:
    """A screen may fold it away; VETtrak's own screen does not have it."""
    advanced = [description.name for description in describe_preferences() if description.group]
    assert "mail_server.ehlo_name" in advanced
    assert DESCRIBED["mail_server.ehlo_name"].group == "advanced"


def test_a_description_is_a_value() -> None:
    """Nobody changes a label for everybody."""
    description = DESCRIBED["mail_server.port"]
    assert isinstance(description, SettingDescription)
    assert attrs.evolve(description) == description
    assert len(set(describe_preferences())) == len(describe_preferences())


def test_every_role_of_every_context_that_is_not_private_has_a_control() -> None:
    """The Email Context tab can be drawn from the descriptions alone; private mail has nothing to set."""
    assert [rule.name for rule in RULES] == [
        f"contexts.{context.key}.{role}"
        for context in STANDARD_CONTEXTS.values()
        if not context.private
        for role in (*context.to_roles, *context.roles)
    ]
    staff = next(rule for rule in RULES if rule.name == "contexts.occurrence_class.class_staff")
    assert (staff.group, staff.label, staff.default) == ("Occurrence Class", "Class Staff", RecipientType.CC)
    assert [choice.value for choice in staff.choices] == list(RecipientType)
    assert staff.kind is SettingKind.CHOICE


def test_a_hosts_own_contexts_and_rules_are_described_after_the_standard_ones() -> None:
    """A product's own place to send from has controls too; its own private one has none."""
    open_day = EmailContext(
        "open_day", "Open Day", to_roles="client", roles="guide", defaults={"guide": RecipientType.BCC}
    )
    secret = EmailContext("results", "Results", to_roles="client", private=True)
    current = EmailPreferences(
        contexts={
            "tour": {"visitor": RecipientType.TO},
            "results": {"client": RecipientType.TO},
            "client": {"tutor": RecipientType.CC},
        }
    )
    described = describe_preferences(contexts=[open_day, secret], current=current)
    new = [
        one
        for one in described
        if one.name not in {rule.name for rule in (*RULES, *SOURCES, *DESCRIBED.values())}
    ]
    assert [(one.name, one.group, one.label, one.default) for one in new] == [
        ("contexts.client.tutor", "Client", "tutor", RecipientType.NONE),
        ("contexts.open_day.client", "Open Day", "Client", RecipientType.TO),
        ("contexts.open_day.guide", "Open Day", "guide", RecipientType.BCC),
        ("contexts.tour.visitor", "tour", "visitor", RecipientType.NONE),
    ]


def test_a_key_instead_of_a_context_is_refused_with_what_to_write() -> None:
    """The catalogue has the standard ones already."""
    with pytest.raises(TypeError, match=r'got str\. Write contexts=\[EmailContext\("open_day"'):
        describe_preferences(contexts=typing.cast("list[EmailContext]", ["open_day"]))
