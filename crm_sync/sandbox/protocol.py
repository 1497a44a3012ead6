"""HTTP connections that can be cut: uvicorn's protocol with a way from a request to its socket."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

Endpoint = tuple[str, int]

OPEN_TRANSPORTS: dict[tuple[Endpoint | None, Endpoint | None], asyncio.Transport] = {}


class SandboxProtocol(H11Protocol):
    """Remembers its socket under the addresses that a request's scope names."""

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        # uvicorn sets it with the first request and says nothing of the time before.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Keep the socket."""
        super().connection_made(transport)
        OPEN_TRANSPORTS[self.client, self.server] = transport  # type: ignore[index]  # uvicorn: (host, port | None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the socket."""
        OPEN_TRANSPORTS.pop((self.client, self.server), None)  # type: ignore[arg-type]
        super().connection_lost(exc)


async def drop_connection(scope: Mapping[str, Any]) -> None:
    """Cut the connection of a request without an answer. Raises ConnectionAbortedError when its server cannot."""
    client, server = scope.get("client"), scope.get("server")
    key = (tuple(client) if client else None, tuple(server) if server else None)
    transport = OPEN_TRANSPORTS.get(key)
    if transport is None:
        raise ConnectionAbortedError("Connections can be dropped only by the sandbox's own server.")
    transport.abort()
    # The protocol learns of it in a later turn of the loop; until then it would miss the answer.
    while key in OPEN_TRANSPORTS:  # noqa: ASYNC110  asyncio announces the end of a transport to its protocol only
        await asyncio.sleep(0)
