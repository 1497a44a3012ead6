"""The page from which a record is created: what the new record takes over from the record shown there.

The parameter `from` names that record, as `site__v:` and its uid. A reference of the new record takes the record
itself, or what the record refers to by the same name: from a site its study, from a visit its site, from an activity
its person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import VaultObject, get_object_of_model
from ctms.core.uuids import read_uid
from ctms.records.access import ObjectAccess, open_related
from ctms.records.fields.references import list_visible

FROM = "from"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The record of the page, and what is taken over from it: API name → record."""

    record: Any = None
    taken: Mapping[str, Any] = field(default_factory=dict)

    def write_address(self) -> dict[str, str]:
        """Return what is taken over as parameters of a form's address."""
        return {name: str(each.uid) for name, each in self.taken.items()}


def write_origin(*, object_name: str, uid: Any) -> str:
    """Return the value of the parameter `from` for a record."""
    return f"{object_name}:{uid}"


def read_origin(*, access: ObjectAccess, text: str) -> Origin:
    """Return what the parameter names, as far as the user sees it; nothing for what is not there or not seen.

    Takes one statement, and one for each reference that is taken over.
    """
    object_name, _, uid_text = text.partition(":")
    uid = read_uid(uid_text)
    opened = open_related(access=access, object_name=object_name) if uid is not None else None
    if opened is None:
        return Origin()
    model = opened.vault_object.model
    taken_from = {each.api_name: _find_source(field=each, model=model) for each in _list_takers(access)}
    followed = [source for source in taken_from.values() if source]
    record = opened.list_records().select_related(*followed).filter(uid=uid).first()
    if record is None:
        return Origin()
    taken = {}
    for name, source in taken_from.items():
        if source is None:
            continue
        value = getattr(record, source) if source else record
        visible = list_visible(access=access, field=access.shape.fields[name]) if value is not None else None
        if visible is not None and visible.filter(pk=value.pk).exists():
            taken[name] = value
    return Origin(record=record, taken=taken)


def takes(*, vault_object: VaultObject, name: str, source: VaultObject) -> bool:
    """Whether a new record takes the reference over from every page of `source`, or nearly: it may be empty there."""
    known = vault_object.get_field(name)
    return known.reference is not None and _find_source(field=known, model=source.model) is not None


def _list_takers(access: ObjectAccess) -> list[ObjectField]:
    fields = access.shape.fields.values()
    return [
        each
        for each in fields
        if each.reference not in (None, User)
        and not each.is_custom
        and not each.is_read_only
        and get_object_of_model(each.reference) is not None
    ]


def _find_source(*, field: ObjectField, model: type[models.Model]) -> str | None:
    """Return the attribute from which the reference is taken; empty for the record itself, None if there is none."""
    if field.reference is model:
        return ""
    try:
        twin = model._meta.get_field(field.attribute)
    except FieldDoesNotExist:
        return None
    return field.attribute if isinstance(twin, models.ForeignKey) and twin.related_model is field.reference else None
