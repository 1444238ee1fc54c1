"""Who may read and write the shared file: places, users, modes, links."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core.credentials import EnvironmentSecret, PlainSecret
from vetmail_core.errors import PreferencesError
from vetmail_core.preferences import (
    EmailPreferences,
    MailServer,
    Settings,
    load_preferences,
    save_preferences,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

PREFERENCES = EmailPreferences(
    use_built_in_client=True,
    mail_server=MailServer(host="smtp.example.com", password=EnvironmentSecret("VETMAIL_PASSWORD")),
    settings=Settings(default_from='"Zoë\'s Institute" <office@example.com>'),
)
WITH_PASSWORD = EmailPreferences(mail_server=MailServer(password=PlainSecret("hunter2")))


def with_host(preferences: EmailPreferences, host: str) -> EmailPreferences:
    """The preferences with another mail server."""
    return attrs.evolve(preferences, mail_server=attrs.evolve(preferences.mail_server, host=host))


def mode(file: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(file.stat().st_mode)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test keeps its preferences."""
    return tmp_path / "preferences.json"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder where the file should be, and a file where its folder should be."""
    with pytest.raises(PreferencesError, match="cannot be written: Is a directory"):
        save_preferences(PREFERENCES, tmp_path, overwrite=True)
    (tmp_path / "plain").write_text("", encoding="utf-8")
    with pytest.raises(PreferencesError, match=r"cannot be written: (Not a directory|File exists)"):
        save_preferences(PREFERENCES, tmp_path / "plain" / "preferences.json")


@contextlib.contextmanager
def somebody_without_privileges() -> Generator[None]:
    """Whoever runs the tests, but never the superuser, for whom no file is closed."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that everybody can reach; pytest's own, and TMPDIR, may be closed to other users."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def test_a_folder_that_is_closed_can_be_loaded_from(shared_folder: Path) -> None:
    """The Trainer Portal needs no more; a save is refused by name, and leaves the file."""
    file = shared_folder / "preferences.json"
    saved = save_preferences(PREFERENCES, file)
    for path in (file, file.with_name(".preferences.json.lock"), shared_folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    with somebody_without_privileges():
        assert load_preferences(file) == PREFERENCES
        with pytest.raises(PreferencesError, match="cannot be written: Permission denied"):
            save_preferences(with_host(saved, "new.example.com"), file)
        with pytest.raises(PreferencesError, match="cannot be written: Permission denied"):
            save_preferences(PREFERENCES, file.with_name("other.json"))
    assert load_preferences(file) == PREFERENCES


def test_another_user_of_an_open_folder_can_save(shared_folder: Path) -> None:
    """The lock that the first one left can be read, and that is enough to hold it."""
    file = shared_folder / "preferences.json"
    saved = save_preferences(PREFERENCES, file)
    file.with_name(".preferences.json.lock").chmod(0o444)
    with somebody_without_privileges():
        saved = save_preferences(with_host(saved, "new.example.com"), file)
        assert load_preferences(file) == saved


def test_a_folder_that_cannot_be_read_can_be_saved_in(shared_folder: Path) -> None:
    """The new file is in place; that nobody can force its name onto the disk is no failed save."""
    file = shared_folder / "preferences.json"
    saved = save_preferences(PREFERENCES, file)
    shared_folder.chmod(0o333)
    with somebody_without_privileges():
        saved = save_preferences(with_host(saved, "new.example.com"), file)
        assert load_preferences(file).revision == saved.revision


def test_a_plain_password_is_saved_only_when_asked_for(file: Path) -> None:
    """Not asked for it is an error before anything is touched."""
    with pytest.raises(PreferencesError, match="include_secrets=True"):
        save_preferences(WITH_PASSWORD, file)
    assert list(file.parent.iterdir()) == []
    saved = save_preferences(WITH_PASSWORD, file, include_secrets=True)
    assert load_preferences(file) == WITH_PASSWORD
    with pytest.raises(PreferencesError, match="include_secrets=True"):
        save_preferences(saved, file)
    assert load_preferences(file) == WITH_PASSWORD


def test_a_file_with_a_password_is_its_owners_alone(file: Path) -> None:
    """From its first byte, and also when it replaces one that everybody could read."""
    value = save_preferences(PREFERENCES, file)
    file.chmod(0o644)
    changed = attrs.evolve(value, mail_server=MailServer(password=PlainSecret("hunter2")))
    save_preferences(changed, file, include_secrets=True)
    assert mode(file) == 0o600
    fresh = file.with_name("fresh.json")
    save_preferences(WITH_PASSWORD, fresh, include_secrets=True)
    assert mode(fresh) == 0o600


def test_a_file_without_a_password_keeps_its_mode_and_owner(file: Path) -> None:
    """Whoever could read it still can, also when an administrator saves it."""
    before = os.umask(0o027)
    try:
        value = save_preferences(PREFERENCES, file)
        assert mode(file) == 0o640
    finally:
        os.umask(before)
    file.chmod(0o664)
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    os.chown(file, owner, -1)
    save_preferences(with_host(value, "new.example.com"), file)
    assert mode(file) == 0o664
    assert file.stat().st_uid == owner


def test_an_owner_that_cannot_be_kept_is_no_failed_save(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that does not know the owner, or for whoever may not give files away."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    value = save_preferences(PREFERENCES, file)
    monkeypatch.setattr(os, "fchown", refuse)
    save_preferences(with_host(value, "new.example.com"), file)
    assert load_preferences(file).mail_server.host == "new.example.com"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file it leads to is the one that is replaced."""
    real, link = tmp_path / "real" / "preferences.json", tmp_path / "link.json"
    value = save_preferences(PREFERENCES, real)
    link.symlink_to(real)
    save_preferences(with_host(value, "new.example.com"), link)
    assert link.is_symlink()
    assert load_preferences(real).mail_server.host == "new.example.com"


def test_a_relative_path_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen from where the program stands."""
    monkeypatch.chdir(tmp_path)
    save_preferences(PREFERENCES, "preferences.json")
    assert load_preferences("preferences.json") == PREFERENCES


READER = """
import os, sys
from vetmail_core import load_preferences
load_preferences(sys.argv[1])
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def watch(event, arguments):
    if event == "open" and arguments[2] & WRITING:
        raise SystemExit(f"opened for writing: {arguments}")
    if event.startswith(("os.", "shutil.", "fcntl.")) and event not in {"os.listdir", "os.scandir"}:
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(watch)
print(load_preferences(sys.argv[1]).mail_server.host)
"""


def test_loading_writes_nothing(file: Path) -> None:
    """The Trainer Portal may have no more than the right to read: nothing is made or opened to write."""
    save_preferences(PREFERENCES, file)
    lock = file.with_name(".preferences.json.lock")
    lock.unlink()
    file.chmod(0o444)
    file.parent.chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", READER, file], capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr) == ("smtp.example.com\n", "")
        assert list(file.parent.iterdir()) == [file]
    finally:
        file.parent.chmod(0o755)
