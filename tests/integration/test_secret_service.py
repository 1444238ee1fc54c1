"""A password in a real Secret Service: GNOME's keyring on a D-Bus of its own, asked as a desktop asks it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STORE_AND_REVEAL = """
import keyring
from keyring.backends.SecretService import Keyring
from vetmail_core import KeyringSecret, PreferencesError

assert isinstance(keyring.get_keyring(), Keyring), keyring.get_keyring()
secret = KeyringSecret("vetmail", "office@example.com")
try:
    secret.reveal()
except PreferencesError as error:
    print("missing" if "is not there" in str(error) else error)
keyring.set_password("vetmail", "office@example.com", "correct horse")
print(secret.reveal() == "correct horse", repr(secret))
"""

REVEAL_WITHOUT_A_BUS = """
from vetmail_core import KeyringSecret, PreferencesError

try:
    KeyringSecret("vetmail", "office@example.com").reveal()
except PreferencesError as error:
    print(error)
"""


def run(folder: Path, *command: str | Path, bus: str | None = None) -> str:
    """Run a program that sees no desktop but the one of this test."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        # Not whichever store of the developer's machine comes first.
        "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
    }
    if bus is not None:
        environment["DBUS_SESSION_BUS_ADDRESS"] = bus
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_password_goes_into_the_secret_service_and_comes_back(tmp_path: Path) -> None:
    """What a desktop keeps under lock is what the mail server gets, and nothing of it is printed."""
    script = tmp_path / "desktop.sh"
    tmp_path.chmod(0o700)
    script.write_text(
        'printf "\\n" | gnome-keyring-daemon --unlock --components=secrets > /dev/null\n"$@"\n',
        encoding="utf-8",
    )
    bus = shutil.which("dbus-run-session")
    assert bus is not None, "install the Debian packages in packages.txt"
    said = run(tmp_path, bus, "--", "sh", script, sys.executable, "-c", STORE_AND_REVEAL)
    assert said == "missing\nTrue KeyringSecret(service='vetmail', username='office@example.com')\n"


def test_a_computer_without_a_bus_says_so(tmp_path: Path) -> None:
    """A server has none; the sentence is for its administrator."""
    said = run(tmp_path, sys.executable, "-c", REVEAL_WITHOUT_A_BUS, bus=f"unix:path={tmp_path}/none")
    assert said.startswith("The password store did not answer (")
    assert "Unlock it" in said
