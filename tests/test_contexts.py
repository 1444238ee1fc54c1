"""E-mail contexts: the catalogue and the rules of one."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vetmail_core.contexts import ROLE_LABELS, STANDARD_CONTEXTS, EmailContext, RecipientType, find_context
from vetmail_core.errors import PreferencesError

if TYPE_CHECKING:
    from collections.abc import Mapping

REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "contexts.md"
KEYS = [
    "occurrence_class",
    "occurrence",
    "client",
    "enrolment",
    "contract",
    "employer",
    "invoice",
    "payment_plan",
    "award",
    "attendance",
    "placement",
    "event",
    "task",
    "staff",
    "web_enrolment",
    "waitlist",
    "portal_notification",
    "account",
]
ROLES = [
    "client",
    "class_staff",
    "occurrence_staff",
    "enrolment_staff",
    "contract_staff",
    "event_staff",
    "employer",
    "employer_contact",
    "employer_primary_contact",
    "host_employer_contact",
    "supervising_staff",
    "guardian",
    "emergency_contact",
    "invoicee",
    "staff",
    "sender",
]


def test_the_catalogue_holds_every_context_under_its_key() -> None:
    """A host names a context by its key and finds it."""
    assert list(STANDARD_CONTEXTS) == KEYS
    assert all(key == context.key for key, context in STANDARD_CONTEXTS.items())


def test_every_role_has_a_label() -> None:
    """A screen has a word for each role it may have to show."""
    assert list(ROLE_LABELS) == ROLES
    used = {role for context in STANDARD_CONTEXTS.values() for role in (*context.to_roles, *context.roles)}
    assert used <= set(ROLE_LABELS)
    assert all(ROLE_LABELS.values())


def test_vettraks_own_example_is_the_one_default() -> None:
    """Every e-mail to an occurrence class copies its staff; nobody else is copied unasked."""
    defaults = {key: dict(context.defaults) for key, context in STANDARD_CONTEXTS.items() if context.defaults}
    assert defaults == {"occurrence_class": {"class_staff": RecipientType.CC}}


def test_mail_with_passwords_or_personal_results_is_private() -> None:
    """And therefore offers nobody to copy."""
    private = {key: context.roles for key, context in STANDARD_CONTEXTS.items() if context.private}
    assert private == {"portal_notification": (), "account": ()}


def test_recipient_types_have_the_written_values() -> None:
    """The values stand in preferences files."""
    assert [kind.value for kind in RecipientType] == ["to", "cc", "bcc", "none"]


def test_the_catalogue_is_read_only() -> None:
    """One host cannot change it for another in the same process."""
    with pytest.raises(TypeError):
        STANDARD_CONTEXTS["client"] = STANDARD_CONTEXTS["award"]  # type: ignore[index]
    with pytest.raises(TypeError):
        STANDARD_CONTEXTS["occurrence_class"].defaults["guardian"] = RecipientType.CC  # type: ignore[index]


def test_a_context_of_ones_own_takes_any_iterable_and_keeps_tuples() -> None:
    """The product may have more contexts than are known here."""
    rules = {"trainer": RecipientType.BCC}
    context = EmailContext(
        "excursion", "Excursion", to_roles=["client"], roles=iter(["trainer"]), defaults=rules
    )
    rules.clear()
    assert context.to_roles == ("client",)
    assert context.roles == ("trainer",)
    assert dict(context.defaults) == {"trainer": RecipientType.BCC}


def test_one_role_may_stand_alone() -> None:
    """A text is one role, and not a role for each of its letters."""
    context = EmailContext("visit", "Visit", to_roles="client", roles="guardian")
    assert (context.to_roles, context.roles) == (("client",), ("guardian",))


def test_a_context_is_a_value() -> None:
    """It can be compared, hashed, copied and sent to another process."""
    context = STANDARD_CONTEXTS["occurrence_class"]
    assert pickle.loads(pickle.dumps(context)) == context  # noqa: S301 - our own bytes
    assert copy.deepcopy(context) == context
    assert hash(copy.copy(context)) == hash(context)
    assert context != STANDARD_CONTEXTS["occurrence"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"key": ""}, "needs a key"),
        ({"to_roles": ()}, "no role to write to"),
        ({"roles": ("",)}, "an empty text"),
        ({"roles": ("guardian", "guardian")}, "names one role twice"),
        ({"roles": ("client",)}, "names one role twice"),
        ({"defaults": {"employer": RecipientType.CC}}, 'defaults name "employer"'),
        ({"key": "account"}, "so it is private"),
        ({"key": "portal_notification"}, "so it is private"),
        ({"key": 5}, "Its key must be text"),
        ({"key": ["k"]}, "Its key must be text"),
        ({"roles": (5,)}, "Every role must be text"),
        ({"to_roles": (["client"],)}, "Every role must be text"),
        (
            {"roles": ("guardian",), "defaults": {"guardian": "cc"}},
            'default for "guardian" is no RecipientType',
        ),
        ({"private": True, "roles": ("guardian",)}, "It is private"),
        ({"private": True, "defaults": {"client": RecipientType.CC}}, "It is private"),
    ],
)
def test_a_context_that_contradicts_itself_is_refused(changes: Mapping[str, object], fault: str) -> None:
    """At once, where it is made."""
    values: dict[str, object] = {"key": "k", "label": "K", "to_roles": ("client",), **changes}
    with pytest.raises(PreferencesError, match=fault) as caught:
        EmailContext(**values)  # type: ignore[arg-type]  # the table's values
    assert caught.value.problems[0].setting == f"contexts.{values['key']}"


def test_all_contradictions_are_named_together() -> None:
    """Nobody repairs one to hear of the next."""
    with pytest.raises(PreferencesError) as caught:
        EmailContext("", "", to_roles=(), roles=("", ""), defaults={"x": RecipientType.CC}, private=True)
    assert len(caught.value.problems) == 6


def test_a_context_is_found_by_its_key_or_is_itself() -> None:
    """A host's own needs no place in the catalogue."""
    visit = EmailContext("visit", "Visit", to_roles="client")
    assert find_context("client") is STANDARD_CONTEXTS["client"]
    assert find_context(visit) is visit
    assert find_context("visit") is None


def test_the_reference_gives_evidence_for_every_context_and_role() -> None:
    """A new one comes with the page it is from, or with the word that it is ours."""
    text = REFERENCE.read_text(encoding="utf-8")
    evidence = text[text.index("| context | evidence |") : text.index("## Signatures")]
    contexts, _, roles = evidence.partition("| role | evidence |")
    assert set(re.findall("`([a-z_]+)`", contexts)) == set(STANDARD_CONTEXTS)
    assert set(re.findall("`([a-z_]+)`", roles)) == set(ROLE_LABELS)
    assert set(re.findall(r"\]\[([a-z-]+)\]", evidence)) == set(
        re.findall(r"(?m)^\[([a-z-]+)\]: https://", evidence)
    )


def test_the_reference_lists_whom_each_context_writes_to() -> None:
    """The table a reader looks up is the catalogue itself."""
    rows = re.findall(r"(?m)^\| `([a-z_]+)` \| ([a-z, ]+) \|", REFERENCE.read_text(encoding="utf-8"))
    written_to = {key: tuple(roles.split(", ")) for key, roles in rows}
    assert written_to == {key: context.to_roles for key, context in STANDARD_CONTEXTS.items()}
