"""A report that is made from a list: its columns, filters, order and group."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.configuration.fields import ObjectField
from ctms.records.access import open_object
from ctms.records.lists.columns import choose_columns, get_preference
from ctms.records.lists.page import ListPage
from ctms.records.lists.page_parts import Link
from ctms.records.lists.query import read_list
from ctms.reports.choices import Period
from ctms.reports.engine.columns import can_group, can_show
from ctms.reports.pages.builder.types import build_object_key


def read_list_definition(*, user: User, object_name: str, query: str) -> dict[str, Any]:
    """Return the attributes of a report that shows what a list of this address shows.

    Columns that the Vault computes are left out. `searched` is what was searched for, which is no condition. Raises
    InvalidListError if a parameter of the list is not valid: a report without it would show more.
    """
    access = open_object(user=user, object_name=object_name)
    listed = read_list(access=access, parameters=QueryDict(query))
    listed.require_valid()
    preference = get_preference(user=user, object_name=object_name)
    columns = [each for each in choose_columns(listed=listed, preference=preference) if can_show(each)]
    sort, grouping = listed.sort, listed.sort.grouping
    stored: dict[str, Any] = {
        "name": access.vault_object.plural_title,
        "searched": listed.text,
        "filters": listed.filters.group.as_stored(),
        "columns": [each.api_name for each in columns],
        "sort": [sort.name] if sort.field is not None and can_show(sort.field) else [],
    }
    if grouping is not None and can_group(grouping.field):
        stored["groups"] = [_build_group(field=grouping.field, by_month=grouping.by_month, is_day=grouping.is_day)]
    return stored


def _build_group(*, field: ObjectField, by_month: bool, is_day: bool) -> dict[str, Any]:
    period = {"period": str(Period.MONTH if by_month else Period.DAY)} if is_day else {}
    return {"column": field.api_name, **period}


def build_list_link(page: ListPage) -> Link | None:
    """Return the link that makes a report from a list; None for users who may not create reports."""
    user, object_name = page.access.user, page.access.shape.api_name
    if not has_permission(user=user, permission="report__sys:create"):
        return None
    query = urlencode({"type": build_object_key(object_name), "from": page.query})
    return Link(label="Save as report", url=f"{reverse('report_new')}?{query}", icon="report")
