"""Entries of the audit trail can be added and read, but not changed or deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core import serializers
from django.db import IntegrityError, transaction

from ctms.audit.models import AuditEntry
from ctms.core.errors import UnauditedWriteError
from tests.factories.clinical import StudyFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def overwritten(entry: AuditEntry) -> AuditEntry:
    entry.actor_name = "Nobody"
    return entry


def disguised(entry: AuditEntry) -> AuditEntry:
    """Return a new entry with the key of an old one."""
    return AuditEntry(pk=entry.pk, at=entry.at, actor_name="Nobody", source="page", object_name="x")


def load_fixture(entry: AuditEntry) -> None:
    for loaded in serializers.deserialize("json", serializers.serialize("json", [overwritten(entry)])):
        loaded.save()


SIDE_DOORS: dict[str, Callable[[AuditEntry], Any]] = {
    "save": lambda entry: overwritten(entry).save(),
    "save of some fields": lambda entry: overwritten(entry).save(update_fields=["actor_name"]),
    "save_base": lambda entry: overwritten(entry).save_base(),
    "save_base raw": lambda entry: disguised(entry).save_base(raw=True),
    "delete": lambda entry: entry.delete(),
    "update": lambda _entry: AuditEntry.objects.update(actor_name="Nobody"),
    "delete of all": lambda _entry: AuditEntry.objects.all().delete(),
    "bulk_update": lambda entry: AuditEntry.objects.bulk_update([overwritten(entry)], ["actor_name"]),
    "bulk_create as upsert": lambda entry: AuditEntry.objects.bulk_create(
        [disguised(entry)], update_conflicts=True, unique_fields=["id"], update_fields=["actor_name"]
    ),
    "bulk_create that ignores conflicts": lambda entry: AuditEntry.objects.bulk_create(
        [disguised(entry)], ignore_conflicts=True
    ),
    "update_or_create": lambda entry: AuditEntry.objects.update_or_create(
        pk=entry.pk, defaults={"actor_name": "Nobody"}
    ),
    "base manager update": lambda _entry: AuditEntry._base_manager.update(actor_name="Nobody"),
    "base manager delete": lambda _entry: AuditEntry._base_manager.all().delete(),
    "raw delete": lambda _entry: AuditEntry.objects.all()._raw_delete("default"),
    "fixture": load_fixture,
}


@pytest.fixture
def entry() -> AuditEntry:
    StudyFactory.create()
    return AuditEntry.objects.latest("id")


def read_all() -> list[dict[str, Any]]:
    return [dict(row) for row in AuditEntry.objects.order_by("id").values()]


@pytest.mark.parametrize("door", SIDE_DOORS)
def test_an_entry_is_neither_changed_nor_removed_by_the_orm(entry: AuditEntry, door: str) -> None:
    before = read_all()
    with pytest.raises(UnauditedWriteError, match=r"^Audit entries are never"), transaction.atomic():
        SIDE_DOORS[door](entry)
    assert read_all() == before


def test_a_new_entry_with_the_key_of_an_old_one_does_not_replace_it(entry: AuditEntry) -> None:
    before = read_all()
    with pytest.raises(IntegrityError), transaction.atomic():
        disguised(entry).save()
    assert read_all() == before
