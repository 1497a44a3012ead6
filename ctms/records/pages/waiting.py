"""The home page's panel of sites that wait with people who cannot see to them."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from ctms.records.access import AccessRefusedError
from ctms.records.bulk.handing_over.owned import open_any
from ctms.records.bulk.handing_over.waiting import list_waiting
from ctms.records.pages.home import HomePanel, HomeRequest, Place, register_home_panel


def build_waiting_sites(request: HomeRequest) -> dict[str, Any] | None:
    """Return whose sites wait; None if none do, or the user may not hand sites over."""
    try:
        access = open_any(request.user)
    except AccessRefusedError:
        return None
    waiting = list_waiting(access, only_sites=True)
    return {"waiting": waiting, "url": reverse("hand_over")} if waiting else None


def register_waiting_panel() -> None:
    """Register the panel; called once, when the app is ready."""
    register_home_panel(
        HomePanel(
            key="waiting",
            title="Sites to be handed over",
            template="home/waiting.html",
            build=build_waiting_sites,
            place=Place.SIDE,
            view=None,
        )
    )
