"""What may be typed on the command line.

A mistake in the arguments ends with status 2 before a file is opened.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from vetmail_core import __version__
from vetmail_core.cli.administering import add_ledger, add_settings, add_trial

__all__ = ["parser"]

_EPILOG = (
    "Exit status: 0 all went and nobody was left out, 1 some did not (listed on stderr), "
    "2 nothing could be tried (the reason on one line)."
)


class _OneLine(argparse.ArgumentParser):
    """A parser whose complaint is one line, as every other error of the command line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _path(text: str) -> Path:
    # An empty text is a variable that a script forgot to set; as a path it would be the current folder.
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a file or folder, found an empty text")
    return Path(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number of 1 or more, got {text!r}")
    return int(text)


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--preferences",
        type=_path,
        metavar="FILE",
        help="the e-mail preferences (JSON); without it the shared file that `paths` names",
    )
    staff = command.add_argument_group("the staff member who sends (without one: mail by the system)")
    staff.add_argument("--staff", metavar="MAILBOX", help="name and address: '\"Kim Lee\" <kim@example.com>'")
    staff.add_argument("--staff-username", metavar="NAME", help="Email Username of the staff record")
    staff.add_argument(
        "--staff-password-environment",
        metavar="VARIABLE",
        help="the environment variable that holds the password",
    )
    command.add_argument(
        "--token-environment",
        metavar="VARIABLE",
        help="the environment variable that holds the OAuth access token",
    )


def _add_licences(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--licences",
        type=_count,
        metavar="N",
        help="how many licences the organisation has at Microsoft 365, which decide its recipients a day (1)",
    )


