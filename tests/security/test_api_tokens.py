"""S2 for API tokens: one is in the answer that creates it and nowhere else, and opens what its user may, no more."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.test import Client
from rest_framework.test import APIClient

from ctms.accounts.models import ApiToken, SecurityProfile, User
from ctms.clinical.models import Study
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def profile() -> SecurityProfile:
    return SecurityProfileFactory.create(permissions=["study__v:read"])


@pytest.fixture
def user(profile: SecurityProfile) -> User:
    return UserFactory.create(security_profile=profile)


def create_on_page(client: Client, user: User) -> str:
    client.force_login(user)
    page = client.post("/profile/tokens/", {"name": "Canary", "scope": "write", "days": "30"}).content.decode()
    found = re.search(r"vault_[\w-]{43}", page)
    assert found is not None
    return found.group()


def call(token: str, path: str = "study__v/", scheme: str = "Bearer") -> tuple[int, str]:
    response = APIClient().get(f"/api/v1/{path}", headers={"Authorization": f"{scheme} {token}"})
    return response.status_code, response.headers.get("WWW-Authenticate", "")


def test_a_token_appears_in_no_page_log_audit_entry_or_row(
    client: Client, user: User, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    token = create_on_page(client, user)
    secret = token.removeprefix("vault_")
    answers: list[Any] = [
        APIClient().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {sent}"})
        for path in ("study__v/", "study__v/?colour=1", "nothing__v/", "objects/", "schema/")
        for sent in (token, f"{token}x")
    ]
    answers += [client.get(path) for path in ("/profile/", "/", "/api/v1/docs/", "/api/v1/objects/")]
    assert [each for each in answers if secret in each.content.decode() or secret in str(each.headers)] == []
    rows = [serializers.serialize("json", model._base_manager.all()) for model in apps.get_models()]
    assert [row for row in rows if secret in row] == []
    written = capfd.readouterr()
    assert secret not in caplog.text + written.out + written.err


def test_a_token_sees_what_its_user_sees_and_follows_the_profile_at_once(
    client: Client, user: User, profile: SecurityProfile
) -> None:
    token = create_on_page(client, user)
    own, foreign = StudyAssignmentFactory.create(user=user).study, StudyFactory.create()
    assert call(token, f"study__v/{own.uid}/")[0] == 200
    assert call(token, f"study__v/{foreign.uid}/")[0] == 404
    assert call(token, "person__sys/")[0] == 403
    SecurityProfile._base_manager.get(pk=profile.pk)
    user.security_profile = SecurityProfileFactory.create(permissions=[])
    user.save()
    assert call(token, f"study__v/{own.uid}/")[0] == 403


def test_whatever_is_no_valid_token_is_challenged(client: Client, user: User) -> None:
    token = create_on_page(client, user)
    challenge = (401, 'Bearer realm="api"')
    assert call(token) == (200, "")
    assert call(token, scheme="bearer") == (200, "")
    assert call(token, scheme="Token") == challenge
    assert call("") == challenge
    assert call(f"{token} {token}") == challenge
    assert call(token[:-1]) == challenge
    assert call(ApiToken.objects.get().digest) == challenge
    user.is_active = False
    user.save()
    assert call(token) == challenge


def test_a_wrong_token_is_not_saved_by_a_session(client: Client, user: User) -> None:
    client.force_login(user)
    assert client.get("/api/v1/study__v/").status_code == 200
    assert client.get("/api/v1/study__v/", headers={"Authorization": "Bearer vault_x"}).status_code == 401


def test_a_token_opens_the_api_and_no_page(client: Client, user: User) -> None:
    token = create_on_page(client, user)
    response = Client().get("/profile/", headers={"Authorization": f"Bearer {token}"})
    assert (response.status_code, response.headers["Location"]) == (302, "/login/?next=/profile/")


@pytest.mark.parametrize("method", ["post", "patch", "put", "delete"])
def test_a_token_that_may_read_writes_nothing_by_any_method(client: Client, method: str) -> None:
    client.force_login(UserFactory.create(is_superuser=True))
    page = client.post("/profile/tokens/", {"name": "Canary", "scope": "read", "days": "30"}).content.decode()
    [token] = re.findall(r"vault_[\w-]{43}", page)
    study = StudyFactory.create()
    for path in ("study__v/", f"study__v/{study.uid}/", "objects/", "nothing__v/"):
        answer = getattr(APIClient(), method)(
            f"/api/v1/{path}", {"name__v": "S-1"}, headers={"Authorization": f"Bearer {token}"}
        )
        assert (answer.status_code, answer.json()["detail"]) == (
            403,
            "This token may only read. Create one that may read and write on your profile page.",
        )
    assert call(token) == (200, "")
    assert list(Study.objects.values_list("name", flat=True)) == [study.name]


def test_a_tokens_writes_need_no_csrf_token_and_leave_no_session(client: Client) -> None:
    token = create_on_page(client, UserFactory.create(is_superuser=True))
    caller = APIClient(enforce_csrf_checks=True)
    response = caller.post("/api/v1/study__v/", {"name__v": "S-1"}, headers={"Authorization": f"Bearer {token}"})
    assert (response.status_code, dict(response.cookies)) == (201, {})
