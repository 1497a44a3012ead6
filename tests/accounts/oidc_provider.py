"""A small OpenID Connect provider over HTTP: discovery, keys, and codes that it exchanges for signed tokens once."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

CLIENT_ID, CLIENT_SECRET = "vault", "secret-of-the-client"


class OidcProvider:
    """The provider. A test sets `claims` (None leaves one out), `signing_key`, `algorithm` and `metadata`."""

    def __init__(self, *, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.key = generate_private_key(public_exponent=65537, key_size=2048)
        self.signing_key: RSAPrivateKey | str = self.key
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {"sub": "subject-1", "email": "uma@example.org", "email_verified": True}
        self.metadata: dict[str, Any] = {}
        self._codes: dict[str, dict[str, str]] = {}

    def log_in(self, url: str) -> str:
        """Do as a user who is sent to `url` and logs in; return where the provider sends the browser back to."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID)
        assert (asked["code_challenge_method"], "openid" in asked["scope"].split()) == ("S256", True)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def describe(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        } | self.metadata

    def list_keys(self) -> dict[str, Any]:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [key | {"kid": "key-1", "use": "sig", "alg": "RS256"}]}

    def exchange(self, *, sent: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Return tokens for a code; None if anything about the request is wrong."""
        asked = self._codes.pop(sent.get("code", ""), None)
        credentials = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if asked is None or authorization != f"Basic {credentials}" or sent["redirect_uri"] != asked["redirect_uri"]:
            return None
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return None
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        merged = {name: value for name, value in (claims | self.claims).items() if value is not None}
        token = jwt.encode(merged, self.signing_key, algorithm=self.algorithm, headers={"kid": "key-1"})
        return {"access_token": "unused", "token_type": "Bearer", "id_token": token}


@contextmanager
def run_provider() -> Iterator[OidcProvider]:
    """Run a provider on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers = {"/.well-known/openid-configuration": provider.describe, "/keys": provider.list_keys}
            self._answer(answers[self.path]())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(provider.exchange(sent=dict(parse_qsl(body)), authorization=self.headers["Authorization"]))

        def log_message(self, *_arguments: Any) -> None:
            """Write nothing."""

        def _answer(self, content: dict[str, Any] | None) -> None:
            self.send_response(200 if content is not None else 400)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(content or {"error": "invalid_grant"}).encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider = OidcProvider(port=server.server_address[1])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
