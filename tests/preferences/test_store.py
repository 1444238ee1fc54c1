"""The shared file: read whole, replaced whole, never lost, never overwritten unseen."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import attrs
import pytest

import vetmail_core
from vetmail_core._file_lock import try_lock
from vetmail_core.clock import Clock
from vetmail_core.credentials import EnvironmentSecret, PlainSecret
from vetmail_core.errors import PreferencesError, StalePreferencesError
from vetmail_core.preferences import (
    EmailPreferences,
    MailServer,
    Settings,
    default_preferences_path,
    load_preferences,
    preferences_from_dict,
    save_preferences,
)
from vetmail_core.preferences.store import change_preferences

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

HERE = Path(__file__).parent
LIBRARY = str(Path(vetmail_core.__file__).parent)  # not merely the name: the checkout may be called so too
PREFERENCES = EmailPreferences(
    use_built_in_client=True,
    mail_server=MailServer(host="smtp.example.com", password=EnvironmentSecret("VETMAIL_PASSWORD")),
    settings=Settings(default_from='"Zoë\'s Institute" <office@example.com>'),
)
WITH_PASSWORD = EmailPreferences(mail_server=MailServer(password=PlainSecret("hunter2")))


def with_host(preferences: EmailPreferences, host: str) -> EmailPreferences:
    """The preferences with another mail server."""
    return attrs.evolve(preferences, mail_server=attrs.evolve(preferences.mail_server, host=host))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test keeps its preferences."""
    return tmp_path / "preferences.json"


def test_what_was_saved_is_loaded(file: Path) -> None:
    """As a text a person can read, ending in a line end."""
    saved = save_preferences(PREFERENCES, file)
    assert saved == PREFERENCES
    assert load_preferences(file) == PREFERENCES
    assert load_preferences(str(file)).revision == saved.revision
    text = file.read_text("utf-8")
    assert "Zoë's Institute" in text
    assert text.endswith("\n}\n")


def test_without_a_path_the_machines_shared_file_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VETtrak and the Trainer Portal find the same file; its folders are made when it is first saved."""
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "etc"))
    assert default_preferences_path() == tmp_path / "etc" / "vetmail_core" / "preferences.json"
    with pytest.raises(PreferencesError, match="There is no preferences file"):
        load_preferences()
    save_preferences(PREFERENCES)
    assert load_preferences() == PREFERENCES
    assert default_preferences_path().exists()


def test_a_missing_file_is_named(file: Path) -> None:
    """A slip in a path is not answered with defaults."""
    with pytest.raises(PreferencesError, match=r"no preferences file .*preferences\.json\. Save") as caught:
        load_preferences(file)
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert [problem.setting for problem in caught.value.problems] == ["file"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """With the system's own reason."""
    with pytest.raises(PreferencesError, match="cannot be read: Is a directory") as caught:
        load_preferences(tmp_path)
    assert isinstance(caught.value.__cause__, IsADirectoryError)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", "line 1, column 1: the file is empty"),
        (b"\xef\xbb\xbf \n", "line 1, column 1: the file is empty"),
        (b'{"schema": 1,\n  "settings" {}}', "line 2, column 14: Expecting ':' delimiter"),
        (b'{"schema": 1,\n "mail_server": {"password": {"plain": "hunter2"}', "line 2, column 50"),
        (b'{"schema": 1,\n "x": "\xff"}', "line 2, column 8: this is no UTF-8 text"),
        (b"\xff", "line 1, column 1: this is no UTF-8 text"),
        (b"\n\xff", "line 2, column 1: this is no UTF-8 text"),
        (b"\n}", "line 2, column 1: Expecting value"),
        (
            b'{"schema": 1,\n "schema": 1}',
            "line 2, column 2: this name stands in its group for the second time",
        ),
        (b'{"schema": 1, "x": {"y": [{}]},\n "x": 1}', "line 2, column 2: this name stands in its group"),
        (b'{"schema": 1,\n "x": [{"y": 1}, {"\\u0079": 1, "y" :2}]}', "line 2, column 32: this name"),
        (
            b'{"schema": 1,\n "x": ["NaN", -Infinity]}',
            "line 2, column 15: -Infinity is not a number that JSON",
        ),
        (b'{"schema":\n' + b"7" * 5_000 + b", }", "line 2, column 1: this number is too long"),
        (b"[" * 200_000, "nested too deeply"),
        (
            b'{"schema": 1,\n "x": ' + b"[" * 900 + b"]" * 900 + b"}",
            "line 2, column 106: its groups are nested too deeply",
        ),
    ],
)
def test_a_damaged_file_is_named_with_the_place(file: Path, content: bytes, place: str) -> None:
    """File, line and column; and no password that stands beside the damage, not in a traceback either."""
    file.write_bytes(content)
    with pytest.raises(PreferencesError) as caught:
        load_preferences(file)
    message = str(caught.value)
    assert f"The preferences file {file} is damaged" in message
    assert place in message
    assert caught.value.__context__ is None
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    assert "hunter2" not in repr([frame.locals for frame in frames if frame.filename.startswith(LIBRARY)])


