"""The pytest plugin, run in pytest: what it fails, what relaxes it, and what else runs beside it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    RunOne = Callable[..., pytest.RunResult]

_PORTAL = """
    def notify(mailer, content):
        return mailer.send(content, to="sam@example.com").ok
"""
_HEAD = """
    import pytest
    from portal import notify
    from vetmail_core import TlsMethod
    from vetmail_core.testing import content
"""
# Hypothesis would be loaded anew at the end of each run, which takes most of a second.
_LIGHT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


@pytest.fixture
def run(pytester: pytest.Pytester) -> RunOne:
    """Run a test file beside a feature that sends one email to Sam."""

    def run_one(body: str, *options: str, ini: str = "") -> pytest.RunResult:
        pytester.makeini(f"[pytest]\n{ini}\n")
        pytester.makepyfile(portal=_PORTAL)
        pytester.makepyfile(test_feature=_HEAD + body)
        return pytester.runpytest_inprocess(*_LIGHT, "-p", "no:randomly", *options)

    return run_one


_UNCLAIMED = """
    def test_feature(vetmail_outbox):
        notify(vetmail_outbox.mailer(), content())
"""
_UNUSED = """
    def test_feature(vetmail_outbox):
        vetmail_outbox.faults.refuse("old@example.com")
"""
_UNUSED_ON_THE_WIRE = """
    def test_feature(vetmail_smtpd):
        vetmail_smtpd.faults.refuse("old@example.com")
"""


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (_UNCLAIMED, "*1 email was sent that no assertion looked at:*"),
        (_UNUSED, "*1 scripted fault never fired*"),
        (_UNUSED_ON_THE_WIRE, "*1 scripted fault never fired*"),
    ],
)
def test_what_nobody_looked_at_fails_the_test_itself(run: RunOne, body: str, text: str) -> None:
    """It is the test's failure, not an error of its teardown."""
    result = run(body)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([text])


@pytest.mark.parametrize(
    ("body", "ini"),
    [
        (_UNCLAIMED, "vetmail_strict = false"),
        (_UNUSED, "vetmail_strict = false"),
        ("    @pytest.mark.vetmail_unclaimed_ok" + _UNCLAIMED, ""),
        ("    @pytest.mark.vetmail_unused_faults_ok" + _UNUSED, ""),
        (
            """
    def test_feature(vetmail_outbox):
        vetmail_outbox.ignore(to="sam@example.com")
        notify(vetmail_outbox.mailer(), content())
""",
            "",
        ),
        (
            """
    def test_feature(vetmail_outbox):
        notify(vetmail_outbox.mailer(), content())
        vetmail_outbox.assert_sent(to="sam@example.com")
""",
            "",
        ),
        (
            """
    def test_feature(vetmail_outbox):
        vetmail_outbox.faults.refuse("old@example.com", code=550, enhanced="5.1.1")
        receipt = vetmail_outbox.mailer().send(content(), to="sam@example.com; old@example.com")
        assert [str(m) for m in receipt.accepted] == ["sam@example.com"]
""",
            "",
        ),
        ("\n    def test_feature(vetmail_outbox):\n        vetmail_outbox.assert_none()\n", ""),
    ],
    ids=[
        "ini-mail",
        "ini-fault",
        "marker-mail",
        "marker-fault",
        "ignore",
        "asserted",
        "receipt-read",
        "none",
    ],
)
def test_what_relaxes_it_or_claims_the_mail(run: RunOne, body: str, ini: str) -> None:
    """Ini option, markers, ignore, an assertion, a receipt read in the test."""
    run(body, "--strict-markers", ini=ini).assert_outcomes(passed=1)


def test_the_marker_for_mail_does_not_excuse_a_fault(run: RunOne) -> None:
    """Each marker relaxes what it names."""
    run("    @pytest.mark.vetmail_unclaimed_ok" + _UNUSED).assert_outcomes(failed=1)


def test_a_test_that_fails_fails_for_its_own_reason(run: RunOne) -> None:
    """Unclaimed mail is not put on top."""
    result = run(_UNCLAIMED + "        assert 1 == 2\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 1 == 2*"])
    result.stdout.no_fnmatch_line("*no assertion looked at*")


def test_a_missing_email_reads_as_designed(run: RunOne) -> None:
    """The text is the failure; the frames of the kit are not shown."""
    result = run(_UNCLAIMED + '        vetmail_outbox.assert_sent(to="pat@example.com")\n')
    result.stdout.fnmatch_lines(
        [
            "*vetmail_outbox.assert_sent(to=*",
            "*expected an email with 1 matching field; 1 sent, none matched.*",
        ]
    )
    result.stdout.no_fnmatch_line("*sent.py:*")


def test_an_outbox_behind_a_fixture_of_the_hosts_is_strict_too(run: RunOne) -> None:
    """However the test comes by it."""
    body = """
    @pytest.fixture
    def mailer(request):
        return request.getfixturevalue("vetmail_outbox").mailer()

    def test_feature(mailer):
        notify(mailer, content())
"""
    run(body).assert_outcomes(failed=1)


