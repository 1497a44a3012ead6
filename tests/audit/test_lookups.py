"""The addresses of the console's lists hold no conditions beyond their filters and links."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client, RequestFactory

from connections.models import ConnectionAuthorization
from ctms.accounts.models import User
from exceptions_log.models import ExceptionItem
from tests.admin_forms import log_in_admin
from tests.factories.connections import AuthorizationFactory

LISTS = list(admin.site._registry.items())


def list_local_fields(model: type[models.Model]) -> list[str]:
    return [field.name for field in model._meta.get_fields() if field.concrete]


def is_allowed(page: Any, lookup: str, value: str = "1") -> bool:
    allowed: bool = page.lookup_allowed(lookup, value, RequestFactory().get("/"))
    return allowed


@pytest.mark.parametrize(("model", "page"), LISTS, ids=lambda each: getattr(each, "__name__", ""))
def test_no_field_of_any_list_can_be_guessed_at(model: type[models.Model], page: Any) -> None:
    for name in list_local_fields(model):
        for comparison in ("startswith", "icontains", "regex", "iregex", "gt__regex"):
            assert not is_allowed(page, f"{name}__{comparison}", "^(a+)+$"), (name, comparison)


@pytest.mark.parametrize(("model", "page"), LISTS, ids=lambda each: getattr(each, "__name__", ""))
def test_only_the_filters_of_a_list_take_a_value(model: type[models.Model], page: Any) -> None:
    filters: list[Any] = page.list_filter
    filtered = {
        each if isinstance(each, str) else each[0] if isinstance(each, tuple) else each.parameter_name
        for each in filters
    }
    linked = {each.removesuffix("__exact") for each in page.linked_lookups}
    allowed = {name for name in list_local_fields(model) if is_allowed(page, f"{name}__exact")}
    assert allowed == (filtered | linked) & set(list_local_fields(model))
    assert all(is_allowed(page, f"{path}__exact") for path in filtered)


@pytest.mark.django_db
@pytest.mark.parametrize("condition", ["password__startswith=gcm", "name__regex=^(a%2B)%2B$", "pk__gt=0"])
def test_a_condition_that_no_filter_has_is_a_bad_request(client: Client, condition: str) -> None:
    log_in_admin(client)
    AuthorizationFactory.create()
    address = "/admin/connections/connectionauthorization/"
    assert client.get(address).status_code == 200
    assert client.get(f"{address}?status__exact=active__v").status_code == 200
    assert client.get(f"{address}?{condition}").status_code == 400


def test_a_look_up_through_a_reference_is_none_of_a_filters() -> None:
    items, users = (admin.site._registry[model] for model in (ExceptionItem, User))
    assert is_allowed(items, "message__connection__id__exact")
    assert not is_allowed(items, "message__connection__authorization__password__startswith")
    assert not is_allowed(items, "message__connection__name__regex")
    assert not is_allowed(users, "password__startswith")
    assert not is_allowed(admin.site._registry[ConnectionAuthorization], "password__exact")
