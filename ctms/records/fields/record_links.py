"""Builds links to records of several objects from their uids; reads all their names in one statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import CharField, F, Value

from ctms.accounts.models import User
from ctms.configuration.registry import UnknownObjectError, VaultObject
from ctms.configuration.snapshot import Configuration, load_configuration
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object
from ctms.records.addresses import build_record_url, get_object_url, get_record_url
from ctms.records.fields.titles import join_caption


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
    return get_object_url("record_list", access.shape.api_name)


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
        caption = access.vault_object.title_field or access.vault_object.caption_field
        shown = F(access.vault_object.fields[caption]) if caption else Value("", output_field=CharField())
        statements.append(named.annotate(caption=shown).values_list("uid", "name", "place", "caption"))
        objects.append(access.vault_object)
    if not statements:
        return {}
    first, *others = statements
    found = first.union(*others, all=True) if others else first
    return {
        uid: RecordLink(
            label=_join(vault_object=objects[place], name=name, caption=caption),
            object_label=objects[place].title,
            url=build_record_url(page="record", object_name=objects[place].api_name, uid=uid),
            icon=objects[place].icon,
        )
        for uid, name, place, caption in found
    }


def _join(*, vault_object: VaultObject, name: str, caption: str) -> str:
    if vault_object.title_field and caption:
        return join_caption(name=caption, caption=name)
    return join_caption(name=name, caption=caption)
