"""How often the API answers a user: all tokens of a user count together, so that more tokens are not more calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.throttling import BaseThrottle

from ctms.core.rate_limits import count_request

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView  # imports this module, by the settings


class UserThrottle(BaseThrottle):
    """Counts the calls of a user."""

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002  Django REST framework's signature
        """Return True. Raises TooManyRequestsError, which says how long to wait, if the call is one too many."""
        count_request(scope="api", key=request.user.pk)
        return True
