"""S1: every address × role × foreign study, found through the URL configuration, so that a new page is covered.

Visitors are led to the log-in page, users without the permission are refused, and what belongs to a study that a user
is not assigned to does not exist for that user, whatever the door.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

from ctms.configuration.registry import InStudy, get_object
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory
from tests.record_rows import OBJECTS, create_record

pytestmark = pytest.mark.django_db

# Open to everybody: the doors themselves, and what a monitor asks.
PUBLIC = {
    "login/",
    "login/code/",
    "login/oidc/",
    "login/oidc/callback/",
    "healthz",
    "admin/login/",
    "invitation/",
    "reports/unsubscribe/<str:token>/",
    "calendar/feed.ics",
    "digest/stop/<str:token>/",
}
# Where those who may not come in are led: to a door, or from an old door to the one door there is.
DOORS = ("/login/", "/admin/login/", "/password/")
METHODS = ("get", "post")
_PARAMETER = re.compile(r"<(?:(?P<converter>\w+):)?(?P<name>\w+)>")
IN_STUDIES = [name for name in OBJECTS if isinstance(get_object(name).scope, InStudy)]


def list_routes() -> list[str]:
    """Every address of the Vault, as its parts are written in the URL configuration."""
    return sorted(set(_walk(get_resolver(), "")))


def _walk(resolver: URLResolver, prefix: str) -> Iterator[str]:
    for each in resolver.url_patterns:
        # The console's own catch-all and its list of apps are regular expressions, without parameters to fill in.
        if isinstance(each.pattern, RegexPattern):
            continue
        route = prefix + str(each.pattern)
        if isinstance(each, URLPattern):
            yield route
        elif isinstance(each, URLResolver):
            yield from _walk(each, route)


def _list_resolvers(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, URLResolver]]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield prefix + str(each.pattern), each
            yield from _list_resolvers(each, prefix + str(each.pattern))


ROUTES = list_routes()
RECORDS = [route for route in ROUTES if not route.startswith("admin/")]
WITH_OBJECT = [route for route in RECORDS if "object_name>" in route]
WITH_RECORD = [route for route in WITH_OBJECT if ":uid>" in route and "import/" not in route and "views/" not in route]


def fill(route: str, **values: Any) -> str:
    """The route with its parameters filled in."""
    examples = {
        "file_format": "csv",
        "uid": uuid.uuid4(),
        "share_uid": uuid.uuid4(),
        "object_id": 1,
        "app_label": "clinical",
        "token": "x",
    }

    def find(match: re.Match[str]) -> str:
        name = match.group("name")
        return str((examples | values).get(name, 1))

    return "/" + _PARAMETER.sub(find, route)


def find_field(object_name: str) -> str:
    """A field by which a record can be looked up, filtered and edited."""
    vault_object = get_object(object_name)
    references = [name for name in vault_object.fields if vault_object.get_field(name).reference]
    return (references or ["name__v"])[0]


def ask(client: Client, method: str, url: str) -> Any:
    return getattr(client, method)(url)


def test_only_the_console_has_addresses_that_are_regular_expressions() -> None:
    expressions = [
        prefix
        for prefix, resolver in (("", get_resolver()), *_list_resolvers(get_resolver(), ""))
        for each in resolver.url_patterns
        if isinstance(each.pattern, RegexPattern)
    ]
    assert set(expressions) == {"admin/"}


@pytest.mark.parametrize("method", METHODS)
def test_visitors_are_led_to_the_log_in_page(client: Client, method: str) -> None:
    open_to_visitors = {}
    for route in ROUTES:
        if route not in PUBLIC:
            response = ask(client, method, fill(route, object_name="site__v", field_name="study__v"))
            where = response.headers.get("Location", "").partition("?")[0]
            refused = response.status_code in (401, 405) or (response.status_code == 302 and where in DOORS)
            if not refused:
                open_to_visitors[route] = (response.status_code, where)
    assert open_to_visitors == {}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", WITH_OBJECT)
def test_users_without_the_permission_are_refused(client: Client, route: str, method: str) -> None:
    client.force_login(UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=[])))
    site = create_record("site__v")
    response = ask(client, method, fill(route, object_name="site__v", uid=site.uid, field_name="study__v"))
    assert response.status_code in (403, 405)
    assert site.site_name not in response.content.decode()


@pytest.mark.parametrize("route", WITH_RECORD)
def test_a_record_of_a_foreign_study_does_not_exist(client: Client, route: str) -> None:
    client.force_login(create_member())
    study = StudyFactory.create()
    for object_name in IN_STUDIES:
        record = create_record(object_name, study)
        url = fill(route, object_name=object_name, uid=record.uid, field_name=find_field(object_name))
        answers = {method: ask(client, method, url).status_code for method in METHODS}
        assert set(answers.values()) <= {404, 405}, (object_name, answers)
        assert type(record).objects.get(pk=record.pk).version == record.version


@pytest.mark.parametrize("route", [route for route in WITH_OBJECT if route not in WITH_RECORD])
def test_no_list_shows_a_record_of_a_foreign_study(client: Client, route: str) -> None:
    client.force_login(create_member())
    study = StudyFactory.create(name="CANARY-STUDY", study_name="CANARY-NAME")
    for object_name in IN_STUDIES:
        create_record(object_name, study)
        response = client.get(fill(route, object_name=object_name, field_name=find_field(object_name)))
        content = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
        assert response.status_code in (200, 302, 400, 404, 405), object_name
        assert b"CANARY" not in content, object_name


@pytest.mark.parametrize("route", WITH_OBJECT)
def test_objects_of_nobody_and_of_the_console_do_not_exist_here(client: Client, route: str) -> None:
    client.force_login(UserFactory.create(is_superuser=True))
    for object_name in ("no_such_object__v", "connection__sys"):
        url = fill(route, object_name=object_name, field_name="name__v")
        assert client.get(url).status_code in (404, 405)


def test_the_console_is_closed_to_users_who_are_no_staff(client: Client) -> None:
    client.force_login(create_member())
    opened = {}
    for route in ROUTES:
        if route.startswith("admin/") and route not in PUBLIC:
            response = client.get(fill(route))
            where = response.headers.get("Location", "").partition("?")[0]
            if not (response.status_code in (403, 405) or (response.status_code == 302 and where in DOORS)):
                opened[route] = (response.status_code, where)
    assert opened == {}


def create_member() -> Any:
    """A user who may do everything with every object, in one study of their own."""
    permissions = [f"{name}:{action}" for name in OBJECTS for action in ("read", "create", "edit", "delete")]
    user = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=permissions))
    StudyAssignmentFactory.create(user=user)
    return user
