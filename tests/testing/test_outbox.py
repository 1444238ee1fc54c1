"""The recording transport: what it takes, what it remembers, what counts as looked at."""

from __future__ import annotations

import unittest
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core import (
    BulkCopies,
    Cause,
    Content,
    DeliveryError,
    EmlTransport,
    Mailbox,
    Mailer,
    MailServer,
    Person,
    Receipt,
    RedirectAll,
    Settings,
    SqliteLedger,
    Status,
    Transport,
    TransportError,
)
from vetmail_core.testing import (
    FakeClock,
    Faults,
    Outbox,
    a_staff_member,
    a_student,
    capture,
    content,
    email,
    preferences,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_the_readme_of_the_kit_holds() -> None:
    """One bad address spoils nothing, and a look at the receipt is a look."""
    with capture() as outbox:
        outbox.faults.refuse("old@example.com", code=550, enhanced="5.1.1")
        receipt = outbox.mailer().send(content(), to="sam@example.com; old@example.com")
        assert [str(mailbox) for mailbox in receipt.accepted] == ["sam@example.com"]
        assert [str(mailbox) for mailbox in receipt.refused] == ["old@example.com"]


def test_a_receipt_that_nobody_reads_claims_nothing() -> None:
    """The library reads receipts; that is not a look."""
    outbox = Outbox()
    outbox.mailer().send(content(), to="sam@example.com")
    assert len(outbox.unclaimed) == 1
    assert "1 unclaimed" in repr(outbox)


def test_a_receipt_read_by_the_feature_claims_nothing() -> None:
    """The feature under test reads receipts too; the test has not looked."""
    feature: dict[str, object] = {}
    exec(  # noqa: S102 - a feature in a file of its own
        compile(
            "def notify(mailer, content):\n    return mailer.send(content, to='sam@example.com').ok",
            "portal.py",
            "exec",
        ),
        feature,
    )
    outbox = Outbox()
    assert feature["notify"](outbox.mailer(), content())  # type: ignore[operator] # made above
    assert len(outbox.unclaimed) == 1


def test_reading_a_record_claims_it_and_counting_does_not() -> None:
    """Email, receipt and data are looks; len, repr and number are none."""
    outbox = Outbox()
    list(outbox.deliver([email(), email(), email(), email()]))
    assert len(outbox) == 4
    assert repr(outbox.records[0]) == "<Record #1 'Your class moved' to sam@example.com>"
    assert [record.number for record in outbox.records] == [1, 2, 3, 4]
    assert len(outbox.unclaimed) == 4
    assert outbox.records[0].email.content.subject == "Your class moved"
    assert outbox.records[1].receipt.ok
    assert outbox.records[2].data.startswith(b"From: ")
    assert [record.number for record in outbox.unclaimed] == [4]


def test_a_watched_receipt_is_a_receipt() -> None:
    """Equal to the plain one both ways, with its hash, its repr, and evolvable."""
    outbox = Outbox()
    (watched,) = outbox.deliver([email()])
    plain = outbox.records[0].receipt
    assert type(plain) is Receipt
    assert watched == plain
    assert plain == watched
    assert watched != attrs.evolve(plain, attempts=2)
    assert watched.__eq__("a receipt") is NotImplemented
    assert hash(watched) == hash(plain)
    assert repr(watched) == repr(plain)
    assert attrs.evolve(watched, attempts=3).attempts == 3


def test_the_very_email_comes_back_and_is_stamped_on_the_wire() -> None:
    """Date and Message-ID are in the bytes; the email stays as it was handed over."""
    one = email()
    outbox = Outbox(clock=FakeClock(datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)))
    (receipt,) = outbox.deliver([one])
    assert receipt.email is one
    assert outbox.records[0].email is one
    data = outbox.records[0].data
    assert b"Date: Mon, 04 May 2026 03:02:01 +0000" in data
    assert b"Message-ID: <" in data


def test_mail_that_was_never_sent_has_the_bytes_it_would_have_had() -> None:
    """A login that fails leaves nothing on the wire; the record can be read all the same."""
    outbox = Outbox(faults=Faults().auth_fails())
    (receipt,) = outbox.deliver([email()])
    assert receipt.not_attempted
    assert b"Subject: Your class moved" in outbox.records[0].data


def test_more_recipients_than_a_message_may_have_are_answered_in_one_receipt() -> None:
    """The real transport sends it in parts; so does the outbox."""
    everybody = [f"student{number}@example.com" for number in range(250)]
    outbox = Outbox(faults=Faults().refuse("student249@example.com"))
    (receipt,) = outbox.deliver([email(bcc=everybody)])
    assert len(receipt.accepted) == 250
    assert [str(one) for one in receipt.refused] == ["student249@example.com"]


def test_a_message_above_the_servers_size_is_refused() -> None:
    """A fake that took it would be a liar."""
    outbox = Outbox(size_limit=2_000)
    small, large = outbox.deliver([email(), email(text="x\n" * 2_000)])
    assert small.ok
    assert {outcome.cause for outcome in large.outcomes} == {Cause.TOO_LARGE}


