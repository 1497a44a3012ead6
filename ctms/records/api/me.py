"""Who the caller is, and what the token that they ask with may do."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ctms.accounts.models import ApiToken, User
from ctms.accounts.policies import find_active_profile, has_permission, sees_all_studies
from ctms.configuration.scope import read_study_sight
from ctms.records.api.schema import build_refusals
from ctms.records.api.throttling import get_rate
from ctms.records.api.views import UncachedView
from ctms.records.requests import get_user


def _list_texts(help_text: str, *, is_nullable: bool = False) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(), help_text=help_text, allow_null=is_nullable)


_USER: dict[str, Any] = {
    "uid__sys": serializers.UUIDField(),
    "username": serializers.CharField(),
    "name": serializers.CharField(),
    "is_service_account": serializers.BooleanField(help_text="Whether it is a program's, and no person's."),
    "time_zone": serializers.CharField(),
}
_TOKEN: dict[str, Any] = {
    "name": serializers.CharField(),
    "scope": serializers.CharField(help_text="`read` or `write`, which is both."),
    "objects": _list_texts("API names; null: no limit.", is_nullable=True),
    "studies": _list_texts("Uids; null: no limit.", is_nullable=True),
    "addresses": _list_texts("Networks that it is taken from; null: every address.", is_nullable=True),
    "expires_at": serializers.DateTimeField(),
}
_PROFILE: dict[str, Any] = {
    "name": serializers.CharField(),
    "permissions": _list_texts("Those that the token leaves, such as `study__v:read`."),
}
_STUDIES: dict[str, Any] = {
    "all": serializers.BooleanField(help_text="Whether you see every study; then the lists are empty."),
    "whole": _list_texts("Uids of studies that you see as a whole."),
    "in_part": _list_texts("Uids of studies of which you see some countries or sites."),
}
_RATE: dict[str, Any] = {
    "requests": serializers.IntegerField(help_text="Of the user, with all tokens together."),
    "seconds": serializers.IntegerField(),
}
_ME = inline_serializer(
    "Me",
    {
        "user": inline_serializer("MeUser", _USER),
        "is_superuser": serializers.BooleanField(help_text="Whether no profile limits you."),
        "token": inline_serializer("MeToken", _TOKEN, allow_null=True),
        "profile": inline_serializer("MeProfile", _PROFILE, allow_null=True),
        "studies": inline_serializer("MeStudies", _STUDIES),
        "rate_limit": inline_serializer("MeRate", _RATE, allow_null=True),
    },
)


class MeView(UncachedView):
    """The caller."""

    @extend_schema(
        operation_id="read_me",
        tags=["You"],
        summary="Who you are and what you may do",
        responses={200: _ME, **build_refusals(401, 406, 429)},
    )
    def get(self, request: Request) -> Response:
        """Your user, its profile and studies, the token that you ask with, if it is one, and the rate limit."""
        user = get_user(request)
        rate = get_rate()
        return Response(
            {
                "user": {
                    "uid__sys": str(user.uid),
                    "username": user.username,
                    "name": str(user),
                    "is_service_account": user.is_service_account,
                    "time_zone": user.time_zone,
                },
                "is_superuser": user.is_superuser,
                "token": _describe_token(request.auth) if isinstance(request.auth, ApiToken) else None,
                "profile": _describe_profile(user),
                "studies": _describe_studies(user),
                "rate_limit": {"requests": rate.requests, "seconds": rate.seconds} if rate is not None else None,
            }
        )


def _describe_token(token: ApiToken) -> dict[str, Any]:
    return {
        "name": token.name,
        "scope": token.scope,
        "objects": token.object_names,
        "studies": token.study_uids,
        "addresses": token.networks,
        "expires_at": token.expires_at.isoformat().replace("+00:00", "Z"),
    }


def _describe_profile(user: User) -> dict[str, Any] | None:
    profile = find_active_profile(user=user)
    if profile is None:
        return None
    held = [name for name in profile.permissions if has_permission(user=user, permission=name)]
    return {"name": str(profile), "permissions": sorted(held)}


def _describe_studies(user: User) -> dict[str, Any]:
    if sees_all_studies(user=user):
        return {"all": True, "whole": [], "in_part": []}
    sight = read_study_sight(user)
    return {
        "all": False,
        "whole": sorted(str(uid) for uid in sight.whole),
        "in_part": sorted(str(uid) for uid in sight.limited),
    }
