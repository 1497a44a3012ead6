"""The page that shows a new API token, once: its text is in this answer and stored nowhere."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import add_never_cache_headers

from ctms.accounts.models import ApiToken


def show_new_token(
    request: HttpRequest, *, site: AdminSite, opts: Any, token: ApiToken, text: str, explanation: str = ""
) -> HttpResponse:
    """Answer with the text of a token that was just created. It does not redirect, because nothing keeps the text."""
    request.current_app = site.name
    context = {
        **site.each_context(request),
        "title": f"Token {token.name}",
        "opts": opts,
        "token": token,
        "text": text,
        "explanation": explanation,
        "back_url": reverse("admin:accounts_apitoken_change", args=(token.pk,)),
    }
    response = TemplateResponse(request, "admin/audit/new_token.html", context)
    add_never_cache_headers(response)
    return response