def test_nobody_accepted_is_a_delivery_error() -> None:
    """As with the real thing; the error holds the receipt, and reading it is a look."""
    outbox = Outbox(faults=Faults().refuse("old@example.com"))
    with pytest.raises(DeliveryError) as error:
        outbox.mailer().send(content(), to="old@example.com")
    assert error.value.receipt.refused
    outbox.verify()


def test_a_closed_outbox_takes_nothing_and_remembers_everything() -> None:
    """Closing is closing; a line of its own closes by itself."""
    with Outbox() as outbox:
        with outbox.mailer() as mailer:
            assert mailer.send(content(), to="sam@example.com").ok
        with outbox.line() as line:
            assert list(line.deliver([email()]))
            assert "Line into <Outbox" in repr(line)
    with pytest.raises(TransportError, match="closed"):
        outbox.deliver([email()])
    assert len(outbox) == 2
    assert isinstance(outbox, Transport)


def test_every_door_leads_into_the_same_record() -> None:
    """One email, bulk, a wrapper, a mailer of one's own; with what was given, and with its answer."""
    outbox = Outbox()
    one = outbox.mailer(staff=a_staff_member())
    assert one.send(content("One"), to="sam@example.com", headers={"X-Trial": "7"}).ok
    outbox.assert_sent(subject="One", headers={"X-Trial": "7"})
    mailer = outbox.mailer(preferences(settings=Settings(default_from=Mailbox("office@example.com"))))
    assert mailer.send_bulk(mailer.plan_bulk(content("Bulk"), [a_student("Sam"), a_student("Pat")])).ok
    list(RedirectAll(outbox, "trial@example.com").deliver([email(subject="Wrapped")]))
    Mailer(preferences(), transport=outbox).send(content("Own"), to="sam@example.com")
    subjects = [record.email.content.subject for record in outbox.records]
    assert subjects == ["One", "Bulk", "Bulk", "[for sam@example.com] Wrapped", "Own"]


def test_a_plan_tells_whom_it_left_out() -> None:
    """The hint knows about exclusions of a mailer made by the outbox."""
    outbox = Outbox()
    mailer = outbox.mailer()
    people = [a_student("Sam"), a_student("Lee", marketing=False)]
    mailer.send_bulk(mailer.plan_bulk(content(), people, marketing=True))
    assert [exclusion.person.name for exclusion in outbox.exclusions] == ["Lee"]
    with pytest.raises(AssertionError, match=r"lee@example\.com was left out of the plan"):
        outbox.assert_sent(to="lee@example.com")


def test_an_email_tells_whom_its_context_left_out_and_its_receipt_is_watched() -> None:
    """The receipt that names them is a copy; reading it is a look like any other."""
    outbox = Outbox()
    clients = (one for one in [a_student("Sam", active=False), a_student("Pat")])
    receipt = outbox.mailer().send(
        content(), context="client", people={"client": clients, "guardian": a_student("Mary")}
    )
    assert len(outbox.unclaimed) == 1
    assert receipt.warnings == ("Client: Sam is archived or no longer active",)
    assert not outbox.unclaimed
    with pytest.raises(AssertionError, match=r"sam@example\.com was left out"):
        outbox.assert_sent(to="sam@example.com")


@pytest.mark.parametrize(("built_in", "slept"), [(True, (0.5, 0.5)), (False, ())])
def test_the_wait_time_of_the_preferences_passes_on_the_clock(
    built_in: bool,  # noqa: FBT001 - a column of the table
    slept: tuple[float, ...],
) -> None:
    """From the end of one email to the beginning of the next; a mail program has none."""
    server = MailServer(host="mail.example.com", wait_between_emails_ms=500)
    clock = FakeClock()
    outbox = Outbox(clock=clock)
    mailer = outbox.mailer(preferences(use_built_in_client=built_in, mail_server=server))
    mailer.send_bulk(mailer.plan_bulk(content(), [a_student(name) for name in ("Sam", "Pat", "Lee")]))
    assert clock.slept == slept


def test_a_doubt_is_not_sent_again_unless_the_test_says_so() -> None:
    """The outbox's mailer answers a later run as any mailer does."""
    outbox = Outbox(faults=Faults().drop())
    mailer = outbox.mailer()
    plan = mailer.plan_bulk(content(), [a_student("Sam", key="C1")], batch="moved")
    with SqliteLedger(":memory:") as ledger:
        assert [mailer.send_bulk(plan, ledger=ledger).unknown for _ in range(2)] == [1, 1]
        assert len(outbox) == 1
        assert mailer.send_bulk(plan, ledger=ledger, retry_unknown=True).accepted == 1
    outbox.assert_sent(to="sam@example.com", times=1)
    outbox.assert_sent(unknown="sam@example.com", times=1)


