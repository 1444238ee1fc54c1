"""One HTTPS request to a token endpoint, for `msal` and `google-auth` alike.

Both libraries take an HTTP client from outside, and this is it, because their own ways hurt:

- `requests` trusts a list of its own. An organisation whose firewall opens TLS has its authority in the
  computer's store alone, so that is what is trusted here, and what REQUESTS_CA_BUNDLE names.
- google-auth repeats a 5xx three times and sleeps in between; msal remembers a 429. Here both end as a
  `TokenError` before the library sees them, and waiting is the transport's matter.
- A time limit of `requests` is for each read; an endpoint that trickles would be waited for without end.

So a request runs in a thread of its own and is left to itself when its time is over. Redirects are not followed,
and nothing is asked but the one server that the settings name: a secret goes nowhere else.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import json
import os
import queue
import ssl
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlencode, urlsplit

import attrs

from vetmail_core.clock import SystemClock
from vetmail_core.errors import TokenError
from vetmail_core.tokens.hidden import HiddenText

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Answer", "Endpoint", "is_in_passing", "origin"]

SECONDS: Final = 20.0
"""How long one request may take, its answer included."""
_MOST_OCTETS: Final = 1_048_576
_PASSING: Final = frozenset({"temporarily_unavailable", "server_error"})


@attrs.frozen
class Answer:
    """What an endpoint said.

    Attributes:
        status_code: of HTTP; the name that msal knows.
        text: the body.
        headers: names in lower case.
        facts: the JSON object in the body; empty when there is none.
    """

    status_code: int
    text: HiddenText
    headers: Mapping[str, str] = attrs.field(repr=False)
    facts: Mapping[str, object] = attrs.field(repr=False)

    @property
    def status(self) -> int:
        """The status under the name that google-auth knows."""
        return self.status_code

    @property
    def data(self) -> bytes:
        """The body under the name that google-auth knows."""
        return self.text.encode()

    @property
    def error(self) -> str:
        """The word for what is wrong (RFC 6749, 5.2); "" when nothing is."""
        word = self.facts.get("error", "")
        return word if isinstance(word, str) else "unknown"

    def raise_for_status(self) -> None:
        """Do nothing: what is wrong was raised before msal saw it."""


def is_in_passing(answer: Answer) -> bool:
    """Whether the endpoint says that another try may do."""
    return answer.error in _PASSING


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_more: object) -> None:
        """Follow nothing."""


class Endpoint:
    """A server that gives tokens; the client for both libraries.

    Args:
        url: the authority or token address of the settings; no other server is asked.
        name: whose it is, for sentences: "Microsoft".
        judge: makes the error of an answer that says what is wrong.
        waits: words of answers that are no error: the sign-in goes on.
        seconds: how long one request may take.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        judge: Callable[[Answer], TokenError],
        waits: frozenset[str] = frozenset(),
        seconds: float = SECONDS,
    ) -> None:
        self._origin = origin(url)
        self._host = urlsplit(url).hostname or ""
        self._name = name
        self._judge = judge
        self._waits = waits
        self._seconds = seconds
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=_trust()), _NoRedirect()
        )

    # -- for msal --------------------------------------------------------------------------------------

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_more: object,
    ) -> Answer:
        """Ask for something that needs no secret."""
        query = f"?{urlencode(params)}" if params else ""
        return self._ask("GET", url + query, None, headers or {})

    def post(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_more: object,
    ) -> Answer:
        """Send a form."""
        query = f"?{urlencode(params)}" if params else ""
        body = urlencode(data or {}).encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", url + query, body, {**form, **(headers or {})})

    def close(self) -> None:
        """Do nothing: each request has a connection of its own."""

    # -- for google-auth -------------------------------------------------------------------------------

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_more: object,
    ) -> Answer:
        """Ask, in the way of ``google.auth.transport.Request``."""
        del timeout  # it has its own
        return self._ask(method, url, body, headers or {})

    # -- the request -----------------------------------------------------------------------------------

    def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        if origin(url) != self._origin:
            raise TokenError(
                f"{self._host} names another server for tokens, which is not asked.",
                advice="Check the address of the sign-in service in the settings; leave it out for the usual one.",
            )
        request = urllib.request.Request(  # noqa: S310 - https, as the settings' rules have it
            url, data=body, headers={"User-Agent": "vetmail_core", **headers}, method=method
        )
        box: queue.SimpleQueue[Answer | TokenError] = queue.SimpleQueue()
        threading.Thread(target=self._carry_out, args=(request, box), daemon=True).start()
        try:
            answer = box.get(timeout=self._seconds)
        except queue.Empty:
            answer = TokenError(
                f"{self._host} gave no answer within {self._seconds:.0f} seconds, so there is no access token.",
                advice="Try again; check the internet connection, the firewall and the proxy if it goes on.",
                transient=True,
            )
        if isinstance(answer, TokenError):
            raise answer
        return self._looked_at(answer)

    def _carry_out(
        self, request: urllib.request.Request, box: queue.SimpleQueue[Answer | TokenError]
    ) -> None:
        try:
            response = cast("http.client.HTTPResponse", self._opener.open(request, timeout=self._seconds))
        except urllib.error.HTTPError as error:
            response = cast("http.client.HTTPResponse", error)
        except Exception as error:  # noqa: BLE001 - each kind of trouble on the way has the same answer
            box.put(self._unreachable(error))
            return
        try:
            with contextlib.closing(response):
                text = HiddenText(response.read(_MOST_OCTETS).decode(errors="replace"))
                headers = {name.lower(): value for name, value in response.headers.items()}
        except Exception as error:  # noqa: BLE001 - as above
            box.put(self._unreachable(error))
            return
        box.put(Answer(response.status, text, headers, _facts(text)))

    def _unreachable(self, error: Exception) -> TokenError:
        reason: object = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return TokenError(
                f"The certificate of {self._host} is not trusted ({reason.verify_message}), so no secret is sent "
                "there.",
                advice="If a firewall of the organisation opens TLS, put its certificate authority into the "
                "computer's store, or name its file in REQUESTS_CA_BUNDLE; otherwise check the computer's clock.",
            )
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
        return TokenError(
            f"{self._host} could not be reached ({said}), so there is no access token.",
            advice="Check the internet connection, the firewall and the proxy (HTTPS_PROXY).",
            transient=True,
        )

    def _looked_at(self, answer: Answer) -> Answer:
        status = answer.status_code
        if status == http.client.TOO_MANY_REQUESTS or status >= http.client.INTERNAL_SERVER_ERROR:
            busy = status == http.client.TOO_MANY_REQUESTS
            what = "asks to be left alone for a while" if busy else "is not available at the moment"
            raise TokenError(
                f"The sign-in service of {self._name} {what} (status {status}).",
                advice="Try again later." if busy else "Try again in a few minutes.",
                transient=True,
                retry_after=_retry_after(answer.headers.get("retry-after", "")),
            )
        if not answer.facts:
            raise TokenError(
                f"{self._host} did not answer as a sign-in service does (status {status}, no JSON); a proxy or the "
                "sign-in page of a network may stand between.",
                advice="Check the internet connection and the proxy (HTTPS_PROXY).",
                transient=True,
            )
        if answer.error and answer.error not in self._waits:
            raise self._judge(answer)
        return answer


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or 443


