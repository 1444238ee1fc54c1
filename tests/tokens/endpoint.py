"""A token endpoint on this machine, in the forms of Entra ID and of Google, over TLS.

It checks what the real ones check: the client secret, the signature and the claims of an assertion, a refresh
token that is good for one use. What it answers can be scripted.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    import trustme

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
SECRET = "Abc~the-client-secret"

Scripted = "tuple[int, object, Mapping[str, str]] | str"


def encoded(octets: bytes) -> str:
    """Base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The same back."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class TokenEndpoint:
    """The server.

    Args:
        authority: issues its certificate.

    Attributes:
        requests: path and form of each POST, in order; a GET has no form.
        script: answers for the next POSTs: (status, body, headers), "silence" or "drop"; empty answers by itself.
        life: seconds that a token lives.
        key: signs the tokens (RS256).
        client_keys: public keys of assertions.
        refresh_tokens: those that are good, each for one use -> who.
        pending: how many times a code is not yet entered.
        who: who signs in.
    """

    def __init__(self, authority: trustme.CA) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.script: list[tuple[int, object, dict[str, str]] | str] = []
        self.discovery: list[tuple[int, object, dict[str, str]] | str] = []
        self.life: object = 3599
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.client_keys: list[rsa.RSAPublicKey] = []
        self.refresh_tokens: dict[str, str] = {}
        self.pending = 0
        self.who = "kim@example.com"
        self.id_token = True
        self.other_token_endpoint = ""
        self.assertions: list[dict[str, object]] = []
        self.tokens: list[str] = []
        self.claims: dict[str, object] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                self.request.settimeout(10)
                with contextlib.suppress(OSError):
                    self.request.do_handshake()
                super().setup()

            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    super().handle()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                del format, args

            def do_GET(self) -> None:  # noqa: N802 - the library's name
                endpoint._serve(self, {}, endpoint.discovery)

            def do_POST(self) -> None:  # noqa: N802 - as above
                octets = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint._serve(self, dict(parse_qsl(octets.decode())), endpoint.script)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def authority(self) -> str:
        """The address of the sign-in service, as the settings have it."""
        return f"https://localhost:{self.port}"

    @property
    def token_uri(self) -> str:
        """The address for Google's assertions."""
        return f"{self.authority}/token"

    @property
    def posts(self) -> list[dict[str, str]]:
        """The forms of the requests for tokens and codes."""
        return [form for path, form in self.requests if form]

    def service_account(self, key: rsa.RSAPrivateKey, **changes: object) -> str:
        """The JSON text of a service account's key."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - for this alone

        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        facts = {
            "type": "service_account", "client_email": "mailer@project.iam.example.com", "client_id": "1234",
            "private_key_id": "k1", "private_key": pem.decode(), "token_uri": self.token_uri,
        }  # fmt: skip
        return json.dumps({**facts, **changes})

    # -- answering -------------------------------------------------------------------------------------

    def _serve(
        self,
        handler: BaseHTTPRequestHandler,
        form: dict[str, str],
        script: list[tuple[int, object, dict[str, str]] | str],
    ) -> None:
        with self._lock:
            self.requests.append((handler.path, form))
            answer = script.pop(0) if script else self._answer(handler.path, form)
        if isinstance(answer, str):
            if answer == "silence":
                self._ended.wait(30)
            return  # "drop"
        status, body, headers = answer
        octets = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(octets)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(octets)

    def _answer(self, path: str, form: dict[str, str]) -> tuple[int, object, dict[str, str]]:
        place = urlsplit(path).path
        if place.endswith("/.well-known/openid-configuration"):
            base = f"{self.authority}/{TENANT}/oauth2/v2.0"
            facts = {
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": self.other_token_endpoint or f"{base}/token",
                "device_authorization_endpoint": f"{base}/devicecode",
                "issuer": f"{self.authority}/{TENANT}/v2.0",
            }
            return 200, facts, {}
        if place.endswith("/devicecode"):
            facts = {
                "user_code": "ABCD-EFGH", "device_code": "the-device-code", "interval": 5, "expires_in": 900,
                "verification_uri": f"{self.authority}/device", "message": "To sign in ...",
            }  # fmt: skip
            return 200, facts, {}
        match form.get("grant_type"):
            case "client_credentials":
                if "client_assertion" in form:
                    if not self._is_signed(form["client_assertion"]):
                        return self.refusal(700027, "invalid_client", 401)
                elif form.get("client_secret") != SECRET:
                    return self.refusal(7000215, "invalid_client", 401)
                return 200, self._token("the-application"), {}
            case "urn:ietf:params:oauth:grant-type:device_code":
                if self.pending > 0:
                    self.pending -= 1
                    return 400, {"error": "authorization_pending", "error_codes": [70016]}, {}
                return 200, self._signed_in(self.who), {}
            case "refresh_token":
                who = self.refresh_tokens.pop(form["refresh_token"], "")
                return (200, self._signed_in(who), {}) if who else self.refusal(50173, "invalid_grant", 400)
            case "urn:ietf:params:oauth:grant-type:jwt-bearer":
                if not self._is_signed(form["assertion"]):
                    return 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, {}
                return 200, self._token(str(self.assertions[-1]["sub"])), {}
            case _:
                return 400, {"error": "invalid_request"}, {}

    @staticmethod
    def refusal(code: int, error: str, status: int) -> tuple[int, object, dict[str, str]]:
        """An answer of Entra ID that says no, with texts that nobody may see."""
        text = f"AADSTS{code}: Told-by-nobody for 'Riverside mail'. Trace ID: 0000aaaa-trace"
        return status, {"error": error, "error_description": text, "error_codes": [code]}, {}

    def _signed_in(self, who: str) -> dict[str, object]:
        refresh = f"refresh-{next(self._numbers)}-" + "r" * 1_900
        self.refresh_tokens[refresh] = who
        now = int(time.time())
        claims = {
            "aud": CLIENT,
            "iss": f"{self.authority}/{TENANT}/v2.0",
            "sub": "s",
            "iat": now,
            "exp": now + 600,
        }
        facts = {
            **self._token(who),
            "refresh_token": refresh,
            "scope": "https://outlook.office.com/SMTP.Send",
        }
        if self.id_token:
            facts["id_token"] = self.signed({**claims, "preferred_username": who})
        return facts

    def _token(self, who: str) -> dict[str, object]:
        now = time.time()
        life = self.life if isinstance(self.life, int | float) else 3_600
        claims = {
            "sub": who,
            "jti": next(self._numbers),
            "iat": int(now),
            "exp": int(now + life),
            **self.claims,
        }
        text = self.signed(claims)
        self.tokens.append(text)
        return {"access_token": text, "token_type": "Bearer", "expires_in": self.life}

    def signed(self, claims: Mapping[str, object]) -> str:
        """A JSON Web Token by this server's key."""
        header = {"alg": "RS256", "typ": "JWT", "kid": "default"}
        text = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
        return f"{text}.{encoded(self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def _is_signed(self, assertion: str) -> bool:
        text, _, signature = assertion.rpartition(".")
        head, _, body = text.partition(".")
        header = json.loads(decoded(head))
        self.assertions.append(json.loads(decoded(body)))
        way: padding.AsymmetricPadding = padding.PKCS1v15()
        if header["alg"] == "PS256":
            way = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        for key in self.client_keys:
            try:
                key.verify(decoded(signature), text.encode(), way, hashes.SHA256())
            except InvalidSignature:
                continue
            return True
        return False
