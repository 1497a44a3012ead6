"""The address from which a request comes."""

from __future__ import annotations

from django.http import HttpRequest


def get_client_address(request: HttpRequest) -> str:
    """Return the IP address of the client; empty if the server does not know it."""
    return str(request.META.get("REMOTE_ADDR") or "")
