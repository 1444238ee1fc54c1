"""``python -m vetmail_core``: send · preview · check · paths.

What it is for: turning the words of a shell into one of the four commands, and its outcome into a status.
What it refuses: a traceback for something that a user can mend. Its law: 0 all went, 1 some did not,
2 nothing could be tried, with the reason on one line.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vetmail_core.cli import checking, sending, signing_in
from vetmail_core.cli.arguments import parser
from vetmail_core.cli.show import Nowhere, one_line, say
from vetmail_core.errors import VetmailError

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = {
    "send": sending.send,
    "preview": sending.preview,
    "check": checking.check,
    "paths": checking.paths,
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
    except VetmailError as error:
        reason = one_line(error)
    except KeyboardInterrupt:
        reason = "interrupted before anything was sent"
    say(f"vetmail {arguments.command}: {reason}", out=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
