"""What a run does for some of an email's recipients leaves the others as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vetmail_core import Report, SqliteLedger, Status, deliver_once
from vetmail_core.ledger import LedgerState
from vetmail_core.ledger.policy import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from

ANN, BOB = "ann@example.com", "bob@example.com"
ACCEPTED, REFUSED, DEFERRED = Status.ACCEPTED, Status.REFUSED, Status.DEFERRED
UNKNOWN, NOT_ATTEMPTED = Status.UNKNOWN, Status.NOT_ATTEMPTED


def run_that_dies(path: Path, emails: Sequence[Make], box: Make, *, retry_unknown: bool = False) -> None:
    """A run that is killed after it has sent, and before any answer was heard."""
    ledger = SqliteLedger(path)
    run = ledger.open_run()
    standings = run.claim(emails, retry_unknown=retry_unknown)
    for email, standing in zip(emails, standings, strict=True):
        if standing.verdict is Verdict.SEND:
            run.begin(email)
            box.sent.append(
                tuple(m.addr_spec for m in email.recipients.all if m.address_key not in standing.known)
            )
    run._marks.close(keep=True)
    ledger._store.close()


RETRIED = [
    # how it ended for Ann at first; for Bob, who was put off, in the retry; whom the whole run then sends to;
    # what the ledger knows before that
    (ACCEPTED, DEFERRED, [(BOB,)], LedgerState.DEFERRED),
    (ACCEPTED, NOT_ATTEMPTED, [(BOB,)], LedgerState.DEFERRED),
    (ACCEPTED, ACCEPTED, [], LedgerState.ACCEPTED),
    (UNKNOWN, DEFERRED, [(BOB,)], LedgerState.UNKNOWN),
    (UNKNOWN, ACCEPTED, [], LedgerState.UNKNOWN),
    (UNKNOWN, REFUSED, [], LedgerState.UNKNOWN),
    (REFUSED, ACCEPTED, [], LedgerState.ACCEPTED),
    (REFUSED, REFUSED, [], LedgerState.REFUSED),
    (REFUSED, DEFERRED, [(BOB,)], LedgerState.DEFERRED),
    (DEFERRED, DEFERRED, [(ANN, BOB)], LedgerState.DEFERRED),
]


@pytest.mark.parametrize(("ann", "bob", "sent", "state"), RETRIED)
def test_the_retry_of_a_report_leaves_those_it_is_not_for(
    path: Path, postbox: Make, email: Make, *, ann: Status, bob: Status, sent: list[Any], state: LedgerState
) -> None:
    """It is sent to Bob alone, under the same key; the whole run is started again after it."""
    one, box = email(ANN, cc=[BOB]), postbox()
    with SqliteLedger(path) as ledger:
        first = list(deliver_once(ledger, postbox({ANN: ann, BOB: DEFERRED}), [one]))
        again = Report(failures=first).retry()
        list(deliver_once(ledger, postbox({ANN: ann, BOB: bob}), again))
        assert ledger.state(one.key) is state
        list(deliver_once(ledger, box, [one]))
        assert box.sent == sent
        assert (ledger.state(one.key) is LedgerState.UNKNOWN) is (ann is UNKNOWN), "a doubt stays"


@pytest.mark.parametrize(("ann", "bob"), [(ACCEPTED, DEFERRED), (UNKNOWN, DEFERRED), (UNKNOWN, ACCEPTED)])
def test_a_host_that_settles_for_some_leaves_the_others(
    path: Path, postbox: Make, email: Make, ann: Status, bob: Status
) -> None:
    """By `settle` itself, without putting the email down first."""
    one, box = email(ANN, cc=[BOB]), postbox({ANN: ann, BOB: DEFERRED})
    with SqliteLedger(path) as ledger:
        ledger.settle(box.receipt(one))
        ledger.settle(postbox({BOB: bob}).receipt(email(BOB, key=ANN)))
        box = postbox()
        list(deliver_once(ledger, box, [one]))
        assert box.to(ANN) == 0
        assert box.to(BOB) == (bob is DEFERRED)


@pytest.mark.parametrize("bob", [UNKNOWN, DEFERRED])
def test_a_doubt_that_was_to_be_tried_again_and_was_not_is_still_one(
    path: Path, postbox: Make, email: Make, bob: Status
) -> None:
    """Somebody chose to send again, and the run ended before Ann's turn: the choice is theirs once more."""
    one, box = email(ANN, cc=[BOB]), postbox()
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox({ANN: UNKNOWN, BOB: bob}), [one]))
        list(deliver_once(ledger, postbox({ANN: NOT_ATTEMPTED}), [one], retry_unknown=True))
        (receipt,) = deliver_once(ledger, box, [one])
    assert box.sent == []
    assert [outcome.status for outcome in receipt.outcomes] == [UNKNOWN, ACCEPTED]


