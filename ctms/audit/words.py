"""What an audit entry says in the words of its day: labels of fields and values, names and uids of references.

The words stand beside the values in `AuditEntry.words`, by field, or by API name for a custom field:
`{"person": {"label": "Person", "before": "Ada Ash", "after": "Bo Beck", "before_uid": "…", "after_uid": "…"}}`.
`before` and `after` are left out where the values speak for themselves. Dates have a `kind`, by which they are shown.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils import formats, timezone
from django.utils.text import capfirst

Changes = Mapping[str, Any]
Words = dict[str, dict[str, str]]

CUSTOM_FIELDS = "custom_fields"
DATE, DATETIME, YES_NO = "date", "datetime", "yes_no"
_SIDES = ("before", "after")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldWords:
    """What people call a field and its values. `key` is what the trail stores of a reference: `pk` or `uid`.

    `tell` puts a stored value into words; an empty text if the value speaks for itself.
    """

    label: str
    kind: str = ""
    tell: Callable[[Any], str] = lambda _stored: ""
    choices: Mapping[str, str] = field(default_factory=dict)
    reference: type[models.Model] | None = None
    key: str = "pk"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldChange:
    """A change of one field as people read it. A uid is that of the record whose name is told."""

    name: str
    label: str
    before: str
    after: str
    before_uid: UUID | None = None
    after_uid: UUID | None = None


# Returns what is called otherwise than in the model: labels of objects, custom fields, object types.
Describer = Callable[[type[models.Model], Collection[str]], Mapping[str, FieldWords]]
_describers: list[Describer] = []  # one at most


def register_describer(describer: Describer) -> None:
    """Say what fields are called where the model does not. Called once, from `AppConfig.ready()`."""
    _describers[:] = [describer]


# -- Writing --------------------------------------------------------------------------------------
def build_words(written: Sequence[tuple[models.Model, Changes]]) -> list[Words]:
    """Return the words for the changes of records of one model.

    Takes one statement for each model that is referred to, and none for references that the records have loaded.
    """
    if not written:
        return []
    flat = [(record, dict(flatten(changes))) for record, changes in written]
    names = {name for _, changes in flat for name in changes}
    described = describe_fields(model=flat[0][0]._meta.model, names=names) if names else {}
    targets = _load_targets(flat=flat, described=described)
    return [
        {
            name: _put_into_words(pair=pair, words=described[name], targets=targets)
            for name, pair in changes.items()
            if name in described
        }
        for _, changes in flat
    ]


def describe_fields(*, model: type[models.Model], names: Collection[str]) -> dict[str, FieldWords]:
    """Return what these fields of a model are called; none for what is not a field."""
    described = {name: found for name in names if (found := _describe_model_field(model, name)) is not None}
    for describe in _describers:
        described |= describe(model, names)
    return described


def flatten(changes: Changes) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yield name, before and after of each change; custom fields one by one, by their API names."""
    for name, values in changes.items():
        before, after = _pair(values)
        if name != CUSTOM_FIELDS:
            yield name, (before, after)
            continue
        old, new = (each if isinstance(each, dict) else {} for each in (before, after))
        yield from ((each, (old.get(each), new.get(each))) for each in {**old, **new} if old.get(each) != new.get(each))


def _pair(values: Any) -> tuple[Any, Any]:
    """Return before and after; what an event tells is not a pair in all cases."""
    return (values[0], values[1]) if isinstance(values, list) and len(values) == len(_SIDES) else (None, values)


def _describe_model_field(model: type[models.Model], name: str) -> FieldWords | None:
    try:
        found = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    if not isinstance(found, models.Field):
        return None
    reference = found.related_model if isinstance(found, models.ForeignKey) else None
    return FieldWords(
        label=str(capfirst(str(found.verbose_name))),
        kind=next((kind for kind, classes in _KINDS.items() if isinstance(found, classes)), ""),
        choices={str(value): str(label) for value, label in found.flatchoices if value is not None},
        reference=reference if isinstance(reference, type) else None,
    )


_KINDS: Mapping[str, type[models.Field[Any, Any]]] = {
    YES_NO: models.BooleanField,
    DATETIME: models.DateTimeField,
    DATE: models.DateField,
}

# (model, key, value) → name and uid of the record referred to.
_Targets = dict[tuple[type[models.Model], str, str], tuple[str, str]]


