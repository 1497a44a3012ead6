"""Builds links to records of several objects from their uids; reads all their names in one statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import CharField, F, Value
from django.urls import reverse

from ctms.accounts.models import User
from ctms.configuration.registry import UnknownObjectError, VaultObject
from ctms.configuration.snapshot import Configuration, load_configuration
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object
from ctms.records.fields.references import join_caption
from ctms.records.fields.values import get_record_url


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLink:
    """A link to a record, for lists that hold records of several objects."""

    label: str
    object_label: str
    url: str
    icon: str


def find_page(*, access: ObjectAccess, record: Any) -> str:
    """Return the URL of a record's page, or of its list if the user does not see the record that they saved."""
    if access.list_records().filter(pk=record.pk).exists():
        return get_record_url(record)
    return reverse("record_list", args=(access.shape.api_name,))


def find_links(
    *, user: User, references: Iterable[tuple[str, UUID]], configuration: Configuration | None = None
) -> dict[UUID, RecordLink]:
    """Return links by uid to those of the records that exist and the user sees, given as (object's API name, uid).

    Runs one statement, however many objects they belong to.
    """
    uids: dict[str, list[UUID]] = {}
    for object_name, uid in references:
        uids.setdefault(object_name, []).append(uid)
    if not uids:
        return {}
    configuration = configuration or load_configuration()
    objects: list[VaultObject] = []
    statements = []
    for object_name, wanted in uids.items():
        try:
            access = open_object(user=user, object_name=object_name, configuration=configuration)
        except (UnknownObjectError, AccessRefusedError):
            continue  # no object of the study teams (any more), or one that the user may not read
        named = access.list_records().order_by().filter(uid__in=wanted).annotate(place=Value(len(objects)))
        caption = access.vault_object.caption_field
        shown = F(access.vault_object.fields[caption]) if caption else Value("", output_field=CharField())
        statements.append(named.annotate(caption=shown).values_list("uid", "name", "place", "caption"))
        objects.append(access.vault_object)
    if not statements:
        return {}
    first, *others = statements
    found = first.union(*others, all=True) if others else first
    return {
        uid: RecordLink(
            label=join_caption(name=name, caption=caption),
            object_label=objects[place].title,
            url=reverse("record", args=(objects[place].api_name, uid)),
            icon=objects[place].icon,
        )
        for uid, name, place, caption in found
    }
