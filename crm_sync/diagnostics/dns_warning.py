"""Look up a host name while an admin waits, only to warn: another machine's name server may know the name."""

from __future__ import annotations

import socket
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from django.conf import settings

from crm_sync.crm.errors import ConfigurationError
from crm_sync.crm.hosts import HTTPS_PORT
from crm_sync.crm.safe_transport import is_public_address, resolve_host

if TYPE_CHECKING:
    from crm_sync.crm.safe_transport import Resolver

LOOK_UP_SECONDS = 3.0


def explain_unreachable_name(
    host: str, *, seconds: float = LOOK_UP_SECONDS, resolve: Resolver = socket.getaddrinfo
) -> str:
    """Return why calls to a host will fail, judging by its addresses; empty if nothing is wrong with them.

    Nothing is sent to the host. Takes at most `seconds`.
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

    # A look-up cannot be cancelled; if it takes too long, the daemon thread is left to end by itself.
    Thread(target=look_up, daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except Empty:
        return (
            f"{host} could not be looked up within {seconds:g} seconds: the name service of this machine does not "
            "answer. Transfers fail until it does."
        )
