"""Each list has an index in the order in which it opens: its first page costs the same however many rows there are."""

from __future__ import annotations

import pytest
from django.db import connection
from django.http import QueryDict

from ctms.configuration.registry import list_record_objects
from ctms.records.access import open_object
from ctms.records.lists.order.keyset_pagination import order_records
from ctms.records.lists.query import read_list
from tests.factories.base import get_admin_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

_SORTED = {"postgresql": "Sort", "sqlite": "USE TEMP B-TREE"}


@pytest.mark.parametrize("object_name", [each.api_name for each in list_record_objects()])
def test_a_list_opens_in_the_order_of_an_index(object_name: str) -> None:
    access = open_object(user=get_admin_user(), object_name=object_name)
    listed = read_list(access=access, parameters=QueryDict(f"sort={access.vault_object.default_sort}"))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # The tables of tests are so small that to read and sort them is cheaper than any index.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
        plan = order_records(records=listed.list_records(), sort=listed.sort)[:50].explain()
    assert _SORTED[connection.vendor] not in plan, plan