def test_what_another_product_nests_is_kept(file: Path) -> None:
    """Lists within lists, many groups beside one another, and a name that stands in several of them."""
    theirs = {
        "x": {"y": 1},
        "y": [{"y": number} for number in range(150)],
        "deep": json.loads("[" * 90 + "]" * 90),
    }
    file.write_text(json.dumps({"schema": 1, **theirs}), encoding="utf-8")
    save_preferences(load_preferences(file), file)
    assert json.loads(file.read_bytes()).items() >= theirs.items()


def test_a_byte_order_mark_is_no_damage(file: Path) -> None:
    """Windows editors leave one."""
    file.write_bytes(b'\xef\xbb\xbf{"schema": 1}')
    assert load_preferences(file) == EmailPreferences()


def test_settings_that_cannot_stand_are_named_with_the_file(file: Path) -> None:
    """All of them, and no password."""
    file.write_text(
        '{"schema": 1, "mail_server": {"port": true, "tls": "ssl", "password": {"plain": "hunter2"}}}',
        encoding="utf-8",
    )
    with pytest.raises(PreferencesError, match="cannot be used") as caught:
        load_preferences(file)
    settings = [problem.setting for problem in caught.value.problems]
    assert settings == ["mail_server.port", "mail_server.tls"]
    assert str(file) in str(caught.value)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    assert "hunter2" not in repr([frame.locals for frame in frames])


def test_a_newer_file_is_refused_and_left_alone(file: Path) -> None:
    """An older product does not guess."""
    file.write_text('{"schema": 99}', encoding="utf-8")
    with pytest.raises(PreferencesError, match="newer version"):
        load_preferences(file)


def test_what_another_product_wrote_survives_load_and_save(file: Path) -> None:
    """Unknown settings, contexts and roles come back as they were."""
    theirs = {
        "schema": 1,
        "theme": {"colours": ["red", None, 1.5]},
        "mail_server": {"proxy": "10.0.0.1"},
        "settings": {"signature": "Zoë"},
        "contexts": {"excursion": {"driver": "cc"}},
    }
    file.write_text(json.dumps(theirs), encoding="utf-8")
    save_preferences(with_host(load_preferences(file), "smtp.example.com"), file)
    written = json.loads(file.read_text("utf-8"))
    assert written["theme"] == theirs["theme"]
    assert written["mail_server"]["proxy"] == "10.0.0.1"
    assert written["mail_server"]["host"] == "smtp.example.com"
    assert written["settings"]["signature"] == "Zoë"
    assert written["contexts"] == theirs["contexts"]


def test_half_a_surrogate_pair_survives_load_and_save(file: Path) -> None:
    """JSON of other programs may hold one, and it is not ours to judge."""
    file.write_text('{"schema": 1, "theme": "\\ud800é"}', encoding="utf-8")
    saved = save_preferences(with_host(load_preferences(file), "smtp.example.com"), file)
    assert load_preferences(file) == saved
    assert json.loads(file.read_text("utf-8"))["theme"] == "\ud800é"


def test_a_value_goes_on_from_what_save_returns(file: Path) -> None:
    """Each save tells the next one what it replaced."""
    value = save_preferences(PREFERENCES, file)
    for host in ("a.example.com", "b.example.com"):
        value = save_preferences(with_host(value, host), file)
    assert load_preferences(file).mail_server.host == "b.example.com"


def test_the_second_of_two_writers_is_stopped(file: Path) -> None:
    """And the first one's work stands."""
    save_preferences(PREFERENCES, file)
    mine, theirs = load_preferences(file), load_preferences(file)
    save_preferences(with_host(mine, "mine.example.com"), file)
    with pytest.raises(StalePreferencesError, match="changed by somebody else after it was loaded"):
        save_preferences(with_host(theirs, "theirs.example.com"), file)
    assert load_preferences(file).mail_server.host == "mine.example.com"
    save_preferences(with_host(theirs, "theirs.example.com"), file, overwrite=True)
    assert load_preferences(file).mail_server.host == "theirs.example.com"


