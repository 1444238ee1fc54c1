"""A portal of its own for each test: folder, ledger, class and a local mail server."""

from __future__ import annotations

import tempfile
from pathlib import Path

from django.conf import settings
from portal.sample import fill

import django
from vetmail_core import save_preferences
from vetmail_core.testing import LocalSmtpServer

AT_ONCE = (
    "django.tasks.backends.immediate.ImmediateBackend"
    if django.VERSION >= (6, 0)
    else "django_tasks.backends.immediate.ImmediateBackend"
)


class PortalCase:
    """Mix it into a Django test case."""

    tasks = AT_ONCE

    def setUp(self):
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.server = self.enterContext(LocalSmtpServer())
        self.enterContext(
            self.settings(
                PREFERENCES=self.folder / "email-preferences.json",
                LEDGER=self.folder / "sent.sqlite3",
                VETMAIL={"preferences": self.folder / "email-preferences.json"},
                TASKS={"default": {"BACKEND": self.tasks, "QUEUES": ["default"]}},
            )
        )
        self.save(self.server.server_preferences())
        self.course = fill()

    def save(self, preferences):
        return save_preferences(preferences, settings.PREFERENCES, overwrite=True, include_secrets=True)
