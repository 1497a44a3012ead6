"""What every template may name."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def add_vault_name(request: HttpRequest) -> dict[str, str]:  # noqa: ARG001  Django's signature
    """`vault_name`, as the installation calls itself."""
    return {"vault_name": settings.VAULT_NAME}
