"""What may be typed after ``init``, ``set``, ``show``, ``test`` and ``ledger``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["add_ledger", "add_settings", "add_trial"]

_Parser = TypeVar("_Parser", bound=argparse.ArgumentParser)

_STATUS: Final = "Exit status: 0 done, 2 nothing was done (the reason on one line for each mistake)."
_WORDS: Final = (
    "NAME=VALUE is a setting's dotted name and its text as `vetmail show` prints it, such as "
    "mail_server.port=587. contexts.CONTEXT.ROLE= takes a rule away. A secret is never typed: "
    "mail_server.password=- asks for it (without a terminal: a line of standard input), "
    "mail_server.password.environment=NAME and mail_server.password.keyring=SERVICE/USER say where it is, "
    "mail_server.password= takes it away."
)


def add_settings(
    commands: argparse._SubParsersAction[_Parser],  # pyright: ignore[reportPrivateUsage] - no public name
    path: Callable[[str], Path],
) -> None:
    """Add the commands that make, change and show the preferences."""
    init = commands.add_parser(
        "init",
        help="make a preferences file",
        description=f"Write a preferences file; on a terminal, ask for what is not named. {_WORDS}",
        epilog=_STATUS,
    )
    init.add_argument(
        "--provider", metavar="KEY", help="fill in what a provider needs, such as microsoft365 or gmail"
    )
    init.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    set_ = commands.add_parser(
        "set",
        help="change settings",
        description=f"Change settings in the preferences file, all of them or none. {_WORDS}",
        epilog=_STATUS,
    )
    show = commands.add_parser(
        "show",
        help="print settings",
        description="Print the settings, or the values of some, a line each. A secret is never printed.",
        epilog=_STATUS,
    )
    show.add_argument("--json", action="store_true", help="all settings as they are in the file, but secrets")
    for command in (init, set_, show):
        command.add_argument(
            "--preferences",
            type=path,
            metavar="FILE",
            help="the e-mail preferences (JSON); without it the shared file that `paths` names",
        )
    init.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="settings")
    set_.add_argument("settings", nargs="+", metavar="NAME=VALUE", help="settings")
    show.add_argument("names", nargs="*", metavar="NAME", help="the settings whose values to print")


def add_ledger(
    commands: argparse._SubParsersAction[_Parser],  # pyright: ignore[reportPrivateUsage] - no public name
    path: Callable[[str], Path],
) -> None:
    """Add the commands that look into a ledger and settle what is open in it."""
    ledger = commands.add_parser(
        "ledger",
        help="who is not done in a ledger, and what is known of them by now",
        description="Look into a ledger, and settle what a run left in doubt.",
        epilog=_STATUS,
    )
    does = ledger.add_subparsers(dest="does", required=True, metavar="COMMAND")
    list_ = does.add_parser(
        "list",
        help="who is not done, and why",
        description="List the emails that are in doubt, refused, open or under way, and count all.",
        epilog=_STATUS,
    )
    resolve = does.add_parser(
        "resolve",
        help="end doubts",
        description="Say what became of emails in doubt: all of the keys are settled, or none.",
        epilog=_STATUS,
    )
    retry = does.add_parser(
        "retry",
        help="have the next run send again",
        description="Have the next run of the same command send emails that are in doubt or were "
        "refused. Whoever is in doubt may get a second copy.",
        epilog=_STATUS,
    )
    lift = does.add_parser(
        "lift",
        help="write to addresses again",
        description="Write again to addresses that are left out because email to them came back.",
        epilog=_STATUS,
    )
    for command in (list_, resolve, retry, lift):
        command.add_argument("--ledger", type=path, required=True, metavar="FILE", help="the ledger")
    list_.add_argument("--batch", default="", metavar="ID", help="of this mailing alone")
    list_.add_argument(
        "--state",
        metavar="STATE",
        help="in-doubt, refused, open, under-way, accepted or handed-over; without it all that is not done",
    )
    resolve.add_argument("keys", nargs="+", metavar="KEY", help="as `ledger list` prints it")
    ending = resolve.add_mutually_exclusive_group(required=True)
    for option, state, told in (
        ("--arrived", "accepted", "they have it; nobody is sent to again"),
        ("--not-sent", "deferred", "they do not have it; the next run sends it"),
        ("--give-up", "refused", "they do not have it, and no run is to send it"),
    ):
        ending.add_argument(option, dest="ending", action="store_const", const=state, help=told)
    retry.add_argument("keys", nargs="*", metavar="KEY", help="as `ledger list` prints it")
    retry.add_argument("--all", action="store_true", help="everything that is in doubt")
    lift.add_argument("addresses", nargs="+", metavar="ADDRESS", help="addresses that are left out")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def add_trial(command: argparse.ArgumentParser, path: Callable[[str], Path]) -> None:
    """Add the options that try a mailing out, say what is in its headers and keep what came of it."""
    command.add_argument(
        "--first",
        type=_count,
        metavar="N",
        help="only the first N e-mails; the others are neither tried nor remembered",
    )
    command.add_argument(
        "--redirect",
        metavar="ADDRESS",
        help="every e-mail goes to this address, marked with whom it is meant for; not with --ledger",
    )
    command.add_argument(
        "--header",
        action="append",
        default=[],
        metavar='"NAME: VALUE"',
        help="a further header of each e-mail, with merge fields; may be repeated",
    )
    command.add_argument(
        "--unsubscribe",
        default="",
        metavar="URI",
        help="https or mailto link by which a person leaves the mailing, with merge fields",
    )
    command.add_argument(
        "--marketing", action="store_true", help="leave out people who do not want marketing"
    )
    command.add_argument(
        "--report", type=path, metavar="FILE", help="write the report: .json, .csv or .txt by its ending"
    )