@pytest.mark.parametrize("value", [PREFERENCES, preferences_from_dict({"schema": 1})])
def test_a_value_that_was_never_loaded_replaces_no_file(file: Path, value: EmailPreferences) -> None:
    """Not even one of the same content: whoever builds preferences anew has not seen what is there."""
    save_preferences(value, file)
    with pytest.raises(StalePreferencesError, match="were not loaded from it") as caught:
        save_preferences(value, file)
    assert "overwrite=True" in str(caught.value)
    assert isinstance(caught.value, PreferencesError)
    assert save_preferences(value, file, overwrite=True) == value


def test_a_file_that_went_away_is_written_again(file: Path) -> None:
    """Nobody's work is lost by that."""
    value = save_preferences(PREFERENCES, file)
    file.unlink()
    assert save_preferences(value, file).revision == value.revision


def test_another_file_is_another_content(file: Path) -> None:
    """Saving under a new name works; over somebody's file it does not."""
    value = save_preferences(PREFERENCES, file)
    other = file.with_name("other.json")
    save_preferences(value, other)
    save_preferences(with_host(load_preferences(other), "other.example.com"), other)
    with pytest.raises(StalePreferencesError):
        save_preferences(value, other)


WRITER = """
import sys, attrs
from vetmail_core import MailServer, StalePreferencesError, load_preferences, save_preferences
value = load_preferences(sys.argv[1])
print("loaded", flush=True)
sys.stdin.readline()
try:
    save_preferences(attrs.evolve(value, mail_server=MailServer(host="second.example.com")), sys.argv[1])
except StalePreferencesError as error:
    print(type(error).__name__, flush=True)
else:
    print("saved", flush=True)
"""


@pytest.mark.parametrize(("first_writes", "answer"), [(True, "StalePreferencesError"), (False, "saved")])
def test_a_writer_in_another_process_is_stopped_too(file: Path, answer: str, *, first_writes: bool) -> None:
    """VETtrak and the portal are two programs; the file itself is what they compare."""
    first = save_preferences(PREFERENCES, file)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as second:
        assert second.stdin is not None
        assert second.stdout is not None
        assert second.stdout.readline() == "loaded\n"
        if first_writes:
            save_preferences(with_host(first, "first.example.com"), file)
        second.stdin.write("\n")
        second.stdin.flush()
        assert second.stdout.readline() == f"{answer}\n"
    expected = "first.example.com" if first_writes else "second.example.com"
    assert load_preferences(file).mail_server.host == expected


COUNTER = """
import sys, attrs
from vetmail_core import StalePreferencesError, load_preferences, save_preferences
done = 0
while done < int(sys.argv[2]):
    value = load_preferences(sys.argv[1])
    wait = value.mail_server.wait_between_emails_ms + 1
    server = attrs.evolve(value.mail_server, wait_between_emails_ms=wait)
    try:
        save_preferences(attrs.evolve(value, mail_server=server), sys.argv[1])
    except StalePreferencesError:
        continue
    done += 1
"""


def test_no_change_is_lost_among_racing_writers(file: Path) -> None:
    """Three programs add one, twenty times each, and try again when they were too late: sixty in the end."""
    save_preferences(PREFERENCES, file)
    command = [sys.executable, "-c", COUNTER, str(file), "20"]
    writers = [subprocess.Popen(command) for _ in range(3)]
    assert [writer.wait(timeout=300) for writer in writers] == [0, 0, 0]
    assert load_preferences(file).mail_server.wait_between_emails_ms == 60


def test_a_crash_at_any_step_leaves_the_old_file_or_the_new_one_whole(tmp_path: Path) -> None:
    """Die before each call to the system, and in the middle of the writing: a reader never meets half a file.

    What a crash leaves behind stops nobody: the next writer gets through and cleans up.
    """
    done = subprocess.run(
        [sys.executable, HERE / "crash_at_each_step.py", tmp_path],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    calls, results = done.stdout.split("\n")[0].split(), json.loads(done.stdout.split("\n")[1])
    steps, cuts = results[: len(calls) + 1], results[len(calls) + 1 :]
    assert {"open", "flock", "write", "flush", "fsync", "replace"} <= set(calls)
    assert calls.index("write") < calls.index("flush") < calls.index("fsync")
    replaced = calls.index("replace")
    hosts = [step["host"] for step in steps]
    assert hosts == ["old.example.com"] * (replaced + 1) + ["new.example.com"] * (len(steps) - replaced - 1)
    assert calls.index("fsync") < replaced < len(calls) - 1 - calls[::-1].index("fsync")
    assert all(step["untouched"] for step in steps[: replaced + 1])
    assert [cut["host"] for cut in cuts] == ["old.example.com"] * 3
    assert all(cut["status"] and cut["untouched"] for cut in cuts)
    assert [result["later"] for result in results] == ["later.example.com"] * len(results)
    assert {tuple(result["files"]) for result in results} == {(".preferences.json.lock", "preferences.json")}


def test_loading_and_saving_leave_no_file_open(file: Path) -> None:
    """A portal that runs for months runs out of nothing."""
    value = save_preferences(PREFERENCES, file)
    before = set(Path("/dev/fd").iterdir())
    for _ in range(3):
        value = save_preferences(value, file)
        load_preferences(file)
        with pytest.raises(StalePreferencesError):
            save_preferences(PREFERENCES, file)
    assert set(Path("/dev/fd").iterdir()) <= before


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    file: Path, no_file_above: Callable[[int], AbstractContextManager[None]]
) -> None:
    """The reason is the system's, and the sentence says that nothing was lost."""
    value = save_preferences(PREFERENCES, file)
    before = file.read_bytes()
    with (
        no_file_above(10),
        pytest.raises(PreferencesError, match=r"cannot be written: File too large\. The old file") as caught,
    ):
        save_preferences(with_host(value, "new.example.com"), file)
    assert isinstance(caught.value.__cause__, OSError)
    assert file.read_bytes() == before
    assert sorted(entry.name for entry in file.parent.iterdir()) == [
        ".preferences.json.lock",
        "preferences.json",
    ]


