"""CSV files in any form in which offices keep them."""

from __future__ import annotations

import codecs
import io
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vetmail_core import people_file
from vetmail_core.people import merge_fields
from vetmail_core.people_file import PeopleFile, PeopleFileError, read_people
from vetmail_core.people_file.titles import KNOWN_TITLES, column_letter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vetmail_core.people import Person

ROW = "C1,Ada Lovell,ada@example.com,Kitchen 2"


def _told(person: Person) -> tuple[str, str, str]:
    mailbox = person.mailbox()
    return person.key, mailbox.display_name, mailbox.addr_spec


@pytest.mark.parametrize(
    "content",
    [
        f"key,name,address,room\n{ROW}\n",
        f"key,name,address,room\r\n{ROW}\r\n\r\n",
        codecs.BOM_UTF8 + f"key,name,address,room\n{ROW}".encode(),
        f"key,name,address,room\n{ROW}\n".replace(",", ";"),
        f"key,name,address,room\n{ROW}\n".replace(",", "\t"),
        f"key,name,address,room\n{ROW}\n".replace(",", "\t").encode("utf-16"),
        codecs.BOM_UTF16_BE + f"key,name,address,room\n{ROW}\n".encode("utf-16-be"),
        " key , name,address ,room\nC1,Ada Lovell, ada@example.com ,Kitchen 2\n",
        f"key;name;address;room\r\n{ROW.replace(',', ';')}\r\n;;;\r\n; ;;\r\n",
        f"sep=|\nkey|name|address|room\n{ROW.replace(',', '|')}\n",
        f'"sep=;"\r\nkey;name;address;room\r\n{ROW.replace(",", ";")}\r\n',
        f"sep=\t\nkey\tname\taddress\troom\n{ROW.replace(',', chr(9))}\n",
        f"\nkey,name,address,room\n{ROW}\n",
        f'key,"name",address,"room"\n{ROW}\n',
        'key, name, address, room\nC1, "Ada Lovell", ada@example.com, "Kitchen 2"\n',
        f"key,name,address,room,,\n{ROW},,\n",
        f"key,name,address,room\n{ROW},,,\n",
        f"key,name,address,room,a,b\n{ROW}\n",
        f'key;name;address;room;"Days (Mon, Tue, Wed, Thu)"\n{ROW.replace(",", ";")};x\n',
        f"key,name,address,room\n{ROW.replace('Ada Lovell', '  Ada Lovell' + chr(160))}\n",
    ],
)
def test_a_row_is_a_person_however_the_spreadsheet_wrote_it(
    read: Callable[..., PeopleFile], content: str
) -> None:
    """Separators, line ends, marks, empty rows and columns are the spreadsheet's business."""
    file = read(content)
    (person,) = file.people
    assert _told(person) == ("C1", "Ada Lovell", "ada@example.com")
    assert person.fields["room"] == "Kitchen 2"
    assert file.warnings == ()
    assert file.size == 1


def test_a_title_is_one_line(read: Callable[..., PeopleFile]) -> None:
    """A line end within a title is a space, for the merge fields as well."""
    file = read('address,"Start \r\n date"\na@example.com,3 May\n')
    assert file.titles == ("address", "Start date")
    assert [person.fields["Start date"] for person in file.people] == ["3 May"]


def test_what_stands_above_the_titles_is_passed_over_and_told(read: Callable[..., PeopleFile]) -> None:
    """A heading is not a person; beyond the first twenty rows nothing is looked for."""
    file = read("Class list;;\n;;\nkey;name;address\n1;Ada;ada@example.com\n")
    assert [_told(person) for person in file.people] == [("1", "Ada", "ada@example.com")]
    assert file.warnings == ('1 row above the titles passed over: "Class list"',)
    with pytest.raises(PeopleFileError, match="no column is called address"):
        read("x\n" * 20 + "key,address\n1,a@example.com\n")


def test_nobody_behind_a_blank_line_is_forgotten(read: Callable[..., PeopleFile]) -> None:
    """A blank line parts groups for whoever wrote the file; a name alone is a person."""
    file = read("name,address\nAda,ada@example.com\n\n , \nBo,\n")
    assert [person.name for person in file.people] == ["Ada", "Bo"]


