"""The identity of an email: batch and person."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core.bulk import plan_bulk
from vetmail_core.message import Content, Email
from vetmail_core.people import Person

CONTENT = Content("Hello ${first_name}", "Dear ${name}")


def emails(batch: str, *keys: str) -> list[Email]:
    """The emails of a batch to people with these keys."""
    people = [Person("ann@example.com", key=key) for key in keys]
    return list(plan_bulk(CONTENT, people, sender="office@example.com", batch=batch))


def test_the_key_is_made_of_batch_and_person() -> None:
    """It can be read by whoever looks into a ledger."""
    (email,) = emails("2026-T1 results", "C1001")
    assert email.key == "2026-T1 results/C1001"
    assert email.message_id


def test_without_a_batch_there_is_no_key() -> None:
    """Nothing would tell this mailing from the next one to the same person, so no identity is claimed."""
    (email,) = emails("", "C1001")
    assert (email.key, email.message_id) == ("", "")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("a", "b/c"), ("a/b", "c")),
        (("a%2Fb", "c"), ("a/b", "c")),
        (("a/", "b"), ("a", "/b")),
        (("a", "b"), ("b", "a")),
    ],
)
def test_different_batches_and_persons_never_come_to_one_key(
    one: tuple[str, str], two: tuple[str, str]
) -> None:
    """A slash in a batch cannot make two emails one: the second would be held for sent."""
    assert emails(*one)[0].key != emails(*two)[0].key
    assert emails(*one)[0].message_id != emails(*two)[0].message_id


@given(
    one=st.tuples(st.text(min_size=1), st.text(min_size=1)),
    two=st.tuples(st.text(min_size=1), st.text(min_size=1)),
)
def test_keys_are_equal_when_batch_and_person_are(one: tuple[str, str], two: tuple[str, str]) -> None:
    """Law: the key says the batch and the person, and nothing else."""
    assert (emails(*one)[0].key == emails(*two)[0].key) == (one == two)


def test_the_key_depends_on_nothing_else() -> None:
    """Not on the content, the order, the address, nor on who else is written to."""
    alone = plan_bulk(CONTENT, [Person("ann@example.com", key="C1")], sender="office@example.com", batch="b")
    among = plan_bulk(
        Content("Another"),
        [Person("bob@example.com"), Person("ann.lee@example.com", key="C1", name="Ann")],
        sender="office@example.com",
        cc="jo@example.com",
        batch="b",
    )
    assert next(iter(alone)).key == list(among)[1].key
    assert next(iter(alone)).message_id == list(among)[1].message_id


ELSEWHERE = """
import json, sys
from vetmail_core import Content, Person, plan_bulk
batch, people = json.loads(sys.stdin.read())
plan = plan_bulk(
    Content("Hello ${first_name}", "Dear ${name}"),
    [Person(f"{n}@example.com", key=key, name=name) for n, (key, name) in enumerate(people)],
    sender="office@example.com", cc="jo@example.com", batch=batch,
)
print(json.dumps([(email.key, email.message_id, email.content.text) for email in plan]))
"""


def test_another_process_makes_the_same_keys_and_message_ids() -> None:
    """Law: same batch and same person, same identity, on every run and machine (hash seeds differ)."""
    batch = "2026-T1 results / Zoë's"
    people = [("C1", "Ann Lee"), ("", "Bob"), ("Ünïcode/%", "Lee, Cat"), ("C1", "Ann again"), ("4", "")]

    def elsewhere(seed: str) -> object:
        ran = subprocess.run(
            [sys.executable, "-c", ELSEWHERE],
            input=json.dumps([batch, people]),
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        return json.loads(ran.stdout)

    here = [
        [email.key, email.message_id, email.content.text]
        for email in plan_bulk(
            CONTENT,
            [Person(f"{n}@example.com", key=key, name=name) for n, (key, name) in enumerate(people)],
            sender="office@example.com",
            cc="jo@example.com",
            batch=batch,
        )
    ]
    assert len(here) == 4
    assert elsewhere("1") == elsewhere("2") == here
