"""What the migration makes of custom fields as they were: references to persons, and labels that two fields had."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from tests.factories.base import get_admin_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases, pytest.mark.system]


def migrate_to(name: str) -> Any:
    """Migrate the app to a migration, and return its custom fields as of then."""
    executor = MigrationExecutor(connection)
    executor.migrate([("configuration", name)])
    state = MigrationExecutor(connection).loader.project_state([("configuration", name)])
    return state.apps.get_model("configuration", "CustomField").objects


@pytest.fixture
def _restored() -> Any:
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.mark.usefixtures("_restored")
def test_references_labels_and_values_of_a_picklist_come_into_the_new_form() -> None:
    by = get_admin_user().pk
    now = timezone.now()
    stamps = {"created_at": now, "modified_at": now, "created_by_id": by, "modified_by_id": by}
    before = migrate_to("0003_field_kinds_are_registered")
    for name, label, kind in (
        ("chief__c", "Chief", "person"),
        ("colour__c", "Colour", "picklist"),
        ("color__c", "COLOUR", "text"),
        ("colours__c", "colour", "text"),
    ):
        before.create(
            of_object="person__sys",
            api_name=name,
            label=label,
            kind=kind,
            picklist_values=["Red", "Blue"] if kind == "picklist" else [],
            **stamps,
        )
    before.create(of_object="study__v", api_name="colour__c", label="Colour", kind="text", **stamps)
    after = migrate_to("0004_custom_fields_say_more")
    fields = {(each.of_object, each.api_name): each for each in after.order_by("pk")}
    chief = fields["person__sys", "chief__c"]
    assert (chief.kind, chief.reference_object) == ("reference", "person__sys")
    assert [each.label for each in fields.values()] == [
        "Chief",
        "Colour",
        "COLOUR (color__c)",
        "colour (colours__c)",
        "Colour",
    ]
    assert fields["person__sys", "colour__c"].picklist_values == [
        {"api_name": "Red", "label": "Red", "is_active": True},
        {"api_name": "Blue", "label": "Blue", "is_active": True},
    ]
    after.all().delete()
