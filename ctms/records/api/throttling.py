"""How often the API answers a user: all tokens of a user count together, so that more tokens are not more calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.throttling import BaseThrottle

from ctms.core.rate_limits import Allowance, TooManyRequestsError, count_request
from ctms.core.rates import Rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest
    from rest_framework.request import Request
    from rest_framework.views import APIView  # imports this module, by the settings

_SCOPE = "api"
_ALLOWANCE = "api_allowance"  # attribute of a request
# Those of draft-ietf-httpapi-ratelimit-headers-06, which most clients read.
HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


class UserThrottle(BaseThrottle):
    """Counts the calls of a user."""

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002  Django REST framework's signature
        """Return True. Raises TooManyRequestsError, which says how long to wait, if the call is one too many."""
        try:
            allowance = count_request(scope=_SCOPE, key=request.user.pk)
        except TooManyRequestsError as error:
            rate = get_rate()
            if rate is not None:
                _keep(request, Allowance(rate=rate, remaining=0, seconds=error.seconds))
            raise
        if allowance is not None:
            _keep(request, allowance)
        return True


def get_rate() -> Rate | None:
    """Return how often the API answers a user; None without a limit."""
    rate: Rate | None = settings.RATE_LIMITS[_SCOPE]
    return rate


def list_headers(request: HttpRequest) -> Mapping[str, str]:
    """Return the headers that say what is left to the user of a request; none if nothing was counted."""
    allowance: Allowance | None = getattr(request, _ALLOWANCE, None)
    if allowance is None:
        return {}
    values = (allowance.rate.requests, allowance.remaining, allowance.seconds)
    return dict(zip(HEADERS, map(str, values), strict=True))


def _keep(request: Request, allowance: Allowance) -> None:
    setattr(request._request, _ALLOWANCE, allowance)  # noqa: SLF001  Django's request, which the middleware has
