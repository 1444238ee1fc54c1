"""A note for an argument that does not exist: the nearest one that does."""

from __future__ import annotations

import functools
import inspect
import re
from typing import TYPE_CHECKING, Final, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["naming_the_nearest"]

_Class = TypeVar("_Class")
_UNEXPECTED: Final = re.compile(r"unexpected keyword argument '(\w+)'")


def naming_the_nearest(**meant: str) -> Callable[[type[_Class]], type[_Class]]:
    """Make a class add a note to Python's own TypeError for an argument that it does not have.

    Args:
        meant: a name that people write -> the argument that they mean, where the two are not alike.
    """

    def decorate(cls: type[_Class]) -> type[_Class]:
        made = cast("Callable[..., None]", cls.__init__)

        @functools.wraps(made)
        def init(self: _Class, *args: object, **given: object) -> None:
            try:
                made(self, *args, **given)
            except TypeError as error:
                wrong = _UNEXPECTED.search(str(error))
                if wrong is not None:
                    error.add_note(_note(cls.__name__, wrong[1], [*inspect.signature(cls).parameters], meant))
                raise
            finally:
                # A traceback may show the local variables, and a password may be among the arguments.
                given.clear()
                args = ()

        type.__setattr__(cls, "__init__", init)
        return cls

    return decorate


def _note(name: str, wrong: str, arguments: list[str], meant: dict[str, str]) -> str:
    import difflib  # noqa: PLC0415 - needed for a sentence only

    near = [meant[wrong]] if wrong in meant else difflib.get_close_matches(wrong, arguments, n=1)
    if near:
        return f"{name}() has no argument {wrong}. Did you mean {near[0]}?"
    return f"{name}() has no argument {wrong}. It has: {', '.join(arguments)}."
