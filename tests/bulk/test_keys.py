"""The identity of an email: batch and person."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vetmail_core.bulk import plan_bulk
from vetmail_core.message import Content, Email
from vetmail_core.people import Person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTENT = Content("Hello ${first_name|}", "Dear ${name|student}")


def emails(batch: str | None, *keys: str) -> list[Email]:
    """The emails of a batch to people with these keys."""
    people = [Person("ann@example.com", key=key) for key in keys]
    return list(plan_bulk(CONTENT, people, sender="office@example.com", batch=batch))


def test_the_key_is_made_of_batch_and_person() -> None:
    """It can be read by whoever looks into a ledger."""
    (email,) = emails("2026-T1 results", "C1001")
    assert email.key == "2026-T1 results/C1001"
    assert email.message_id


@pytest.mark.parametrize("batch", ["", None])
def test_without_a_batch_there_is_no_key(batch: str | None) -> None:
    """Nothing would tell this mailing from the next one to the same person, so no identity is claimed."""
    (email,) = emails(batch, "C1001")
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


@settings(deadline=None)  # a busy machine is not slow code
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
for line in sys.stdin:
    batch, sender, people = json.loads(line)
    plan = plan_bulk(
        Content("Hello ${first_name|}", "Dear ${name|student}"),
        [Person(address, key=key, name=name) for address, key, name in people],
        sender=sender, cc="jo@example.com", batch=batch,
    )
    print(json.dumps([(email.key, email.message_id, email.content.text) for email in plan]), flush=True)
"""


@pytest.fixture(scope="module", params=["1", "2"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Callable[[object], object]]:
    """Another process, with a hash seed of its own, that plans what it is told."""
    with subprocess.Popen(
        [sys.executable, "-c", ELSEWHERE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": request.param},
    ) as process:
        questions, answers = process.stdin, process.stdout
        assert questions is not None
        assert answers is not None

        def ask(question: object) -> object:
            questions.write(json.dumps(question) + "\n")
            questions.flush()
            return json.loads(answers.readline())

        yield ask
        questions.close()


addresses = st.sampled_from(
    ["ann@example.com", "bob@example.com", "Bob@EXAMPLE.com", "zoë@exämple.example", "bad@"]
)
people = st.lists(
    st.tuples(addresses, st.text(max_size=10), st.sampled_from(["", "Ann Lee", "Lee, Zoë"])), max_size=5
)


@settings(deadline=None)  # a busy machine is not slow code
@given(
    batch=st.text(min_size=1, max_size=20),
    sender=addresses.filter(lambda text: text != "bad@"),
    people=people,
)
def test_another_process_makes_the_same_keys_and_message_ids(
    elsewhere: Callable[[object], object], batch: str, sender: str, people: list[tuple[str, str, str]]
) -> None:
    """Law: same batch and same person, same identity, on every run and machine."""
    plan = plan_bulk(
        CONTENT,
        [Person(address, key=key, name=name) for address, key, name in people],
        sender=sender,
        cc="jo@example.com",
        batch=batch,
    )
    here = [[email.key, email.message_id, email.content.text] for email in plan]
    assert elsewhere([batch, sender, people]) == here
    assert all(key and message_id for key, message_id, _ in here)


@pytest.mark.parametrize("batch", ["", "b", "2026/T1 50%"])
def test_the_key_of_an_email_leads_back_to_the_person(batch: str) -> None:
    """Whoever reads a report knows the person by the host's own key."""
    people = [Person("a@example.com", key="K/1"), Person("b@example.com", key="%2F")]
    plan = plan_bulk(Content("Hello"), people, sender="office@example.com", batch=batch)
    assert [plan.person_key(email) for email in plan] == (["K/1", "%2F"] if batch else ["", ""])
