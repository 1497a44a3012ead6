"""Records that may be the one that somebody is about to create: the same name, or the same e-mail, phone or identifier.

Only those that the user sees are told of; nothing is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from ctms.core.text.folding import fold_text
from ctms.records.access import ObjectAccess
from ctms.records.fields.references import describe_choice
from ctms.records.fields.values import get_record_url
from ctms.records.lists.namesakes import describe_namesakes

MOST_SHOWN = 5
_MOST_READ = 50
# Shorter values are shared by chance.
_SHORTEST = 3
NAME = "name__v"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A record that may be the same, with what tells it apart from others and what is the same, such as *name*."""

    record: Any
    label: str
    detail: str
    url: str
    same: tuple[str, ...]

    @property
    def is_likely(self) -> bool:
        """Whether more than one thing is the same; namesakes are many."""
        return len(self.same) > 1


def has_duplicates(access: ObjectAccess) -> bool:
    """Whether the object says by what its records can be told to be the same."""
    return bool(access.vault_object.duplicate_fields)


def find_duplicates(*, access: ObjectAccess, values: Mapping[str, str], without: Any = None) -> list[Duplicate]:
    """Return the records that may be the one with these texts by API name, the likeliest first.

    `without` is the uid of the record itself, if it is there already. Runs two statements more than those for what the
    user sees.
    """
    typed = _read_typed(access=access, values=values)
    if not typed:
        return []
    conditions = Q(*(Q(**{f"{attribute}__folded_exact": text}) for attribute, _, text in typed), _connector=Q.OR)
    records = access.list_records().filter(conditions)
    if without:
        records = records.exclude(uid=without)
    found = [(record, _list_same(record=record, typed=typed)) for record in records.order_by("pk")[:_MOST_READ]]
    found = sorted(found, key=lambda each: -len(each[1]))[:MOST_SHOWN]
    details = describe_namesakes(access=access, records=[record for record, _ in found])
    return [
        Duplicate(
            record=record,
            label=describe_choice(record),
            detail=details.get(record.pk, ""),
            url=get_record_url(record),
            same=same,
        )
        for record, same in found
    ]


def _read_typed(*, access: ObjectAccess, values: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return attribute, label and text of what can be compared: the name as the record would have it, and the fields."""
    vault_object = access.vault_object
    draft = vault_object.model()
    for name, text in values.items():
        field = access.shape.fields.get(name)
        if field is not None and not field.is_custom and not field.is_computed and field.reference is None:
            setattr(draft, field.attribute, text)
    draft.prepare_for_save()  # type: ignore[attr-defined]  # a VaultRecord
    given = [name for name in vault_object.duplicate_fields if values.get(name)]
    named = [("name", "name", draft.name)] if " " in draft.name.strip() else []  # type: ignore[attr-defined]  # the same
    typed = named + [
        (access.shape.fields[name].attribute, access.shape.fields[name].label, values[name])
        for name in given
        if name in access.shape.fields
    ]
    return [each for each in typed if len(fold_text(each[2].strip()) or "") >= _SHORTEST]


def _list_same(*, record: Any, typed: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    return tuple(
        label[:1].lower() + label[1:] if label[1:2].islower() else label
        for attribute, label, text in typed
        if fold_text(getattr(record, attribute)) == fold_text(text.strip())
    )