KILLED = [
    # how it ended for both in the run before; how it stands after the kill of the next
    (ACCEPTED, DEFERRED, [ACCEPTED, UNKNOWN]),
    (ACCEPTED, NOT_ATTEMPTED, [ACCEPTED, UNKNOWN]),
    (REFUSED, DEFERRED, [REFUSED, UNKNOWN]),
    (UNKNOWN, DEFERRED, [UNKNOWN, UNKNOWN]),
    (UNKNOWN, NOT_ATTEMPTED, [UNKNOWN, UNKNOWN]),
    (DEFERRED, DEFERRED, [UNKNOWN, UNKNOWN]),
    (DEFERRED, NOT_ATTEMPTED, [UNKNOWN, UNKNOWN]),
]


@pytest.mark.parametrize(("ann", "bob", "after"), KILLED)
def test_whoever_a_killed_run_was_sending_to_is_in_doubt(
    path: Path, postbox: Make, email: Make, ann: Status, bob: Status, after: list[Status]
) -> None:
    """Also where an earlier run had put them off; whoever was answered for stays so."""
    one, box = email(ANN, cc=[BOB]), postbox()
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox({ANN: ann, BOB: bob}), [one]))
    run_that_dies(path, [one], postbox())
    with SqliteLedger(path) as ledger:
        assert ledger.in_doubt() == (one.key,)
        (receipt,) = deliver_once(ledger, box, [one])
    assert box.sent == []
    assert [outcome.status for outcome in receipt.outcomes] == after


DOUBT_ENDED = [
    # how; whom the next run sends to; the state of the whole email, before that run
    (LedgerState.ACCEPTED, [], LedgerState.ACCEPTED),
    (LedgerState.DEFERRED, [(BOB,)], LedgerState.DEFERRED),
    (LedgerState.REFUSED, [], LedgerState.ACCEPTED),
]


@pytest.mark.parametrize("corrected", [False, True], ids=["same address", "corrected address"])
@pytest.mark.parametrize(("end", "sent", "state"), DOUBT_ENDED)
def test_the_doubt_that_a_kill_left_ends_for_those_it_is_about(
    path: Path, postbox: Make, email: Make, *, end: LedgerState, sent: list[Any], state: LedgerState,
    corrected: bool,
) -> None:  # fmt: skip
    """Ann has the email; Bob, perhaps at an address that was corrected meanwhile, was in doubt."""
    one, box = email(ANN, cc=[BOB]), postbox()
    before = email(ANN, cc=["bobb@example.com"]) if corrected else one
    fates = {"bobb@example.com": DEFERRED, BOB: DEFERRED}
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox(fates), [before]))
    run_that_dies(path, [one], postbox())
    with SqliteLedger(path) as ledger:
        ledger.resolve(one.key, end)
        if not corrected:  # the old address is in doubt as well, as nobody can say that it is no more
            assert ledger.state(one.key) is state
        list(deliver_once(ledger, box, [one]))
        assert box.sent == sent
        assert list(deliver_once(ledger, box, [one])) == []
        assert corrected or ledger.state(one.key) is LedgerState.ACCEPTED


FATES = st.sampled_from([ACCEPTED, REFUSED, DEFERRED, UNKNOWN, NOT_ATTEMPTED])
KINDS = st.sampled_from(["whole", "retry", "killed"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kinds=st.lists(KINDS, min_size=1, max_size=5))
def test_nobody_who_has_or_may_have_it_is_sent_to_by_any_order_of_runs(
    tmp_path_factory: pytest.TempPathFactory,
    postbox: Make,
    email: Make,
    data: st.DataObject,
    kinds: list[str],
) -> None:
    """Whole runs, retries of a report and kills, whatever servers answer; and nobody is forgotten."""
    path = tmp_path_factory.mktemp("law") / "ledger"
    emails = [email(f"p{n}@example.com", cc=[f"c{n}@example.com", f"d{n}@example.com"]) for n in range(2)]
    addresses = [m.addr_spec for one in emails for m in one.recipients.all]
    final = dict.fromkeys(addresses, NOT_ATTEMPTED)
    for kind in kinds:
        fates = {address: data.draw(FATES) for address in addresses}
        box = postbox(fates)
        if kind == "killed":
            run_that_dies(path, emails, box)
            fates = dict.fromkeys(addresses, UNKNOWN)
        with SqliteLedger(path) as ledger:
            if kind == "whole":
                list(deliver_once(ledger, box, emails))
            elif kind == "retry":
                failures = [postbox(final).receipt(one) for one in emails]
                list(deliver_once(ledger, box, Report(failures=failures).retry()))
        for address in (address for recipients in box.sent for address in recipients):
            assert final[address] in {DEFERRED, NOT_ATTEMPTED}
            if fates[address] is not NOT_ATTEMPTED:
                final[address] = fates[address]
    with SqliteLedger(path) as ledger:
        box = postbox(dict.fromkeys(addresses, NOT_ATTEMPTED))
        found = {
            outcome.mailbox.addr_spec: outcome.status
            for receipt in deliver_once(ledger, box, emails)
            for outcome in receipt.outcomes
        }
    for address, status in final.items():
        if status in {DEFERRED, NOT_ATTEMPTED}:
            assert box.to(address) == 1, "nobody is forgotten"
        else:
            assert box.to(address) == 0
            assert found.get(address, status) is status
