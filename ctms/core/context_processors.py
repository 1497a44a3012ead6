"""Variables that every template has."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def add_vault_name(request: HttpRequest) -> dict[str, str]:  # noqa: ARG001  Django's signature
    """Add `vault_name`, the name of this installation."""
    return {"vault_name": settings.VAULT_NAME}
