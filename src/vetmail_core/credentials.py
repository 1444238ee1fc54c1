"""Where a password lives, and how it is kept out of sight.

A secret is not printed, logged, formatted, pickled or saved by accident. Its text leaves only through
``reveal()``, when a server asks for it. An empty secret, or one with a control character, is refused: it is
nearly always a copy-and-paste slip.
"""

from __future__ import annotations

import os
import re
from typing import Final, NoReturn, Protocol, Self, runtime_checkable

import attrs

from vetmail_core.errors import PreferencesError

__all__ = [
    "CONTROL",
    "EnvironmentSecret",
    "KeyringSecret",
    "Login",
    "PlainSecret",
    "Secret",
    "UnwrappedSecret",
    "shown_secret",
    "unless_bare",
]

_MASK: Final = "********"
CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""C0, DEL, C1, the two Unicode line ends, lone surrogates: nobody can type them into a box of one line."""


@runtime_checkable
class Secret(Protocol):
    """Something that can say a secret when asked. Implement ``reveal`` to bring your own vault."""

    def reveal(self) -> str:
        """The secret itself. Ask as late as possible and keep no copy.

        Raises:
            PreferencesError: there is no secret where it should be.
        """
        ...


class PlainSecret:
    """A secret held in memory, as typed by somebody.

    It is not an attrs class on purpose: ``attrs.asdict`` walks into attrs classes and would carry the
    text out. Equal to another one of the same text; compared in constant time.

    Args:
        text: the secret; at least one character, no control characters.

    Raises:
        PreferencesError: the text is empty, is not text, or holds a control character.
    """

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str, /) -> None:
        fault = _fault(text)
        if not fault:
            object.__setattr__(self, "_text", text)
        # A traceback printed with its local variables must not print this one.
        del text
        if fault:
            raise _unusable("A password", fault, "Type it again, or paste it without what stands around it.")

    def reveal(self) -> str:
        """The secret itself."""
        return self._text

    def __repr__(self) -> str:
        return f"PlainSecret('{_MASK}')"

    def __str__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> str:
        return format(_MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PlainSecret):
            return NotImplemented
        import hmac  # noqa: PLC0415 - it brings hashlib, and secrets are hardly ever compared

        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((PlainSecret, self._text))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret is never changed; make a new one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a secret is never changed; make a new one")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __getstate__(self) -> NoReturn:
        _refuse_pickling()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        _refuse_pickling()


@attrs.frozen
class EnvironmentSecret:
    """A secret that stands in an environment variable; only the variable's name is kept and saved.

    Args:
        name: the variable's name, "VETMAIL_PASSWORD".

    Raises:
        PreferencesError: the name is empty, or holds ``=`` or a control character.
    """

    name: str

    def __attrs_post_init__(self) -> None:
        fault = _fault(self.name) or ('holds "="' if "=" in self.name else "")
        if fault:
            raise _unusable(
                "The name of an environment variable", fault, "Write the variable's name, not its value."
            )

    def reveal(self) -> str:
        """The variable's value, read at this moment.

        Raises:
            PreferencesError: the variable is not set, is empty, or holds a control character.
        """
        if self.name not in os.environ:
            raise _unusable(
                f"The environment variable {self.name}",
                "is not set",
                "Set it for the program that sends the mail, and start the program again.",
            )
        fault = _fault(os.environ[self.name])
        if fault:
            raise _unusable(
                f"The environment variable {self.name}", fault, "Set it to the password and nothing else."
            )
        return os.environ[self.name]


@attrs.frozen
class KeyringSecret:
    """A secret that stands in the computer's own password store; only its place is kept and saved.

    Windows Credential Manager, macOS Keychain, Secret Service: whatever ``keyring`` finds. Needs the
    extra ``vetmail_core[keyring]``.

    Args:
        service: the entry's name in the store, "vetmail".
        username: whose entry it is, "mail@example.com".

    Raises:
        PreferencesError: one of them is empty or holds a control character.
    """

    service: str
    username: str

    def __attrs_post_init__(self) -> None:
        for part, text in (("service", self.service), ("user name", self.username)):
            fault = _fault(text)
            if fault:
                raise _unusable(
                    f"The {part} of a password store's entry",
                    fault,
                    "Write it as it stands in the password store.",
                )

    def reveal(self) -> str:
        """The secret, fetched from the store at this moment.

        Raises:
            PreferencesError: ``keyring`` is not installed, the store is locked or absent, or it has no
                such entry.
        """
        try:
            import keyring  # noqa: PLC0415 - an extra: only those who keep passwords there need it
        except ImportError:
            raise _unusable(
                "The password store",
                "cannot be asked because the package keyring is not installed",
                'Install it: pip install "vetmail_core[keyring]".',
            ) from None
        try:
            text = keyring.get_password(self.service, self.username)
        except Exception as error:
            # Stores are plug-ins: the Secret Service without a bus raises OSError, a broken file what its
            # reader raises.
            raise _unusable(
                "The password store",
                f"did not answer ({type(error).__name__})",
                "Unlock it, or sign in as the person who owns it, and try again.",
            ) from error
        entry = f'The entry "{self.service}" for {self.username} in the password store'
        if text is None:
            raise _unusable(
                entry, "is not there", f'Enter it: keyring set "{self.service}" "{self.username}".'
            )
        fault = _fault(text)
        if fault:
            del text
            raise _unusable(entry, fault, "Enter it again.")
        return text


def shown_secret(secret: object) -> str:
    """A secret as a ``repr`` shows it: the kinds above as they are, a host's own by its class alone."""
    if secret is None or isinstance(secret, PlainSecret | EnvironmentSecret | KeyringSecret):
        return repr(secret)
    return f"<{type(secret).__name__}>"


