"""What stands at the names of the preferences file, and beside it."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from pathlib import Path

import attrs
import pytest

from vetmail_core import EmailPreferences, PreferencesError, load_preferences, save_preferences

PREFERENCES = EmailPreferences()


@pytest.mark.parametrize("path", ["/dev/full", "/dev/zero"])
def test_a_device_holds_no_preferences(path: str) -> None:
    """Said at once, and nothing is made beside it."""
    with pytest.raises(PreferencesError, match="it is a device"):
        load_preferences(path)
    with pytest.raises(PreferencesError, match="it is a device"):
        save_preferences(PREFERENCES, path, overwrite=True)
    assert not list(Path("/dev").glob(".*.lock"))


def test_a_pipe_is_read_where_somebody_writes_and_never_saved_over(tmp_path: Path) -> None:
    """A shell's `<(command)` is one."""
    path = tmp_path / "p.json"
    os.mkfifo(path)
    with pytest.raises(PreferencesError, match="a pipe into which nobody writes"):
        load_preferences(path)
    with pytest.raises(PreferencesError, match="a pipe"):
        save_preferences(PREFERENCES, path, overwrite=True)
    real = tmp_path / "real.json"
    save_preferences(PREFERENCES, real)
    keeps = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # what is written stays until it is read
    path.write_bytes(real.read_bytes())
    assert load_preferences(path) == load_preferences(real)
    os.close(keeps)


def test_a_file_that_no_memory_should_hold_is_refused(tmp_path: Path) -> None:
    """Preferences are some kilobytes."""
    path = tmp_path / "p.json"
    with path.open("wb") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    with pytest.raises(PreferencesError, match="larger than 16,384 KiB"):
        load_preferences(path)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"], ids=["NUL", "half a pair"])
def test_a_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    """The error of the place, whose sentence can be printed."""
    path = f"{tmp_path}/{name}"
    with pytest.raises(PreferencesError, match="its name holds") as caught:
        load_preferences(path)
    assert str(caught.value).isprintable()
    with pytest.raises(PreferencesError, match="its name holds") as caught:
        save_preferences(PREFERENCES, path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", [".p.json.lock", ".p.json.new"])
def test_a_link_beside_the_file_is_not_followed(tmp_path: Path, name: str) -> None:
    """Whoever may write in the folder could have put it there: nothing is made or changed at its end."""
    shared, precious = tmp_path / "shared", tmp_path / "precious"
    shared.mkdir()
    precious.write_bytes(b"of root")
    precious.chmod(0o640)
    for end in (precious, tmp_path / "nowhere"):
        (shared / name).unlink(missing_ok=True)
        (shared / name).symlink_to(end)
        if name.endswith("lock"):
            with pytest.raises(PreferencesError, match="cannot be written"):
                save_preferences(PREFERENCES, shared / "p.json", overwrite=True)
        else:
            save_preferences(PREFERENCES, shared / "p.json", overwrite=True)
    assert not (tmp_path / "nowhere").exists()
    assert precious.read_bytes() == b"of root"
    assert stat.S_IMODE(precious.stat().st_mode) == 0o640


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root gives files away; by descriptor is tested everywhere"
)
def test_a_loop_that_swaps_links_is_given_nothing(tmp_path: Path) -> None:
    """Root saves into the folder of another user, who would like to own root's file."""
    shared, precious = tmp_path / "shared", tmp_path / "precious"
    shared.mkdir()
    precious.write_bytes(b"of root")
    path = shared / "p.json"
    value = save_preferences(PREFERENCES, path)
    os.chown(path, 65534, 65534)
    os.chown(shared, 65534, 65534)
    end = threading.Event()

    def swap() -> None:
        beside = shared / ".p.json.new"
        while not end.is_set():
            if beside.exists():
                link = shared / "link"
                link.symlink_to(precious)
                link.replace(beside)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for port in range(2000, 2040):
            changed = attrs.evolve(value, mail_server=attrs.evolve(value.mail_server, port=port))
            with contextlib.suppress(PreferencesError):  # it may say that a name is taken
                save_preferences(changed, path, overwrite=True)
            if (
                path.is_symlink()
            ):  # the swap came before the rename: root's file is led to, and not given away
                path.unlink()
            assert precious.stat().st_uid == 0
            assert precious.read_bytes() == b"of root"
    finally:
        end.set()
        thread.join()
