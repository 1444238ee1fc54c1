"""The three sources against an endpoint that checks what the real ones check."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from tests.tokens.endpoint import CLIENT, SECRET, TENANT, TokenEndpoint

from vetmail_core.address import Mailbox
from vetmail_core.credentials import EnvironmentSecret, PlainSecret
from vetmail_core.errors import TokenError
from vetmail_core.receipts import Reply
from vetmail_core.testing.clock import FakeClock
from vetmail_core.tokens import FileTokens, GoogleServiceAccount, MicrosoftApp, MicrosoftSignIn, TokenSource

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PASSPHRASE = "open sesame"


def app(endpoint: TokenEndpoint, **changes: object) -> MicrosoftApp:
    """The application with its secret in the environment."""
    settings = {
        "tenant": TENANT, "client_id": CLIENT, "secret": EnvironmentSecret("VETMAIL_APP_SECRET"),
        "authority": endpoint.authority,
    }  # fmt: skip
    return MicrosoftApp(**{**settings, **changes})  # type: ignore[arg-type]


def person(endpoint: TokenEndpoint, folder: Path, mailbox: str = "kim@example.com") -> MicrosoftSignIn:
    """A person's sign-in, kept in a file of the test's own."""
    return MicrosoftSignIn(
        tenant=TENANT, client_id=CLIENT, mailbox=mailbox, cache=FileTokens(folder / "sign-ins.json"),
        authority=endpoint.authority,
    )  # fmt: skip


def certificate_of(key: RSAPrivateKey | ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Self-signed, as an administrator uploads it."""
    name, now = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mailer")]),
        datetime.datetime.now(datetime.UTC),
    )
    return (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip


def pem(key: RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: str = "") -> bytes:
    """A private key as PEM."""
    way: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        way = serialization.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, way)


# -- an application ------------------------------------------------------------------------------------


def test_an_application_shows_its_secret_and_is_given_a_token(endpoint: TokenEndpoint) -> None:
    """In Entra's form; and the token is used again."""
    source = app(endpoint)
    assert [source(), source()] == endpoint.tokens * 2
    (form,) = endpoint.posts
    assert form["grant_type"] == "client_credentials"
    assert (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)
    assert form["scope"] == "https://outlook.office365.com/.default"
    assert "client_assertion" not in form
    assert source.endpoint_host == "localhost"
    assert 3_290 < source.seconds_left < 3_300
    assert isinstance(source, TokenSource)


def test_equal_sources_share_and_others_do_not(endpoint: TokenEndpoint) -> None:
    """Ten mailers made from ten loads of one file ask once."""
    assert len({app(endpoint)() for _ in range(10)}) == 1
    other = app(endpoint, client_id="another-app")
    assert other() not in {app(endpoint)()}
    assert len(endpoint.posts) == 2


