"""``python -m vetmail_core``: send · preview · check · work · paths.

What it is for: turning the words of a shell into one of the commands, and its outcome into a status.
What it refuses: a traceback for something that a user can mend. Its law: 0 all went, 1 some did not,
2 nothing could be tried, with the reason on one line.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vetmail_core.cli import checking, sending, signing_in
from vetmail_core.cli.arguments import parser
from vetmail_core.cli.show import Nowhere, one_line, plain, say
from vetmail_core.errors import VetmailError
from vetmail_core.people_file import PeopleFileError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def _work(arguments: argparse.Namespace) -> int:
    from vetmail_core.cli import working  # noqa: PLC0415 - ledgers and mailings are heavy

    return working.work(arguments)


_COMMANDS = {
    "send": sending.send,
    "preview": sending.preview,
    "check": checking.check,
    "paths": checking.paths,
    "work": _work,
    "sign-in": signing_in.sign_in,
}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        words: what stands behind the program's name; None takes the process's own.

    Returns:
        The exit status.
    """
    # A service may start the command without either; then the exit status is what tells.
    sys.stdout = sys.stdout or Nowhere()
    sys.stderr = sys.stderr or Nowhere()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            # A name that the terminal's encoding cannot show must not end a run half-way.
            reconfigure(errors="backslashreplace")
    arguments = parser().parse_args(words)
    try:
        return _COMMANDS[arguments.command](arguments)
    except PeopleFileError as error:
        reasons = [plain(line) for line in str(error).splitlines()]
    except VetmailError as error:
        reasons = [one_line(error)]
    except KeyboardInterrupt:
        reasons = ["interrupted before anything was sent"]
    say(f"vetmail {arguments.command}: {reasons[0]}", out=sys.stderr)
    for reason in reasons[1:]:
        say(reason, out=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