def test_a_file_can_be_walked_twice(read: Callable[..., PeopleFile]) -> None:
    """The preview and the send read the same rows; what changed meanwhile is said."""
    file = read("address\nada@example.com\nbo@example.com\n")
    assert len(list(file.people)) == len(list(file.people)) == 2
    file.path.write_text('address\n"open\n', encoding="utf-8")
    with pytest.raises(PeopleFileError, match="has changed while it was read"):
        list(file.people)
    file.path.unlink()
    with pytest.raises(PeopleFileError, match="cannot be read: No such file"):
        list(file.people)


@pytest.mark.parametrize(("ours", "title"), [(o, t) for o, titles in KNOWN_TITLES.items() for t in titles])
def test_every_known_title_is_known_however_it_is_spelled(
    read: Callable[..., PeopleFile], ours: str, title: str
) -> None:
    """Case, blanks and signs do not count; what was taken from another title is one warning."""
    for spelled in (title, title.upper(), title.replace(" ", "_"), f" {title.title()}: "):
        titles = {"address": "address", ours: spelled}
        values = {
            "address": "ada@example.com",
            "key": "7",
            "name": "Ada",
            "first_name": "Ad",
            "last_name": "A",
        }
        file = read(f"{','.join(titles.values())}\n{','.join(values[name] for name in titles)}\n")
        (person,) = file.people
        said: dict[str, object] = {
            "address": person.mailbox().addr_spec,
            "key": person.key,
            "name": person.name,
        }
        said |= {"first_name": person.fields.get("first_name"), "last_name": person.fields.get("last_name")}
        assert said[ours] == values[ours]
        own = spelled.strip() == ours
        assert len(file.warnings) == (0 if own else 1)


@pytest.mark.parametrize(
    ("content", "told", "fields"),
    [
        (
            "First name,Surname,ID number,Institution,Email address\nZoe,Bar,7,,zoe@example.com\n",
            ("7", "Zoe Bar", "zoe@example.com"),
            {"Surname": "Bar", "first_name": "Zoe", "Institution": ""},
        ),
        (
            "Title,First Name,Last Name,E-mail Address,E-mail Display Name\n,Zoe,Bar,z@example.com,Z\n",
            ("z@example.com", "Zoe Bar", "z@example.com"),
            {"First Name": "Zoe"},
        ),
        (
            "Name,Given Name,Family Name,E-mail 1 - Value\nZ. Bar,Zoe,Bar,z@example.com\n",
            ("z@example.com", "Z. Bar", "z@example.com"),
            {"first_name": "Zoe"},
        ),
        (
            'sep=;\n"MEMBERSHIP NUMBER";"NAME";"ADDRESS";"EMAIL"\n9;Zoe Bar;1 Main St;z@example.com\n',
            ("z@example.com", "Zoe Bar", "z@example.com"),
            {"ADDRESS": "1 Main St"},
        ),
        (
            "key,address,email\n1,1 Main St,z@example.com\n",
            ("1", "", "z@example.com"),
            {"address": "1 Main St"},
        ),
        ("address,email\na@example.com,b@example.com\n", ("a@example.com", "", "a@example.com"), {}),
        ("Email,Student Email\n,b@example.com\n", ("b@example.com", "", "b@example.com"), {}),
        (
            "Client Code,Given Names,Surname,Email\n7,,Madonna,m@example.com\n",
            ("7", "Madonna", "m@example.com"),
            {"first_name": "Madonna", "last_name": "Madonna"},
        ),
        (
            "key,First name,Surname,Email\n7,Mary Ann,de la Cruz,m@example.com\n",
            ("7", "Mary Ann de la Cruz", "m@example.com"),
            {"first_name": "Mary Ann", "last_name": "de la Cruz"},
        ),
    ],
)
def test_the_lists_of_other_programs_are_read_as_they_are(
    read: Callable[..., PeopleFile], content: str, told: tuple[str, str, str], fields: dict[str, str]
) -> None:
    """A learning platform, address books, a club, a student system."""
    (person,) = read(content).people
    assert _told(person) == told
    merged = merge_fields(person)
    assert {name: merged[name] for name in fields} == fields


