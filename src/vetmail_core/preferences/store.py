"""The shared preferences file: read whole, replaced whole.

At every moment, through every crash, a reader finds the old file or the new one. What somebody else wrote
in the meantime is not overwritten, and a password is not written unasked.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import platformdirs

from vetmail_core._file_lock import locked
from vetmail_core._files import checked_name, read_whole, regular, replacement
from vetmail_core.clock import Clock, SystemClock
from vetmail_core.credentials import PlainSecret
from vetmail_core.errors import PreferencesError, StalePreferencesError
from vetmail_core.preferences.codec import preferences_to_dict, read_preferences
from vetmail_core.preferences.document import read_document
from vetmail_core.preferences.oauth import secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vetmail_core.preferences.model import EmailPreferences

__all__ = ["change_preferences", "default_preferences_path", "load_preferences", "save_preferences"]

_PRIVATE: Final = 0o600
_ANYBODY: Final = 0o666  # less the umask


def default_preferences_path() -> Path:
    r"""Where the shared file lives on this machine; it need not exist.

    Returns:
        Linux ``/etc/xdg/vetmail_core/preferences.json``, Windows
        ``C:\ProgramData\vetmail_core\preferences.json``, macOS ``/Library/Application
        Support/vetmail_core/preferences.json``; on Linux ``XDG_CONFIG_DIRS`` may name another folder.
    """
    return platformdirs.site_config_path("vetmail_core", appauthor=False) / "preferences.json"


def load_preferences(path: str | os.PathLike[str] | None = None) -> EmailPreferences:
    """Read the shared file. Writes nothing, so it works where the program may only read.

    Args:
        path: the file; the shared one of this machine when left out.

    Returns:
        The preferences, which remember the content they came from.

    Raises:
        PreferencesError: there is no such file or it cannot be read; it is damaged (the message names
            line and column); or settings in it are not valid (all of them are named).
    """
    file = default_preferences_path() if path is None else Path(path)
    data = _read(file)
    revision = _revision(data)
    document, damage = read_document(data)
    # A traceback printed with its local variables must not print a password that stands in the file.
    del data
    if damage:
        raise _fault(
            f"The preferences file {file} is damaged {damage}.",
            "Put it right there, or restore the file from a copy.",
        )
    preferences, problems = read_preferences(document)
    del document
    if preferences is None:
        raise PreferencesError.of(problems, opening=f"The preferences file {file} cannot be used.")
    return attrs.evolve(preferences, revision=revision)


def save_preferences(
    preferences: EmailPreferences,
    path: str | os.PathLike[str] | None = None,
    *,
    include_secrets: bool = False,
    overwrite: bool = False,
    clock: Clock | None = None,
) -> EmailPreferences:
    """Replace the shared file, all of it or nothing.

    The new content is written beside the old one, forced onto the disk, and put in its place in one step.
    A file that holds a plain password can be read by its owner only (mode 0600); otherwise the mode of the
    old file stays. Another program that saves at the same time is waited for, 10 seconds at most.

    Args:
        preferences: what to save: a loaded value, changed with ``attrs.evolve``.
        path: the file; the shared one of this machine when left out. Folders are made.
        include_secrets: write a ``PlainSecret`` into the file.
        overwrite: replace the file whatever it holds by now.
        clock: what to wait with.

    Returns:
        The saved preferences, which remember the new content. Go on with these.

    Raises:
        StalePreferencesError: the file holds another content than the value was loaded from, or the value
            was never loaded and there is a file.
        PreferencesError: a plain password was not asked for, or the file cannot be written. The old file
            stands.
    """
    target = default_preferences_path() if path is None else Path(path)
    content = _encode(preferences, include_secrets=include_secrets)
    try:
        # A link stays a link: the file it leads to is the one that is replaced.
        file = Path(os.path.realpath(checked_name(target)))
        regular(file)  # beside a device not even a lock is made
        file.parent.mkdir(parents=True, exist_ok=True)
        with locked(file.with_name(f".{file.name}.lock"), clock=clock or SystemClock()):
            if not overwrite:
                _refuse_stale(file, preferences.revision)
            _replace(file, content)
    except OSError as error:
        raise _unwritable(target, error) from error
    return attrs.evolve(preferences, revision=content.revision)


def change_preferences(
    change: Callable[[EmailPreferences], EmailPreferences],
    path: str | os.PathLike[str] | None = None,
    *,
    clock: Clock | None = None,
) -> tuple[EmailPreferences, EmailPreferences]:
    """Read the shared file, change it and replace it, while every other program that saves waits.

    A plain password that is in the file stays in it.

    Args:
        change: gets the preferences that are in the file, and gives the ones to save.
        path: the file; the shared one of this machine when left out.
        clock: what to wait with.

    Returns:
        The preferences before and after. Where they are equal, nothing was written.

    Raises:
        PreferencesError: there is no such file, it cannot be read or written, or ``change`` raised it.
    """
    target = default_preferences_path() if path is None else Path(path)
    file = Path(os.path.realpath(target))
    load_preferences(target)  # where there is no file, no lock is made beside it
    try:
        with locked(file.with_name(f".{file.name}.lock"), clock=clock or SystemClock()):
            before = load_preferences(target)
            after = change(before)
            if after == before:
                return before, before
            content = _encode(after, include_secrets=True)
            _replace(file, content)
    except OSError as error:
        raise _unwritable(file, error) from error
    return before, attrs.evolve(after, revision=content.revision)


def _unwritable(file: Path, error: OSError) -> PreferencesError:
    return _fault(
        f"The preferences file {file} cannot be written: {_reason(error)}.",
        "The old file stands. Check who may write there, and whether the disk is full.",
    )


@attrs.frozen
class _Content:
    """The bytes of a file, kept out of sight of tracebacks."""

    data: bytes = attrs.field(repr=False)
    secret: bool

    @property
    def revision(self) -> str:
        return _revision(self.data)


def _revision(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _encode(preferences: EmailPreferences, *, include_secrets: bool) -> _Content:
    server = preferences.mail_server
    secrets = (server.password, *(secret for _, secret in secrets_of(server.oauth)))
    secret = any(isinstance(one, PlainSecret) for one in secrets)
    document = preferences_to_dict(preferences, include_secrets=include_secrets)
    fault = ""
    try:
        return _Content(_text(document).encode(), secret=secret)
    except UnicodeEncodeError:
        # Half a surrogate pair in what another program wrote: JSON can hold it in its escaped form only.
        return _Content(_text(document, ensure_ascii=True).encode(), secret=secret)
    except (TypeError, ValueError, RecursionError) as error:
        fault = type(error).__name__
    # Raised out here, as the error above holds the document, and the document may hold a password.
    del document
    raise _fault(
        f"The preferences hold something that JSON cannot write ({fault}).",
        "Only settings not known here can be the cause: look at .unknown and at the names in .contexts.",
    )


def _text(document: Mapping[str, object], *, ensure_ascii: bool = False) -> str:
    return json.dumps(document, indent=2, ensure_ascii=ensure_ascii, allow_nan=False) + "\n"


def _refuse_stale(file: Path, revision: str) -> None:
    try:
        found = _revision(read_whole(file))
    except FileNotFoundError:
        return
    if found == revision:
        return
    if revision:
        message = f"The preferences file {file} was changed by somebody else after it was loaded."
    else:
        message = (
            f"There is a preferences file {file} already, and these preferences were not loaded from it."
        )
    raise _fault(
        message,
        "Load it, make the change again and save; or say overwrite=True to replace whatever is there.",
        StalePreferencesError,
    )


def _replace(file: Path, content: _Content) -> None:
    # One name is enough, as only the holder of the lock writes.
    beside = file.with_name(f".{file.name}.new")
    mode = _PRIVATE if content.secret else _ANYBODY
    with replacement(file, beside=beside, mode=mode, keep_mode=not content.secret) as out:
        out.write(content.data)


def _read(file: Path) -> bytes:
    try:
        return read_whole(file, pipes=True)
    except FileNotFoundError as error:
        raise _fault(
            f"There is no preferences file {file}.",
            "Save the e-mail preferences first, or name the file they are in.",
        ) from error
    except OSError as error:
        raise _fault(
            f"The preferences file {file} cannot be read: {_reason(error)}.",
            "Let the program that sends the mail read it.",
        ) from error


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _fault(message: str, advice: str, kind: type[PreferencesError] = PreferencesError) -> PreferencesError:
    return kind.about("file", message, advice)
