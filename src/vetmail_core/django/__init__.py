"""Django's mail under the organisation's preferences (extra ``django``).

Password resets, error reports and whatever else a project sends by `django.core.mail` leave as Django's own
SMTP backend would write them, in header, parts and envelope. A message that cannot be sent does not keep the
others back.

::

    backend.py   open, send_messages, close: what Django calls
    messages.py  a Django message -> an Email

    EMAIL_BACKEND = "vetmail_core.django.EmailBackend"                         # Django 5.2
    MAILERS = {"default": {"BACKEND": "vetmail_core.django.EmailBackend"}}     # Django 6.1
"""

from __future__ import annotations

from vetmail_core.django.backend import EmailBackend

__all__ = ["EmailBackend"]
