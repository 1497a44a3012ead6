"""To which study and connection records belong, and which objects are set-up, for the entries about them.

Apps register the ways from a record to its study and connection, and their set-up objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models.constants import LOOKUP_SEP

STUDY, CONNECTION = "study_uid", "connection_uid"

# Model → column of the audit entry → look-up from a record to its study or connection; `pk` if it is one.
_ways: dict[type[models.Model], dict[str, str]] = {}


def register_place(*, model: type[models.Model], column: str, path: str) -> None:
    """Say by which references the records of a model lead to their study (`STUDY`) or connection (`CONNECTION`)."""
    _ways.setdefault(model, {})[column] = path


def find_places(records: Sequence[models.Model]) -> list[dict[str, UUID]]:
    """Return for each of these records of one model the uids by column of the entry.

    Takes one statement for each column, and none where the references are loaded.
    """
    found: list[dict[str, UUID]] = [{} for _ in records]
    for column, path in (_ways.get(records[0]._meta.model, {}) if records else {}).items():
        for place, uid in zip(found, _follow(records, path), strict=True):
            if uid is not None:
                place[column] = uid
    return found


def _follow(records: Sequence[models.Model], path: str) -> list[UUID | None]:
    if path == "pk":
        return [_get_uid(record) for record in records]
    ends = [_walk(record, path.split(LOOKUP_SEP)) for record in records]
    wanted: dict[tuple[type[models.Model], str], set[Any]] = {}
    for end in ends:
        if isinstance(end, tuple):
            wanted.setdefault(end[:2], set()).add(end[2])
    uids: dict[tuple[type[models.Model], str, Any], UUID | None] = {
        (model, rest, pk): uid
        for (model, rest), keys in wanted.items()
        for pk, uid in model._base_manager.filter(pk__in=keys).order_by().values_list("pk", rest)
    }
    return [uids.get(end) if isinstance(end, tuple) else end for end in ends]


def _walk(record: Any, steps: list[str]) -> UUID | tuple[type[models.Model], str, Any] | None:
    """Return the uid at the end of the way, or from where on it is not loaded: model, further look-up and key."""
    for number, name in enumerate(steps):
        field = record._meta.get_field(name)
        key = getattr(record, field.attname)
        if key is None:
            return None
        if not field.is_cached(record):
            return field.related_model, LOOKUP_SEP.join([*steps[number + 1 :], "uid"]), key
        record = getattr(record, name)
    return _get_uid(record)


def _get_uid(record: Any) -> UUID | None:
    uid = getattr(record, "uid", None)
    return uid if isinstance(uid, UUID) else None
