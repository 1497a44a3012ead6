"""Answers load balancers, Kubernetes and Prometheus before any other part of the Vault has a say.

They ask by IP address and plain http, with any Host header: they are neither redirected nor refused, have no session,
and are not counted. What strangers get says nothing but ok, fails or hangs; figures need the token `METRICS_TOKEN`.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.crypto import constant_time_compare

from ctms.machine.health.metrics import CONTENT_TYPE, write_metrics
from ctms.machine.health.probes import Answer, ask_all


class ProbeMiddleware:
    """Answers `/livez`, `/readyz` and `/metrics`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._probes = {"/livez": show_alive, "/readyz": show_ready, "/metrics": show_metrics}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = self._probes.get(request.path_info)
        if probe is None:
            return self._get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponse(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        return probe(request)


def show_alive(_request: HttpRequest) -> HttpResponse:
    """Answer 200: the process takes requests. Asks neither database nor Redis, whose outage no restart heals."""
    return JsonResponse({"status": "alive"})


def show_ready(_request: HttpRequest) -> HttpResponse:
    """Answer 200 if pages can be shown, else 503. They can without Redis, whose answer is told all the same."""
    answers = ask_all()
    is_ready = answers["database"] is Answer.OK and answers["migrations"] is Answer.OK
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse({"status": "ready" if is_ready else "not ready", "checks": answers}, status=status.value)


def show_metrics(request: HttpRequest) -> HttpResponse:
    """Answer with figures for Prometheus to who has the token; 404, as for any address, where no token is set."""
    if not settings.METRICS_TOKEN:
        return HttpResponse(status=HTTPStatus.NOT_FOUND)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not constant_time_compare(token.strip(), settings.METRICS_TOKEN):
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(write_metrics(), content_type=CONTENT_TYPE)
