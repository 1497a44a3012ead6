"""The health check, and where addresses lead that have no page of their own."""

from __future__ import annotations

import structlog
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

log = structlog.get_logger(__name__)


@require_safe
@never_cache
def show_health(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  Django's signature
    """Answer 200 while the database answers, else 503; for load balancers and container health checks."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError as error:
        log.warning("database_does_not_answer", error=type(error).__name__)
        return JsonResponse({"status": "unavailable", "database": "does not answer"}, status=503)
    return JsonResponse({"status": "ok", "database": "answers"})


def go_to_landing_page(
    request: HttpRequest,  # noqa: ARG001  Django's signature
    app_label: str,  # noqa: ARG001
    extra_context: object = None,  # noqa: ARG001
) -> HttpResponse:
    """Lead from the console's page of an app to the landing page: the sidebar groups pages as admins think of them."""
    return redirect("admin:index")
