"""``python -m vetmail_core``: the commands of ``vetmail``.

The exit status is 0 when all went out, 1 when some did not, and 2 when nothing could be tried; each reason
gets a line. A user's mistake never ends in a traceback.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Final

from vetmail_core.cli.arguments import parser
from vetmail_core.cli.show import Nowhere, one_line, plain, say
from vetmail_core.cli.signals import ended_politely
from vetmail_core.errors import PreferencesError, VetmailError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A command's module is loaded when it is asked for: `--help` and `show` need none of what sends.
_COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "send": ("sending", "send"),
    "preview": ("sending", "preview"),
    "init": ("init", "init"),
    "set": ("settings", "set_"),
    "show": ("settings", "show"),
    "check": ("checking", "check"),
    "paths": ("checking", "paths"),
    "test": ("trying", "send_test"),
    "ledger": ("ledger", "ledger"),
    "sign-in": ("signing_in", "sign_in"),
    "work": ("working", "work"),
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
    command = ""
    try:
        with ended_politely():
            arguments = parser().parse_args(words)
            command = f" {arguments.command}"
            module, function = _COMMANDS[arguments.command]
            run = getattr(importlib.import_module(f"vetmail_core.cli.{module}"), function)
            return int(run(arguments))
    except PreferencesError as error:
        # Several mistakes are several lines.
        reasons = [error] if len(error.problems) < 2 else error.problems  # noqa: PLR2004 - several
        lines = [one_line(reason) for reason in reasons]
    except VetmailError as error:
        # Of a people file, too; its module is not loaded here for a class alone.
        lines = (
            [plain(line) for line in str(error).splitlines()]
            if hasattr(error, "problems")
            else [one_line(error)]
        )
    except KeyboardInterrupt:
        lines = ["interrupted before anything was sent"]
    for line in lines:
        say(f"vetmail{command}: {line}", out=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
