"""Who calls the API: the user of a token, or of a session in the browser."""

from __future__ import annotations

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from ctms.accounts.addresses import get_client_address
from ctms.accounts.middleware import activate_time_zone
from ctms.accounts.models import User
from ctms.accounts.tokens import InvalidTokenError, find_user
from ctms.core.rate_limits import count_request

_SCHEME = "bearer"


class TokenAuthentication(BaseAuthentication):
    """Authenticates `Authorization: Bearer vault_…` as the token's user, and activates that user's time zone."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != _SCHEME:
            return None
        try:
            user = find_user(text.strip())
        except InvalidTokenError as error:
            count_request(scope="refused_tokens", key=get_client_address(request))
            raise exceptions.AuthenticationFailed(str(error)) from error
        activate_time_zone(user)
        return user, None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  Django REST framework's signature
        return 'Bearer realm="api"'


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes `TokenAuthentication` in the OpenAPI document."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:  # noqa: ARG002  drf-spectacular's
        return {
            "type": "http",
            "scheme": _SCHEME,
            "description": "An API token, which users create on their profile page.",
        }
