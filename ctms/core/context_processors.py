"""Variables that every template has."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from ctms import __version__
from ctms.core.standing import Standing, read_standing


def add_vault_name(request: HttpRequest) -> dict[str, str]:  # noqa: ARG001  Django's signature
    """Add `vault_name`, the name of this installation, and `vault_version`, the version of the product."""
    return {"vault_name": settings.VAULT_NAME, "vault_version": __version__}


def add_standing(request: HttpRequest) -> dict[str, Standing]:
    """Add `standing`, for the banners of both faces; the middleware has read it, unless it refused the request."""
    return {"standing": getattr(request, "standing", None) or read_standing()}