def test_columns_go_before_every_guess(read: Callable[..., PeopleFile]) -> None:
    """For the five of ours, and for a merge field under a name of one's own."""
    file = read(
        "Nr,Wer,Email,Parent Email\n1,Zoe,z@example.com,mum@example.com\n",
        columns={"address": "parent  email", "key": "Nr", "name": "WER", "own": "Email"},
    )
    (person,) = file.people
    assert _told(person) == ("1", "Zoe", "mum@example.com")
    assert person.fields["own"] == "z@example.com"
    assert file.warnings == ()


@pytest.mark.parametrize(
    ("cell", "addr_spec", "notes"),
    [
        ("zoe@example.com; zoe@example.org", "zoe@example.com", 1),
        ('"zoe@example.com\nzoe@example.org"', "zoe@example.com", 1),
        ("zoe@example.com ::: zoe@example.org", "zoe@example.com", 1),
        ("mailto:zoe@example.com", "zoe@example.com", 0),
        ('"zoe@example.com,"', "zoe@example.com", 0),
        ("Zoe Bar <zoe@example.com>", "zoe@example.com", 0),
        ("zoe@example.com; n/a", None, 0),
        ("n/a", None, 0),
        ("", None, 0),
    ],
)
def test_an_address_cell_is_read_as_it_was_typed(
    read: Callable[..., PeopleFile], cell: str, addr_spec: str | None, notes: int
) -> None:
    """Of several good addresses the first is written to and the others are named; a bad one leaves out."""
    mark = "\t" if ";" in cell else ";"
    person, _ = read(f"name{mark}address\nZoe{mark}{cell}\nBo{mark}bo@example.com\n").people
    assert person.name == "Zoe"
    if addr_spec is None:
        assert person.address == cell
    else:
        assert person.mailbox().addr_spec == addr_spec
    assert len(person.warnings) == notes
    assert all("zoe@example.org is not" in warning for warning in person.warnings)


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("", ["is empty"]),
        ("\n\n", ["is empty"]),
        (
            "key,name,room\n1,Zoe,4\n",
            ["row 1: no column is called address or email", '--column address="TITLE"'],
        ),
        ("key,Parent Email\n1,a@b.example\n", ['--column address="Parent Email"']),
        ("key,Address\n1,1 Main St\n", ['row 1: "Address" holds no e-mail address', "--column"]),
        ("Email,Mail\na@example.com,b@example.com\n", ['"Email" and "Mail" both', '--column address="Mail"']),
        ("address,room,room\na@example.com,1,2\n", ['row 1: the title "room" stands twice']),
        ("address,,x\na@example.com,late,1\n", ["row 2: column B has no title"]),
        (
            "address,name\na@example.com,Lovell, Ada\n",
            ["row 2: 3 values for 2 titles", '",", put it in double'],
        ),
        ("address\tname\na@example.com\ta\tb\n", ["holds a tab"]),
        ("key,name,address,room\n,,,Kitchen 2\n", ["row 2: there is neither key nor name nor address"]),
        (
            'address,name\nb@example.com,"Bo\nLee"\na@example.com,"open\nc,Cy\n',
            ["row 3 (line 4): a quotation"],
        ),
        ('address,name\na@example.com,"Ada" Lovell\n', ["row 2: a quotation mark is not closed"]),
        ("1,Zoe,zoe@example.com,x\n", ["row 1 holds an address", "key,name,address,column D"]),
        ("zoe@example.com,2,3\n", ["address,key,column C"]),
        (b"address,name\na@example.com,Zo\0e\n", ["null bytes", "CSV UTF-8"]),
        (
            b"address,name\na@example.com,Zo\xc3\xab\nb@example.com,Bo \x96\n",
            ["row 3: the byte 0x96", "UTF-8"],
        ),
        (b"address,name\na@example.com,Bo \x81\n", ["row 2: the byte 0x81", "Windows-1252"]),
        (b"\xd0\xcf\x11\xe0 an old workbook", ["old .xls", ".xlsx"]),
        ("address,name\na@example.com," + "x" * 140_000 + "\n", ["row 2: a value has more than 131,072"]),
        ("sep=;\nkey;address\n1;a@example.com;x\n", ["row 2 (line 3): 3 values"]),
    ],
)
def test_a_mistake_names_its_row_and_what_to_do(
    read: Callable[..., PeopleFile], content: str | bytes, problems: list[str]
) -> None:
    """Whoever prepared the file can mend it from the sentence alone; nothing is to be renamed."""
    with pytest.raises(PeopleFileError) as caught:
        read(content)
    (problem,) = caught.value.problems
    assert all(words in problem for words in problems)
    assert "rename" not in problem
    assert "people.csv: " in str(caught.value)


