"""The admin console's sidebar: those entries of the setting `ADMIN_SIDEBAR` that the user may view."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse


def build_sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the sidebar in Unfold's format; groups without an entry for the user are left out."""
    groups = []
    for title, entries in settings.ADMIN_SIDEBAR:
        items = []
        for label, icon, model_name in entries:
            model = apps.get_model(model_name)
            if admin.site._registry[model].has_view_permission(request):  # noqa: SLF001  the one place that maps model to admin
                link = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
                items.append({"title": label, "icon": icon, "link": link})
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    return groups
