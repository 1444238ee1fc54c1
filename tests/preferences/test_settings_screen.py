"""The page that the documentation draws from the description of the settings."""

from __future__ import annotations

import runpy
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import pytest

from vetmail_core.contexts import STANDARD_CONTEXTS, RecipientType
from vetmail_core.credentials import PlainSecret
from vetmail_core.preferences import (
    EmailPreferences,
    MailServer,
    Settings,
    check_preferences,
    describe_preferences,
    preferences_from_form,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parents[2] / "docs"


@attrs.define
class Page(HTMLParser):
    """What a browser would find: text, controls by name, and which of them are disabled."""

    text: list[str] = attrs.field(factory=list)
    controls: dict[str, dict[str, str | None]] = attrs.field(factory=dict)
    hidden: dict[str, dict[str, str | None]] = attrs.field(factory=dict)
    selected: dict[str, str] = attrs.field(factory=dict)
    choosing: str = ""
    labelled: set[str] = attrs.field(factory=set)
    open: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note a control or a label, and what is open."""
        found = dict(attributes)
        if (name := found.get("name")) and found.get("type") != "hidden":
            self.controls.setdefault(name, found)
        elif name:
            self.hidden[name] = found
        if tag == "select":
            self.choosing = name or ""
        if tag == "option" and "selected" in found:
            self.selected[self.choosing] = found.get("value") or ""
        if target := found.get("for"):
            self.labelled.add(target)
        if tag not in {"input", "meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Nothing closes what it did not open."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.text.append(data)


@pytest.fixture(scope="module")
def render() -> Callable[..., str]:
    """The function that draws the page."""
    return cast("Callable[..., str]", runpy.run_path(str(DOCS / "settings_screen.py"))["render"])


def read(page: str) -> Page:
    """Read a page."""
    found = Page()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


def test_the_page_in_the_documentation_is_the_drawn_one(render: Callable[..., str]) -> None:
    """Whoever changes a label draws the page again: ``python docs/settings_screen.py``."""
    assert (DOCS / "_static" / "settings-screen.html").read_text("utf-8") == render()


def test_every_control_is_labelled(render: Callable[..., str]) -> None:
    """Nothing that is described is missing from the screen; a private context is named all the same."""
    page = read(render())
    names = [setting.name for setting in describe_preferences()]
    assert [*page.controls] == ["viewport", *names]
    assert page.labelled == set(names)
    text = " ".join(page.text)
    assert all(context.label in text for context in STANDARD_CONTEXTS.values())


def test_settings_that_do_not_apply_are_disabled(render: Callable[..., str]) -> None:
    """As the preferences themselves say."""
    preferences = EmailPreferences()
    page = read(render(preferences))
    enabled = {name for name, control in page.controls.items() if "disabled" not in control}
    assert enabled - {"viewport"} == set(preferences.applicable_settings())
    assert {name for name, control in page.hidden.items() if "disabled" not in control} == {
        "revision",
        "use_built_in_client",
    }
    assert "mail_server.use_staff_logins" in page.hidden


@pytest.mark.parametrize("client", [True, False])
def test_saving_the_untouched_page_changes_nothing(render: Callable[..., str], *, client: bool) -> None:
    """What a browser posts of it: enabled controls only, a box when it is checked, the chosen options."""
    preferences = EmailPreferences(
        use_built_in_client=client,
        mail_server=MailServer(password=PlainSecret("hunter2"), use_staff_logins=True),
        contexts={"client": {"guardian": RecipientType.CC}, "tour": {"visitor": RecipientType.TO}},
        revision="r1",
    )
    page = read(render(preferences))
    posted: dict[str, list[str]] = {}
    for name, found in (*page.hidden.items(), *page.controls.items()):
        if (
            "disabled" in found
            or name == "viewport"
            or (found.get("type") == "checkbox" and "checked" not in found)
        ):
            continue
        posted.setdefault(name, []).append(page.selected.get(name) or found.get("value") or "")
    assert ("mail_server.port" in posted) is client
    assert preferences_from_form(posted, current=preferences) == preferences


def test_each_problem_stands_on_the_page(render: Callable[..., str]) -> None:
    """Message and advice."""
    preferences = EmailPreferences(
        use_built_in_client=True,
        mail_server=MailServer(port=465),
        settings=Settings(default_reply_to="a@example.com"),
    )
    text = " ".join("".join(read(render(preferences)).text).split())
    problems = check_preferences(preferences)
    assert problems
    for problem in problems:
        assert problem.message in text
        assert problem.advice in text


def test_what_was_typed_is_shown_as_text_and_a_password_not_at_all(render: Callable[..., str]) -> None:
    """A name with markup in it is a name, and the page knows only that there is a password."""
    preferences = EmailPreferences(
        use_built_in_client=True,
        mail_server=MailServer(username="<script>", password=PlainSecret("hunter2")),
        settings=Settings(custom_display_name='"><b>'),
        contexts={"<i>": {"<u>": RecipientType.CC}},
    )
    drawn = render(preferences)
    assert "hunter2" not in drawn
    page = read(drawn)
    assert page.controls["mail_server.username"]["value"] == "<script>"
    assert page.controls["settings.custom_display_name"]["value"] == '"><b>'
    assert "<i>" in page.text
