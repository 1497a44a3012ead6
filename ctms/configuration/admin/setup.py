"""The landing page of the console, and the views behind the buttons of its setup checklist."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from ctms.accounts.policies import has_permission
from ctms.audit.admin.writing import build_actor, get_user, try_write
from ctms.configuration.checklist import list_checklist
from ctms.configuration.console import build_console_panels
from ctms.configuration.steps import ConfigurationStep, UnknownStepError, apply_step, get_step


def build_landing_page(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the landing page; Unfold calls it as its `DASHBOARD_CALLBACK` setting."""
    return {**context, "panels": build_console_panels(get_user(request))}


@require_POST
def apply_setup_step(request: HttpRequest, key: str) -> HttpResponse:
    """Apply one step and go back to the checklist (button *Apply recommended configuration* of a step)."""
    try:
        step = get_step(key)
    except UnknownStepError as error:
        raise Http404(str(error)) from None
    if not has_permission(user=get_user(request), permission=step.permission):
        raise PermissionDenied(f"{step.title}: your security profile does not include this part of the console.")
    refusal = _apply(request, step)
    if refusal:
        messages.error(request, refusal)
    else:
        messages.success(request, f"{step.title}: {step.read_state().reason}")
    return HttpResponseRedirect(f"{reverse('admin:index')}#{step.key}")


@require_POST
def apply_setup(request: HttpRequest) -> HttpResponse:
    """Apply all steps that the user may do; if one is refused, the others are applied all the same."""
    due = [row.step for row in list_checklist(get_user(request)) if row.can_be_applied and row.step.is_in_all]
    refusals = [refusal for step in due if (refusal := _apply(request, step))]
    for refusal in refusals:
        messages.error(request, refusal)
    count = len(due) - len(refusals)
    if count:
        messages.success(request, f"{count} step{'' if count == 1 else 's'} applied as recommended.")
    elif not refusals:
        messages.info(request, "There was nothing left to apply.")
    return HttpResponseRedirect(reverse("admin:index"))


def _apply(request: HttpRequest, step: ConfigurationStep) -> str:
    """Apply the step; return why it could not be applied, or an empty text if it was."""
    refusal = try_write(lambda: apply_step(step=step, actor=build_actor(request)))
    return f"{step.title}: {' '.join(refusal.messages)}" if refusal is not None else ""


apply_setup_step_view = admin.site.admin_view(apply_setup_step)
apply_setup_view = admin.site.admin_view(apply_setup)
