"""What the tests of the test kit share."""

from __future__ import annotations

# Loaded here, for good: a pytest run within pytest forgets what it was the first to import, and would load
# the library and the kit anew in each of them.
import vetmail_core.mailer
import vetmail_core.testing.builders
import vetmail_core.testing.memory_transport
import vetmail_core.testing.outbox
import vetmail_core.testing.smtpd  # noqa: F401 - loading is all that is wanted

pytest_plugins = ("pytester",)
