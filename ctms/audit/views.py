"""The page on which users change their password."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse_lazy

from ctms.accounts.forms import VaultPasswordChangeForm
from ctms.accounts.models import User
from ctms.accounts.views import refuse_if_too_many


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
        with transaction.atomic():
            # Read again, because all fields are saved and the user may have been deactivated since the request began.
            form.user = User.objects.select_for_update().get(pk=form.user.pk)
            response = super().form_valid(form)
        messages.success(self.request, "Your password was changed.")
        return response
