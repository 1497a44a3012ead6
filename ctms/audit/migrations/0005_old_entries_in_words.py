"""Old entries get the words of their day, and the study of their record, as far as the data allow.

The name of a reference is the one that the trail itself holds from before the entry, else the present one. Labels of
fields are the present ones. What refers to a record that is gone keeps the key alone: nothing says whose it was.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.core.exceptions import FieldDoesNotExist
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils.text import capfirst

_BATCH = 2000
_FARTHEST = 3
_SIDES = ("before", "after")


class _Past:
    """Finds names, labels and studies for entries, with a few statements for each batch of them."""

    def __init__(self, apps: Apps) -> None:
        self.apps = apps
        self.entries = apps.get_model("audit", "AuditEntry")._base_manager
        # Historical models do not know their objects.
        self.models: dict[str, list[type[models.Model]]] = defaultdict(list)
        for model in current_apps.get_models():
            name = getattr(model, "object_name", None)
            if isinstance(name, str) and name and not model._meta.proxy:
                found = self._find_model(model._meta.label)
                if found is not None:
                    self.models[name].append(found)
        user = self._find_model("accounts.User")
        if user is not None:
            self.models["accounts.user"] = [user]
        self.custom = self._read_custom_labels()

    def _find_model(self, label: str) -> type[models.Model] | None:
        try:
            return self.apps.get_model(label)
        except LookupError:
            return None

    def _read_custom_labels(self) -> dict[tuple[str, str], str]:
        model = self._find_model("configuration.CustomField")
        rows = model._base_manager.values_list("of_object", "api_name", "label") if model is not None else ()
        return {(of_object, api_name): label for of_object, api_name, label in rows}

    def describe(self, entries: list[Any]) -> None:
        """Fill `words`, `object_label` and `study_uid` of the entries."""
        references: dict[type[models.Model], set[Any]] = defaultdict(set)
        planned: list[tuple[Any, str, Any, list[Any]]] = []
        for entry in entries:
            candidates = self.models.get(entry.object_name, [])
            if len(candidates) == 1:
                entry.object_label = str(capfirst(candidates[0]._meta.verbose_name))
            for name, values in entry.changes.items():
                pair = values if isinstance(values, list) and len(values) == len(_SIDES) else [None, values]
                if name == "custom_fields":
                    self._describe_custom(entry, pair)
                    continue
                field = next((found for each in candidates if (found := _get_field(each, name)) is not None), None)
                if field is None:
                    continue
                planned.append((entry, name, field, pair))
                if isinstance(field, models.ForeignKey):
                    references[field.related_model].update(_list_keys(pair))
        uids = {model: self._read_uids(model, keys) for model, keys in references.items()}
        names = self._read_names({uid for found in uids.values() for uid, _ in found.values() if uid is not None})
        for entry, name, field, pair in planned:
            entry.words[name] = _tell(entry=entry, field=field, pair=pair, uids=uids, names=names)
        self._find_studies(entries, uids)

    def _describe_custom(self, entry: Any, pair: list[Any]) -> None:
        for values in pair:
            for name in values if isinstance(values, dict) else ():
                if label := self.custom.get((entry.object_name, name)):
                    entry.words[name] = {"label": label}

    def _read_uids(self, model: type[models.Model], keys: set[Any]) -> dict[Any, tuple[UUID | None, str]]:
        """Return by key the uid and the present name of the records that are still there."""
        return {str(row.pk): (getattr(row, "uid", None), _name(row)) for row in model._base_manager.filter(pk__in=keys)}

    def _read_names(self, uids: set[UUID]) -> dict[UUID, list[tuple[int, str]]]:
        """Return the names that the trail holds of these records, with the ids of the entries, in their order."""
        names: dict[UUID, list[tuple[int, str]]] = defaultdict(list)
        rows = self.entries.filter(record_uid__in=uids).order_by("id").values_list("record_uid", "id", "record_name")
        for uid, number, name in rows.iterator(chunk_size=_BATCH):
            if uid is not None and name and (not names[uid] or names[uid][-1][1] != name):
                names[uid].append((number, name))
        return names

    def _find_studies(
        self, entries: list[Any], uids: dict[type[models.Model], dict[Any, tuple[UUID | None, str]]]
    ) -> None:
        study = self._find_model("clinical.Study")
        if study is None:
            return
        for object_name, candidates in self.models.items():
            named = [entry for entry in entries if entry.object_name == object_name and entry.record_uid]
            for model in candidates if named else ():
                path = _find_path(model, study)
                if path is None or not hasattr(model, "uid"):
                    continue
                look_up = f"{path}__uid" if path else "uid"
                rows = model._base_manager.filter(uid__in={entry.record_uid for entry in named})
                found = dict(rows.values_list("uid", look_up))
                for entry in named:
                    entry.study_uid = found.get(entry.record_uid) or _find_gone(entry, study, uids) or entry.study_uid


def _find_gone(entry: Any, study: Any, uids: dict[type[models.Model], dict[Any, tuple[UUID | None, str]]]) -> Any:
    """Return the study of a record that is gone, if the entry itself names it."""
    for value in reversed(entry.changes.get("study") or []):
        if value is not None and str(value) in uids.get(study, {}):
            return uids[study][str(value)][0]
    return None


def _get_field(model: type[models.Model], name: str) -> Any:
    try:
        field: Any = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if field.concrete else None


def _list_keys(pair: list[Any]) -> Iterator[Any]:
    yield from (value for value in pair if isinstance(value, int))


def _find_path(model: type[models.Model], study: type[models.Model]) -> str | None:
    """Return the first of the shortest look-ups to the study; empty for the study itself, None if there is no way."""
    ends: list[tuple[type[models.Model], tuple[str, ...]]] = [(model, ())]
    for _ in range(_FARTHEST + 1):
        for end, path in ends:
            if end is study:
                return "__".join(path)
        ends = [
            (field.related_model, (*path, field.name))
            for end, path in ends
            for field in end._meta.concrete_fields
            if isinstance(field, models.ForeignKey) and field.related_model._meta.app_label != "accounts"
        ]
    return None


def _name(row: Any) -> str:
    full = " ".join(filter(None, (getattr(row, "first_name", ""), getattr(row, "last_name", ""))))
    return str(getattr(row, "name", "") or full or getattr(row, "username", "") or getattr(row, "label", ""))


def _tell(
    *,
    entry: Any,
    field: Any,
    pair: list[Any],
    uids: dict[type[models.Model], dict[Any, tuple[UUID | None, str]]],
    names: dict[UUID, list[tuple[int, str]]],
) -> dict[str, str]:
    told = {"label": str(capfirst(str(field.verbose_name)))}
    if isinstance(field, models.DateTimeField | models.DateField):
        told["kind"] = "datetime" if isinstance(field, models.DateTimeField) else "date"
    choices = {str(value): str(label) for value, label in field.flatchoices if value is not None}
    for side, value in zip(_SIDES, pair, strict=True):
        if value in (None, "") or isinstance(value, list | dict):
            continue
        if isinstance(field, models.BooleanField):
            told[side] = "Yes" if value else "No"
        elif isinstance(field, models.ForeignKey):
            uid, present = uids.get(field.related_model, {}).get(str(value), (None, ""))
            if uid is not None:
                told[f"{side}_uid"] = str(uid)
            earlier = names.get(uid, []) if uid is not None else []
            place = bisect_right(earlier, entry.id, key=lambda each: each[0])
            told[side] = earlier[place - 1][1] if place else present or f"no. {value} (deleted; its name was not kept)"
        elif str(value) in choices:
            told[side] = choices[str(value)]
    return told


def _describe_all(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    past, last = _Past(apps), 0
    while entries := list(past.entries.filter(id__gt=last).order_by("id")[:_BATCH]):
        past.describe(entries)
        # The rows are changed in place by SQL: the model refuses changes, and their times of writing must stay.
        with schema_editor.connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE audit_auditentry SET words = %s, object_label = %s, study_uid = %s WHERE id = %s",
                [
                    (json.dumps(e.words), e.object_label[:128], _adapt(schema_editor, e.study_uid), e.id)
                    for e in entries
                ],
            )
        last = entries[-1].id


def _adapt(schema_editor: BaseDatabaseSchemaEditor, uid: UUID | None) -> str | None:
    if uid is None:
        return None
    return str(uid) if schema_editor.connection.features.has_native_uuid_field else uid.hex


def _switch_trigger(verb: str) -> Callable[[Apps, BaseDatabaseSchemaEditor], None]:
    def switch(_apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"ALTER TABLE audit_auditentry {verb} TRIGGER audit_entry_is_final")

    return switch


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_who_and_whence")]

    operations = [
        migrations.RunPython(_switch_trigger("DISABLE"), _switch_trigger("ENABLE")),
        migrations.RunPython(_describe_all, migrations.RunPython.noop),
        migrations.RunPython(_switch_trigger("ENABLE"), _switch_trigger("DISABLE")),
    ]
