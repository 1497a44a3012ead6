"""A real HTTP server that gives the answers of a script, so that a test can put a fault at any place."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN_PATH = "/services/oauth2/token"


@dataclass
class Received:
    """A request as received; `body` is decompressed."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    was_packed: bool

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass
class Reply:
    """An answer: `payload` as JSON, or `body` as it is; `drop` closes the connection before or within it."""

    payload: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    drop: str = ""
    chunked: bool = False


def error(status: int, code: str, message: str = "said the CRM", **headers: str) -> Reply:
    """Return an answer in the CRM's form of an error."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply([{"message": message, "errorCode": code}], status=status, headers=named)


class ScriptedServer:
    """Answers API calls from `replies` in order, log-ins from `token_replies`, then with token-1, token-2."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.token_replies: list[Reply] = []
        self.answer: Callable[[Received], Reply] | None = None
        self.instance_url: str | None = None
        self.received: list[Received] = []
        self.log_ins = 0
        self.connections = 0
        self.origin = ""
        self._lock = threading.Lock()

    @property
    def calls(self) -> list[Received]:
        """The requests that were no log-ins."""
        return [request for request in self.received if request.path != TOKEN_PATH]

    def choose_reply(self, request: Received) -> Reply:
        with self._lock:
            self.received.append(request)
            if request.path == TOKEN_PATH:
                return self._choose_token_reply()
            if self.answer is None:
                return self.replies.pop(0)
        return self.answer(request)

    def _choose_token_reply(self) -> Reply:
        self.log_ins += 1
        if self.token_replies:
            return self.token_replies.pop(0)
        return Reply({"access_token": f"token-{self.log_ins}", "instance_url": self.instance_url or self.origin})

    def note_connection(self) -> None:
        with self._lock:
            self.connections += 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: ScriptedServer

    def setup(self) -> None:
        super().setup()
        self.script.note_connection()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        was_packed = self.headers.get("Content-Encoding") == "gzip"
        parts = urlsplit(self.path)
        request = Received(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query),
            headers=dict(self.headers.items()),
            body=gzip.decompress(body) if was_packed else body,
            was_packed=was_packed,
        )
        self._send(self.script.choose_reply(request))

    do_GET = do_POST = do_PATCH = _handle  # noqa: N815  names of http.server

    def _send(self, reply: Reply) -> None:
        if reply.drop == "before":
            self.close_connection = True
            return
        body = json.dumps(reply.payload).encode() if reply.body is None else reply.body
        self.send_response_only(reply.status)
        headers = {"Content-Type": "application/json;charset=UTF-8"} | reply.headers
        if reply.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.chunked:
            self.wfile.write(b"%x\r\n" % len(body))
        self.wfile.write(body[: len(body) // 2] if reply.drop == "halfway" else body)
        if reply.drop == "halfway":
            self.close_connection = True
        elif reply.chunked:
            self.wfile.write(b"\r\n0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the signature of http.server
        pass


@contextmanager
def run_scripted_server(*, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[ScriptedServer]:
    """Serve on a free port of this machine until the block ends."""
    script = ScriptedServer()
    handler = type("Handler", (_Handler,), {"script": script})

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignore errors, because clients close connections early in some tests."""

    server = Server((host, 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    script.origin = f"{'https' if tls else 'http'}://{host}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
