"""A preview that can be looked at: one self-contained page, for a browser without network.

The emails are shown as their readers see them, each HTML in a frame of its own without scripts. A
Content-Security-Policy, which the frames inherit, keeps everything from being fetched: an image in the HTML
would tell its server that somebody looked.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from vetmail_core.cli.planning import NothingTriedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from vetmail_core.bulk import PlanSummary
    from vetmail_core.message import Email
    from vetmail_core.recipients import Exclusion

__all__ = ["preview_page", "write_page"]

_HEAD: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Preview</title>
<style>
:root { color-scheme: light dark; --edge: #8886; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
article, section { border: 1px solid var(--edge); border-radius: .5rem; margin: 1rem 0; padding: 1rem; }
dl { display: grid; gap: .25rem 1rem; grid-template-columns: max-content 1fr; margin: 0 0 1rem; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--soft); border-radius: .25rem; margin: 0 0 1rem; padding: .75rem; }
pre { white-space: pre-wrap; }
iframe { background: #fff; border: 1px solid var(--edge); color-scheme: light; height: 24rem; width: 100%; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--edge); padding: .25rem .5rem; text-align: left; vertical-align: top; }
</style>
</head>
<body>
"""


def write_page(path: Path, page: str) -> None:
    """Write the page.

    Raises:
        NothingTriedError: it cannot be written.
    """
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise NothingTriedError(
            f"--html-preview {path}: cannot be written: {error.strerror or error}"
        ) from error


def preview_page(
    emails: Iterable[Email],
    left_out: Sequence[Exclusion],
    *,
    summary: PlanSummary,
    warnings: Sequence[str],
) -> str:
    """Make the page.

    Args:
        emails: those to show.
        left_out: who gets none.
        summary: of the whole plan.
        warnings: what somebody should look at.
    """
    parts = [_HEAD, f"<h1>{_count(summary.emails, 'email')}, {len(left_out)} left out</h1>\n"]
    if warnings:
        lines = "".join(f"<li>{_text(one)}</li>\n" for one in warnings)
        parts.append(f"<section><h2>Look at first</h2>\n<ul>\n{lines}</ul></section>\n")
    if left_out:
        rows = "".join(map(_left_out, left_out))
        parts.append(
            "<section><h2>Left out</h2>\n<table><tr><th>Key</th><th>Name</th><th>Why</th></tr>\n"
            f"{rows}</table></section>\n"
        )
    parts += map(_email, emails)
    parts.append("</body>\n</html>\n")
    return "".join(parts)


def _left_out(exclusion: Exclusion) -> str:
    person = exclusion.person
    cells = (person.key, person.name, exclusion.detail)
    return f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>\n"


def _email(email: Email) -> str:
    recipients, content = email.recipients, email.content
    rows = (
        ("From", str(email.sender)),
        ("Reply-To", ", ".join(map(str, email.reply_to))),
        ("To", ", ".join(map(str, recipients.to))),
        ("Cc", ", ".join(map(str, recipients.cc))),
        ("Bcc", ", ".join(map(str, recipients.bcc))),
        ("Subject", content.subject),
        ("Attached", ", ".join(attachment.filename for attachment in content.attachments)),
    )
    listed = "".join(f"<dt>{name}</dt><dd>{_text(value)}</dd>\n" for name, value in rows if value)
    text = f"<pre>{_text(content.text)}</pre>\n" if content.text else ""
    html = ""
    if content.html:
        html = f'<iframe sandbox="" title="HTML" srcdoc="{escape(content.html)}"></iframe>\n'
    return f"<article>\n<dl>\n{listed}</dl>\n{text}{html}</article>\n"


def _text(value: str) -> str:
    """A value as text of the page, without what HTML cannot hold."""
    return escape("".join(c if c.isprintable() or c in "\n\t" else f"U+{ord(c):04X}" for c in value))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else noun + 's'}"