def _trust() -> ssl.SSLContext:
    """The computer's own store, and what REQUESTS_CA_BUNDLE names.

    Raises:
        TokenError: it names nothing that can be read.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    bundle = os.environ.get("REQUESTS_CA_BUNDLE", "")
    if bundle:
        fault = ""
        try:
            if os.path.isdir(bundle):  # noqa: PTH112 - a name out of the environment
                context.load_verify_locations(capath=bundle)
            else:
                context.load_verify_locations(cafile=bundle)
        except OSError as error:
            fault = error.strerror or type(error).__name__
        if fault:
            raise TokenError(
                f"REQUESTS_CA_BUNDLE names {bundle}, which cannot be read as certificates ({fault}).",
                advice="Set it to a PEM file of certificate authorities, or unset it.",
            )
    return context


def _facts(text: str) -> Mapping[str, object]:
    try:
        facts: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("Mapping[str, object]", facts) if isinstance(facts, dict) else {}


def _retry_after(text: str) -> float | None:
    """Seconds (RFC 9110, 10.2.3), told as a number or as a date; None when it is neither."""
    if text.strip().isdecimal() and len(text) < 10:  # noqa: PLR2004 - thirty years are enough
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        return None
    return max(0.0, (date - SystemClock().now()).total_seconds())
