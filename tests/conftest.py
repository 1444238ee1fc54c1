"""How the laws are tried, and what every test may count on."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# A busy machine is not slow code: no law is judged by the time it takes. Where CI is set the examples are the
# same at every run, so that a change is judged by what it changes; everywhere else they are new ones.
settings.register_profile(
    "vetmail_core",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    print_blob=True,
)
settings.load_profile("vetmail_core")

# Programs in the background of a shell are started deaf to Ctrl-C, which some tests press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
