"""Bodies that can be sent as the OpenAPI document shows them, so that trying an operation out begins with success.

References name the newest record that the reader may choose, and texts are new with each document.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from django.db import models

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.snapshot import TypeShape
from ctms.records.access import ObjectAccess
from ctms.records.api.batches.bodies import CREATE
from ctms.records.api.fields import is_required
from ctms.records.api.samples import UID, build_sample
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.references import list_choices, list_scopes

_BYTES = 3  # of what makes a text new
_ANY_TEXT = {"type": "string"}
_ACTIVE = {"status__v": "active__v"}
_KEY = "external_id__v"


@dataclass(slots=True, kw_only=True)
class ExampleBodies:
    """Builds the bodies of one document. Without a reader it names no record, and the same document is built again."""

    has_reader: bool
    _newest: dict[type[models.Model], str] = field(default_factory=dict)  # uids of records, which take a statement each
    _text: str = ""

    def build_new(self, access: ObjectAccess) -> dict[str, Any]:
        """Return the body of a new record: an object type, what a record of it needs, and a text that it may have."""
        types = [each for each in access.list_creatable_types() if each.api_name]
        chosen = types[0] if types else access.shape.get_type("")
        body: dict[str, Any] = {OBJECT_TYPE: chosen.api_name} if types else {}
        texts = [each for each in access.shape.list_type_fields(chosen.api_name) if _can_be_tried(each)]
        for each in [*_list_needed(access=access, chosen=chosen), *texts[:1]]:
            body[each.api_name] = self._build_value(access=access, field=each)
        return body

    def build_change(self, access: ObjectAccess) -> dict[str, Any]:
        """Return the body of a change: a text that records may have, or else that the record is active."""
        fields = [each for each in access.shape.fields.values() if _can_be_tried(each)]
        return {fields[0].api_name: self._build_value(access=access, field=fields[0])} if fields else dict(_ACTIVE)

    def build_batch(self, access: ObjectAccess) -> dict[str, Any]:
        """Return the body of a batch that creates a record and saves nothing."""
        return {"rows": [{"operation": CREATE, "values": self.build_new(access)}], "dry_run": True}

    def _build_value(self, *, access: ObjectAccess, field: ObjectField) -> Any:
        if field.reference is not None:
            return self._find_newest(access=access, field=field)
        kind = kind_of(field)
        described = kind.describe_json([value for value, _ in field.offered])
        if described == _ANY_TEXT:
            text = self._build_text()
            return text[-field.max_length :] if field.max_length else text  # its end is what is new
        bound = field.least if field.least is not None else field.greatest
        return kind.to_json(bound) if bound is not None else build_sample(described, components={})

    def _build_text(self) -> str:
        if not self._text:
            self._text = f"Example {secrets.token_hex(_BYTES)}" if self.has_reader else "Example"
        return self._text

    def _find_newest(self, *, access: ObjectAccess, field: ObjectField) -> str:
        model = field.reference
        if model is None or not self.has_reader:
            return UID
        if model not in self._newest:
            records = list_choices(access=access, field=field)
            newest = records.order_by("-pk").values_list("uid", flat=True).first() if records is not None else None
            self._newest[model] = str(newest or UID)
        return self._newest[model]


def _list_needed(*, access: ObjectAccess, chosen: TypeShape) -> list[ObjectField]:
    """Return the fields that a new record of the type needs, without those that another of them fills."""
    shape = access.shape
    writable = [each for each in shape.list_type_fields(chosen.api_name) if not each.is_read_only]
    needed = [each for each in writable if each.api_name in chosen.required or is_required(shape=shape, field=each)]
    filled = {scope.parent.api_name for each in needed for scope in list_scopes(shape=shape, field=each)}
    more = [
        each
        for each in writable
        if each.reference is not None and each.is_required and each not in needed and each.api_name not in filled
    ]
    return [*needed, *more]


def _can_be_tried(field: ObjectField) -> bool:
    """Whether any text fits the field, and every record can do without the one that it has."""
    if field.is_read_only or field.is_required or field.is_unique or field.choices or field.api_name == _KEY:
        return False
    return field.reference is None and kind_of(field).describe_json(()) == _ANY_TEXT
