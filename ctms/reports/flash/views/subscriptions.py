"""Users stop getting a flash report: by the link of an e-mail, without a log-in, or on the page of its schedule."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from ctms.accounts.addresses import get_client_address
from ctms.accounts.login_resume import login_required
from ctms.audit.actors import Actor
from ctms.records.requests import build_actor, get_user
from ctms.reports.flash.requests import get_flash_or_404, open_or_404
from ctms.reports.flash.subscriptions import UnknownLinkError, read_token, subscribe, unsubscribe


# Mail programs post to it by themselves (RFC 8058); the signed token says who is meant, and all that it does is this.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def unsubscribe_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Ask whether to unsubscribe, because programs follow links of e-mails, too; a POST does it."""
    try:
        flash, user = read_token(token)
    except UnknownLinkError as error:
        context = {"problem": str(error)}
        return render(request, "reports/flash/unsubscribe.html", context, status=HTTPStatus.NOT_FOUND)
    is_done = request.method == "POST"
    if is_done:
        actor = Actor(user=user, source="page", reference="unsubscribe", address=get_client_address(request))
        unsubscribe(flash=flash, user=user, actor=actor)
    return render(request, "reports/flash/unsubscribe.html", {"report": flash.report, "who": user, "is_done": is_done})


@require_POST
@login_required
def change_subscription(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Unsubscribe the user, or subscribe them again."""
    flash = get_flash_or_404(open_or_404(request, uid))
    user, actor = get_user(request), build_actor(request)
    if request.POST.get("action") == "subscribe":
        subscribe(flash=flash, user=user, actor=actor)
        messages.success(request, "You get the e-mails of this report again.")
    else:
        unsubscribe(flash=flash, user=user, actor=actor)
        messages.success(request, "You get no more e-mails of this report.")
    return redirect("report_schedule", uid)