def _load_targets(
    *, flat: Sequence[tuple[Any, Mapping[str, tuple[Any, Any]]]], described: Mapping[str, FieldWords]
) -> _Targets:
    targets: _Targets = {}
    wanted: dict[tuple[type[models.Model], str], set[Any]] = {}
    for record, changes in flat:
        for name, pair in changes.items():
            words = described.get(name)
            if words is None or words.reference is None:
                continue
            loaded = _get_loaded(record=record, name=name, words=words)
            if loaded is not None:
                targets[words.reference, words.key, str(loaded.pk)] = _name(loaded)
            wanted.setdefault((words.reference, words.key), set()).update(_read_keys(pair, key=words.key))
    for (model, key), values in wanted.items():
        missing = {value for value in values if (model, key, str(value)) not in targets}
        if missing:
            for target in model._base_manager.filter(**{f"{key}__in": missing}).order_by():
                targets[model, key, str(getattr(target, key))] = _name(target)
    return targets


def _get_loaded(*, record: Any, name: str, words: FieldWords) -> Any:
    """Return the record that a foreign key refers to, if it is loaded."""
    if words.key != "pk":
        return None
    return getattr(record, name) if record._meta.get_field(name).is_cached(record) else None


def _read_keys(pair: tuple[Any, Any], *, key: str) -> Iterator[Any]:
    for value in pair:
        if value in (None, ""):
            continue
        try:
            yield UUID(str(value)) if key == "uid" else value
        except ValueError:
            continue  # stored when the field had another kind


def _name(record: models.Model) -> tuple[str, str]:
    return str(record), str(getattr(record, "uid", ""))


def _put_into_words(*, pair: tuple[Any, Any], words: FieldWords, targets: _Targets) -> dict[str, str]:
    told = {"label": words.label}
    if words.kind in (DATE, DATETIME):
        told["kind"] = words.kind
    for side, value in zip(_SIDES, pair, strict=True):
        if words.kind == YES_NO and isinstance(value, bool):
            told[side] = "Yes" if value else "No"
        elif value not in (None, "") and (text := words.tell(value)):
            told[side] = text
        elif value in (None, "") or isinstance(value, (list, dict)):
            continue
        elif words.reference is not None:
            if target := targets.get((words.reference, words.key, str(value))):
                told[side], told[f"{side}_uid"] = target
        elif str(value) in words.choices:
            told[side] = words.choices[str(value)]
    return told


# -- Reading --------------------------------------------------------------------------------------
def tell_changes(*, changes: Changes, words: Words) -> list[ToldChange]:
    """Return the changes of an entry as people read them, with times in the active time zone."""
    return [tell_change(name=name, pair=pair, words=words.get(name, {})) for name, pair in flatten(changes)]


def tell_change(*, name: str, pair: tuple[Any, Any], words: Mapping[str, str]) -> ToldChange:
    """Return one change as people read it."""
    before, after = (
        words.get(side) or format_stored(value, kind=words.get("kind", ""))
        for side, value in zip(_SIDES, _compare_lists(pair), strict=True)
    )
    return ToldChange(
        name=name,
        label=words.get("label") or str(capfirst(name.replace("_", " "))),
        before=before,
        after=after,
        before_uid=_read_uid(words.get("before_uid")),
        after_uid=_read_uid(words.get("after_uid")),
    )


def _compare_lists(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return of two lists, such as the permissions of a profile, what was removed and what was added."""
    before, after = pair
    if not (isinstance(before, list) and isinstance(after, list)):
        return pair
    removed, added = [each for each in before if each not in after], [each for each in after if each not in before]
    return (f"Removed: {format_stored(removed)}" if removed else "", f"Added: {format_stored(added)}" if added else "")


def format_stored(value: Any, *, kind: str = "") -> str:
    """Return a value of the audit trail as text: dates by their kind, lists with commas; empty for no value."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return ", ".join(str(each) for each in value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return _format_date(str(value), kind=kind)


def _format_date(text: str, *, kind: str) -> str:
    """Return a date in the form of the pages; other texts as they are, and what was no date when it was stored."""
    try:
        if kind == DATE:
            text = formats.date_format(dt.date.fromisoformat(text), "DATE_FORMAT")
        elif kind == DATETIME:
            text = formats.date_format(timezone.localtime(dt.datetime.fromisoformat(text)), "DATETIME_FORMAT")
    except (ValueError, OverflowError):
        return text
    return text


def _read_uid(text: str | None) -> UUID | None:
    return UUID(text) if text else None
