"""A token endpoint that is down, slow, wrong or in the way: transient or not, and nothing else of its text."""

from __future__ import annotations

import socket
import ssl
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
import trustme
from tests.tokens.endpoint import CLIENT, TENANT, TokenEndpoint

from vetmail_core.clock import SystemClock
from vetmail_core.credentials import PlainSecret
from vetmail_core.errors import TokenError
from vetmail_core.tokens import MicrosoftApp, asking
from vetmail_core.tokens.asking import Endpoint
from vetmail_core.tokens.entra import judge

if TYPE_CHECKING:
    from pathlib import Path


def failure(endpoint: TokenEndpoint, *, authority: str = "") -> TokenError:
    """What an application is told."""
    source = MicrosoftApp(
        tenant=TENANT, client_id=CLIENT, secret=PlainSecret("Abc~the-client-secret"),
        authority=authority or endpoint.authority,
    )  # fmt: skip
    source.refused()
    with pytest.raises(TokenError) as caught:
        source()
    assert caught.value.__context__ is None
    return caught.value


PAGE = "<html>Please accept the terms of our guest network</html>"


@pytest.mark.parametrize(
    ("answer", "transient", "retry_after", "words"),
    [
        ((503, {"error": "temporarily_unavailable"}, {}), True, None, "not available at the moment"),
        ((500, PAGE, {}), True, None, "status 500"),
        ((502, "", {"Retry-After": "7.5"}), True, None, "status 502"),
        ((429, "slow down", {"Retry-After": "60"}), True, 60.0, "left alone"),
        ((429, "", {"Retry-After": "next week"}), True, None, "left alone"),
        ((429, "", {"Retry-After": "Mon, 30 Nov 2020 10:00:00 -0000"}), True, None, "left alone"),
        ((429, "", {"Retry-After": "Mon, 30 Nov 2020 10:00:00 GMT"}), True, 0.0, "left alone"),
        ((400, {"error": "server_error", "error_codes": [90033]}, {}), True, None, "AADSTS90033"),
        ((200, PAGE, {}), True, None, "did not answer as a sign-in service does"),
        ((407, PAGE, {}), True, None, "status 407, no JSON"),
        ((302, "", {"Location": "https://127.0.0.1:1/"}), True, None, "status 302, no JSON"),
        ((200, {"token_type": "Bearer", "expires_in": 3599}, {}), True, None, "without a token"),
        ((200, {"access_token": 5}, {}), True, None, "without a token"),
        ((200, "[" * 100_000, {}), True, None, "no JSON"),
        ((400, {"error": 5}, {}), False, None, "gave no token"),
        ("drop", True, None, "could not be reached"),
    ],
)
def test_an_endpoint_that_may_recover_is_told_from_one_that_says_no(
    endpoint: TokenEndpoint,
    answer: tuple[int, object, dict[str, str]] | str,
    transient: object,
    retry_after: float | None,
    words: str,
) -> None:
    """By its status and its word, never by a number of Microsoft's."""
    endpoint.script = [answer]
    error = failure(endpoint)
    assert (error.transient, error.retry_after) == (transient, retry_after)
    assert words in str(error)
    assert "guest network" not in str(error)


def test_a_time_to_be_left_alone_may_be_a_date(endpoint: TokenEndpoint) -> None:
    """RFC 9110, 10.2.3."""
    later = format_datetime(SystemClock().now() + timedelta(seconds=90), usegmt=True)
    endpoint.script = [(429, "", {"Retry-After": later})]
    assert 60 < (failure(endpoint).retry_after or 0) <= 90


def test_what_goes_wrong_before_the_first_question_is_told_as_well(endpoint: TokenEndpoint) -> None:
    """The library looks up where to ask; a tenant that does not exist shows there."""
    endpoint.discovery = [endpoint.refusal(90002, "invalid_tenant", 400), (503, "", {}), "drop"]
    assert "Directory (tenant) ID" in str(failure(endpoint))
    assert failure(endpoint).transient
    assert failure(endpoint).transient
    assert endpoint.posts == []


def test_a_503_is_forgotten_when_the_endpoint_has_recovered(endpoint: TokenEndpoint) -> None:
    """Microsoft's package would say it again by itself for a while."""
    endpoint.script = [(503, "", {"Retry-After": "600"})]
    assert failure(endpoint).retry_after == 600
    source = MicrosoftApp(
        tenant=TENANT, client_id=CLIENT, secret=PlainSecret("Abc~the-client-secret"),
        authority=endpoint.authority,
    )  # fmt: skip
    assert source() in endpoint.tokens


def test_a_port_where_nobody_listens_is_transient(endpoint: TokenEndpoint) -> None:
    """As a mail server that is down."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    error = failure(endpoint, authority=f"https://localhost:{port}")
    assert error.transient
    assert "localhost could not be reached (Connection refused)" in str(error)


def test_a_certificate_that_is_not_trusted_is_no_passing_trouble(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No secret is sent; and a file of authorities beside the computer's store may mend it."""
    trusted = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(trusted)
    own = ssl.get_default_verify_paths().cafile
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    error = failure(endpoint)
    assert not error.transient
    assert "certificate of localhost is not trusted" in str(error)
    assert endpoint.requests == []
    assert own is not None
    for bundle in (own, str(tmp_path / "folder")):
        (tmp_path / "folder").mkdir(exist_ok=True)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        if bundle == own:
            assert "AADSTS" not in str(judge_nothing(endpoint))
        else:
            assert "not trusted" in str(failure(endpoint))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    assert "REQUESTS_CA_BUNDLE names" in str(failure(endpoint))


def judge_nothing(endpoint: TokenEndpoint) -> str:
    """A token, where the endpoint is trusted."""
    source = MicrosoftApp(
        tenant=TENANT, client_id=CLIENT, secret=PlainSecret("Abc~the-client-secret"),
        authority=endpoint.authority,
    )  # fmt: skip
    source.refused()
    return source()


def test_a_silent_endpoint_is_left_after_its_time(endpoint: TokenEndpoint) -> None:
    """Twenty seconds for a request, its answer included; here less."""
    assert asking.SECONDS == 20
    endpoint.discovery = ["silence"]
    client = Endpoint(endpoint.authority, name="Microsoft", judge=judge, seconds=0.2)
    with pytest.raises(TokenError, match="gave no answer within 0 seconds") as caught:
        client.get(f"{endpoint.authority}/x", params={"a": "b"})
    assert caught.value.transient


@pytest.mark.parametrize("header", [{"Content-Length": "500"}, {"Transfer-Encoding": "chunked"}])
def test_an_answer_that_breaks_off_is_transient(endpoint: TokenEndpoint, header: dict[str, str]) -> None:
    """Half a token is none."""
    endpoint.script = [(200, '{"access_token": "x', header)]
    client = Endpoint(endpoint.authority, name="Microsoft", judge=judge)
    with pytest.raises(TokenError) as caught:
        client.post(f"{endpoint.authority}/x", params={"a": "b"}, data={"c": "d"})
    assert caught.value.transient
    client.close()


def test_what_the_libraries_expect_of_an_answer_is_there(endpoint: TokenEndpoint) -> None:
    """Microsoft's package and Google's have names of their own for the same."""
    client = Endpoint(endpoint.authority, name="Microsoft", judge=judge)
    answer = client(f"{endpoint.authority}/.well-known/openid-configuration", timeout=1.0)
    assert answer.status == answer.status_code == 200
    assert answer.data == answer.text.encode()
    answer.raise_for_status()
    assert "hidden" in repr(answer)
