"""Where a sign-in is kept between runs: a file, the computer's password store, or a host's own place.

What is kept is the refresh token and whom it belongs to, nothing else. Each sign-in has an entry, named by
authority, tenant, client and mailbox. A refresh token may be good for one use only, so whoever renews a
sign-in holds it: reads, asks, writes, and lets the next process read what it wrote.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from typing import TYPE_CHECKING, Final, Protocol, cast, runtime_checkable

import attrs

from vetmail_core._file_lock import locked
from vetmail_core._files import NEW, open_regular
from vetmail_core.clock import SystemClock
from vetmail_core.credentials import CONTROL
from vetmail_core.errors import TokenError
from vetmail_core.tokens.hidden import HiddenText
from vetmail_core.tokens.settings import path as path_rule
from vetmail_core.tokens.settings import path_of, raise_if_any, wrong

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["FileTokens", "KeyringTokens", "TokenCache", "default_sign_ins_path"]

_CACHE: Final = "mail_server.oauth.microsoft_sign_in.cache"
_SCHEMA: Final = 1
_PATIENCE: Final = 60.0  # seconds; a renewal takes one request
_PIECE: Final = 1_200  # characters; Windows takes 2,560 octets of UTF-16 an entry
_PRIVATE_FOLDER: Final = 0o700
_PRIVATE: Final = 0o600
_OTHERS: Final = 0o077
_POSIX: Final = sys.platform != "win32"


@runtime_checkable
class TokenCache(Protocol):
    """A place for sign-ins. A host may use its database; the texts are secrets."""

    def read(self, entry: str) -> str | None:
        """The text of an entry; None when there is none.

        Raises:
            TokenError: the place cannot be read.
        """
        ...

    def write(self, entry: str, text: str | None) -> None:
        """Replace the text of an entry, all of it or nothing; None takes it away. Called within ``hold``.

        Raises:
            TokenError: it cannot be kept; what was kept before is still there.
        """
        ...

    def hold(self, entry: str) -> AbstractContextManager[None]:
        """Let nobody else, in any process, hold this entry while the block runs.

        Raises:
            TokenError: somebody else has held it for too long.
        """
        ...


def default_sign_ins_path() -> Path:
    """Where sign-ins of this account are kept; it need not exist.

    Returns:
        Linux ``~/.local/state/vetmail_core/sign-ins.json``; on Windows and macOS in the account's own folder
        for application data.
    """
    import platformdirs  # noqa: PLC0415 - only whoever signs in needs to know where

    return platformdirs.user_state_path("vetmail_core", appauthor=False) / "sign-ins.json"


@attrs.frozen
class FileTokens:
    """Keeps sign-ins in a file that its owner alone can read.

    The folder is made with mode 0700, the file with 0600 and replaced in one step. On POSIX a file that
    group or others can read is not used.

    Args:
        path: the file; None is `default_sign_ins_path`, in the account that runs the program.

    Raises:
        PreferencesError: this is not the name of a file.
    """

    path: Path | None = attrs.field(default=None, converter=path_of)

    def __attrs_post_init__(self) -> None:
        if self.path is not None:
            raise_if_any(path_rule(_CACHE, self.path, "the name of a file for sign-ins"))

    @property
    def file(self) -> Path:
        """The file that is used."""
        return default_sign_ins_path() if self.path is None else self.path

    def read(self, entry: str) -> str | None:
        """The text of an entry; None when there is none.

        Raises:
            TokenError: the file is damaged, cannot be read, or can be read by others.
        """
        return self._load().get(entry)

    def write(self, entry: str, text: str | None) -> None:
        """Replace the text of an entry; None takes it away.

        Raises:
            TokenError: the file cannot be written; the old one is still there.
        """
        kept = dict(self._load())
        kept.pop(entry, None)
        if text is not None:
            kept[entry] = HiddenText(text)
        import json  # noqa: PLC0415 - preferences, which hold a source, are loaded without it

        document = HiddenText(json.dumps({"schema": _SCHEMA, "sign_ins": kept}, indent=2) + "\n")
        reason = ""
        try:
            _replace(self.file, document)
        except OSError as error:
            reason = _reason(error)
        if reason:
            raise _cannot("written", self.file, reason)

    @contextlib.contextmanager
    def hold(self, entry: str) -> Generator[None]:
        """Let nobody else write while the block runs.

        Raises:
            TokenError: somebody else has held it for a minute, or the folder cannot be written.
        """
        del entry  # the file is one
        with _held(self.file):
            yield

    def _load(self) -> Mapping[str, HiddenText]:
        text, fault = self._text()
        if fault is not None:
            raise fault
        if not text:
            return {}
        import json  # noqa: PLC0415 - as above

        line = 0
        try:
            document: object = json.loads(text)
        except json.JSONDecodeError as error:
            line, document = error.lineno, None
        except (ValueError, RecursionError):
            document = None
        kept = cast("dict[str, object]", document).get("sign_ins") if isinstance(document, dict) else None
        if isinstance(kept, dict) and all(isinstance(one, str) for one in kept.values()):  # pyright: ignore[reportUnknownVariableType] - JSON
            return {name: HiddenText(one) for name, one in cast("dict[str, str]", kept).items()}
        del document, kept
        where = f" at line {line}" if line else ": it does not hold sign-ins"
        raise TokenError(
            f"The file {self.file} is damaged{where}.",
            advice="It is left as it is. Restore it from a copy, or move it away and let everybody sign "
            "in again: "
            "vetmail sign-in.",
        )

    def _text(self) -> tuple[HiddenText, TokenError | None]:
        """What is in the file, "" when there is none; and why it may not be used."""
        file = self.file
        try:
            with os.fdopen(open_regular(file, links=True), "rb") as opened:
                mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
                if _POSIX and mode & _OTHERS:
                    return HiddenText(), TokenError(
                        f"The file {file} can be read by others (mode {mode:04o}), so the sign-ins in it "
                        "are not used.",
                        advice=f"Run: chmod 600 {file}",
                    )
                return HiddenText(opened.read().decode(errors="replace")), None
        except FileNotFoundError:
            return HiddenText(), None
        except OSError as error:
            reason = _reason(error)
        return HiddenText(), _cannot("read", file, reason)


def _cannot(what: str, file: Path, reason: str) -> TokenError:
    return TokenError(
        f"The file {file}, where sign-ins are kept, cannot be {what} ({reason}).",
        advice="Let the account that sends the mail read and write it, and see that the disk is not "
        "full; the "
        "sign-ins that were kept are still there.",
    )


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _replace(file: Path, document: HiddenText) -> None:
    # Whoever writes holds the lock, so one name is enough: what a crash left there goes first.
    fresh = file.with_name(f".{file.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        descriptor = open_regular(fresh, os.O_WRONLY | NEW, mode=_PRIVATE)
        with os.fdopen(descriptor, "wb") as out:
            out.write(document.encode())
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _held(file: Path) -> Generator[None]:
    """Hold the lock beside a file."""
    fault: TokenError | None = None
    with contextlib.ExitStack() as lock:
        try:
            file.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            lock.enter_context(
                locked(file.with_name(f".{file.name}.lock"), clock=SystemClock(), patience=_PATIENCE)
            )
        except TimeoutError:
            fault = TokenError(
                f"Another program has been renewing a sign-in in {file} for {_PATIENCE:.0f} seconds.",
                advice="Try again; end that program if it hangs.",
                transient=True,
            )
        except OSError as error:
            fault = _cannot("written", file, _reason(error))
        if fault is not None:
            raise fault
        yield


@attrs.frozen
class KeyringTokens:
    """Keeps sign-ins in the computer's own password store. Needs the extra ``vetmail_core[keyring]``.

    A store may take no more than 1,280 characters an entry (Windows), and refresh tokens are longer. So a
    long text is split over numbered entries; the entry itself then names them, and is written last.

    Args:
        service: the entries' name in the store.

    Raises:
        PreferencesError: the name is empty or holds a control character.
    """

    service: str

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.service, str) or not self.service or CONTROL.search(self.service):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise_if_any(
                (
                    wrong(
                        _CACHE,
                        "Expected the name of a service in the password store, such as vetmail.",
                        "Write a name on one line.",
                    ),
                )
            )

    def read(self, entry: str) -> str | None:
        """The text of an entry; None when there is none.

        Raises:
            TokenError: the store does not answer, or a piece is missing.
        """
        store = _Store(self.service)
        text = store.get(entry)
        if text is None or not text.startswith(_PIECES):
            return text
        pieces = [store.get(name) for name in _names(entry, text)]
        if None in pieces:
            del text
            raise TokenError(
                f'The sign-in in the password store ("{self.service}") is not whole.',
                advice="Let the person sign in again: vetmail sign-in.",
            )
        return HiddenText("".join(cast("list[str]", pieces)))

    def write(self, entry: str, text: str | None) -> None:
        """Replace the text of an entry; None takes it away.

        Raises:
            TokenError: the store does not take it.
        """
        store = _Store(self.service)
        old = store.get(entry)
        before = _names(entry, old) if old is not None and old.startswith(_PIECES) else []
        if text is None:
            if old is not None:
                store.delete(entry)
        elif len(text) <= _PIECE:
            store.set(entry, HiddenText(text))
        else:
            # Two sets of numbers take turns: the old pieces are whole until the entry names new ones.
            turn = 1 if before and old is not None and old.startswith(f"{_PIECES}0 ") else 0
            mark = f"{_PIECES}{turn} {-(-len(text) // _PIECE)}"
            for number, name in enumerate(_names(entry, mark)):
                store.set(name, HiddenText(text[number * _PIECE : (number + 1) * _PIECE]))
            store.set(entry, HiddenText(mark))
        for name in before:
            store.delete(name)

    @contextlib.contextmanager
    def hold(self, entry: str) -> Generator[None]:
        """Let nobody else of this account write while the block runs.

        Raises:
            TokenError: somebody else has held it for a minute.
        """
        del entry
        import hashlib  # noqa: PLC0415 - as above

        name = hashlib.sha256(self.service.encode()).hexdigest()[:16]
        with _held(default_sign_ins_path().with_name(f"keyring-{name}")):
            yield


_PIECES: Final = "vetmail pieces "


def _names(entry: str, mark: str) -> list[str]:
    """The names of the numbered entries that an entry names: ``vetmail pieces TURN COUNT``."""
    turn, _, count = mark.removeprefix(_PIECES).partition(" ")
    return [f"{entry} {turn}.{number}" for number in range(1, (int(count) if count.isdecimal() else 0) + 1)]


class _Store:
    """The password store, whose plug-ins raise what they like."""

    def __init__(self, service: str) -> None:
        try:
            import keyring  # noqa: PLC0415 - an extra
        except ImportError:
            raise TokenError(
                "Sign-ins cannot be kept in the password store because the package keyring is not installed.",
                advice='Install it: pip install "vetmail_core[keyring]".',
            ) from None
        self._keyring = keyring
        self._service = service

    def get(self, name: str) -> HiddenText | None:
        fault, text = "", None
        try:
            text = self._keyring.get_password(self._service, name)
        except Exception as error:  # noqa: BLE001 - the plug-in's own
            fault = type(error).__name__
        if fault:
            raise self._broken(fault)
        return None if text is None else HiddenText(text)

    def set(self, name: str, text: HiddenText) -> None:
        fault = ""
        try:
            self._keyring.set_password(self._service, name, str(text))
        except Exception as error:  # noqa: BLE001 - as above
            fault = type(error).__name__
        if fault:
            raise self._broken(fault)

    def delete(self, name: str) -> None:
        with contextlib.suppress(Exception):  # an entry that is not there, or stays: nobody reads it
            self._keyring.delete_password(self._service, name)

    def _broken(self, fault: str) -> TokenError:
        return TokenError(
            f'The password store ("{self._service}"), where sign-ins are kept, did not answer ({fault}).',
            advice="Unlock it, or run the program as the account that owns it.",
        )
