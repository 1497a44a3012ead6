"""What a test whose commits are real leaves behind is gone afterwards, and what was there before is there again."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection

from activities.models import Activity
from ctms.audit.guards import list_guard_problems
from ctms.audit.models import AuditEntry
from tests.factories.activities import ActivityFactory
from tests.rows import keep_rows

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def list_all_rows() -> dict[str, list[Any]]:
    models = apps.get_models(include_auto_created=True)
    return {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in models}


def test_rows_are_put_back_as_they_were_and_what_came_after_them_is_gone() -> None:
    ActivityFactory.create()
    before = list_all_rows()
    put_back = keep_rows()
    ActivityFactory.create_batch(2)
    assert list_all_rows() != before
    put_back()
    assert list_all_rows() == before

    ContentType.objects.all().delete()
    assert not Permission.objects.exists()
    put_back()
    assert list_all_rows() == before


@pytest.mark.parametrize("_number", [1, 2])
def test_each_test_begins_with_what_is_delivered_and_nothing_else(_number: int) -> None:
    assert not Activity.objects.exists()
    assert apps.get_model("jobs", "JobDefinition").objects.exists()
    ActivityFactory.create()


def test_rows_that_point_to_nothing_are_refused_as_before() -> None:
    keep_rows()()
    with pytest.raises(IntegrityError):
        ActivityFactory.create(person_id=0)


def test_audit_entries_are_final_as_before() -> None:
    ActivityFactory.create()
    keep_rows()()
    assert list_guard_problems(connection) == []
    with connection.cursor() as cursor, pytest.raises(Exception, match="audit entries are never changed or removed"):
        cursor.execute(f"DELETE FROM {AuditEntry._meta.db_table}")  # noqa: S608  a name of a table
