"""``--report``: what became of everyone, as a file that is written whole or not at all."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, Self

from vetmail_core.cli.layout import tell
from vetmail_core.cli.planning import NothingTriedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from vetmail_core.receipts import Report

__all__ = ["ReportFile"]

_FORMS: Final[Mapping[str, Callable[[Report], str]]] = {
    ".json": lambda report: report.to_json() + "\n",
    ".csv": lambda report: report.to_csv(),
    ".txt": lambda report: f"{report}\n",
}


class ReportFile:
    """A place for the report, kept from before the first email on; a context manager.

    Args:
        path: its ending says the form; None where no report is asked for.

    Raises:
        NothingTriedError: the ending is another one, or nothing can be written there.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._fresh: Path | None = None
        if path is None:
            return
        if path.suffix.lower() not in _FORMS:
            raise NothingTriedError(
                f"--report {path}: expected a name that ends with {', '.join(_FORMS)}, got {path.name!r}"
            )
        if path.is_dir():
            raise NothingTriedError(f"--report {path}: is a folder; name a file in it")
        fresh = path.with_name(f".{path.name}.new")
        try:
            fresh.touch()
        except OSError as error:
            raise _unwritable(path, error) from error
        self._fresh = fresh

    def write(self, report: Report) -> bool:
        """Put the report in its place; when the disk is full or the folder has gone, say so on stderr.

        Returns:
            False when it is not there. The emails have left by now, so that is no error.
        """
        if self._path is None or self._fresh is None:
            return True
        text = _FORMS[self._path.suffix.lower()](report)
        try:
            self._fresh.write_text(text, encoding="utf-8", newline="")
            self._fresh.replace(self._path)
        except OSError as error:
            tell(str(_unwritable(self._path, error)), out=sys.stderr)
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._fresh is not None:
            self._fresh.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> NothingTriedError:
    return NothingTriedError(f"--report {path}: cannot be written: {error.strerror or error}")