def test_capture_is_strict_at_its_end_and_lets_other_errors_through() -> None:
    """Unclaimed mail fails the block; a failing block fails for its own reason."""
    with pytest.raises(AssertionError, match="no assertion looked at"), capture() as outbox:
        list(outbox.deliver([email()]))
    with pytest.raises(AssertionError, match="never fired"), capture(faults=Faults().drop()):
        pass
    with pytest.raises(KeyError), capture() as outbox:
        raise KeyError(*(len(list(outbox.deliver([email()]))),))
    with capture(strict=False, clock=FakeClock()) as outbox:
        list(outbox.deliver([email()]))


class TestUnderUnittest(unittest.TestCase):
    """The kit without pytest."""

    def setUp(self) -> None:
        """An outbox for each test."""
        self.outbox = self.enterContext(capture())

    def test_a_class_that_moved_tells_every_student(self) -> None:
        """Plain context managers do."""
        mailer = self.outbox.mailer()
        mailer.send_bulk(mailer.plan_bulk(content(), [a_student("Sam"), a_student("Pat")]))
        self.outbox.assert_sent(to="sam@example.com", times=1)
        self.outbox.assert_sent(to="pat@example.com", times=1)


def test_waits_pass_on_the_clock() -> None:
    """A server that throttles makes the run slower, and nobody sleeps."""
    outbox = Outbox(faults=Faults().throttle())
    list(outbox.deliver([email(), email()]))
    assert isinstance(outbox.clock, FakeClock)
    assert sum(outbox.clock.slept) > 0


def test_a_folder_reads_as_an_outbox(tmp_path: Path) -> None:
    """What a rehearsal wrote can be asked about, BCC and all."""
    with EmlTransport(tmp_path) as transport:
        list(transport.deliver([email(bcc="audit@example.org", key="class/1"), email("pat@example.com")]))
    outbox = Outbox.from_folder(tmp_path)
    record = outbox.assert_sent(to="sam@example.com", bcc="audit@example.org")
    assert [outcome.status for outcome in record.receipt.outcomes] == [Status.HANDED_OVER] * 2
    outbox.assert_bcc_hidden()
    assert len(outbox.unclaimed) == 1


def test_copies_of_a_bulk_run_can_be_counted() -> None:
    """CC goes with the first email, or with each, as the preferences say."""
    for copies, times in ((BulkCopies.FIRST_RECIPIENT, 1), (BulkCopies.EVERY_RECIPIENT, 3)):
        outbox = Outbox()
        settings = Settings(default_from=Mailbox("office@example.com"), bulk_copies=copies)
        mailer = outbox.mailer(preferences(settings=settings))
        people = [a_student(name) for name in ("Sam", "Pat", "Lee")]
        mailer.send_bulk(mailer.plan_bulk(content(), people, cc="head@example.com"))
        outbox.assert_sent(times=times, cc="head@example.com")


def test_one_failing_unittest_is_one_failure() -> None:
    """A test that has failed is not blamed again; mail that nobody looked at still fails one that passed."""

    class Case(unittest.TestCase):
        def setUp(self) -> None:
            self.outbox = self.enterContext(capture())
            self.outbox.mailer().send(content(), to="sam@example.com")

        def test_sent(self) -> None:
            self.outbox.assert_sent(to="pat@example.com")

        def test_none(self) -> None:
            with self.outbox.during() as sent:
                self.outbox.mailer().send(content(), to="sam@example.com")
            sent.assert_none()

        def test_not_looked_at(self) -> None:
            assert self.outbox is not None

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert (result.testsRun, len(result.failures), len(result.errors)) == (3, 3, 0)


@pytest.mark.parametrize("number", [1, 2])
def test_everything_in_an_outbox_can_be_looked_at_as_one_page(tmp_path: Path, number: int) -> None:
    """Who, what, what became of it, and who was left out; whatever the texts hold, it is text."""
    outbox = Outbox()
    mailer = outbox.mailer()
    people = [Person(f"p{n}@example.com", key=str(n), name=f"<b>P{n}</b>") for n in range(number)]
    people.append(Person(None, key="none", name="No Address"))
    mailer.send_bulk(mailer.plan_bulk(Content("Moved", "Room <7>", html="<p>Room 7</p>"), people))
    page = tmp_path / "outbox.html"
    outbox.save_page(page)
    text = page.read_text(encoding="utf-8")
    assert f"<h1>{number} email{'s' * (number > 1)}</h1>" in text
    assert "Room &lt;7&gt;" in text
    assert "<b>" not in text
    assert "<dt>Outcome</dt>" in text
    assert "No Address" in text
    assert text.count("<article>") == number
    assert outbox.unclaimed, "looking at the page is not a test's look"


def test_the_page_of_an_empty_outbox_says_so(tmp_path: Path) -> None:
    """No table of nobody."""
    Outbox().save_page(tmp_path / "outbox.html")
    text = (tmp_path / "outbox.html").read_text(encoding="utf-8")
    assert "<h1>0 emails</h1>" in text
    assert "Left out" not in text
