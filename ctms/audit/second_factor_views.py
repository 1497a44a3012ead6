"""The pages of the second factor: its code at the log-in, setting it up, and removing it."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from ctms.accounts.addresses import get_client_address
from ctms.accounts.forms import CodeForm, PasswordAndCodeForm
from ctms.accounts.lockout import begin_attempt, forget_failures, note_failure
from ctms.accounts.login_resume import SENT, login_required, show_log_in, show_resend
from ctms.accounts.models import SecondFactor, User
from ctms.accounts.second_factor import (
    OFF,
    draw_secret,
    find_pending_user,
    find_second_factor,
    forget_new_secret,
    forget_passed,
    get_new_secret,
    must_set_up,
    note_passed,
)
from ctms.accounts.views import VaultLoginView, refuse_if_too_many, show_code_form
from ctms.audit.acting import get_actor
from ctms.audit.second_factor import check_code, enable_second_factor, remove_second_factor
from ctms.core.rate_limits import TooManyRequestsError, count_request

_WRONG = "This code is not right, or it was used before. Enter the one that the app shows now, or a recovery code."


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def log_in_with_code(request: HttpRequest) -> HttpResponse:
    """Ask for the code after the password; a right one logs the user in."""
    log_in = VaultLoginView()
    log_in.setup(request)
    url, sent = log_in.get_success_url(), request.POST.get(SENT)
    user = find_pending_user(request.session)
    if user is None:
        return show_log_in(request, url=url, sent=sent)
    form = CodeForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and _accept(request, user=user, form=form):
        login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
        note_passed(request.session)
        return redirect(url) if sent is None else show_resend(request, url=url, sent=sent)
    return refuse_if_too_many(show_code_form(request, form=form, url=url, sent=sent), form)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def show_second_factor(request: HttpRequest) -> HttpResponse:
    """Show how to set the second factor up, or since when there is one; a POST with a code sets it up or removes it."""
    user = request.user
    if settings.TOTP == OFF or not isinstance(user, User):
        raise Http404("There is no second factor in this Vault.")
    form = PasswordAndCodeForm(request.POST if request.method == "POST" else None, request=request)
    factor = find_second_factor(user)
    if form.needs_new_log_in:
        return render(request, "registration/second_factor_log_in.html", status=HTTPStatus.FORBIDDEN)
    return _set_up(request, user=user, form=form) if factor is None else _show(request, factor=factor, form=form)


def _set_up(request: HttpRequest, *, user: User, form: PasswordAndCodeForm) -> HttpResponse:
    secret = get_new_secret(request.session, user=user)
    if form.is_valid():
        try:
            codes = enable_second_factor(secret=secret, code=form.cleaned_data["code"], actor=get_actor())
        except ValidationError as error:
            form.add_error("code", error.messages)
        else:
            forget_new_secret(request.session)
            note_passed(request.session)
            return render(request, "registration/recovery_codes.html", {"codes": codes})
    context = {"form": form, "secret": secret, "image": draw_secret(secret=secret, user=user)}
    return refuse_if_too_many(render(request, "registration/second_factor_set_up.html", context), form)


def _show(request: HttpRequest, *, factor: SecondFactor, form: PasswordAndCodeForm) -> HttpResponse:
    if form.is_valid() and _accept(request, user=factor.user, form=form):
        if "remove" not in request.POST:  # a session that has yet to pass, or a page from before it was set up
            note_passed(request.session)
            return redirect("home")
        remove_second_factor(factor=factor, actor=get_actor())
        forget_passed(request.session)
        messages.success(request, "Your second factor was removed.")
        return redirect("profile")
    context = {
        "form": form,
        "factor": factor,
        "left": len(factor.recovery_digests),
        "has_passed": not must_set_up(request.session),
    }
    return refuse_if_too_many(render(request, "registration/second_factor.html", context), form)


def _accept(request: HttpRequest, *, user: User, form: CodeForm) -> bool:
    """Whether the code of the form is right. A wrong one counts for the lock-out, apart from wrong passwords.

    Apart, because a right password forgets the wrong ones, and must not forget wrong codes. Wrong codes count of the
    user, from whatever address: a code has six digits, and whoever gets here knows the password.
    """
    try:
        count_request(scope="log_in", key=get_client_address(request))
        attempt = begin_attempt(username=user.get_username(), address=f"code of {user.uid}")
    except TooManyRequestsError as error:
        form.refusal = error
        form.add_error(None, str(error))
        return False
    if check_code(user=user, code=form.cleaned_data["code"]):
        forget_failures(attempt)
        return True
    note_failure(attempt)
    user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=request)
    form.add_error("code", _WRONG)
    return False
