"""People out of a CSV file."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import pytest

from vetmail_core.cli.people_file import PeopleFile, PeopleFileError

if TYPE_CHECKING:
    from pathlib import Path

ROW = "C1,Ada Lovell,ada@example.com,Kitchen 2"


@pytest.mark.parametrize(
    "content",
    [
        f"key,name,address,room\n{ROW}\n".encode(),
        f"key,name,address,room\r\n{ROW}\r\n\r\n".encode(),
        codecs.BOM_UTF8 + f"key,name,address,room\n{ROW}".encode(),
        f"key,name,address,room\n{ROW}\n".replace(",", ";").encode(),
        f"key,name,address,room\n{ROW}\n".replace(",", "\t").encode(),
        b" key , name,address ,room\nC1,Ada Lovell, ada@example.com ,Kitchen 2\n",
        f"key;name;address;room\r\n{ROW.replace(',', ';')}\r\n;;;\r\n; ;;\r\n".encode(),
    ],
    ids=[
        "plain",
        "crlf and a blank line",
        "byte order mark",
        "semicolons",
        "tabs",
        "blanks around titles",
        "emptied rows at the end",
    ],
)
def test_a_row_is_a_person_however_the_spreadsheet_wrote_it(tmp_path: Path, content: bytes) -> None:
    """Separators, line ends and a byte order mark are the spreadsheet's business."""
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    (person,) = PeopleFile(path)
    assert (person.key, person.name, str(person.mailbox().addr_spec)) == (
        "C1",
        "Ada Lovell",
        "ada@example.com",
    )
    assert person.fields["room"] == "Kitchen 2"


def test_nobody_behind_a_blank_line_is_forgotten(tmp_path: Path) -> None:
    """A blank line parts groups for whoever wrote the file, and ends nothing; a name alone is a person."""
    path = tmp_path / "people.csv"
    path.write_text("name,address\nAda,ada@example.com\n\n , \nBo,\n", encoding="utf-8")
    assert [person.name for person in PeopleFile(path)] == ["Ada", "Bo"]


def test_only_the_address_column_is_needed(tmp_path: Path) -> None:
    """A list of addresses is a people file."""
    path = tmp_path / "people.csv"
    path.write_text("address\nada@example.com\n", encoding="utf-8")
    (person,) = PeopleFile(path)
    assert person.mailbox().addr_spec == "ada@example.com"


def test_a_file_can_be_walked_twice(tmp_path: Path) -> None:
    """The preview and the send read the same rows."""
    path = tmp_path / "people.csv"
    path.write_text("address\nada@example.com\nbo@example.com\n", encoding="utf-8")
    people = PeopleFile(path)
    assert people.checked() == 2
    assert len(list(people)) == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "line 1: expected a column named address, found no column"),
        (b"key,name,room\n", "line 1: expected a column named address, found key, name, room"),
        (b"key,E-mail\nC1,a@example.com\n", 'rename the column "E-mail" to "address"'),
        (b"key,Address\nC1,a@example.com\n", 'rename the column "Address" to "address"'),
        (
            b"address,room,room\na@example.com,1,2\n",
            "expected each column once and with a name, found the column room twice",
        ),
        (b"address,\na@example.com,\n", "found a column without a name"),
        (b"address,,\na@example.com,,\n", "found a column without a name"),
        (b"address,name\na@example.com,Lovell, Ada\n", "line 2: expected 2 values (address, name), found 3"),
        (
            b"key,name,address,room\n,,,Kitchen 2\n",
            "line 2: expected a person, found neither key nor name nor address",
        ),
        (b"Key,address\nC1,a@example.com\n", 'expected the column "key", found "Key"; rename it'),
        (
            b'address,name\nb@example.com,"Bo\nLovell"\na@example.com,"open\nc@example.com,Cy\n',
            "line 4: expected a row of values, found what cannot be read (unexpected end of data); write",
        ),
        (
            b'address,name\na@example.com,"Ada" Lovell\n',
            "line 2: expected a row of values, found what cannot be read (',' expected after '\"')",
        ),
        (b'address,"name\n', "line 1: expected a row of values"),
        ("address,name\na@example.com,Zoë\n".encode("cp1252"), "expected text in UTF-8, found byte 0xeb"),
    ],
)
def test_a_mistake_names_its_line_and_what_to_change(tmp_path: Path, content: bytes, sentence: str) -> None:
    """Whoever prepared the file can mend it from the sentence alone."""
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    with pytest.raises(PeopleFileError) as caught:
        PeopleFile(path).checked()
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(PeopleFileError, match="cannot be read: No such file or directory"):
        PeopleFile(tmp_path / "nobody.csv").checked()