def _add_plan(command: argparse.ArgumentParser) -> None:
    content = command.add_argument_group("the e-mail")
    content.add_argument(
        "--people",
        type=_path,
        required=True,
        metavar="FILE",
        help="CSV or .xlsx: key, name, address, merge fields",
    )
    content.add_argument(
        "--column",
        action="append",
        default=[],
        metavar='FIELD="TITLE"',
        help="the column of address, key, name, first_name, last_name or of a merge field; may be repeated",
    )
    content.add_argument("--encoding", metavar="NAME", help="the charset of a CSV file, such as cp1252")
    content.add_argument("--subject", required=True, help="may hold merge fields: ${first_name}")
    content.add_argument(
        "--text", type=_path, required=True, metavar="FILE", help="the text, UTF-8, with merge fields"
    )
    content.add_argument("--html", type=_path, metavar="FILE", help="the same as HTML; values are escaped")
    content.add_argument(
        "--attach", type=_path, action="append", default=[], metavar="FILE", help="may be repeated"
    )
    copies = command.add_argument_group("copies")
    copies.add_argument(
        "--cc", action="append", default=[], metavar="MAILBOXES", help="split at the address separator"
    )
    copies.add_argument(
        "--bcc", action="append", default=[], metavar="MAILBOXES", help="split at the address separator"
    )
    copies.add_argument("--context", metavar="KEY", help="e-mail context, such as occurrence_class")
    copies.add_argument(
        "--role",
        action="append",
        default=[],
        metavar="ROLE=MAILBOXES",
        help="people of a role that all share, such as class_staff; needs --context; may be repeated",
    )
    command.add_argument(
        "--person",
        action="append",
        default=[],
        metavar="KEY",
        help="with --html-preview or --to-myself: whose e-mail; may be repeated",
    )
    command.add_argument(
        "--left-out",
        type=_path,
        metavar="FILE",
        help="write those who are left out as CSV, to be mended and given back as --people",
    )
    command.add_argument(
        "--new-keys",
        action="store_true",
        help="people who come back under other keys than this batch has them are new people",
    )
    command.add_argument("-v", "--verbose", action="store_true", help="list what is else counted")
    add_trial(command, _path)
    command.add_argument(
        "--batch",
        default="",
        metavar="ID",
        help="the name of this mailing; the same ID gives the same Message-IDs",
    )
    command.add_argument(
        "--ledger",
        type=_path,
        metavar="FILE",
        help="what has been sent already; with --batch a run can be resumed; .eml files count as sent",
    )
    command.add_argument(
        "--one-email",
        action="store_true",
        help="one e-mail to everybody, in BCC, instead of one for each; without merge fields",
    )
    command.add_argument(
        "--max-windows",
        type=_count,
        metavar="N",
        help="with --live and the built-in client off: how many windows may open in the mail program (10)",
    )


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``python -m vetmail_core``."""
    root = _OneLine(
        prog="vetmail", description="E-mail under the organisation's preferences.", epilog=_EPILOG
    )
    root.add_argument("--version", action="version", version=f"vetmail {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    send = commands.add_parser(
        "send",
        help="one e-mail for each person of a CSV file, as .eml files or live",
        description="Send one e-mail to each person. Without --live they are written as .eml files.",
        epilog=_EPILOG,
    )
    _add_plan(send)
    send.add_argument(
        "--to-myself",
        metavar="MAILBOX",
        help="send only the e-mail of the first person, or of each --person, to this address alone",
    )
    way = send.add_mutually_exclusive_group()
    way.add_argument(
        "--outbox", type=_path, default=Path("outbox"), metavar="DIR", help="folder for .eml files (outbox)"
    )
    way.add_argument("--live", action="store_true", help="really send, the way the preferences say")
    _add_common(send)

    preview = commands.add_parser(
        "preview",
        help="the same plan, nothing written",
        description="Show what send would do.",
        epilog=_EPILOG,
    )
    _add_plan(preview)
    preview.add_argument(
        "--html-preview",
        type=_path,
        metavar="FILE",
        help="write a page with the e-mails as they are read; of the first 20 people, or of each --person",
    )
    # Nothing is written, but which way it would go decides who it is from, and how many may go at once.
    way = preview.add_mutually_exclusive_group()
    way.add_argument(
        "--outbox", type=_path, default=Path("outbox"), metavar="DIR", help="as if into a folder (outbox)"
    )
    way.add_argument("--live", action="store_true", help="as if it were really sent")
    _add_licences(preview)
    _add_common(preview)

    add_settings(commands, _path)
    test = commands.add_parser(
        "test",
        help="one real e-mail, to see that the preferences work",
        description="Send one e-mail the way the preferences say, and print the server's words.",
        epilog="Exit status: 0 accepted or handed over, 1 refused, put off or in doubt, 2 nothing tried.",
    )
    test.add_argument("--to", required=True, metavar="ADDRESS", help="who gets it")
    _add_common(test)
    add_ledger(commands, _path)

    check = commands.add_parser(
        "check", help="the settings, with advice", description="Check the preferences."
    )
    check.add_argument("--connect", action="store_true", help="also connect and log in; nothing is sent")
    check.add_argument(
        "--recipient", metavar="ADDRESS", help="with --connect: would the server take mail for it?"
    )
    _add_licences(check)
    _add_common(check)

    work = commands.add_parser(
        "work",
        help="send the slices of mailings that were written down; several may work at once",
        description="Sweep and deliver, until SIGTERM. The e-mail at hand is heard, so nothing is in doubt.",
        epilog="Exit status: 0 ended, or all was accepted; 1 somebody was refused or is in doubt; 2 the"
        " ledger or the preferences cannot be used (the reason on one line).",
    )
    work.add_argument(
        "--ledger",
        required=True,
        metavar="FILE",
        help="where the mailings are: a file, or postgresql://user@host/database (its password from"
        " PGPASSWORD or a service file)",
    )
    work.add_argument("--until-done", action="store_true", help="end when nothing is open any more")
    _add_common(work)
    sign_in = commands.add_parser(
        "sign-in",
        help="a person signs in to Microsoft 365 with a code",
        description="Show a page and a code; wait until the person has entered it. The sign-in is kept for "
        "the account that runs this command.",
        epilog="Exit status: 0 signed in, 1 not signed in, 2 the preferences have nothing to sign in to.",
    )
    sign_in.add_argument(
        "--preferences",
        type=_path,
        metavar="FILE",
        help="the e-mail preferences (JSON); without it the shared file that `paths` names",
    )
    sign_in.add_argument(
        "--staff", metavar="MAILBOX", help="who signs in; without it the mailbox of the preferences"
    )
    sign_in.set_defaults(staff_username=None, staff_password_environment=None)

    commands.add_parser(
        "paths", help="where the shared preferences file is", description="Show the files in use."
    )
    return root