def test_following_the_advice_for_a_file_without_titles_works(read: Callable[..., PeopleFile]) -> None:
    """The line to put above is the line that makes it a people file."""
    content = "1,Zoe,zoe@example.com\n2,Bo,bo@example.com\n"
    with pytest.raises(PeopleFileError) as caught:
        read(content)
    line = str(caught.value).rpartition(": ")[2]
    assert [person.key for person in read(f"{line}\n{content}").people] == ["1", "2"]


def test_all_mistakes_are_told_at_once(read: Callable[..., PeopleFile]) -> None:
    """Five in full, the others counted; each is in `problems`."""
    rows = "".join(f"{n},Bar, Zoe,z{n}@example.com\n" for n in range(12))
    with pytest.raises(PeopleFileError) as caught:
        read(f"key,name,address\n{rows}")
    assert len(caught.value.problems) == 12
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("people.csv has 12 mistakes:")
    assert lines[1].startswith("  row 2: ")
    assert len(lines) == 7
    assert lines[-1] == "  and 7 more"
    with pytest.raises(PeopleFileError) as caught:
        read("key,name,address\n1,a,b,c\n2,a,b,c\n", columns={})
    assert len(str(caught.value).splitlines()) == 3


def test_a_column_that_is_not_there_is_named_with_the_nearest(read: Callable[..., PeopleFile]) -> None:
    """A slip in an option is told before anything else."""
    for columns, words in (
        ({"address": "Emial"}, 'no column "Emial" for address; did you mean "Email"?'),
        ({"key": "Numer"}, 'no column "Numer" for key; did you mean "Number"? The titles are: Number, Email'),
        ({"x": "qqq"}, 'no column "qqq" for x; The titles are'),
    ):
        with pytest.raises(PeopleFileError) as caught:
            read("Number,Email\n1,a@example.com\n", columns=columns)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("octets", "encoding", "name", "said"),
    [
        ("Zo\u00eb".encode("cp1252"), None, "Zo\u00eb", ["row 2", "Zo\u00eb", "Windows-1252"]),
        ("O\u2019Neil".encode("cp1252"), None, "O\u2019Neil", ["O\u2019Neil"]),
        ("Zo\u00eb".encode(), None, "Zo\u00eb", []),
        ("Zo\u00eb".encode("latin-1"), "latin-1", "Zo\u00eb", []),
        ("\u0141ucja".encode("cp1250"), "cp1250", "\u0141ucja", []),
        (codecs.BOM_UTF8 + b"", "utf-8", "", []),
    ],
)
def test_the_charset_is_found_or_given(
    tmp_path: Path, octets: bytes, encoding: str | None, name: str, said: list[str]
) -> None:
    """Whatever is not UTF-8 is Windows-1252, and the notice shows the name by which to judge it."""
    path = tmp_path / "people.csv"
    mark, _, rest = (
        octets.rpartition(codecs.BOM_UTF8) if octets.startswith(codecs.BOM_UTF8) else (b"", b"", octets)
    )
    start = codecs.BOM_UTF8 if octets.startswith(codecs.BOM_UTF8) else mark
    path.write_bytes(start + b"address,name\na@example.com," + rest + b"\n")
    file = read_people(path, encoding=encoding)
    assert [person.name for person in file.people] == [name]
    assert len(file.warnings) == (1 if said else 0)
    assert all(words in file.warnings[0] for words in said)


