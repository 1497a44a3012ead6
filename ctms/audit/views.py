"""The pages on which users change their password, and set it by an invitation."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from ctms.accounts.forms import VaultPasswordChangeForm
from ctms.accounts.invitations import find_invited
from ctms.accounts.models import User
from ctms.accounts.views import refuse_if_too_many
from ctms.audit.acting import acting_as, get_actor_for


class ChangePasswordView(PasswordChangeView):
    """Changes the user's own password; the user's other sessions and API tokens end."""

    template_name = "registration/change_password.html"
    success_url = reverse_lazy("home")
    form_class = VaultPasswordChangeForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_invalid(self, form: Any) -> HttpResponse:
        return refuse_if_too_many(super().form_invalid(form), form)

    def form_valid(self, form: Any) -> HttpResponse:
        if form.user.check_password(form.cleaned_data["new_password1"]):
            form.add_error("new_password1", "This is your present password. Choose another one.")
            return self.form_invalid(form)
        with transaction.atomic():
            # Read again, because all fields are saved and the user may have been deactivated since the request began.
            form.user = User.objects.select_for_update().get(pk=form.user.pk)
            if not form.user.check_password(form.cleaned_data["old_password"]):
                # Who knew the old password must not undo that another session has just replaced it.
                form.add_error("old_password", "Your password was changed a moment ago. Log in with the new one.")
                return self.form_invalid(form)
            form.user.must_change_password = False
            response = super().form_valid(form)
        messages.success(self.request, "Your password was changed.")
        return response


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@never_cache
def accept_invitation(request: HttpRequest) -> HttpResponse:
    """Ask the invited user for a password; a POST sets it, which ends the invitation."""
    with transaction.atomic():
        response = _answer_invitation(request)
    # The address holds what opens the invitation, so it is nobody's referrer. With `no-referrer` browsers would send
    # `Origin: null` with the form, which the CSRF check refuses.
    response.headers["Referrer-Policy"] = "strict-origin"
    return response


def _answer_invitation(request: HttpRequest) -> HttpResponse:
    sent = request.POST if request.method == "POST" else request.GET
    token = sent.get("token", "")
    invited = find_invited(token, locks=request.method == "POST")
    if invited is None:
        return render(request, "registration/invitation.html", {"invited": None}, status=HTTPStatus.GONE)
    form = SetPasswordForm(invited, request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "registration/invitation.html", {"invited": invited, "token": token, "form": form})
    invited.must_change_password = False
    with acting_as(get_actor_for(invited)):
        form.save()
    messages.success(request, "Your password is set. Log in with it.")
    return HttpResponseRedirect(reverse("login"))
