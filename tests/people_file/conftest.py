"""People files, written and read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vetmail_core.people_file import PeopleFile, read_people

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., PeopleFile]:
    """Write a text or octets into a file, and read it."""

    def write_and_read(
        content: str | bytes,
        *,
        name: str = "people.csv",
        columns: dict[str, str] | None = None,
        encoding: str | None = None,
    ) -> PeopleFile:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_people(path, columns=columns or {}, encoding=encoding)

    return write_and_read
