"""A plan is a stream."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from vetmail_core.bulk import plan_bulk
from vetmail_core.bulk.seen import SeenKeys
from vetmail_core.errors import RecipientsError
from vetmail_core.message import Content
from vetmail_core.people import Person

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = Content("Hello ${first_name}", "Dear ${name}")


def students(pulled: list[int] | None = None) -> Iterator[Person]:
    """One student after the other, without end."""
    for number in itertools.count():
        if pulled is not None:
            pulled.append(number)
        yield Person(f"s{number}@example.com", key=f"C{number}", name="Ann Lee")


def test_an_endless_generator_is_planned() -> None:
    """The emails come as they are asked for."""
    plan = plan_bulk(CONTENT, students(), sender="office@example.com", cc="jo@example.com", batch="b")
    emails = list(itertools.islice(plan, 1000))
    assert len({email.key for email in emails}) == 1000


def test_at_most_one_person_is_pulled_ahead() -> None:
    """Whoever was not reached when a run is cancelled has not been read."""
    pulled: list[int] = []
    plan = plan_bulk(CONTENT, students(pulled), sender="office@example.com")
    assert pulled == []
    walk = iter(plan)
    assert pulled == []
    for made in range(1, 10):
        next(walk)
        assert len(pulled) <= made + 1


def test_a_list_is_walked_as_often_as_you_like() -> None:
    """Preview, send, and send again; also in between one another."""
    people = list(itertools.islice(students(), 5))
    plan = plan_bulk(CONTENT, people, sender="office@example.com", cc="jo@example.com", batch="b")
    assert plan.summary() == plan.summary()
    assert list(plan) == list(plan)
    assert [one for one, _ in zip(plan, plan, strict=True)] == list(plan)


def test_an_object_that_reads_its_people_anew_is_walked_as_often_as_you_like() -> None:
    """A file or a query behind ``__iter__`` can be previewed and sent without being held in memory."""

    class Register:
        def __iter__(self) -> Iterator[Person]:
            return itertools.islice(students(), 5)

    plan = plan_bulk(CONTENT, Register(), sender="office@example.com")
    assert plan.summary().emails == 5
    assert len(list(plan)) == 5


@pytest.mark.parametrize("first", ["steps", "summary", "__iter__", "copy_exclusions"])
@pytest.mark.parametrize("second", ["steps", "summary", "__iter__", "copy_exclusions"])
def test_a_generator_is_walked_once_and_says_so(first: str, second: str) -> None:
    """A run behind a preview that used the people up must not quietly write to nobody."""
    plan = plan_bulk(CONTENT, itertools.islice(students(), 5), sender="office@example.com")
    walked = getattr(plan, first)()
    assert first == "summary" or len(list(walked)) in {0, 5}
    with pytest.raises(RecipientsError, match="can be read once, and it has been read"):
        list(getattr(plan, second)())


def test_the_memory_of_a_walk_is_a_few_bytes_a_person() -> None:
    """Nothing is kept of a person but what finds them a second time."""

    def held(people: int) -> int:
        plan = plan_bulk(
            CONTENT, itertools.islice(students(), people), sender="office@example.com", batch="b"
        )
        gc.collect()
        tracemalloc.start()
        try:
            for _ in plan:
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    held(100)  # what is made once and stays
    few, many = held(3_000), held(9_000)
    # 8 bytes for the digest, and what an array keeps in reserve.
    assert (many - few) / 6_000 < 20


def test_seen_keys_are_new_once() -> None:
    """Each key is new the first time, and known ever after."""
    seen = SeenKeys()
    keys = [f"C{number}" for number in range(20_000)] + ["", "Zoë", "\ud800"]
    assert all(seen.meet(key) for key in keys)
    assert not any(seen.meet(key) for key in keys)
