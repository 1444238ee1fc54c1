"""What runs in the worker: a slice of a mailing, and the sweep for what a dead worker left behind.

A task is told the number of a slice and nothing else. It may run twice or be killed: the list in the ledger
says who is still to be sent to.
"""

from __future__ import annotations

import django
from vetmail_core.mailings import Mailings

from .mail import ledger, line

if django.VERSION >= (6, 0):
    from django.tasks import task
else:
    from django_tasks import task


@task()
def deliver(slice_number: int) -> int:
    """Send what is open of a slice; the emails that are still open after it."""
    with ledger() as open_ledger, line() as transport:
        return Mailings(open_ledger).deliver_slice(slice_number, transport, seconds=300.0).open


@task()
def sweep() -> int:
    """Hand on the slices that somebody should be at and nobody is."""
    with ledger() as open_ledger:
        waiting = Mailings(open_ledger).open_slices(quiet_seconds=120.0)
    for number in waiting:
        deliver.enqueue(number)
    return len(waiting)
