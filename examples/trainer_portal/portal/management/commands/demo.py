"""Run the portal with a local mail server that keeps what it gets, and a worker of its own process."""

from __future__ import annotations

import subprocess
import sys
import threading

from django.conf import settings
from django.core.management import BaseCommand, call_command

from portal.sample import fill
from portal.tasks import sweep
from vetmail_core import save_preferences
from vetmail_core.testing import LocalSmtpServer


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("--address", default="127.0.0.1:8000")

    def handle(self, *args, address, **options):
        call_command("migrate", run_syncdb=True, verbosity=0)
        fill()
        kept = settings.FOLDER / "received"
        kept.mkdir(exist_ok=True)
        with LocalSmtpServer() as server:
            server.faults.refuse("moved-away@example.com")
            save_preferences(server.server_preferences(), settings.PREFERENCES, overwrite=True)
            over = threading.Event()
            threading.Thread(target=_keep, args=(server, kept, over), daemon=True).start()
            worker = subprocess.Popen(
                [sys.executable, "manage.py", "db_worker", "--interval", "0.5", "--no-reload"]
            )
            self.stdout.write(f"http://{address}/  Received mail is kept in {kept}")
            try:
                call_command("runserver", address, use_reloader=False)
            finally:
                worker.terminate()
                worker.wait()
                over.set()


def _keep(server, folder, over):
    written = turns = 0
    while not over.wait(0.5):
        turns += 1
        if turns % 120 == 0:  # each minute, whoever died in the middle is found
            sweep.enqueue()
        for email in server.emails[written:]:
            written += 1
            (folder / f"{written:04}.eml").write_bytes(email.data)
