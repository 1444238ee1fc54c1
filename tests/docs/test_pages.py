"""The pages hold together: every name is described, every link leads somewhere, every label has its row."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vetmail_core
from vetmail_core import testing
from vetmail_core.preferences import describe_preferences

if TYPE_CHECKING:
    import enum

TOP = Path(__file__).parent.parent.parent
DOCS = TOP / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
WITH_LINKS = [*PAGES, *sorted(TOP.glob("*.md"))]
FENCED = re.compile(r"^ *(`{3,}|:{3,}).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
IMAGE = re.compile(r"^```\{(?:image|figure)\} (\S+)$", re.MULTILINE)
WHOLE_MODULE = re.compile(r"^\.\. automodule:: (\S+)\n   :members:(?: (.+))?$", re.MULTILINE)
ONE_OBJECT = re.compile(r"^\.\. auto(?:class|function|data):: (\S+)$", re.MULTILINE)
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
NAMES = {
    **dict.fromkeys(vetmail_core.__all__, "vetmail_core"),
    **dict.fromkeys(testing.__all__, "vetmail_core.testing"),
}


def reads(page: Path) -> str:
    """The page's text."""
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """What `#...` may follow the page's name: its headings, written as Markdown readers write them."""
    titles = HEADING.findall(FENCED.sub("", reads(page)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def documented() -> set[str]:
    """The names whose signatures the reference pages take out of the code, by Sphinx' own directives."""
    found: set[str] = set()
    for page in (DOCS / "reference").glob("*.md"):
        for module, members in WHOLE_MODULE.findall(reads(page)):
            offered = importlib.import_module(module).__all__
            found.update(offered if members == "" else members.split(", "))
        found.update(path.rpartition(".")[2] for path in ONE_OBJECT.findall(reads(page)))
        found.update(path.rpartition(".")[2] for path, members in WHOLE_MODULE.findall(reads(page)))
    return found


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_public_name_is_in_the_reference(name: str) -> None:
    """What can be imported can be looked up, with a signature that cannot go stale."""
    assert name in documented(), f"{NAMES[name]}.{name} is in no page of docs/reference"


@pytest.mark.parametrize("page", WITH_LINKS, ids=lambda page: str(page.relative_to(TOP)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    """Pages, headings and pictures that are linked exist."""
    text = reads(page)
    targets = LINK.findall(FENCED.sub("", text)) + IMAGE.findall(text)
    broken = []
    for target in targets:
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        where, _, heading = target.partition("#")
        found = (page.parent / where).resolve() if where else page
        if not found.exists() or (heading and heading not in anchors(found)):
            broken.append(target)
    assert broken == []


def test_every_page_is_in_the_index_once() -> None:
    """Nobody has to guess that a page exists, and nobody meets it twice."""
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```$", reads(DOCS / "index.md"), re.MULTILINE | re.DOTALL)
    listed = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    pages = [page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES]
    assert sorted(listed) == sorted(page for page in pages if page != "index")


@pytest.mark.parametrize("setting", describe_preferences(), ids=lambda setting: setting.name)
def test_every_setting_of_the_screen_has_its_row(setting: vetmail_core.SettingDescription) -> None:
    """Somebody who knows the screen finds the field by its label, and beside it the name in code."""
    rows = [line for line in reads(DOCS / "explanation/from-screen-to-code.md").splitlines() if "|" in line]
    is_rule = setting.name.startswith("contexts.")
    label, name = ("Email Context", "contexts") if is_rule else (setting.label, setting.name)
    (row,) = [row for row in rows if row.startswith(f"| {label} |")]
    assert f"`{name}`" in row


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("receipts", vetmail_core.Status),
        ("receipts", vetmail_core.Phase),
        ("receipts", vetmail_core.Cause),
        ("recipients", vetmail_core.ExclusionReason),
        ("ledger", vetmail_core.LedgerState),
        ("smtp", vetmail_core.Pipelining),
        ("addresses", vetmail_core.AddressErrorCode),
    ],
)
def test_every_choice_is_on_the_page_of_its_kind(page: str, names: type[enum.Enum]) -> None:
    """A status or cause that somebody meets in a report can be looked up."""
    text = reads(DOCS / f"reference/{page}.md")
    assert [choice.name for choice in names if not re.search(rf"\b{choice.name}\b", text)] == []


@pytest.mark.parametrize("context", vetmail_core.STANDARD_CONTEXTS.values(), ids=lambda context: context.key)
def test_every_context_has_its_row(context: vetmail_core.EmailContext) -> None:
    """Whom it is written to, and who may be added: each role by the name that is on the screen."""
    table = reads(DOCS / "reference/contexts.md").split("\n\n| context | written to |")[1].split("\n\n")[0]
    (row,) = [line for line in table.splitlines() if line.startswith(f"| `{context.key}` |")]
    spoken = row.casefold()
    roles = {
        **vetmail_core.ROLE_LABELS,
        "guardian": "guardian",
        "employer_primary_contact": "primary contact",
    }
    roles |= {"supervising_staff": "supervising staff", "staff": "staff"}
    assert [
        role for role in (*context.to_roles, *context.roles) if roles[role].casefold() not in spoken
    ] == []
    assert ("private" in spoken) is context.private


@pytest.mark.parametrize("provider", vetmail_core.PROVIDERS.values(), ids=lambda provider: provider.name)
def test_every_provider_has_its_row(provider: vetmail_core.Provider) -> None:
    """The settings page says what the data says."""
    (row,) = [
        line
        for line in reads(DOCS / "how-to/provider-settings.md").splitlines()
        if line.startswith(f"| {provider.name} |")
    ]
    figures = [
        f"{provider.ports[0]} {provider.tls.value.title()}",
        provider.messages_per_minute and f"{provider.messages_per_minute} emails a minute",
        provider.recipients_per_day and f"{provider.recipients_per_day:,} recipients a day",
        provider.recipients_per_message and f"{provider.recipients_per_message:,}",
        provider.connections and f"{provider.connections} connections",
    ]
    assert f"`{provider.host}`" in row
    assert [figure for figure in figures if figure and figure not in row] == []


def test_the_django_page_shows_the_sample_portal_as_it_is() -> None:
    """The portal's own suite runs what the page shows, so the page shows nothing else."""
    portal = "\n".join(
        path.read_text(encoding="utf-8") for path in TOP.glob("examples/trainer_portal/**/*.py")
    )
    there = {line.strip() for line in portal.splitlines()}
    shown = re.findall(r"^ {4}(.+)$", reads(DOCS / "how-to/django.md"), re.MULTILINE)
    assert len(shown) > 15
    assert [line for line in shown if line.strip() not in there] == []


@pytest.mark.parametrize("command", ["send", "preview", "check", "work", "paths"])
def test_every_option_of_the_command_line_is_on_its_page(command: str) -> None:
    """What --help lists is explained where commands are looked up."""
    said = subprocess.run(
        [sys.executable, "-m", "vetmail_core", command, "--help"], capture_output=True, text=True, check=True
    )
    options = set(re.findall(r"--[a-z][a-z-]+", said.stdout)) - {"--help"}
    page = reads(DOCS / "reference/command-line.md")
    assert command in page
    assert [option for option in sorted(options) if option not in page] == []


def test_the_glossary_is_in_the_order_of_the_alphabet() -> None:
    """A word is found without searching."""
    for section in reads(DOCS / "glossary.md").split("\n## ")[1:]:
        words = re.findall(r"^(\S.*)\n: ", section, re.MULTILINE)
        assert len(words) > 10
        assert words == sorted(words, key=str.casefold)


def test_the_type_checked_examples_use_every_public_name() -> None:
    """What mypy and pyright look at is the whole of the public interface."""
    checked = reads(TOP / "tests/typing/api.py") + reads(TOP / "tests/typing/kit.py")
    used = set(re.findall(r"\b[vt]\.(\w+)", checked))
    assert set(NAMES) - used == set()
