"""Serves organisations, each with a uvicorn server of its own, all in one event loop."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from crm_sync.sandbox.service import Service
from crm_sync.sandbox.serving.app import create_app
from crm_sync.sandbox.serving.protocol import SandboxProtocol

KEEP_ALIVE_SECONDS = 75
SHUTDOWN_SECONDS = 5
TICK_SECONDS = 0.02


class SandboxServer(uvicorn.Server):
    """A uvicorn server that handles no signals, as several of them run together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: the caller's handler stops all servers."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, cut idle connections, and wait up to 5 seconds for calls that are being answered.

        Idle connections are cut and not closed, since closing TLS waits for the answer of clients that send nothing.
        """
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            if isinstance(connection, SandboxProtocol) and connection.idle:
                connection.transport.abort()
            else:
                connection.shutdown()
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        while self.server_state.connections or self.server_state.tasks:
            if self.force_exit or time.monotonic() > deadline:
                for task in self.server_state.tasks:
                    task.cancel()
                return
            await asyncio.sleep(TICK_SECONDS / 4)

    async def main_loop(self) -> None:
        """Wait until told to stop. Checks more often than uvicorn does, for tests that start many servers."""
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            await asyncio.sleep(TICK_SECONDS)


def bind_socket(*, host: str, port: int) -> socket.socket:
    """Return a listening socket. Port 0 takes a free port.

    Raises OSError when the port is taken, OverflowError when there is no such port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off (40 ms an answer) only on sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
    except (OSError, OverflowError):
        listener.close()
        raise
    listener.setblocking(False)  # noqa: FBT003  the standard library's own interface
    return listener


def build_server(
    service: Service, *, certificate: Path | None = None, private_key: Path | None = None
) -> SandboxServer:
    """Return the server of one organisation, with HTTPS when a certificate is given."""
    config = uvicorn.Config(
        create_app(service),
        http=SandboxProtocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,  # the API's answers bear the time of the organisation's clock
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ssl_certfile=str(certificate) if certificate else None,
        ssl_keyfile=str(private_key) if private_key else None,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
    )
    return SandboxServer(config)


async def serve_all(servers: Sequence[tuple[SandboxServer, socket.socket]]) -> None:
    """Run all servers until each is told to stop."""
    await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in servers))
