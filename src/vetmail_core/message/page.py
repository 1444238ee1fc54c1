"""Emails as a page that can be looked at: self-contained, for a browser without network.

The emails are shown as their readers see them, each HTML in a frame of its own without scripts. A
Content-Security-Policy, which the frames inherit, keeps everything from being fetched: an image in the HTML
would tell its server that somebody looked.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.message.email import Email
    from vetmail_core.recipients import Exclusion

__all__ = ["article", "left_out_table", "page", "safe"]

_HEAD: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
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
_FOOT: Final = "</body>\n</html>\n"


def page(title: str, parts: Iterable[str]) -> str:
    """Put a page together.

    Args:
        title: of the browser's tab.
        parts: HTML, made by the other functions here.
    """
    return "".join([_HEAD.replace("%s", safe(title)), *parts, _FOOT])


def article(email: Email, *, more: Iterable[tuple[str, str]] = ()) -> str:
    """One email, whole: for the sender's eyes, so with its blind copies.

    Args:
        email: the email.
        more: further lines about it, each with its name.
    """
    recipients, content = email.recipients, email.content
    rows = (
        ("From", str(email.sender)),
        ("Reply-To", ", ".join(map(str, email.reply_to))),
        ("To", ", ".join(map(str, recipients.to))),
        ("Cc", ", ".join(map(str, recipients.cc))),
        ("Bcc", ", ".join(map(str, recipients.bcc))),
        ("Subject", content.subject),
        ("Attached", ", ".join(attachment.filename for attachment in content.attachments)),
        *more,
    )
    listed = "".join(f"<dt>{safe(name)}</dt><dd>{safe(value)}</dd>\n" for name, value in rows if value)
    text = f"<pre>{safe(content.text)}</pre>\n" if content.text else ""
    html = ""
    if content.html:
        html = f'<iframe sandbox="" title="HTML" srcdoc="{escape(content.html)}"></iframe>\n'
    return f"<article>\n<dl>\n{listed}</dl>\n{text}{html}</article>\n"


def left_out_table(left_out: Iterable[Exclusion]) -> str:
    """Who gets no email, and why."""
    rows = "".join(map(_row, left_out))
    return (
        "<section><h2>Left out</h2>\n<table><tr><th>Key</th><th>Name</th><th>Why</th></tr>\n"
        f"{rows}</table></section>\n"
    )


def _row(exclusion: Exclusion) -> str:
    person = exclusion.person
    cells = (person.key, person.name, exclusion.detail)
    return f"<tr>{''.join(f'<td>{safe(cell)}</td>' for cell in cells)}</tr>\n"


def safe(value: str) -> str:
    """A value as text of the page, without what HTML cannot hold."""
    return escape("".join(c if c.isprintable() or c in "\n\t" else f"U+{ord(c):04X}" for c in value))
