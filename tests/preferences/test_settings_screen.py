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
)

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parents[2] / "docs"


@attrs.define
class Page(HTMLParser):
    """What a browser would find: text, controls by name, and which of them are disabled."""

    text: list[str] = attrs.field(factory=list)
    controls: dict[str, dict[str, str | None]] = attrs.field(factory=dict)
    labelled: set[str] = attrs.field(factory=set)
    open: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note a control or a label, and what is open."""
        found = dict(attributes)
        if name := found.get("name"):
            self.controls.setdefault(name, found)
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


def test_every_setting_has_a_labelled_control_or_a_list(render: Callable[..., str]) -> None:
    """Nothing that is described is missing from the screen."""
    page = read(render())
    names = [setting.name for setting in describe_preferences()]
    assert [*page.controls, "contexts"] == ["viewport", *names]
    assert page.labelled == set(names) - {"contexts"}
    text = " ".join(page.text)
    assert all(context.label in text for context in STANDARD_CONTEXTS.values())


def test_settings_that_do_not_apply_are_disabled(render: Callable[..., str]) -> None:
    """As the preferences themselves say."""
    preferences = EmailPreferences()
    page = read(render(preferences))
    enabled = {name for name, control in page.controls.items() if "disabled" not in control}
    assert enabled - {"viewport"} == set(preferences.applicable_settings())


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
