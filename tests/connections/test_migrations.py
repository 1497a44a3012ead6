"""What migrations make of rows as they were: shared secrets, and filters of rules."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from connections.models import IntegrationRule
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
    executor.migrate(executor.loader.graph.leaf_nodes())


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


@pytest.mark.usefixtures("_restored")
def test_filters_of_rules_say_the_same_in_the_language_of_lists() -> None:
    rule = IntegrationRule.objects.filter(integration__connection=ConnectionFactory.create()).order_by("pk")[0]
    old = [
        {"field": "channel__v", "operator": "in", "values": ["phone__v", "email__v"]},
        {"field": "study__v", "operator": "not_in", "values": ["9b1d"]},
        {"field": "subject__v", "operator": "equals", "values": ["Acme, Inc."]},
        {"field": "date__v", "operator": "from", "values": ["2026-01-01"]},
        {"field": "date__v", "operator": "to", "values": ["2026-12-31"]},
        {"field": "complete__v", "operator": "yes", "values": []},
        {"field": "site__v.city__v", "operator": "empty", "values": []},
        {"field": "key__c", "operator": "no", "values": []},
        "unreadable",
    ]
    before = migrate_to("0007_authorization_of_one_connection")
    before.get_model("connections", "IntegrationRule").objects.filter(pk=rule.pk).update(conditions=old)
    after = migrate_to("0008_filters_in_one_language")
    new = after.get_model("connections", "IntegrationRule").objects.get(pk=rule.pk).conditions
    assert new == [
        {"field": "channel__v", "operator": "is", "values": ["phone__v", "email__v"]},
        {"field": "study__v", "operator": "is_not", "values": ["9b1d"]},
        {"field": "subject__v", "operator": "is", "values": ["Acme, Inc."]},
        {"field": "date__v", "operator": "from", "values": ["2026-01-01"]},
        {"field": "date__v", "operator": "until", "values": ["2026-12-31"]},
        {"field": "complete__v", "operator": "is", "values": ["true"]},
        {"field": "site__v.city__v", "operator": "empty", "values": []},
        {"field": "key__c", "operator": "is", "values": ["false"]},
        "unreadable",
    ]
    restored = migrate_to("0007_authorization_of_one_connection").get_model("connections", "IntegrationRule")
    assert restored.objects.get(pk=rule.pk).conditions == [
        {**each, "operator": "in"} if isinstance(each, dict) and each["operator"] == "equals" else each for each in old
    ]
