"""Access tokens for Microsoft 365 and Google: sources, where a sign-in is kept, and one sentence for each failure.

A source gives a token that is good now, or says in one sentence what an administrator has to do. It is a frozen
value of settings; the token that it has fetched is no part of it. Nothing here speaks SMTP, and the transport
knows nothing of providers.

::

    source.py      what a source is
    microsoft.py   MicrosoftApp (mail by the system), MicrosoftSignIn (a person, by a code on the screen)
    google.py      GoogleServiceAccount
    caches.py      where a sign-in is kept: a file, the computer's password store, a host's own place
    memory.py      the tokens that this process holds
    asking.py      one HTTPS request: trust, patience, what an answer is
    entra.py       the answers of Microsoft, and the replies of its mail server, as sentences
    workspace.py   the same for Google
    settings.py    what a tenant, a client ID, an address of an endpoint must be

``msal`` and ``google-auth`` are imported when a token is first fetched (extras ``microsoft`` and ``google``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core._lazy import late

if TYPE_CHECKING:
    from vetmail_core.errors import TokenError
    from vetmail_core.tokens.caches import FileTokens, KeyringTokens, TokenCache, default_sign_ins_path
    from vetmail_core.tokens.google import GoogleServiceAccount
    from vetmail_core.tokens.microsoft import MicrosoftApp, MicrosoftSignIn
    from vetmail_core.tokens.source import TokenSource

__all__ = [
    "FileTokens",
    "GoogleServiceAccount",
    "KeyringTokens",
    "MicrosoftApp",
    "MicrosoftSignIn",
    "TokenCache",
    "TokenError",
    "TokenSource",
    "default_sign_ins_path",
]

_HOMES: Final = {
    ".caches": "FileTokens KeyringTokens TokenCache default_sign_ins_path",
    ".google": "GoogleServiceAccount",
    ".microsoft": "MicrosoftApp MicrosoftSignIn",
    ".source": "TokenSource",
    "..errors": "TokenError",
}

__getattr__, __dir__ = late(__name__, _HOMES)
