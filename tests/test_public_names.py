"""The public names, and what importing them costs."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vetmail_core
from vetmail_core import preferences, testing, transports

if TYPE_CHECKING:
    from types import ModuleType

TOP = Path(__file__).parent.parent

NAMES = {
    "address": (
        "CollectedMailboxes Mailbox collect_mailbox_list format_mailbox_list parse_mailbox "
        "parse_mailbox_list unique_mailboxes AddressError AddressErrorCode AddressListError"
    ),
    "bounces": "Action Bounce BounceTaken NeverReached Notice read_bounce",
    "bulk": "BulkPlan PlanSummary plan_bulk",
    "clock": "Clock SystemClock",
    "contexts": "ROLE_LABELS STANDARD_CONTEXTS EmailContext RecipientType",
    "credentials": "EnvironmentSecret KeyringSecret Login PlainSecret Secret",
    "errors": (
        "AddressError AddressErrorCode AddressListError DeliveryError LedgerError MergeError "
        "MessageError PreferencesError Problem RecipientsError Severity StalePreferencesError "
        "TokenError TransportError VetmailError"
    ),
    "ledger": "Ledger LedgerState SqliteLedger deliver_once",
    "mailer": "Mailer Progress RunInterrupted",
    "message": "Attachment Content Email",
    "people": "Person Staff",
    "preferences": (
        "PROVIDERS AuthenticationType BulkCopies EmailPreferences MailServer PreferencesError "
        "Problem Provider StalePreferencesError SettingDescription Settings Severity "
        "StaffDisplayName TlsMethod check_preferences default_preferences_path "
        "describe_preferences form_values load_preferences preferences_from_dict preferences_from_form "
        "preferences_to_dict provider_for save_preferences"
    ),
    "receipts": "Cause Outcome Phase Receipt Reply Report Status receipt_from_dict",
    "recipients": "Exclusion ExclusionReason Expansion Recipients expand_context",
    "sender": "Sender resolve_sender",
    "tokens": (
        "FileTokens GoogleServiceAccount KeyringTokens MicrosoftApp MicrosoftSignIn TokenCache TokenError "
        "TokenSource"
    ),
    "spacing": "Forecast SharedSpacing",
    "transports": (
        "Archived ConnectionCheck Deadlines EmailSource EmlTransport HandOverWarning ImapDrafts Limits "
        "MailtoTransport Pipelining RedirectAll Retrying SmtpTransport Spaced Spacing Transport draft_bytes "
        "mailto_uri transport_for"
    ),
}
HEAVY = (
    "smtplib",
    "socket",
    "ssl",
    "cattrs",
    "email_validator",
    "sqlite3",
    "msal",
    "google",
    "requests",
    "cryptography",
    "email",
    "hypothesis",
    "aiosmtpd",
    "trustme",
)
PINNED = {name for names in NAMES.values() for name in names.split()}
TEST_KIT = {
    "clock": "FakeClock",
    "fault": "Fault FaultKind",
    "faults": "Faults",
    "smtpd": "LocalSmtpServer ReceivedEmail",
    "matching": "Matcher any_of contains matches",
    "outbox": "Outbox capture",
    "records": "Record",
    "contract": "TransportContract",
    "ledger_contract": "LedgerContract",
    "builders": "a_staff_member a_student an_employer content email preferences",
    "snapshots": "approve normalise render",
}
KIT_NAMES = {"strategies", *(name for names in TEST_KIT.values() for name in names.split())}


@pytest.mark.parametrize(("module", "names"), NAMES.items())
def test_every_name_of_the_contract_is_where_it_is_promised(module: str, names: str) -> None:
    """A host may import from the module or from the top; both give the same object."""
    room = importlib.import_module(f"vetmail_core.{module}")
    for name in names.split():
        assert getattr(room, name) is getattr(vetmail_core, name)


def test_the_top_has_exactly_the_pinned_names() -> None:
    """A new public name is a decision, and so is one that goes."""
    assert set(vetmail_core.__all__) == PINNED
    assert set(dir(vetmail_core)) == PINNED
    assert set(transports.__all__) <= PINNED


def test_the_test_kit_has_exactly_the_pinned_names() -> None:
    """Tests of other features are written against these."""
    assert set(testing.__all__) == set(dir(testing)) == KIT_NAMES
    for module, names in TEST_KIT.items():
        room = importlib.import_module(f"vetmail_core.testing.{module}")
        for name in names.split():
            assert getattr(room, name) is getattr(testing, name)


@pytest.mark.parametrize("package", [vetmail_core, preferences, testing, transports])
def test_type_checkers_find_each_name_where_the_program_does(package: ModuleType) -> None:
    """The imports that only a type checker reads, the late ones and ``__all__`` say the same."""
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    (block,) = (node.body for node in tree.body if isinstance(node, ast.If))
    read = {
        (alias.name, f"{node.module}.{alias.name}" if node.module == package.__name__ else node.module)
        for node in block
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    late = {
        (name, importlib.util.resolve_name(home, package.__name__))
        for home, names in package._HOMES.items()
        for name in names.split()
    }
    assert read == late
    assert sorted(name for name, _ in late) == sorted(package.__all__)


def test_a_name_nobody_offers_is_an_attribute_error() -> None:
    """A slip of the pen gets Python's own answer."""
    with pytest.raises(AttributeError, match="module 'vetmail_core' has no attribute 'Postman'"):
        _ = vetmail_core.Postman


def test_a_module_among_the_names_comes_as_late_as_the_others() -> None:
    """`testing.strategies` works without an import of its own, as its type says."""
    code = (
        "from vetmail_core import testing; print(testing.strategies.__name__, 'strategies' in dir(testing))"
    )
    said = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["vetmail_core.testing.strategies", "True"]


@pytest.mark.parametrize(
    "module", ["vetmail_core", "vetmail_core.testing", "vetmail_core.testing.pytest_plugin"]
)
def test_importing_pulls_in_nothing_heavy(module: str) -> None:
    """A host that sends no mail today pays nothing; nor does a test run that uses no fixture."""
    code = (
        "import sys\n"
        "try: import pytest\n"
        "except ImportError: pass\n"
        "before = set(sys.modules)\n"
        f"import {module}\n"
        f"print(*[m for m in {HEAVY!r} if m in sys.modules and m not in before])"
    )
    said = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == []


def test_version_package_and_changelog_agree() -> None:
    """One version, in the three places that say it."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    released = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\]", (TOP / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert project["version"] == vetmail_core.__version__ == released[0]


def test_the_tests_that_ci_runs_are_the_ones_the_readme_names() -> None:
    """The README's test line is what continuous integration runs, word for word."""
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    lines = (TOP / ".ci/run").read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if line.startswith("python -m pip install nox"))
    assert line in readme
