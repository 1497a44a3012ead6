"""Who calls the API: the user of a token, or of a session in the browser."""

from __future__ import annotations

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from ctms.accounts.addresses import get_client_address
from ctms.accounts.middleware import activate_time_zone
from ctms.accounts.models import TokenScope, User
from ctms.accounts.tokens import BearerToken, InvalidTokenError, find_bearer
from ctms.core.rate_limits import count_request

_SCHEME = "bearer"
_READ_ONLY_TOKEN = "This token may only read. Create one that may read and write on your profile page."  # noqa: S105  a message
_READ_ONLY_SESSION = "This call-back session may only read. What sessions may do is set on the connection."


class TokenAuthentication(BaseAuthentication):
    """Authenticates `Authorization: Bearer vault_…` as the token's user, and activates that user's time zone.

    A token that may only read is refused for every other method here, so that no view can forget it.
    """

    def authenticate(self, request: Request) -> tuple[User, BearerToken] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != _SCHEME:
            return None
        try:
            token = find_bearer(text.strip(), address=get_client_address(request))
        except InvalidTokenError as error:
            count_request(scope="refused_tokens", key=get_client_address(request))
            raise exceptions.AuthenticationFailed(str(error)) from error
        if request.method not in SAFE_METHODS and token.scope != TokenScope.WRITE:
            raise exceptions.PermissionDenied(_READ_ONLY_SESSION if token.user.calling_for else _READ_ONLY_TOKEN)
        activate_time_zone(token.user)
        return token.user, token

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
            "description": "An API token, which users create on their profile page. "
            "One with the scope *Read* answers 403 to POST, PATCH and DELETE.",
        }