@attrs.frozen
class UnwrappedSecret:
    """What is left of something that came where a `Secret` belongs: what it was, and nothing of what it held.

    Args:
        kind: the name of its type.
    """

    kind: str


def unless_bare(secret: Secret | None) -> Secret | UnwrappedSecret | None:
    """A secret or none as it is; anything else, which may be the password itself, by its kind alone.

    A constructor puts this in the place of its argument before it raises: a traceback that prints local
    variables then has nothing to print.
    """
    if secret is None or isinstance(secret, Secret):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        return secret
    return UnwrappedSecret(type(secret).__name__)


@attrs.frozen(init=False)
class Login:
    """A user name and its secret.

    Args:
        username: as the mail server knows it; at most providers a whole address.
        secret: where the password lives.

    Raises:
        PreferencesError: the user name is empty or holds a control character, or the secret is a bare
            text.
    """

    username: str
    secret: Secret = attrs.field(repr=shown_secret)

    def __init__(self, username: str, secret: Secret) -> None:
        held = unless_bare(secret)
        del secret
        object.__setattr__(self, "username", username)
        object.__setattr__(self, "secret", held)
        fault = _fault(username)
        if fault:
            raise _unusable(
                "The user name of a login",
                fault,
                "Write the user name as the mail server knows it.",
                setting="mail_server.username",
            )
        if not isinstance(held, Secret):
            kind = "NoneType" if held is None else held.kind
            raise _unusable(
                "The secret of a login",
                f"is a bare {kind}",
                'Wrap it, so that it is never printed: PlainSecret("...").',
            )


def _fault(text: object) -> str:
    """What is wrong with a text that must not be empty; "" when nothing is. Never repeats the text."""
    if not isinstance(text, str):
        return f"is not a text but a value of type {type(text).__name__}"
    if not text:
        return "is empty"
    found = CONTROL.search(text)
    return f"holds a control character (U+{ord(found[0]):04X})" if found else ""


def _unusable(
    what: str, fault: str, advice: str, *, setting: str = "mail_server.password"
) -> PreferencesError:
    return PreferencesError.about(setting, f"{what} {fault}.", advice)


def _refuse_pickling() -> NoReturn:
    raise TypeError(
        "A PlainSecret is not pickled, because a pickle shows it to whoever reads the file or the queue. "
        "Use EnvironmentSecret or KeyringSecret there, or hand the password over on another way."
    )
