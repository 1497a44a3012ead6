"""Answers changes for which somebody else was faster, wherever a view does not say it in its own way."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ctms.core.errors import StaleRecordError


class StaleRecordMiddleware:
    """Answers 409 with the reason when a view lets a StaleRecordError through; nothing was written."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the page; None for any other error."""
        if not isinstance(error, StaleRecordError):
            return None
        return render(request, "409.html", {"explanation": str(error)}, status=HTTPStatus.CONFLICT.value)
