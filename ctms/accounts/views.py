"""The log-in page, which the admin console uses as well, and the page shown when a CSRF check fails."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import requires_csrf_token

from ctms.accounts.forms import CodeForm, LogInForm, VaultPasswordChangeForm
from ctms.accounts.login_resume import (
    SENT,
    carries_sent,
    get_oidc_name,
    is_form_sent,
    pack_sent,
    show_log_in,
    show_resend,
)
from ctms.accounts.second_factor import find_second_factor, remember_pending

_LOG_INS = ("login", "login_code", "oidc_begin")


class VaultLoginView(LoginView):
    """The log-in page. It keeps a form that was sent while nobody was logged in (see `login_resume`)."""

    redirect_authenticated_user = True
    authentication_form = LogInForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and SENT in request.POST:
            return self._resend()
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        if find_second_factor(user) is not None:
            remember_pending(self.request.session, user=user)
            url, sent = self.get_success_url(), self.request.POST.get(SENT)
            return show_code_form(self.request, form=CodeForm(), url=url, sent=sent)
        response = super().form_valid(form)
        return self._resend() if SENT in self.request.POST else response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        return refuse_if_too_many(super().form_invalid(form), form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {SENT: self.request.POST.get(SENT), "oidc_name": get_oidc_name()}

    def _resend(self) -> HttpResponse:
        return show_resend(self.request, url=self.get_success_url(), sent=self.request.POST[SENT])


def show_code_form(request: HttpRequest, *, form: CodeForm, url: str, sent: str | None) -> HttpResponse:
    """Return the page that asks for the code of the second factor; it holds what the log-in page held."""
    response = render(request, "registration/log_in_code.html", {"form": form, "next": url, SENT: sent})
    add_never_cache_headers(response)
    return response


def refuse_if_too_many(response: HttpResponse, form: BaseForm) -> HttpResponse:
    """Return the page of an invalid form; if it was one too many, as `429` with the time to wait."""
    if isinstance(form, LogInForm | VaultPasswordChangeForm | CodeForm) and form.refusal is not None:
        response.status_code = HTTPStatus.TOO_MANY_REQUESTS.value
        response.headers["Retry-After"] = str(form.refusal.seconds)
    return response


@requires_csrf_token
def show_csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001  Django's signature
    """Answer a form whose CSRF token is from before the last log-in: offer to send it again, else refuse it.

    Sending again is offered only if the browser says that the form is on a page of the Vault's own.
    """
    if request.headers.get("Sec-Fetch-Site") == "same-origin" and is_form_sent(request):
        if carries_sent(request):
            show = show_resend if request.user.is_authenticated else show_log_in
            return show(request, url=request.get_full_path(), sent=pack_sent(request))
        if request.resolver_match and request.resolver_match.url_name in _LOG_INS:
            return _log_in_again(request)
    return render(request, "403_csrf.html", status=403)


def _log_in_again(request: HttpRequest) -> HttpResponse:
    """Show the log-in page again after somebody logged in or out in another tab; the form that it kept stays kept."""
    view = VaultLoginView()
    view.setup(request)
    url, sent = view.get_success_url(), request.POST.get(SENT)
    if request.user.is_authenticated:
        return HttpResponseRedirect(url) if sent is None else show_resend(request, url=url, sent=sent)
    return show_log_in(request, url=url, sent=sent)


@never_cache
def enter_admin(request: HttpRequest) -> HttpResponseRedirect:
    """Redirect to the Vault's log-in page, or to the console. Raises PermissionDenied for a user who is not staff."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
    if not admin.site.has_permission(request):
        raise PermissionDenied("Your account does not open the admin console. Ask an admin for access.")
    return HttpResponseRedirect(reverse("admin:index"))