def test_the_first_row_in_windows_1252_is_shown(read: Callable[..., PeopleFile]) -> None:
    """Counted as the spreadsheet counts, though values before it have line ends."""
    content = 'address,name\na@example.com,"An\nn"\nb@example.com,Zo\u00eb\nc@example.com,Ren\u00e9e\n'
    file = read(content.encode("cp1252"))
    assert file.warnings == ('not UTF-8, so read as Windows-1252: row 3 (line 4) "Zo\u00eb"',)


def test_utf_16_can_be_given(read: Callable[..., PeopleFile]) -> None:
    """Without a mark nobody else could know."""
    file = read("address,name\na@example.com,Zo\u00eb\n".encode("utf-16-le"), encoding="utf-16-le")
    assert [person.name for person in file.people] == ["Zo\u00eb"]


def test_a_charset_that_does_not_fit_is_said(read: Callable[..., PeopleFile]) -> None:
    """By its row and octet, or by its name."""
    with pytest.raises(PeopleFileError, match="row 2: the byte 0xeb is not a character in UTF-8"):
        read("address,name\na@example.com,Zo\u00eb\n".encode("cp1252"), encoding="UTF-8")
    with pytest.raises(PeopleFileError, match='"klingon" is not the name of a charset'):
        read("address\n", encoding="klingon")


def test_utf_16_that_breaks_off_is_said(read: Callable[..., PeopleFile]) -> None:
    """Wherever it breaks; half a character is no name."""
    for rows in (1, 400):
        octets = ("address,name\n" + "a@example.com,Ann\n" * rows).encode("utf-16") + b"x"
        with pytest.raises(PeopleFileError, match="is not a character in utf-16"):
            read(octets)


@pytest.mark.parametrize(
    "titles", ["key,address,email", "key,address", "key,email", "email,key,student email,left out,why"]
)
def test_those_left_out_may_have_no_address_at_all(read: Callable[..., PeopleFile], titles: str) -> None:
    """The file that the product wrote of them is read as the list that it came from."""
    ours = titles if titles.endswith("why") else f"{titles},left out,why"
    if titles.startswith("email"):
        with pytest.raises(PeopleFileError, match="both hold addresses"):
            read(f"{ours}\nn/a,1,n/a,no address,x\n")
        return
    blank = "," * (titles.count(",") - 1)
    file = read(f"{ours}\n1,{blank},no address,has none\n2,n/a{blank},bad address,is none\n")
    assert [person.key for person in file.people] == ["1", "2"]
    assert all(set(person.fields) <= {"key", "address", "email"} for person in file.people)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(PeopleFileError, match="cannot be read: No such file or directory"):
        people_file.read_people(tmp_path / "nobody.csv")


@pytest.mark.parametrize(("index", "letter"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")])
def test_columns_have_the_letters_of_a_spreadsheet(index: int, letter: str) -> None:
    """Whoever looks for the value finds it there."""
    assert column_letter(index) == letter


def test_people_are_not_kept_in_memory(tmp_path: Path) -> None:
    """A file of any length is walked row by row."""

    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.csv"
        with io.open(path, "w", encoding="utf-8") as out:  # noqa: UP020 - the same as everywhere
            out.write("key,name,address\n")
            out.writelines(f"{n},Ann Lee,ann{n}@example.com\n" for n in range(rows))
        tracemalloc.start()
        count = sum(1 for _ in read_people(path).people)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == rows
        return used

    peak(10)
    assert peak(4_000) < peak(400) + 100_000


_CELL = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters='"'), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(_CELL, _CELL), min_size=1, max_size=5),
    st.sampled_from(",;\t"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_is_written_in_any_form_is_read_back(
    tmp_path: Path, rows: list[tuple[str, str]], separator: str, charset: str
) -> None:
    """For any names and keys, whatever the separator and charset."""
    lines = [separator.join(("key", "name", "address", "room"))]
    lines += [
        separator.join((f'"k{n}{key}"', f'"{name}"', f"a{n}@example.com", '"4"'))
        for n, (key, name) in enumerate(rows)
    ]
    path = tmp_path / "any.csv"
    path.write_bytes("\r\n".join(lines).encode(charset))
    people = list(read_people(path).people)
    assert [person.key for person in people] == [f"k{n}{key}" for n, (key, _) in enumerate(rows)]
    assert [person.name for person in people] == [name for _, name in rows]
