"""Fixtures for tests of the API: a user, and a client that sends JSON with that user's token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from ctms.accounts.models import TokenScope, User
from ctms.audit.actors import Actor
from ctms.audit.api_tokens import create_token
from ctms.configuration.models import CustomField
from ctms.configuration.services.custom_fields import create_custom_field
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A client of the API that sends JSON with its user's token."""

    user: User
    client: APIClient
    authorization: str

    def get(self, path: str, **parameters: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", parameters)

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(f"/api/v1/{path}", body)

    def patch(self, path: str, body: Any, *, etag: str | None = None) -> Any:
        return self.client.patch(f"/api/v1/{path}", body, headers={"If-Match": etag} if etag else None)

    def delete(self, path: str, *, etag: str | None = None) -> Any:
        return self.client.delete(f"/api/v1/{path}", headers={"If-Match": etag} if etag else None)


def build_caller(user: User) -> Caller:
    """Create a token for the user and return a caller with it."""
    _, text = create_token(
        name=f"Token of {user}", days=1, scope=TokenScope.WRITE, actor=Actor(user=user, source="page")
    )
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return Caller(user=user, client=client, authorization=f"Bearer {text}")


def build_limited_caller(*permissions: str, sees_all_studies: bool = True, **values: Any) -> Caller:
    """Return a caller whose user has a profile with only these permissions."""
    profile = SecurityProfileFactory.create(permissions=list(permissions), sees_all_studies=sees_all_studies)
    return build_caller(UserFactory.create(security_profile=profile, **values))


@pytest.fixture
def caller(db: None) -> Caller:
    """A caller whose user may do everything."""
    return build_caller(UserFactory.create(is_superuser=True))


def read_schema(caller: Caller) -> dict[str, Any]:
    """Return the OpenAPI document that the caller is shown."""
    response = caller.client.get("/api/v1/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    schema: dict[str, Any] = response.json()
    return schema


def add_custom_field(*, kind: str, object_name: str = "person__sys", **values: Any) -> str:
    """Add a custom field of that kind, named after it."""
    field = CustomField(of_object=object_name, api_name=f"{kind}__c", label=kind.capitalize(), kind=kind, **values)
    create_custom_field(field=field, actor=build_admin_actor())
    return field.api_name


def list_errors(response: Any) -> dict[str, str]:
    """Return the errors of a response: field or parameter (empty for the whole body) → what is wrong with it."""
    assert response.headers["Content-Type"] == "application/problem+json"
    return {error.get("field") or error.get("parameter") or "": error["detail"] for error in response.json()["errors"]}
