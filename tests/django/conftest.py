"""The settings that Django's mail needs, and a server that both backends talk to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.test import override_settings

import django
from vetmail_core.testing import LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW = django.VERSION >= (6, 1)
OURS = "vetmail_core.django.EmailBackend"
# EMAIL_BACKEND is deprecated where there is MAILERS.
MAIL = {"MAILERS": {"default": {"BACKEND": OURS}}} if NEW else {"EMAIL_BACKEND": OURS}

settings.configure(
    SECRET_KEY="for these tests", USE_TZ=True, DEFAULT_FROM_EMAIL="Office <office@example.com>", **MAIL
)
django.setup()


@pytest.fixture
def server() -> Iterator[LocalSmtpServer]:
    """A local mail server."""
    with LocalSmtpServer() as smtpd:
        yield smtpd


@pytest.fixture
def project(server: LocalSmtpServer) -> Iterator[LocalSmtpServer]:
    """Django's mail goes to the server, by the setting VETMAIL, which both versions read."""
    with override_settings(VETMAIL={"preferences": server.server_preferences}):
        yield server
