"""The page of the daily digest: when it comes, what it would say now, and how the last ones went."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from ctms.accounts.addresses import get_client_address
from ctms.accounts.login_resume import login_required
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.core.choices import RecordStatus
from ctms.jobs.models import JobDefinition
from ctms.records.requests import build_actor, get_user
from ctms.reports.digest.content import read_content
from ctms.reports.digest.forms import DigestForm
from ctms.reports.digest.subscriptions import UnknownLinkError, read_token, set_hour
from ctms.reports.digest.units import DIGEST_JOB_KEY
from ctms.reports.models import DigestMail

_HISTORY = 14


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def show_digest(request: HttpRequest) -> HttpResponse:
    """Show the user's digest. A POST saves when it comes."""
    # Another instance than `request.user`, whose refused values the page would show as if they were saved.
    user = User.objects.select_related("security_profile").get(pk=get_user(request).pk)
    form = DigestForm(request.POST if request.method == "POST" else None, initial={"hour": user.digest_hour})
    if request.method == "POST" and form.is_valid():
        hour = form.cleaned_data["hour"]
        set_hour(user=user, hour=hour, actor=build_actor(request))
        told = "You get no daily digest." if hour is None else f"Your digest comes at {hour:02}:00."
        messages.success(request, told)
        return redirect("digest")
    context = {
        "form": form,
        "content": read_content(user=user, day=timezone.localdate()),
        "mails": DigestMail.objects.filter(user=user)[:_HISTORY],
        "address": user.email,
        "zone": user.time_zone.replace("_", " "),
        "is_job_active": JobDefinition.objects.filter(key=DIGEST_JOB_KEY, status=RecordStatus.ACTIVE).exists(),
    }
    return render(request, "reports/digest/digest.html", context)


# Mail programs post to it by themselves (RFC 8058); the signed token says who is meant, and all that it does is this.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def stop_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Ask whether to stop the digest, because programs follow links of e-mails, too; a POST does it."""
    try:
        user = read_token(token)
    except UnknownLinkError as error:
        context = {"problem": str(error)}
        return render(request, "reports/digest/stop.html", context, status=HTTPStatus.NOT_FOUND)
    is_done = request.method == "POST"
    if is_done:
        actor = Actor(user=user, source="page", reference="digest", address=get_client_address(request))
        set_hour(user=user, hour=None, actor=actor)
    return render(request, "reports/digest/stop.html", {"who": user, "is_done": is_done})
