"""Looking a host's name up while an admin waits: to warn, never to refuse, for a name server may know it elsewhere."""

from __future__ import annotations

import socket
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from django.conf import settings

from crm_sync.errors import ConfigurationError
from crm_sync.hosts import HTTPS_PORT
from crm_sync.transport import is_public_address, resolve_host

if TYPE_CHECKING:
    from crm_sync.transport import Resolver

LOOK_UP_SECONDS = 3.0


def explain_unreachable_name(
    host: str, *, seconds: float = LOOK_UP_SECONDS, resolve: Resolver = socket.getaddrinfo
) -> str:
    """Why calls to a host will not leave this machine, as far as its name tells; empty if nothing speaks against it.

    Nothing is sent to the host. Takes at most so many seconds.
    """
    if host in settings.CRM_SANDBOX_ORIGINS:
        return ""
    answers: SimpleQueue[str] = SimpleQueue()

    def look_up() -> None:
        try:
            resolve_host(host, HTTPS_PORT, resolve=resolve, is_allowed=is_public_address)
        except ConfigurationError as error:
            answers.put(str(error))
        except (OSError, UnicodeError):
            answers.put(
                f"{host} has no address: the name service of this machine does not know it. Transfers fail until it "
                "does; check the URL for a typing error."
            )
        else:
            answers.put("")

    # A look-up cannot be called off; where it takes too long it is left behind.
    Thread(target=look_up, daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except Empty:
        return (
            f"{host} could not be looked up within {seconds:g} seconds: the name service of this machine does not "
            "answer. Transfers fail until it does."
        )
