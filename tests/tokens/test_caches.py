"""Where sign-ins are kept: private, whole, and one writer at a time."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import keyring
import keyring.backend
import keyring.errors
import pytest

from vetmail_core.errors import PreferencesError, TokenError
from vetmail_core.tokens import FileTokens, KeyringTokens, TokenCache, caches, default_sign_ins_path

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = "x" * 1_900


def test_a_file_is_private_and_gives_back_what_it_was_given(tmp_path: Path) -> None:
    """Folder 0700, file 0600; entries do not touch each other."""
    cache = FileTokens(tmp_path / "new" / "sign-ins.json")
    assert cache.read("kim") is None
    with cache.hold("kim"):
        cache.write("kim", "one")
        cache.write("sam", LONG)
        cache.write("kim", "two")
    assert (cache.read("kim"), cache.read("sam")) == ("two", LONG)
    assert stat.S_IMODE(cache.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.file.parent.stat().st_mode) == 0o700
    with cache.hold("kim"):
        cache.write("kim", None)
        cache.write("kim", None)
    assert (cache.read("kim"), cache.read("sam")) == (None, LONG)
    assert isinstance(cache, TokenCache)
    assert "x" * 100 not in repr(cache.read("sam"))


def test_the_default_place_is_the_account_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service signs in as the account that runs it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert FileTokens().file == default_sign_ins_path() == tmp_path / "vetmail_core" / "sign-ins.json"
    assert FileTokens() == FileTokens(None)
    assert FileTokens("a.json") == FileTokens(Path("a.json"))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["", ".", "a\nb", 5])
def test_what_is_not_the_name_of_a_file_is_refused(path: object) -> None:
    """Where the value is made, with its setting."""
    with pytest.raises(PreferencesError) as caught:
        FileTokens(path)  # type: ignore[arg-type]
    assert [problem.setting for problem in caught.value.problems] == [
        "mail_server.oauth.microsoft_sign_in.cache"
    ]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    """It says the mode, and the command that mends it."""
    file = tmp_path / "sign-ins.json"
    file.write_text("{}", encoding="utf-8")
    file.chmod(mode)
    with pytest.raises(TokenError, match=f"mode {mode:04o}.*chmod 600") as caught:
        FileTokens(file).read("kim")
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"schema": 1,\n "sign_ins": {', "at line 2"),
        ("[]", "it does not hold sign-ins"),
        ('{"sign_ins": {"kim": 5}}', "it does not hold sign-ins"),
        ("[" * 100_000, "it does not hold sign-ins"),
    ],
)
def test_a_damaged_file_is_left_as_it_is(tmp_path: Path, text: str, words: str) -> None:
    """Somebody may mend it."""
    cache = FileTokens(tmp_path / "sign-ins.json")
    cache.file.write_text(text, encoding="utf-8")
    cache.file.chmod(0o600)
    for ask in (lambda: cache.read("kim"), lambda: cache.write("kim", "new")):
        with pytest.raises(TokenError, match=words) as caught:
            ask()
        assert str(cache.file) in str(caught.value)
    assert cache.file.read_text(encoding="utf-8") == text


def test_a_full_disk_loses_no_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old file is still there, and nothing beside it."""
    cache = FileTokens(tmp_path / "sign-ins.json")
    cache.write("kim", "old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(TokenError, match=r"cannot be written \(No space left on device\)"):
            cache.write("kim", "new")
    assert cache.read("kim") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["sign-ins.json"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file stands where the folder should be; likewise where the file should be."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with (
        pytest.raises(TokenError, match="cannot be written"),
        FileTokens(tmp_path / "file" / "sign-ins.json").hold("kim"),
    ):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(TokenError, match="cannot be read"):
        FileTokens(tmp_path / "folder").read("kim")


def test_a_process_killed_in_the_middle_of_a_save_leaves_the_old_file(tmp_path: Path) -> None:
    """And what it left does not hinder the next."""
    cache = FileTokens(tmp_path / "sign-ins.json")
    cache.write("kim", "old")
    code = (
        "import os, sys; from pathlib import Path; from vetmail_core.tokens import FileTokens\n"
        "os.fsync = lambda _descriptor: os._exit(9)\n"
        "cache = FileTokens(Path(sys.argv[1]))\n"
        "with cache.hold('kim'): cache.write('kim', 'new')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(cache.file)], check=False)
    assert done.returncode == 9
    assert cache.read("kim") == "old"
    with cache.hold("kim"):
        cache.write("kim", "newer")
    assert cache.read("kim") == "newer"


def test_one_holds_while_the_others_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And after a minute they are told; here at once."""
    cache = FileTokens(tmp_path / "sign-ins.json")
    monkeypatch.setattr(caches, "_PATIENCE", 0.0)
    with cache.hold("kim"):
        errors: list[TokenError] = []

        def other() -> None:
            with pytest.raises(TokenError) as caught, FileTokens(tmp_path / "sign-ins.json").hold("sam"):
                pass
            errors.append(caught.value)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
    assert "Another program has been renewing" in str(errors[0])
    assert errors[0].transient


class Store(keyring.backend.KeyringBackend):
    """A password store that takes 1,280 characters an entry, as Windows does."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        """As the package has it."""
        if self.locked:
            raise keyring.errors.KeyringLocked
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """As the package has it."""
        if len(password) > 1_280:
            raise OSError(1783, "The stub received bad data")
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """As the package has it."""
        if self.entries.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """In the place of the computer's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    before, store = keyring.get_keyring(), Store()
    keyring.set_keyring(store)
    yield store
    keyring.set_keyring(before)


def test_a_password_store_takes_long_texts_in_pieces(store: Store) -> None:
    """Numbered entries; old pieces are taken away, and short texts stand whole."""
    cache = KeyringTokens("vetmail")
    assert cache.read("kim") is None
    for text in (LONG, "y" * 5_000, "short", "z" * 1_200, "w" * 1_201, LONG):
        with cache.hold("kim"):
            cache.write("kim", text)
        assert cache.read("kim") == text
        pieces = -(-len(text) // 1_200)
        assert len(store.entries) == (1 if pieces == 1 else pieces + 1)
    with cache.hold("kim"):
        cache.write("kim", None)
        cache.write("kim", None)
    assert store.entries == {}
    assert isinstance(cache, TokenCache)


def test_a_save_that_breaks_off_leaves_the_old_text(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """New pieces never overwrite those that the entry still names."""
    cache = KeyringTokens("vetmail")
    cache.write("kim", LONG)
    real, count = Store.set_password, [0]

    def breaks(self: Store, service: str, username: str, password: str) -> None:
        count[0] += 1
        if count[0] == 2:
            raise OSError("gone")
        real(self, service, username, password)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "set_password", breaks)
        with pytest.raises(TokenError, match=r"did not answer \(OSError\)"):
            cache.write("kim", "y" * 3_000)
    assert cache.read("kim") == LONG
    assert store.locked is False


def test_what_a_password_store_lacks_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing piece, a locked store, a package that is not installed."""
    cache = KeyringTokens("vetmail")
    cache.write("kim", LONG)
    del store.entries["vetmail", "kim 0.2"]
    with pytest.raises(TokenError, match="is not whole"):
        cache.read("kim")
    store.entries["vetmail", "sam"] = "vetmail pieces 0 many"
    assert cache.read("sam") == ""
    store.locked = True
    with pytest.raises(TokenError, match=r"did not answer \(KeyringLocked\)"):
        cache.read("kim")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(TokenError, match=r'pip install "vetmail_core\[keyring\]"'):
        cache.read("kim")


@pytest.mark.parametrize("service", ["", "a\nb", 5])
def test_a_service_that_is_no_name_is_refused(service: str) -> None:
    """Where the value is made."""
    with pytest.raises(PreferencesError, match="name of a service"):
        KeyringTokens(service)
