"""The error with every mistake of a people file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core.errors import VetmailError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MistakesError", "PeopleFileError"]

_TOLD: Final = 5


class PeopleFileError(VetmailError, ValueError):
    """A people file that cannot be used.

    Attributes:
        problems: every mistake of the file, each with its place and what to do about it.
    """

    def __init__(self, message: str, *, problems: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)

    @classmethod
    def of(cls, path: object, problems: Iterable[str]) -> PeopleFileError:
        """Make the error of a file: its sentence tells the first five mistakes and counts the others.

        Args:
            path: the file.
            problems: at least one.
        """
        found = tuple(problems)
        if len(found) == 1:
            return cls(f"{path}: {found[0]}", problems=found)
        lines = [f"{path} has {len(found)} mistakes:", *(f"  {problem}" for problem in found[:_TOLD])]
        if len(found) > _TOLD:
            lines.append(f"  and {len(found) - _TOLD} more")
        return cls("\n".join(lines), problems=found)


class MistakesError(Exception):
    """Mistakes on their way to the error that names their file; never leaves the package."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems
