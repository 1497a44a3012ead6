"""The study teams' pages."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from ctms.accounts.models import User
from ctms.configuration.registry import UnknownObjectError, get_object
from ctms.core.models import AuditedModel
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
    """The address under which CRM records link back here: leads to the record's page, 404 for what is not there."""
    try:
        model: type[AuditedModel] = get_object(object_name).model
    except UnknownObjectError:
        raise Http404(f"There is no object {object_name}.") from None
    record = get_object_or_404(model, uid=uid)
    return redirect(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", record.pk)
