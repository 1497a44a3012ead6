"""Secrets that several connections shared stay with the oldest of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.factories.connections import ConnectionFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases, pytest.mark.system]


def migrate_to(name: str) -> Any:
    """Migrate the app to a migration, and return the models as of then."""
    executor = MigrationExecutor(connection)
    executor.migrate([("connections", name)])
    return executor.loader.project_state([("connections", name)]).apps


@pytest.fixture
def _restored() -> Any:
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("connections"))


@pytest.mark.usefixtures("_restored")
def test_shared_secrets_stay_with_the_oldest_connection() -> None:
    first, second = ConnectionFactory.create(), ConnectionFactory.create()
    unused = second.authorization_id
    before = migrate_to("0005_duplicates_and_targets")
    before.get_model("connections", "Connection").objects.filter(pk=second.pk).update(
        authorization_id=first.authorization_id
    )
    after = migrate_to("0007_authorization_of_one_connection")
    found = after.get_model("connections", "Connection").objects
    assert list(found.order_by("pk").values_list("authorization_id", flat=True)) == [first.authorization_id, None]
    origins = after.get_model("connections", "ConnectionAuthorization").objects.order_by("pk")
    assert list(origins.values_list("pk", "password_origin", "connected_app_origin")) == [
        (first.authorization_id, first.url, first.url),
        (unused, "", ""),
    ]
