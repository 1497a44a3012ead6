"""A relay between a program and the Vault that counts requests and loses some of them, or their answers."""

from __future__ import annotations

import http.client
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP = {"connection", "date", "keep-alive", "server", "transfer-encoding"}
_LONGEST_WAIT = 120  # seconds, for an answer of a Vault on a loaded machine


class Fate(Enum):
    """What becomes of a request."""

    LOST = "the request does not come through"
    ANSWER_LOST = "the Vault does what it asks, and the answer does not come back"
    LOG_IN_PAGE = "a hotspot answers it with its log-in page"
    FAULT = "something between answers that it failed"


class Relay(ThreadingHTTPServer):
    """Hands requests on to the Vault; `fates` are those of the next requests, after which all go well."""

    daemon_threads = True

    def __init__(self, vault: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.vault = urlsplit(vault)
        self.fates: deque[Fate | None] = deque()
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        """The address of the API behind the relay."""
        return f"http://127.0.0.1:{self.server_port}/api/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Relay

    def do_GET(self) -> None:
        self._relay()

    do_POST = do_PATCH = do_GET  # noqa: N815  http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's signature
        """Print nothing."""

    def _relay(self) -> None:
        fate = self.server.fates.popleft() if self.server.fates else None
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.requests.append(f"{self.command} {self.path}")
        if fate is Fate.LOG_IN_PAGE:
            self._answer(200, {"Content-Type": "text/html"}, b"<form>Log in to the hotspot</form>")
        elif fate is Fate.FAULT:
            self._answer(500, {"Content-Type": "text/html"}, b"Failed")
        elif fate is not Fate.LOST:
            status, headers, answer = self._ask(body)
            if fate is not Fate.ANSWER_LOST:
                self._answer(status, headers, answer)
        self.close_connection = True

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        vault = self.server.vault
        connection = http.client.HTTPConnection(vault.hostname or "", vault.port, timeout=_LONGEST_WAIT)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        connection.request(self.command, self.path, body=body or None, headers=headers | {"Host": vault.netloc})
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        kept = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
        return response.status, kept, answer

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serve_relay(vault: str) -> Iterator[Relay]:
    """Serve a relay to the Vault at this address, on a free port, as long as the context lasts."""
    relay = Relay(vault)
    thread = threading.Thread(target=relay.serve_forever, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.shutdown()
        relay.server_close()
        thread.join()
