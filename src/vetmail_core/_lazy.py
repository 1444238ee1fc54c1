"""Late imports for packages whose names live in heavy modules.

A module is imported when its first name is asked for, so ``import vetmail_core`` costs next to nothing and
still offers every public name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def late(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make the ``__getattr__`` and ``__dir__`` of a package (PEP 562).

    Args:
        package: the package's dotted name.
        homes: module, relative to the package -> the names taken from it, with blanks between them:
            ``{".people": "Person Staff"}``. A name that is its module's own is the module.

    Returns:
        The two functions to assign at module level.
    """
    home_of = {name: home for home, names in homes.items() for name in names.split()}

    def __getattr__(name: str) -> object:  # noqa: N807 - PEP 562 gives the name
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(home, package)
        return module if home == f".{name}" else getattr(module, name)

    def __dir__() -> list[str]:  # noqa: N807 - PEP 562 gives the name
        return sorted(home_of)

    return __getattr__, __dir__
