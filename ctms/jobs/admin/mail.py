"""The console page that sends a test e-mail to the admin who is logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from ctms.accounts.mail import MailError, list_mail_settings, send_test_mail
from ctms.audit.admin.writing import get_user

if TYPE_CHECKING:
    from ctms.audit.admin.theme import ModelAdmin


def show_test_mail(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show how e-mail is sent; on POST, send one to the user's own address and say what happened."""
    user = get_user(request)
    if request.method == "POST":
        try:
            messages.success(request, send_test_mail(user))
        except MailError as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(request.path)
    request.current_app = model_admin.admin_site.name
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Send test e-mail",
        "opts": model_admin.opts,
        "mail_settings": list_mail_settings(),
        "address": user.email,
    }
    return TemplateResponse(request, "admin/jobs/test_mail.html", context)
