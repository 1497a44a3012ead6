"""Log-in through an OpenID Connect provider: to the provider, and back with its answer."""

from __future__ import annotations

from typing import Any

import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.signals import user_login_failed
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from ctms.accounts.addresses import get_client_address
from ctms.accounts.login_resume import SENT, show_log_in, show_resend
from ctms.accounts.models import User
from ctms.accounts.oidc import (
    LogInRequest,
    OidcError,
    build_authorization_url,
    create_request,
    fetch_identity,
    is_offered,
)
from ctms.accounts.second_factor import note_passed
from ctms.accounts.views import VaultLoginView
from ctms.audit.oidc import find_or_link_user
from ctms.core.clock import get_now
from ctms.core.rate_limits import count_request

log = structlog.get_logger(__name__)

_PENDING = "oidc_pending"
_PENDING_SECONDS = 15 * 60
_MOST_KEPT = 200_000  # characters of a form that was sent while nobody was logged in


@require_POST
@never_cache
def begin_log_in(request: HttpRequest) -> HttpResponse:
    """Send the user to the provider; what the log-in page held is kept in the session until the user is back."""
    _require_offered()
    count_request(scope="log_in", key=get_client_address(request))
    log_in = VaultLoginView()
    log_in.setup(request)
    destination, sent = log_in.get_success_url(), request.POST.get(SENT)
    if sent is not None and len(sent) > _MOST_KEPT:
        error = OidcError("What you typed is too long to be kept on the way. Log in with your password.")
        return _refuse(request, error, url=destination, sent=sent)
    asked = create_request()
    try:
        url = build_authorization_url(request=asked, redirect_uri=_build_redirect_uri())
    except OidcError as error:
        return _refuse(request, error, url=destination, sent=sent)
    request.session[_PENDING] = {
        "state": asked.state,
        "nonce": asked.nonce,
        "verifier": asked.verifier,
        "until": get_now().timestamp() + _PENDING_SECONDS,
        "next": destination,
        SENT: sent,
    }
    # Not a redirect: the content security policy lets forms lead to the Vault alone, redirects included.
    return render(request, "registration/oidc_redirect.html", {"url": url, "oidc_name": settings.OIDC_NAME})


@require_GET
@never_cache
def finish_log_in(request: HttpRequest) -> HttpResponse:
    """Log the user in whom the provider's answer names. Each answer is taken once."""
    _require_offered()
    count_request(scope="log_in", key=get_client_address(request))
    pending = request.session.pop(_PENDING, None) or {"until": 0, "next": reverse("home"), SENT: None}
    url, sent = pending["next"], pending[SENT]
    try:
        user = _identify(request, pending)
    except OidcError as error:
        return _refuse(request, error, url=url, sent=sent)
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    note_passed(request.session)  # whether there is a second factor is the provider's business
    return redirect(url) if sent is None else show_resend(request, url=url, sent=sent)


def _identify(request: HttpRequest, pending: dict[str, Any]) -> User:
    """Return the user whom the provider's answer names. Raises OidcError."""
    if pending["until"] <= get_now().timestamp():
        raise OidcError("This log-in took too long, or was begun in another browser. Begin again.")
    if "code" not in request.GET:
        raise OidcError("The identity provider did not log you in. Begin again, or log in with a password.")
    identity = fetch_identity(
        request=LogInRequest(state=pending["state"], nonce=pending["nonce"], verifier=pending["verifier"]),
        state=request.GET.get("state", ""),
        code=request.GET["code"],
        redirect_uri=_build_redirect_uri(),
    )
    return find_or_link_user(identity=identity)


def _require_offered() -> None:
    if not is_offered():
        raise Http404("This Vault has no identity provider.")


def _build_redirect_uri() -> str:
    """Return the address that the provider sends users back to. It is fixed, whatever host a request names."""
    return f"{settings.VAULT_BASE_URL.rstrip('/')}{reverse('oidc_callback')}"


def _refuse(request: HttpRequest, error: OidcError, *, url: str, sent: str | None) -> HttpResponse:
    """Show the log-in page with the reason; what it held, it still holds."""
    log.warning("oidc_log_in_refused", reason=str(error), cause=type(error.__cause__).__name__)
    user_login_failed.send(sender=__name__, credentials={"username": "OpenID Connect"}, request=request)
    messages.error(request, str(error))
    return show_log_in(request, url=url, sent=sent)
