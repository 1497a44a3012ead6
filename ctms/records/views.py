"""The study teams' pages."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from ctms.accounts.models import User
from ctms.configuration.registry import UnknownObjectError, get_object
from ctms.records.home import build_home_panels


@require_safe
@login_required
def show_home(request: HttpRequest) -> HttpResponse:
    """What is due, overdue and recent for the user."""
    if not isinstance(request.user, User):
        raise TypeError("Nobody is logged in.")
    return render(request, "home/home.html", {"panels": build_home_panels(request.user)})


@require_safe
@login_required
def open_record(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """The address under which CRM records link back here: leads to the record's page.

    404 for what is not there or not visible to the user, 403 without the permission to read it.
    """
    try:
        model = get_object(object_name).model
        console = admin.site.get_model_admin(model)
    except (UnknownObjectError, NotRegistered):
        raise Http404(f"There is no object {object_name}.") from None
    record = get_object_or_404(console.get_queryset(request), uid=uid)
    if not console.has_view_permission(request, record):
        raise PermissionDenied
    return redirect(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", record.pk)
