"""Items that were copied by each run become one item for each failure."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from tests.admin_rows import create_exception_message

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def migrate_to(name: str) -> Any:
    """Migrate the app to a migration, and return the models as of then."""
    executor = MigrationExecutor(connection)
    executor.migrate([("exceptions_log", name)])
    return executor.loader.project_state([("exceptions_log", name)]).apps


@pytest.fixture
def _restored() -> Any:
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.mark.usefixtures("_restored")
def test_the_newest_item_of_each_open_failure_stays_and_earlier_copies_are_resolved() -> None:
    made = create_exception_message()
    run, integration, crm = made.run_id, made.integration_id, made.connection_id
    made.items.all().delete()
    made.delete()
    apps = migrate_to("0001_initial")
    messages, items = (apps.get_model("exceptions_log", name).objects for name in ("ExceptionMessage", "ExceptionItem"))
    now = timezone.now()

    def add(message: Any, key: str, **values: Any) -> Any:
        given = {"name": key, "error_type": "matching__v", "error_message": f"{key} fails", "item": key}
        return items.create(
            message=message, key=key, uid=uuid.uuid4(), first_failed_at=now, last_failed_at=now, **given | values
        ).pk

    def add_message(**values: Any) -> Any:
        return messages.create(
            name="x",
            uid=uuid.uuid4(),
            run_id=run,
            integration_id=integration,
            connection_id=crm,
            created_at=now,
            **values,
        )

    first, last = add_message(is_draft=False), add_message(is_draft=False, status="active__v")
    dismissed = {"dismissed_at": now, "dismissal_reason": "Known"}
    add(add_message(is_draft=True), "A")
    copies = [add(first, "A"), add(first, "B"), add(first, "gone")]
    kept = [add(first, "D", **dismissed), add(last, "A", attempts=2), add(last, "B", attempts=2)]
    ended = [add(first, "L", **dismissed, dismissal_lapsed_at=now), add(first, "E", **dismissed)]
    newer = add(last, "E")

    apps = migrate_to("0004_one_unresolved_item_per_failure")
    items = apps.get_model("exceptions_log", "ExceptionItem").objects
    unresolved = items.filter(resolved_at=None)
    assert set(unresolved.values_list("pk", flat=True)) == {*kept, newer}
    assert set(items.exclude(resolved_at=None).values_list("pk", flat=True)) == {*copies, *ended}
    assert set(items.values_list("integration", "job")) == {(integration, None)}
    assert items.get(pk=kept[1]).cause == "A fails"
    counts = apps.get_model("exceptions_log", "ExceptionMessage").objects.order_by("pk")
    assert list(counts.values_list("pk", "failed_count")) == [(first.pk, 6), (last.pk, 3)]
    items.all().delete()
    counts.all().delete()
