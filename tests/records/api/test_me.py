"""Who the caller is: the user, what the token leaves of profile and studies, and how many calls are left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client, override_settings
from rest_framework.test import APIClient

from ctms.accounts.models import TokenScope
from ctms.accounts.tokens import TokenLimits
from ctms.audit.actors import Actor
from ctms.audit.api_tokens import create_token
from ctms.core.rate_limits import RequestCounter
from ctms.core.rates import Rate
from tests.factories.accounts import SecurityProfileFactory, ServiceAccountFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory
from tests.records.api.conftest import Caller, build_caller, build_limited_caller

pytestmark = pytest.mark.django_db

HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


@pytest.fixture
def _three_calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a user call three times in a window whose half is over."""
    cache.clear()
    counter = RequestCounter(cache=cache, get_time=lambda: 30.0)
    monkeypatch.setattr("ctms.core.rate_limits._counter", counter)
    with override_settings(RATE_LIMITS={"api": Rate(3, 60), "refused_tokens": None}):
        yield
    cache.clear()


def test_a_service_account_is_told_what_its_token_may(settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"api": Rate(600, 60)}
    profile = SecurityProfileFactory.create(
        name="Loader", permissions=["study__v:read", "person__sys:read"], sees_all_studies=True
    )
    account = ServiceAccountFactory.create(security_profile=profile)
    study = StudyFactory.create()
    limits = TokenLimits(object_names=["study__v"], study_uids=[str(study.uid)], networks=["127.0.0.0/8"])
    token, text = create_token(name="Nightly", days=30, user=account, limits=limits, actor=build_admin_actor())
    told = APIClient().get("/api/v1/me/", headers={"Authorization": f"Bearer {text}"}).json()
    assert told == {
        "user": {
            "uid__sys": str(account.uid),
            "username": account.username,
            "name": str(account),
            "is_service_account": True,
            "time_zone": "UTC",
        },
        "is_superuser": False,
        "token": {
            "name": "Nightly",
            "scope": "read",
            "objects": ["study__v"],
            "studies": [str(study.uid)],
            "addresses": ["127.0.0.0/8"],
            "expires_at": token.expires_at.isoformat().replace("+00:00", "Z"),
        },
        "profile": {"name": "Loader", "permissions": ["study__v:read"]},
        "studies": {"all": False, "whole": [str(study.uid)], "in_part": []},
        "rate_limit": {"requests": 600, "seconds": 60},
    }


def test_a_person_is_told_their_studies() -> None:
    caller = build_limited_caller("study__v:read", sees_all_studies=False)
    study = StudyAssignmentFactory.create(user=caller.user).study
    StudyFactory.create()
    told = caller.get("me/").json()
    assert told["studies"] == {"all": False, "whole": [str(study.uid)], "in_part": []}
    assert (told["token"]["objects"], told["token"]["studies"], told["token"]["addresses"]) == (None, None, None)
    assert told["user"]["is_service_account"] is False


def test_a_superuser_and_a_session_are_told_so(client: Client) -> None:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    told = client.get("/api/v1/me/").json()
    assert (told["is_superuser"], told["profile"], told["token"]) == (True, None, None)
    assert told["studies"]["all"] is True


def test_whoever_is_nobody_is_told_nothing() -> None:
    assert APIClient().get("/api/v1/me/").status_code == 401


# -- How many calls are left ----------------------------------------------------------------------
@pytest.mark.usefixtures("_three_calls")
def test_every_answer_says_how_many_calls_are_left_and_the_one_too_many_when_to_come_back(caller: Caller) -> None:
    paths = ("me/", "study__v/?nothing=1", "nothing__v/", "reports/")
    answers = [caller.get(path) for path in paths]
    assert [each.status_code for each in answers] == [200, 400, 404, 429]
    told = [tuple(each.headers[name] for name in HEADERS) for each in answers]
    assert told == [("3", "2", "30"), ("3", "1", "30"), ("3", "0", "30"), ("3", "0", "30")]
    assert answers[-1].headers["Retry-After"] == "30"


@pytest.mark.usefixtures("_three_calls")
def test_all_tokens_of_a_user_count_together_and_those_of_others_do_not(caller: Caller) -> None:
    _, text = create_token(name="Other", days=1, scope=TokenScope.READ, actor=Actor(user=caller.user, source="page"))
    other = APIClient().get("/api/v1/me/", headers={"Authorization": f"Bearer {text}"})
    answers: list[Any] = [other, caller.get("me/"), build_caller(UserFactory.create()).get("me/")]
    assert [each.headers["RateLimit-Remaining"] for each in answers] == ["2", "1", "2"]


def test_without_a_limit_nothing_is_said_of_one(caller: Caller, settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"api": None}
    answer = caller.get("me/")
    assert answer.json()["rate_limit"] is None
    assert [name for name in HEADERS if name in answer.headers] == []


def test_whoever_may_not_come_in_is_told_no_rate(db: None) -> None:
    answer = APIClient().get("/api/v1/me/", headers={"Authorization": "Bearer vault_x"})
    assert (answer.status_code, [name for name in HEADERS if name in answer.headers]) == (401, [])
