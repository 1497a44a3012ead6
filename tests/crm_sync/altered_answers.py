"""A proxy before the sandbox that alters its answers, for tests of a CRM that does not do what it should."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_plus

import requests

_OF_THE_CONNECTION = {"content-encoding", "content-length", "transfer-encoding", "connection"}


@dataclass
class Answer:
    """An answer of the sandbox to one request; the test changes it. `path` includes the query, as plain text."""

    path: str
    status: int
    payload: Any
    headers: dict[str, str]

    @property
    def is_query_of_calls(self) -> bool:
        return "FROM Call2_vod__c" in self.path

    def refuse(self, status: int, code: str) -> None:
        self.status, self.payload = status, [{"errorCode": code, "message": "said the test"}]


Alter = Callable[[Answer], None]


class AlteringProxy:
    """Passes every request on, and every answer through `alter`."""

    def __init__(self) -> None:
        self.alter: Alter = lambda _: None
        self.target = ""
        self.origin = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: AlteringProxy

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "accept-encoding"}
        answered = requests.request(
            self.command, self.proxy.target + self.path, data=body, headers=headers, allow_redirects=False, timeout=60
        )
        answer = Answer(
            path=unquote_plus(self.path),
            status=answered.status_code,
            payload=answered.json() if answered.content else None,
            headers={name: text for name, text in answered.headers.items() if name.lower() not in _OF_THE_CONNECTION},
        )
        self.proxy.alter(answer)
        content = json.dumps(answer.payload).encode() if answered.content else b""
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815  names of http.server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the signature of http.server
        pass


@contextmanager
def run_altering_proxy(target: str) -> Iterator[AlteringProxy]:
    """Serve on a free port of this machine until the block ends; `target` is the address of the sandbox."""
    proxy = AlteringProxy()
    proxy.target = target
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    server.daemon_threads, server.block_on_close = True, False
    proxy.origin = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
