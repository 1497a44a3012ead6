"""How often is answered: counted in Redis, shared by all processes, and never in the way of a page if Redis is."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.test import Client, override_settings
from django.urls import reverse
from redis.backoff import NoBackoff
from redis.retry import Retry

from ctms.audit.api_tokens import create_token
from ctms.core.rate_limits import RequestCounter, TooManyRequestsError
from ctms.core.rates import Rate, parse_rate
from tests.admin_forms import log_in_admin
from tests.factories.accounts import USER_PASSWORD, UserFactory
from tests.factories.base import build_admin_actor

TWICE = Rate(2, 60)
OPTIONS = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "retry": Retry(NoBackoff(), 0)}
PATIENT = OPTIONS | {"socket_timeout": 60, "socket_connect_timeout": 60}  # for a Redis that answers


@pytest.fixture(autouse=True)
def _count_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin with nothing counted, in a window that does not end while the test counts."""
    cache.clear()
    monkeypatch.setattr("ctms.core.rate_limits._counter", RequestCounter(cache=cache, get_time=lambda: 90.0))
    with override_settings(RATE_LIMITS=dict.fromkeys(("log_in", "api", "refused_tokens", "exports"), TWICE)):
        yield
    cache.clear()


def count_until_refused(counter: RequestCounter, *, key: str = "uma") -> int:
    for number in range(10):
        try:
            counter.count(scope="exports", key=key)
        except TooManyRequestsError:
            return number
    return 10


# -- Counting -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "rate"), [("60/minute", Rate(60, 60)), ("1/second", Rate(1, 1)), ("5/hour", Rate(5, 3600)), ("", None)]
)
def test_rates_are_read(text: str, rate: Rate | None) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["0/minute", "many", "5", "5/week", "-1/day", "5/minute "])
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate: write e"):
        parse_rate(text)


def test_requests_past_the_rate_are_refused_until_the_window_ends() -> None:
    now = [120.0]
    counter = RequestCounter(cache=LocMemCache("windows", {}), get_time=lambda: now[0])
    assert count_until_refused(counter) == 2
    assert count_until_refused(counter, key="ben") == 2
    now[0] = 155.5
    with pytest.raises(TooManyRequestsError) as refused:
        counter.count(scope="exports", key="uma")
    assert refused.value.seconds == 25
    assert str(refused.value) == "Too many requests: at most 2 a minute are answered. Try again in 25 seconds."
    now[0] = 180.0
    assert count_until_refused(counter) == 2


@override_settings(RATE_LIMITS={"exports": None})
def test_an_empty_rate_limits_nothing() -> None:
    assert count_until_refused(RequestCounter(cache=LocMemCache("none", {}))) == 10


@pytest.mark.system
def test_all_processes_count_together_in_redis(redis_url: str) -> None:
    first, second = (
        RequestCounter(cache=RedisCache(redis_url, {"OPTIONS": PATIENT}), get_time=lambda: 0.0) for _ in range(2)
    )
    first.count(scope="exports", key="uma")
    second.count(scope="exports", key="uma")
    assert count_until_refused(first) == 0


@pytest.mark.system
@pytest.mark.parametrize("listens", [True, False], ids=["hangs", "gone"])
def test_a_redis_that_does_not_answer_limits_nothing_and_is_waited_for_once(listens: bool) -> None:
    uptime = [0.0]
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        asked: list[str] = []

        class AskedCache(RedisCache):
            def add(self, key: Any, *args: Any, **kwargs: Any) -> Any:
                asked.append(key)
                return super().add(key, *args, **kwargs)

        counter = RequestCounter(cache=AskedCache(url, {"OPTIONS": OPTIONS}), get_uptime=lambda: uptime[0])
        assert (count_until_refused(counter), len(asked)) == (10, 1)
        uptime[0] = 11.0
        assert (count_until_refused(counter), len(asked)) == (10, 2)


# -- The doors ------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_log_ins_from_an_address_are_limited_and_what_was_typed_is_kept() -> None:
    user = UserFactory.create()
    values = {"username": user.username, "password": USER_PASSWORD, "next": "/password/", "sent": "subject=Call"}
    for _ in range(2):
        assert Client().post("/login/", values).status_code == 200
    refused = Client().post("/login/", values)
    assert (refused.status_code, 1 <= int(refused.headers["Retry-After"]) <= 60) == (429, True)
    page = refused.content.decode()
    assert "Too many requests: at most 2 a minute are answered." in page
    assert 'name="sent" value="subject=Call"' in page
    assert Client(REMOTE_ADDR="192.0.2.7").post("/login/", values).status_code == 200


@pytest.mark.django_db
def test_exports_of_a_user_are_limited_with_a_page(client: Client) -> None:
    log_in_admin(client)
    address = reverse("record_export", args=("study__v", "csv"))
    for _ in range(2):
        assert client.get(address).status_code == 200
    refused = client.get(address)
    assert (refused.status_code, 1 <= int(refused.headers["Retry-After"]) <= 60) == (429, True)
    assert "Too many requests" in refused.content.decode()
    log_in_admin(other := Client())
    assert other.get(address).status_code == 200


@pytest.mark.django_db
def test_calls_of_a_user_are_limited_whatever_token_they_come_with() -> None:
    actor = build_admin_actor()
    texts = [create_token(name=name, days=1, actor=actor)[1] for name in ("one", "two", "three")]
    answers = [Client(headers={"Authorization": f"Bearer {text}"}).get("/api/v1/objects/") for text in texts]
    assert [each.status_code for each in answers] == [200, 200, 429]
    problem = answers[2].json()
    assert problem["title"] == "Too Many Requests"
    assert problem["detail"].startswith("Too many requests: at most 2 a minute are answered.")
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60


@pytest.mark.django_db
def test_wrong_tokens_from_an_address_are_limited_and_a_right_one_is_not_in_their_way() -> None:
    caller = Client(headers={"Authorization": "Bearer vault_wrong"})
    assert [caller.get("/api/v1/objects/").status_code for _ in range(3)] == [401, 401, 429]
    _, text = create_token(name="one", days=1, actor=build_admin_actor())
    assert Client(headers={"Authorization": f"Bearer {text}"}).get("/api/v1/objects/").status_code == 200


@pytest.mark.django_db
@pytest.mark.system
def test_pages_answer_while_redis_hangs() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        caches = {
            "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url, "OPTIONS": OPTIONS}
        }
        with override_settings(CACHES=caches):
            user = UserFactory.create()
            answer = Client().post("/login/", {"username": user.username, "password": USER_PASSWORD})
    assert answer.headers["Location"] == "/"
