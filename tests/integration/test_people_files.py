"""People files that LibreOffice Calc wrote, and what a browser makes of links and of the preview page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import openpyxl
import pytest

from vetmail_core.message import Content
from vetmail_core.people_file import read_people

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = [
    ["ID number", "First name", "Surname", "Email address", "Room; floor"],
    ["00123", "Zo\u00eb", "Bar", "zoe@example.com", "4; 2"],
    ["00124", "Ren\u00e9e", 'O\u2019Connor "R"', "renee@example.com", "5"],
]
TOLD = [
    ("00123", "Zo\u00eb Bar", "zoe@example.com", "4; 2"),
    ("00124", 'Ren\u00e9e O\u2019Connor "R"', "renee@example.com", "5"),
]
UTF_8, WINDOWS_1252, UTF_16 = 76, 1, 65535  # as Calc's filter numbers them


def _told(path: Path) -> list[tuple[str, str, str, object]]:
    return [
        (person.key, person.name, person.mailbox().addr_spec, person.fields["Room; floor"])
        for person in read_people(path).people
    ]


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The list as openpyxl writes it."""
    path = tmp_path_factory.mktemp("list") / "class.xlsx"
    book = openpyxl.Workbook()
    for row in ROWS:
        book.active.append(row)
    book.save(path)
    return path


def _converted(workbook: Path, folder: Path, kind: str) -> Path:
    """Have Calc open the list and save it anew."""
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = ["soffice", profile, "--headless", "--convert-to", kind, "--outdir", str(folder), str(workbook)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (made,) = (path for path in folder.iterdir() if path.stem == "class")
    return made


def test_openpyxl_s_own_list_is_read(workbook: Path) -> None:
    """As the measure for the others."""
    assert _told(workbook) == TOLD


@pytest.mark.parametrize(
    ("kind", "warned"),
    [
        ("xlsx", False),
        (f"csv:Text - txt - csv (StarCalc):44,34,{UTF_8}", False),
        (f"csv:Text - txt - csv (StarCalc):59,34,{WINDOWS_1252}", True),
        (f"csv:Text - txt - csv (StarCalc):9,34,{UTF_16}", False),
    ],
    ids=["xlsx", "comma UTF-8", "semicolon Windows-1252", "tab UTF-16"],
)
def test_what_calc_saves_gives_the_same_people(
    workbook: Path,
    tmp_path: Path,
    kind: str,
    warned: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Whatever format, separator and charset the office chose."""
    path = _converted(workbook, tmp_path, kind)
    assert _told(path) == TOLD
    assert any("Windows-1252" in said for said in read_people(path).warnings) is warned


class _Asked(BaseHTTPRequestHandler):
    """Keeps what a browser asked for."""

    paths: list[str]

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<p>thank you</p>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        del format, args


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine, and what it was asked for."""
    paths: list[str] = []
    handler = type("Asked", (_Asked,), {"paths": paths})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}", paths
        web.shutdown()


def _browse(page: Path, profile: Path, *options: str) -> str:
    command = ["chromium", "--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}"]
    if os.geteuid() == 0:
        command.append("--no-sandbox")  # it refuses to run as root with one
    command += ["--virtual-time-budget=3000", "--dump-dom", *options, page.as_uri()]
    said = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    return said.stdout


@pytest.mark.parametrize("value", ["Kitchen & Bar", "a+b c", "Zo\u00eb?#/=%25", '"x" <y>'])
def test_a_browser_finds_a_merged_value_back(
    tmp_path: Path, server: tuple[str, list[str]], value: str
) -> None:
    """Following the link of the email, the page behind it gets the value whole."""
    address, asked = server
    html = f'<meta charset="utf-8"><a id="link" href="{address}/r?course=${{course}}&amp;x=1">enrol</a>'
    merged = Content("s", html=html).merge({"course": value}).html
    page = tmp_path / "email.html"
    page.write_text(f"{merged}<script>document.getElementById('link').click()</script>", encoding="utf-8")
    _browse(page, tmp_path / "profile")
    (path,) = (path for path in asked if path.startswith("/r?"))
    assert parse_qs(urlsplit(path).query) == {"course": [value], "x": ["1"]}


def test_a_browser_shows_the_preview_page_and_fetches_nothing(
    tmp_path: Path, server: tuple[str, list[str]]
) -> None:
    """A name with markup is text, an image in the HTML stays where it is, and no script runs."""
    address, asked = server
    (tmp_path / "p.json").write_text(
        json.dumps(
            {
                "schema": 1,
                "use_built_in_client": True,
                "mail_server": {"host": "smtp.example.com"},
                "settings": {"default_from": "office@example.com"},
            }
        ),
        encoding="utf-8",
    )
    (tmp_path / "people.csv").write_text(
        "key,name,address\n1,<b>Zoe</b> Bar,zoe@example.com\n", encoding="utf-8"
    )
    (tmp_path / "t.txt").write_text("Dear ${name}", encoding="utf-8")
    (tmp_path / "t.html").write_text(
        f'<p>Dear ${{name}}</p><img src="{address}/seen.png"><script>fetch("{address}/ran")</script>'
        f'<link rel="stylesheet" href="{address}/style.css">',
        encoding="utf-8",
    )
    command = [
        sys.executable,
        "-m",
        "vetmail_core",
        "preview",
        "--preferences",
        "p.json",
        "--people",
        "people.csv",
    ]
    command += ["--subject", "S", "--text", "t.txt", "--html", "t.html", "--html-preview", "page.html"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    picture = tmp_path / "page.png"
    shown = _browse(tmp_path / "page.html", tmp_path / "profile", f"--screenshot={picture}")
    assert "&lt;b&gt;Zoe&lt;/b&gt; Bar" in shown
    assert "<b>Zoe</b>" not in shown
    assert asked == []
