"""Anna's login: as preferences hold it, and as it goes over the wire."""

from __future__ import annotations

from vetmail_core.credentials import PlainSecret
from vetmail_core.preferences import AuthenticationType

SECRET = "pa\u00dfwort-Zeppelin"
GOOD = f"\0anna@example.com\0{SECRET}"
ANNA = {
    "authentication": AuthenticationType.PASSWORD,
    "username": "anna@example.com",
    "password": PlainSecret(SECRET),
}
