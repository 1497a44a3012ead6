"""Steps of users in tests of undo: change a record by its pages, and undo what was written last."""

from __future__ import annotations

from typing import Any

from django.test import Client

from ctms.audit.change_sets import WRITES, ChangeSet, find_change_set
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from tests.factories.base import build_admin_actor

ACTIVITY, STUDY = "crm_activity__v", "study__v"


def find_last(record: Any) -> ChangeSet:
    """Return the change set of a record's latest entry."""
    entries = AuditEntry.objects.filter(record_uid=record.uid, action__in=WRITES)
    found = find_change_set(entries.order_by("-id")[0])
    assert found is not None
    return found


def name_url(record: Any) -> str:
    found = find_last(record)
    return f"/undo/{found.kind}/{found.key}/"


def undo(client: Client, change_set: ChangeSet, **data: Any) -> Any:
    return client.post(f"/undo/{change_set.kind}/{change_set.key}/", data)


def undo_last(client: Client, record: Any, **data: Any) -> Any:
    return undo(client, find_last(record), **data)


def edit_field(client: Client, record: Any, name: str, value: str) -> None:
    fresh = type(record).objects.get(pk=record.pk)
    url = f"/records/{record.object_name}/{record.uid}/fields/{name}/"
    response = client.post(url, {name: value, "expected_version": fresh.version})
    assert response.status_code == 302, response.content


def delete(client: Client, record: Any) -> None:
    url = f"/records/{record.object_name}/{record.uid}/delete/"
    digest = client.get(url).context["parts_digest"]
    response = client.post(url, {"expected_version": record.version, "expected_parts": digest})
    assert response.status_code == 302, response.content


def change(record: Any, **values: Any) -> None:
    """Change a record as Ada Admin does it in another window."""
    fresh = type(record).objects.get(pk=record.pk)
    for name, value in values.items():
        setattr(fresh, name, value)
    save_record(record=fresh, actor=build_admin_actor())


def read_messages(client: Client, url: str = "/changes/") -> list[str]:
    return [str(message) for message in client.get(url).context["messages"]]
