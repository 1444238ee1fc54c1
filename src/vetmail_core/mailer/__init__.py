"""The front door: an organisation's preferences joined to a transport.

Every email goes through one transport's `deliver`, and everybody in it is answered for.

For a progress bar, hand a `Progress` to `send_bulk`::

    progress = Progress(total=plan.summary().emails, wait_ms=preferences.mail_server.wait_between_emails_ms,
                        show=lambda p: bar(p.done, p.total, p.seconds_left))
    report = mailer.send_bulk(plan, progress=progress)

`progress.done`, `.total`, `.fraction`, `.seconds_left` (None until it can be told) and `.per_minute` are kept
up to date with each receipt; wait time, throttling and back-off are in the estimate.
"""

from __future__ import annotations

from vetmail_core.mailer.front import Mailer, RunInterrupted
from vetmail_core.mailer.progress import Progress

__all__ = ["Mailer", "Progress", "RunInterrupted"]
