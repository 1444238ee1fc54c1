"""To, CC and BCC of one email."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vetmail_core.address import Mailbox
from vetmail_core.errors import AddressError, AddressListError
from vetmail_core.recipients import Recipients

A, B, C = (Mailbox(f"{name}@example.com") for name in "abc")
ANN, BOB = Mailbox("a@example.com", "Ann"), Mailbox("a@EXAMPLE.com", "Bob")

mailboxes = st.lists(
    st.builds(
        Mailbox,
        st.sampled_from(
            ["a@example.com", "a@EXAMPLE.com", "A@example.com", "b@example.com", "c@example.com"]
        ),
        st.sampled_from(["", "Ann", "Bob"]),
    ),
    max_size=6,
)
recipients = st.builds(Recipients, to=mailboxes, cc=mailboxes, bcc=mailboxes)


@pytest.mark.parametrize(
    "given",
    [
        "a@example.com",
        A,
        ["a@example.com"],
        [A],
        (A,),
        iter([A]),
        {"a@example.com": 1},
    ],
)
def test_mailboxes_come_as_one_or_as_any_iterable(given: str) -> None:
    """One string, one mailbox, or an iterable of either."""
    assert Recipients(to=given) == Recipients(to=(A,))
    assert Recipients(to=A).to == (A,)


@pytest.mark.parametrize("nobody", ["", "  ", (), [], None])
def test_nothing_is_nobody(nobody: str) -> None:
    """An empty box of a compose screen adds nobody, and recipients without anybody are false."""
    assert not Recipients(to=nobody, cc=nobody, bcc=nobody)
    assert Recipients(to=nobody).all == ()


@pytest.mark.parametrize("box", ["to", "cc", "bcc"])
def test_one_person_in_any_box_is_somebody(box: str) -> None:
    """Recipients are true when anybody would receive the email."""
    found = Recipients(**{box: "a@example.com"})
    assert found
    assert found.all == (A,)


def test_a_string_is_a_list_read_strictly_at_semicolons() -> None:
    """Another separator goes through ``Recipients.parse``; in an iterable each string is one mailbox."""
    assert Recipients(to="a@example.com; b@example.com").to == (A, B)
    with pytest.raises(AddressError):
        Recipients(to="a@example.com, b@example.com")
    with pytest.raises(AddressError):
        Recipients(to=["a@example.com; b@example.com"])


@pytest.mark.parametrize(
    ("to", "cc", "bcc", "expected"),
    [
        ((A, A), (), (), ((A,), (), ())),
        ((A,), (A,), (), ((A,), (), ())),
        ((A,), (), (A,), ((A,), (), ())),
        ((), (A,), (A,), ((), (A,), ())),
        ((A,), (B, A, B), (C, B, A), ((A,), (B,), (C,))),
        ((ANN,), (BOB,), (), ((ANN,), (), ())),
        ((A,), (Mailbox("A@example.com"),), (), ((A,), (Mailbox("A@example.com"),), ())),
    ],
)  # fmt: skip
def test_an_address_stands_once_to_over_cc_over_bcc(
    to: tuple[Mailbox, ...],
    cc: tuple[Mailbox, ...],
    bcc: tuple[Mailbox, ...],
    expected: tuple[tuple[Mailbox, ...], ...],
) -> None:
    """One address, one place: the best; only the domain's capitals make no difference."""
    found = Recipients(to, cc, bcc)
    assert (found.to, found.cc, found.bcc) == expected


@pytest.mark.parametrize("given", [[5], [None], [A, b"b@example.com"], iter([Recipients()])])
def test_what_is_no_mailbox_is_refused(given: list[Mailbox]) -> None:
    """One alone too: recipients that exist are valid."""
    with pytest.raises(TypeError, match=r"got (int|NoneType|bytes|Recipients)"):
        Recipients(given)


def test_recipients_unite_with_recipients_only() -> None:
    """A text beside them may be a list or one mailbox: say which."""
    with pytest.raises(TypeError, match="unsupported operand"):
        Recipients(A) | "b@example.com"  # type: ignore[operator]


def test_two_recipients_unite() -> None:
    """The union keeps the order, and the law."""
    assert Recipients(to=A, bcc=C) | Recipients(to=B, cc=[A, C]) == Recipients(to=[A, B], cc=[C])


@settings(deadline=None)  # a busy machine is not slow code
@given(one=recipients, two=recipients)
def test_to_cc_and_bcc_are_disjoint_and_lose_nobody(one: Recipients, two: Recipients) -> None:
    """Law: an address stands once, and every address given stands somewhere."""
    both = one | two
    keys = [mailbox.address_key for mailbox in both.all]
    assert len(keys) == len(set(keys))
    assert set(keys) == {mailbox.address_key for mailbox in one.all + two.all}
    assert both == (both | one | two)
    assert bool(both) == (bool(one) or bool(two))


@settings(deadline=None)  # a busy machine is not slow code
@given(found=recipients, mailbox=mailboxes.filter(len).map(lambda many: many[0]))
def test_somebody_addressed_stands_first_and_is_copied_on_nothing(
    found: Recipients, mailbox: Mailbox
) -> None:
    """``addressed_to`` is the union with that person in front."""
    assert found.addressed_to(mailbox) == Recipients(to=mailbox) | found
    assert found.addressed_to(mailbox).to[0] == mailbox


def test_the_boxes_of_a_compose_screen_are_read_at_the_separator() -> None:
    """Names may hold the separator in quotes."""
    found = Recipients.parse(
        to='a@example.com; "Lee; Ann" <b@example.com>', cc="", bcc="c@example.com;a@example.com"
    )
    assert found == Recipients(to=[A, Mailbox("b@example.com", "Lee; Ann")], bcc=[C])
    assert Recipients.parse(to="a@example.com, b@example.com", separator=",") == Recipients(to=[A, B])


def test_the_boxes_can_be_read_leniently() -> None:
    """What can be forgiven without guessing is forgiven when asked for."""
    text = "Ann <a@example.com>, b@example.com"
    assert Recipients.parse(to=text, lenient=True).to == (Mailbox("a@example.com", "Ann"), B)
    with pytest.raises(AddressListError, match="does not separate addresses here"):
        Recipients.parse(to=text)


@pytest.mark.parametrize(("box", "label"), [("to", "To"), ("cc", "CC"), ("bcc", "BCC")])
def test_a_bad_entry_is_named_with_its_box(box: str, label: str) -> None:
    """The person who typed three boxes learns which one to look at, and all that is wrong in it."""
    with pytest.raises(AddressListError, match=f"^{label}: ") as caught:
        Recipients.parse(**{box: "a@example.com; b@; @c"})  # type: ignore[arg-type]
    assert len(caught.value.errors) == 2
    assert caught.value.mailboxes == (A,)
    assert caught.value.text == "a@example.com; b@; @c"
