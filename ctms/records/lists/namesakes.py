"""What tells records of the same name apart, such as the role and the site of a person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from ctms.configuration.registry import get_object, resolve_path
from ctms.records.access import ObjectAccess, open_related
from ctms.records.fields.references import can_name_record
from ctms.records.fields.values import format_value

# So many roles of a person are named.
_MOST_NAMED = 2


def describe_namesakes(*, access: ObjectAccess, records: Sequence[Any], near: Collection[UUID] = ()) -> dict[Any, str]:
    """Return primary key → text of what tells each record apart; at most one statement for all.

    Only of what the user sees. `access` is that to the records' own object or to one that refers to it. What names
    records of the uids `near`, such as the role at the site that is chosen, is told before others.
    """
    if not records:
        return {}
    vault_object = get_object(records[0].object_name)
    told: dict[Any, list[str]] = {}
    for record in records:
        fields = [vault_object.get_field(name) for name in vault_object.told_apart_by]
        told[record.pk] = [str(value) for each in fields if (value := getattr(record, each.attribute))]
    through = vault_object.told_apart_through
    opened = open_related(access=access, object_name=through.of_object) if through else None
    if through is not None and opened is not None:
        key = opened.vault_object.get_field(through.reference).attribute
        paths = [resolve_path(vault_object=opened.vault_object, path=path) for path in through.fields]
        followed = ["__".join(step.attribute for step in steps) for steps, _ in paths if steps]
        followed += [end.attribute for steps, end in paths if not steps and end.reference is not None]
        rows = opened.list_records().filter(**{f"{key}__in": [each.pk for each in records]})
        named: dict[Any, list[str]] = {}
        ends = [end.attribute for steps, end in paths if not steps and end.reference is not None]
        newest = rows.select_related(*followed).order_by("-pk")
        for row in sorted(newest, key=lambda row: -sum(_is_near(row, end, near) for end in ends)):
            named.setdefault(getattr(row, f"{key}_id"), []).append(_describe(access=opened, row=row, paths=paths))
        for pk, texts in named.items():
            more = f"+{len(texts) - _MOST_NAMED}" if len(texts) > _MOST_NAMED else ""
            told[pk] = [*filter(None, texts[:_MOST_NAMED]), *filter(None, [more]), *told[pk]]
    return {pk: " · ".join(texts) for pk, texts in told.items() if texts}


def _is_near(row: Any, attribute: str, near: Collection[UUID]) -> bool:
    value = getattr(row, attribute)
    return value is not None and value.uid in near


def _describe(*, access: ObjectAccess, row: Any, paths: Sequence[Any]) -> str:
    texts = []
    for steps, end in paths:
        owner = row
        for step in steps:
            owner = getattr(owner, step.attribute) if owner is not None else None
            if owner is not None and not can_name_record(access=access, record=owner):
                owner = None
        value = getattr(owner, end.attribute) if owner is not None else None
        if value is None or value == "":
            continue
        if end.reference is not None:
            if can_name_record(access=access, record=value):
                texts.append(str(value))
        else:
            texts.append(format_value(value=value, field=end, shape=access.shape) if not steps else str(value))
    return ", ".join(texts)