def test_a_failed_save_shows_no_password(
    file: Path, no_file_above: Callable[[int], AbstractContextManager[None]]
) -> None:
    """Not in the local variables of any frame of ours either."""
    with no_file_above(10), pytest.raises(PreferencesError, match="File too large") as caught:
        save_preferences(WITH_PASSWORD, file, include_secrets=True)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "hunter2" not in "".join(shown.format())


@attrs.define
class Patience:
    """A clock that counts waits instead of waiting, and lets go of a lock after some of them."""

    lock: TextIO
    releases_after: int
    waits: list[float] = attrs.field(factory=list)

    def now(self) -> datetime:
        """Some day."""
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        """The sum of the waits."""
        return sum(self.waits)

    def sleep(self, seconds: float, /) -> None:
        """Note the wait."""
        self.waits.append(seconds)
        if len(self.waits) == self.releases_after:
            self.lock.close()


def test_a_writer_waits_for_another_one(file: Path) -> None:
    """As long as a save may take."""
    with file.with_name(".preferences.json.lock").open("w", encoding="utf-8") as lock:
        assert try_lock(lock.fileno())
        clock = Patience(lock, releases_after=3)
        assert isinstance(clock, Clock)
        save_preferences(PREFERENCES, file, clock=clock)
    assert clock.waits == [0.05, 0.05, 0.05]
    assert load_preferences(file) == PREFERENCES


def test_a_writer_does_not_wait_for_ever(file: Path) -> None:
    """Ten seconds, then an error: a program that hangs must not hang the others."""
    with file.with_name(".preferences.json.lock").open("w", encoding="utf-8") as lock:
        assert try_lock(lock.fileno())
        clock = Patience(lock, releases_after=-1)
        with pytest.raises(PreferencesError, match="another program has been saving it for 10 seconds"):
            save_preferences(PREFERENCES, file, clock=clock)
    assert 10 <= clock.monotonic() < 10.1
    assert not file.exists()


@pytest.mark.parametrize("strange", [datetime(2026, 1, 1, tzinfo=UTC), float("nan"), [float("-inf")]])
def test_what_json_cannot_write_is_an_error_before_anything_is_touched(file: Path, strange: object) -> None:
    """Only what a host put among the unknown keys can be of such a kind; NaN would not be read again."""
    value = preferences_from_dict({"schema": 1, "strange": strange})
    with pytest.raises(PreferencesError, match="JSON cannot write") as caught:
        save_preferences(value, file)
    assert caught.value.__context__ is None
    assert list(file.parent.iterdir()) == []


def test_the_default_clock_is_the_machines(file: Path) -> None:
    """Nothing needs to be handed over for a save."""
    assert save_preferences(PREFERENCES, file) == PREFERENCES


def test_the_model_alone_loads_no_heavy_module() -> None:
    """Whoever only holds preferences does not pay for reading files."""
    code = (
        "import sys, vetmail_core.preferences.model as m; m.EmailPreferences()\n"
        "print([n for n in ('cattrs', 'platformdirs', 'json', 'email_validator', 'ssl') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_change_on_a_full_disk_leaves_the_old_file(
    file: Path, no_file_above: Callable[[int], AbstractContextManager[None]]
) -> None:
    """As a save does; the sentence is the same."""
    save_preferences(PREFERENCES, file)
    before = file.read_bytes()
    with no_file_above(10), pytest.raises(PreferencesError, match="cannot be written: File too large"):
        change_preferences(lambda now: with_host(now, "new.example.com"), file)
    assert file.read_bytes() == before
