"""Logging in to the admin console, which has no log-in page of its own."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache


@never_cache
def enter_admin(request: HttpRequest) -> HttpResponseRedirect:
    """To the Vault's log-in page and back; whoever is logged in already and is no staff is refused."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
    if not admin.site.has_permission(request):
        raise PermissionDenied("Your account does not open the admin console. Ask an admin for access.")
    return HttpResponseRedirect(reverse("admin:index"))
