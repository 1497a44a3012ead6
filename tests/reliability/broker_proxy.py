"""A way to the broker that a test can let hang: connections stay open, and nothing is answered any more."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class BrokerProxy:
    """Passes on what goes to and fro between clients and the broker, unless `flows` is cleared."""

    def __init__(self, *, server: socket.socket, broker: tuple[str, int]) -> None:
        self.flows = threading.Event()
        self.flows.set()
        self._server = server
        self._broker = broker
        self._sockets: list[socket.socket] = []

    def serve(self) -> None:
        """Accept connections until the server's socket is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                upstream = socket.create_connection(self._broker)
                self._sockets += [client, upstream]
                for ends in ((client, upstream), (upstream, client)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def close(self) -> None:
        self.flows.set()
        for each in (self._server, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.flows.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def open_proxy(broker_url: str) -> Iterator[tuple[BrokerProxy, str]]:
    """Yield a proxy before the broker of this URL, and the URL of the same database through it."""
    parts = urlsplit(broker_url)
    server = socket.create_server(("127.0.0.1", 0))
    proxy = BrokerProxy(server=server, broker=(parts.hostname or "127.0.0.1", parts.port or 6379))
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy, parts._replace(netloc=f"127.0.0.1:{server.getsockname()[1]}").geturl()
    finally:
        proxy.close()