def test_a_test_case_with_the_outbox_is_strict_too(run: RunOne) -> None:
    """A TestCase that pytest runs; its own failure comes first."""
    body = """
    import unittest

    class Test(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _take(self, vetmail_outbox):
            self.outbox = vetmail_outbox

        def test_unclaimed(self):
            notify(self.outbox.mailer(), content())

        def test_claimed(self):
            notify(self.outbox.mailer(), content())
            self.outbox.assert_sent(to="sam@example.com")

        def test_failing(self):
            notify(self.outbox.mailer(), content())
            self.fail("for its own reason")
"""
    result = run(body)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines_random(
        ["*1 email was sent that no assertion looked at:*", "*for its own reason*"]
    )
    result.stdout.no_fnmatch_line("*2 emails*")


_MANY = (
    """
    @pytest.mark.parametrize("number", range(8))
    def test_alone(vetmail_outbox, vetmail_clock, number):
        assert len(vetmail_outbox) == 0
        assert vetmail_outbox.clock is vetmail_clock
        notify(vetmail_outbox.mailer(), content(f"Class {number}"))
        vetmail_outbox.assert_sent(subject=f"Class {number}", times=1)

    @pytest.mark.vetmail_smtpd(tls=TlsMethod.EXPLICIT)
    @pytest.mark.parametrize("number", range(2))
    def test_wire(vetmail_smtpd, number):
        assert vetmail_smtpd.server_preferences().mail_server.tls is TlsMethod.EXPLICIT
"""
    + _UNCLAIMED
)


@pytest.mark.parametrize(
    "options", [("-n", "2"), ("-p", "randomly", "-p", "no:xdist")], ids=["xdist", "random"]
)
def test_each_test_has_its_own_in_any_order_and_process(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    """With pytest-xdist, and in random order."""
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(portal=_PORTAL)
    pytester.makepyfile(test_feature=_HEAD + _MANY)
    pytester.runpytest_subprocess(*_LIGHT, *options).assert_outcomes(passed=10, failed=1)


def test_the_plugin_loads_pytest_and_nothing_heavy(pytester: pytest.Pytester) -> None:
    """Until a fixture is used."""
    pytester.makepyfile(
        """
        import sys

        def test_light():
            heavy = {"vetmail_core.testing.outbox", "vetmail_core.transports.smtp", "vetmail_core.message",
                     "attrs", "aiosmtpd", "hypothesis", "trustme"}
            assert "vetmail_core.testing.pytest_plugin" in sys.modules
            assert not heavy & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess(*_LIGHT, "-p", "no:randomly", "-p", "no:xdist").assert_outcomes(passed=1)


_LOADED_ANEW = """
import sys
from vetmail_core.testing import Outbox

Outbox()
for name in [name for name in sys.modules if name.startswith("vetmail_core.")]:
    if name not in {"vetmail_core._lazy", "vetmail_core.testing", "vetmail_core.testing.pytest_plugin"}:
        del sys.modules[name]

from vetmail_core.testing import Outbox, content

outbox = Outbox()
outbox.mailer().send(content(), to="sam@example.com")
try:
    outbox.assert_sent(to="pat@example.com")
except AssertionError as error:
    print(str(error).splitlines()[0])
"""


def test_the_kit_works_when_its_modules_are_loaded_anew() -> None:
    """As in the second run of a host's own pytester tests: the first one's modules go, the package stays."""
    done = subprocess.run([sys.executable, "-c", _LOADED_ANEW], capture_output=True, text=True, check=False)
    assert done.stdout == "expected an email with 1 matching field; 1 sent, none matched.\n", done.stderr


_SNAPSHOTS = """
    from pathlib import Path
    from vetmail_core.testing import approve

    HERE = Path(__file__).parent

    def test_first():
        approve(HERE / "new.txt", "a new text\\n")
        approve(HERE / "old.txt", "another text\\n")
        approve(HERE / "same.txt", "the same\\n")

    def test_second():
        approve(HERE / "late.txt", "before it fails\\n")
        raise ValueError("something else")
"""


def test_one_option_approves_all_snapshots_of_a_run_and_lists_them(
    run: RunOne, pytester: pytest.Pytester
) -> None:
    """A test that fails for another reason still fails; a text that was right already is not listed."""
    (pytester.path / "old.txt").write_text("an old text\n", encoding="utf-8")
    (pytester.path / "old.txt.received").write_text("of an earlier run\n", encoding="utf-8")
    (pytester.path / "same.txt").write_text("the same\n", encoding="utf-8")
    result = run(_SNAPSHOTS, "--vetmail-approve")
    result.assert_outcomes(passed=1, failed=1)
    listed = [
        line for line in result.outlines if line.startswith(str(pytester.path)) and line.endswith(".txt")
    ]
    assert [line.rsplit("/", 1)[-1].rsplit("\\", 1)[-1] for line in listed] == [
        "late.txt",
        "new.txt",
        "old.txt",
    ]
    assert (pytester.path / "old.txt").read_text(encoding="utf-8") == "another text\n"
    assert not (pytester.path / "old.txt.received").exists()
    run(_SNAPSHOTS).assert_outcomes(passed=1, failed=1)


def test_without_the_option_a_person_has_to_approve(run: RunOne) -> None:
    """And nothing is listed."""
    result = run(_SNAPSHOTS)
    result.assert_outcomes(failed=2)
    result.stdout.no_fnmatch_line("*= approved =*")
    result.stdout.fnmatch_lines(["*pytest --vetmail-approve*"])
