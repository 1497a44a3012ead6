"""A uvicorn protocol that finds the socket of a request, so that its connection can be cut."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

Endpoint = tuple[str, int]

OPEN_TRANSPORTS: dict[tuple[Endpoint | None, Endpoint | None], asyncio.Transport] = {}


class SandboxProtocol(H11Protocol):
    """Registers its socket by the client and server addresses of a request's scope."""

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        # uvicorn sets it with the first request; until then it is None, which its type does not say.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Register the socket."""
        super().connection_made(transport)
        OPEN_TRANSPORTS[self.client, self.server] = transport  # type: ignore[index]  # uvicorn: (host, port | None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Unregister the socket."""
        OPEN_TRANSPORTS.pop((self.client, self.server), None)  # type: ignore[arg-type]
        super().connection_lost(exc)


async def drop_connection(scope: Mapping[str, Any]) -> None:
    """Cut the connection of a request. Raises ConnectionAbortedError when another server than ours serves it."""
    client, server = scope.get("client"), scope.get("server")
    key = (tuple(client) if client else None, tuple(server) if server else None)
    transport = OPEN_TRANSPORTS.get(key)
    if transport is None:
        raise ConnectionAbortedError("Connections can be dropped only by the sandbox's own server.")
    transport.abort()
    # The protocol is told in a later turn of the loop; until then it would complain that the answer is missing.
    while key in OPEN_TRANSPORTS:  # noqa: ASYNC110  asyncio announces the end of a transport to its protocol only
        await asyncio.sleep(0)