def test_a_refused_token_is_replaced_and_the_secret_read_anew(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that was renewed in the meantime counts."""
    source = app(endpoint)
    first = source()
    source.refused()
    assert source() != first
    monkeypatch.setenv("VETMAIL_APP_SECRET", "changed")
    source.refused()
    with pytest.raises(TokenError, match="AADSTS7000215"):
        source()
    assert endpoint.posts[-1]["client_secret"] == "changed"


@pytest.mark.parametrize("name", ["app.pem", "app.pfx", "app.p12"])
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_an_application_signs_with_its_certificate(
    endpoint: TokenEndpoint, client_key: RSAPrivateKey, tmp_path: Path, name: str, passphrase: str
) -> None:
    """PEM or PKCS #12, with and without a passphrase; no secret travels."""
    certificate, file = certificate_of(client_key), tmp_path / name
    if name.endswith(".pem"):
        file.write_bytes(pem(client_key, passphrase) + certificate.public_bytes(serialization.Encoding.PEM))
    else:
        way: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            way = serialization.BestAvailableEncryption(passphrase.encode())
        file.write_bytes(pkcs12.serialize_key_and_certificates(b"mailer", client_key, certificate, None, way))
    secret = PlainSecret(passphrase) if passphrase else None
    source = app(endpoint, certificate=file, secret=secret)
    assert source() in endpoint.tokens
    (form,) = endpoint.posts
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert "client_secret" not in form
    assert (endpoint.assertions[0]["iss"], endpoint.assertions[0]["sub"]) == (CLIENT, CLIENT)


def test_a_certificate_that_the_application_does_not_know_is_told(
    endpoint: TokenEndpoint, client_key: RSAPrivateKey, tmp_path: Path
) -> None:
    """The endpoint checks the signature."""
    endpoint.client_keys.clear()
    file = tmp_path / "app.pem"
    file.write_bytes(pem(client_key) + certificate_of(client_key).public_bytes(serialization.Encoding.PEM))
    with pytest.raises(TokenError, match="AADSTS700027"):
        app(endpoint, certificate=file, secret=None)()


def test_a_certificate_file_that_is_something_else_is_named(
    endpoint: TokenEndpoint, client_key: RSAPrivateKey, tmp_path: Path
) -> None:
    """What was expected and what is wrong, and nothing is asked."""
    other = ec.generate_private_key(ec.SECP256R1())
    public = certificate_of(client_key).public_bytes(serialization.Encoding.PEM)
    contents = {
        "there is no certificate": pem(client_key),
        "there is no RSA key": public,
        "no RSA key in it": pem(other) + certificate_of(other).public_bytes(serialization.Encoding.PEM),
        "its key belongs to another": pem(client_key)
        + certificate_of(other).public_bytes(serialization.Encoding.PEM),
        "damaged, or the passphrase": pem(client_key, PASSPHRASE) + public,
        "damaged": b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n",
    }
    file = tmp_path / "app.pem"
    for words, octets in contents.items():
        file.write_bytes(octets)
        with pytest.raises(TokenError, match=words) as caught:
            app(endpoint, certificate=file, secret=None)()
        assert str(file) in str(caught.value)
        assert not caught.value.transient
    file.write_bytes(pem(client_key) + public)
    with pytest.raises(TokenError, match="no passphrase, but a secret is given"):
        app(endpoint, certificate=file)()
    with pytest.raises(TokenError, match=r"nowhere\.pfx.*cannot be read"):
        app(endpoint, certificate=tmp_path / "nowhere.pfx")()
    assert endpoint.posts == []


def test_an_application_with_nothing_to_show_says_so(endpoint: TokenEndpoint) -> None:
    """Neither secret nor certificate; and a secret that is not where it should be keeps its own sentence."""
    with pytest.raises(TokenError, match="neither a client secret nor a certificate"):
        app(endpoint, secret=None)()
    with pytest.raises(TokenError, match="VETMAIL_NOT_SET is not set"):
        app(endpoint, secret=EnvironmentSecret("VETMAIL_NOT_SET"))()


def test_another_server_that_the_endpoint_names_is_not_asked(endpoint: TokenEndpoint) -> None:
    """A secret goes nowhere but where the settings say."""
    endpoint.other_token_endpoint = "https://127.0.0.1:1/token"
    with pytest.raises(TokenError, match="names another server for tokens, which is not asked"):
        app(endpoint)()
    assert endpoint.posts == []


def test_one_token_of_an_application_serves_every_mailbox(endpoint: TokenEndpoint) -> None:
    """Whoever logs in."""
    source = app(endpoint)
    assert source.of("kim@example.com") is source


# -- a person ------------------------------------------------------------------------------------------


def test_a_person_signs_in_once_and_is_not_asked_again(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    """A code on the screen; then each token is fetched with what is kept, in another process too."""
    source, shown, clock = person(endpoint, tmp_path), list[str](), FakeClock()
    assert not source.signed_in
    with pytest.raises(TokenError, match=r"kim@example\.com.*vetmail sign-in"):
        source()
    assert endpoint.posts == []
    endpoint.pending = 2
    source.sign_in(shown.append, clock=clock)
    assert source.signed_in
    (text,) = shown
    assert f"{endpoint.authority}/device" in text
    assert "ABCD-EFGH" in text
    assert clock.slept == (5.0, 5.0, 5.0)
    assert "client_secret" not in endpoint.posts[0]
    assert {"https://outlook.office.com/SMTP.Send", "offline_access"} <= set(
        endpoint.posts[0]["scope"].split()
    )
    assert person(endpoint, tmp_path)() == endpoint.tokens[-1]
    assert endpoint.posts[-1]["grant_type"] == "refresh_token"
    source.refused()
    assert source() == endpoint.tokens[-1]  # with the refresh token that came with the last one
    assert len(endpoint.tokens) == 3


def test_another_name_that_has_signed_in_is_shown(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    """An alias is fine; somebody else's account is seen at once."""
    endpoint.who = "kim.lee@example.com"
    shown: list[str] = []
    person(endpoint, tmp_path).sign_in(shown.append, clock=FakeClock())
    assert shown[1:] == ["kim.lee@example.com has signed in for kim@example.com."]
    endpoint.id_token = False
    person(endpoint, tmp_path).sign_in(shown.append, clock=FakeClock())
    assert len(shown) == 3


@pytest.mark.parametrize("error", ["authorization_declined", "expired_token"])
def test_a_sign_in_that_is_declined_keeps_nothing(
    endpoint: TokenEndpoint, tmp_path: Path, error: str
) -> None:
    """Nor does one that is not finished in its time."""
    source = person(endpoint, tmp_path)
    endpoint.script = [endpoint._answer("/devicecode", {}), (400, {"error": error}, {})]
    with pytest.raises(TokenError, match="sign-in was not finished"):
        source.sign_in(lambda _text: None, clock=FakeClock())
    assert not source.signed_in


def test_a_code_that_nobody_enters_ends(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    """By the clock, although the endpoint still says: wait; and slower when it asks for that."""
    source, clock = person(endpoint, tmp_path), FakeClock()
    slow = (400, {"error": "slow_down"}, {})
    endpoint.script = [endpoint._answer("/devicecode", {}), slow, (503, "", {})]
    endpoint.pending = 1_000
    with pytest.raises(TokenError, match="not finished"):
        source.sign_in(lambda _text: None, clock=clock)
    assert clock.slept[:3] == (5.0, 10.0, 10.0)
    assert sum(clock.slept) <= 900


def test_what_goes_wrong_while_somebody_signs_in_is_told(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    """The registration, an answer without a code, without what keeps the sign-in."""
    source = person(endpoint, tmp_path)
    for script, words in (
        ([endpoint.refusal(7000218, "invalid_client", 401)], "Allow public client flows to Yes"),
        ([(200, {"user_code": "A"}, {})], "without a token and without saying why"),
        ([(200, {"user_code": "A", "device_code": "d"}, {})], "without a token and without saying why"),
        (
            [endpoint._answer("/devicecode", {}), (200, {"access_token": "t", "expires_in": 60}, {})],
            "nothing that keeps the person signed in",
        ),
        (
            [endpoint._answer("/devicecode", {}), endpoint.refusal(53003, "access_denied", 400)],
            "Conditional Access",
        ),
    ):
        endpoint.script = list(script)
        with pytest.raises(TokenError, match=words):
            source.sign_in(lambda _text: None, clock=FakeClock())
    assert not source.signed_in


def test_two_people_have_one_cache_and_a_token_each(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    """Individual staff logins."""
    every = attrs.evolve(person(endpoint, tmp_path), mailbox="")
    for name in ("kim@example.com", "sam@example.com"):
        endpoint.who = name
        every.of(name).sign_in(lambda _text: None, clock=FakeClock())
    assert [
        json.loads(_claims(every.of(name)()))["sub"] for name in ("kim@example.com", "sam@example.com")
    ] == [
        "kim@example.com",
        "sam@example.com",
    ]
    assert every.of("kim@example.com").of("sam@example.com").mailbox == "kim@example.com"
    assert every.of(Mailbox("sam@example.com")) == every.of("sam@example.com")


def _claims(token: str) -> bytes:
    from tests.tokens.endpoint import decoded  # noqa: PLC0415 - for this alone

    return decoded(token.split(".")[1])


def test_a_sign_in_without_a_mailbox_is_refused(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    """Whose token should it be?"""
    every = attrs.evolve(person(endpoint, tmp_path), mailbox="")
    for ask in (every, lambda: every.sign_in(print), lambda: every.signed_in):
        with pytest.raises(TokenError, match="needs a mailbox"):
            ask()


def test_a_sign_in_that_has_ended_says_so(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    """The password was changed."""
    source = person(endpoint, tmp_path)
    source.sign_in(lambda _text: None, clock=FakeClock())
    endpoint.refresh_tokens.clear()
    with pytest.raises(TokenError, match="AADSTS50173") as caught:
        source()
    assert "sign in again" in str(caught.value)


def test_an_entry_that_is_not_a_sign_in_counts_as_none(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    """Whatever a host's own cache gives back."""
    source = person(endpoint, tmp_path)
    for text in ("x", "[]", "{}", '{"refresh_token": ""}'):
        with source.cache.hold(source._entry):
            source.cache.write(source._entry, text)
        with pytest.raises(TokenError, match="Nobody has signed in"):
            source()
    with source.cache.hold(source._entry):
        source.cache.write(source._entry, '{"refresh_token": "r", "signed_in_as": 5}')
    endpoint.refresh_tokens["r"] = "kim@example.com"
    endpoint.script = [(200, {"access_token": "same", "expires_in": "60", "refresh_token": "r"}, {})]
    assert source() == "same"


def test_four_processes_renew_one_sign_in_whose_tokens_are_good_for_one_use(
    endpoint: TokenEndpoint, tmp_path: Path
) -> None:
    """Each waits until the one before has written what it was given."""
    source = person(endpoint, tmp_path)
    source.sign_in(lambda _text: None, clock=FakeClock())
    code = (
        "import sys; from pathlib import Path; from vetmail_core.tokens import *\n"
        "authority, folder, tenant, client = sys.argv[1:]\n"
        "print(MicrosoftSignIn(tenant=tenant, client_id=client, mailbox='kim@example.com', authority=authority,\n"
        "      cache=FileTokens(Path(folder) / 'sign-ins.json'))())\n"
    )

    def work(_number: int) -> str:
        words = [sys.executable, "-c", code, endpoint.authority, str(tmp_path), TENANT, CLIENT]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    with ThreadPoolExecutor(4) as pool:
        tokens = set(pool.map(work, range(4)))
    assert len(tokens) == 4
    assert tokens < set(endpoint.tokens)
    assert source() == endpoint.tokens[-1]


# -- a service account ---------------------------------------------------------------------------------


def account(endpoint: TokenEndpoint, key: RSAPrivateKey, folder: Path) -> GoogleServiceAccount:
    """A service account for the office's mailbox."""
    file = folder / "key.json"
    file.write_text(endpoint.service_account(key), encoding="utf-8")
    return GoogleServiceAccount(file, mailbox="office@example.com")


def test_a_service_account_signs_for_a_mailbox(
    endpoint: TokenEndpoint, client_key: RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Subject, scope, audience and times; the key as a file or as a secret."""
    source = account(endpoint, client_key, tmp_path)
    assert source() in endpoint.tokens
    monkeypatch.setenv("VETMAIL_KEY", source.key.read_text(encoding="utf-8"))  # type: ignore[union-attr]
    every = GoogleServiceAccount(EnvironmentSecret("VETMAIL_KEY"))
    assert every.of("kim@example.com")() in endpoint.tokens
    assert every.of(Mailbox("kim@example.com")).of("other@example.com").mailbox == "kim@example.com"
    assert [claims["sub"] for claims in endpoint.assertions] == ["office@example.com", "kim@example.com"]
    for claims in endpoint.assertions:
        assert claims["iss"] == "mailer@project.iam.example.com"
        assert claims["scope"] == "https://mail.google.com/"
        assert claims["aud"] == endpoint.token_uri
        assert int(str(claims["exp"])) - int(str(claims["iat"])) <= 3_600
    assert endpoint.posts[0]["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    first = source()
    source.refused()
    assert source() != first
    assert source.seconds_left > 3_000
    assert source.endpoint_host == "oauth2.googleapis.com"
    assert isinstance(source, TokenSource)


def test_a_service_account_without_a_mailbox_is_refused(client_key: RSAPrivateKey, tmp_path: Path) -> None:
    """Its own mailbox cannot send."""
    del client_key
    with pytest.raises(TokenError, match="needs a mailbox to send for"):
        GoogleServiceAccount(tmp_path / "key.json")()


def test_a_key_that_google_does_not_know_is_told(
    endpoint: TokenEndpoint, client_key: RSAPrivateKey, tmp_path: Path
) -> None:
    """The endpoint checks the signature."""
    source = account(endpoint, client_key, tmp_path)
    endpoint.client_keys.clear()
    with pytest.raises(TokenError, match="no such mailbox in this organisation, or the computer's clock"):
        source()


def test_a_key_file_that_is_something_else_is_named(
    endpoint: TokenEndpoint, client_key: RSAPrivateKey, tmp_path: Path
) -> None:
    """An OAuth client's file is the usual mistake."""
    source = account(endpoint, client_key, tmp_path)
    file = source.key
    good = endpoint.service_account(client_key)
    for text, words in {
        "": "it is not JSON",
        "[" * 100_000: "it is not JSON",
        '{"installed": {"client_id": "x"}}': "the file of an OAuth client",
        endpoint.service_account(client_key, type="authorized_user"): "its type is another one",
        endpoint.service_account(client_key, client_email=""): "client_email is missing",
        endpoint.service_account(client_key, token_uri="http://localhost/token"): "not an https address",
        good.replace("BEGIN PRIVATE", "BEGIN NOTHING"): "its private_key is damaged",
    }.items():
        file.write_text(text, encoding="utf-8")  # type: ignore[union-attr]
        with pytest.raises(TokenError, match=words) as caught:
            source()
        assert str(file) in str(caught.value)
    file.unlink()  # type: ignore[union-attr]
    with pytest.raises(TokenError, match=r"key\.json, cannot be read"):
        source()
    with pytest.raises(TokenError, match="The secret of the service account was expected"):
        GoogleServiceAccount(PlainSecret("x"), mailbox="office@example.com")()
    assert endpoint.posts == []


# -- advice --------------------------------------------------------------------------------------------

MAILBOX = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox."
TENANT_OFF = MAILBOX.replace("Mailbox", "Tenant")


def test_each_source_knows_what_to_do_when_a_good_token_is_refused(tmp_path: Path) -> None:
    """In the words of the portals, and never of a password."""
    application = MicrosoftApp(tenant=TENANT, client_id=CLIENT)
    signed = MicrosoftSignIn(tenant=TENANT, client_id=CLIENT)
    google = GoogleServiceAccount(tmp_path / "key.json")
    no_right, off = Reply(535, "5.7.3", "Authentication unsuccessful"), Reply(535, "5.7.139", MAILBOX[12:])
    tenant_off, bad = Reply(535, "5.7.139", TENANT_OFF[12:]), Reply(535, "5.7.8", "not accepted")
    for words in ("service principal", "Enterprise applications", "mailbox", "30 minutes"):
        assert words in application.login_advice(no_right)
    assert "service principal" not in signed.login_advice(no_right)
    assert "mailbox that signed in" in signed.login_advice(no_right)
    for source in (application, signed):
        assert "Authenticated SMTP is off for this mailbox" in source.login_advice(off)
        assert "Turn off SMTP AUTH protocol for your organization" in source.login_advice(tenant_off)
        assert source.login_advice(Reply(454, "4.7.0", "later")) == ""
    assert "https://mail.google.com/" in google.login_advice(bad)
    assert google.login_advice(Reply(454, "4.7.0", "later")) == ""
    told = [
        source.login_advice(reply)
        for source in (application, signed, google)
        for reply in (no_right, off, bad)
    ]
    assert not any("password" in text.lower() for text in told)
