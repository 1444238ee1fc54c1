"""Django's mail under the organisation's preferences (extra ``django``).

What it is for: password resets, error reports and whatever else a Django project sends by `django.core.mail`
go the organisation's way, and what became of each is known. What it refuses: to open a mail program on a
server. Its law: what Django's own SMTP backend would put on the wire, in header, parts and envelope, reaches
the server; a message that cannot be sent keeps no other back.

::

    backend.py   open, send_messages, close: what Django calls
    messages.py  a Django message -> an Email

    EMAIL_BACKEND = "vetmail_core.django.EmailBackend"                         # Django 5.2
    MAILERS = {"default": {"BACKEND": "vetmail_core.django.EmailBackend"}}     # Django 6.1
"""

from __future__ import annotations

from vetmail_core.django.backend import EmailBackend

__all__ = ["EmailBackend"]
