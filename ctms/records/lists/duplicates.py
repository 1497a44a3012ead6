"""Records that may be the one that somebody is about to create: the same name, or the same e-mail, phone or identifier.

Only those that the user sees are told of; nothing is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Q, Value, When
from django.db.models.functions import Lower

from ctms.core.text.folding import fold_text
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.fields.references import describe_choice
from ctms.records.lists.namesakes import describe_namesakes

MOST_SHOWN = 5
# Shorter values are shared by chance.
_SHORTEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A record that may be the same, with what tells it apart from others and what is the same, such as *name*."""

    record: Any
    label: str
    detail: str
    url: str
    same: tuple[str, ...]


def has_duplicates(access: ObjectAccess) -> bool:
    """Whether the object says by what its records can be told to be the same."""
    return bool(access.vault_object.duplicate_fields)


def find_duplicates(*, access: ObjectAccess, values: Mapping[str, str], without: Any = None) -> list[Duplicate]:
    """Return the records that may be the one with these texts by API name, the likeliest first.

    `without` is the uid of the record itself, if it is there already. Runs two statements more than those for what the
    user sees.
    """
    typed = _list_comparable(access=access, draft=_read_draft(access=access, values=values))
    if not typed:
        return []
    conditions = [Q(**{f"{attribute}__folded_exact": text}) for attribute, _, text in typed]
    records = access.list_records().filter(Q(*conditions, _connector=Q.OR))
    if without:
        records = records.exclude(uid=without)
    likeness = sum((Case(When(each, then=1), default=0) for each in conditions), Value(0))
    likeliest = records.order_by(likeness.desc(), "pk")[:MOST_SHOWN]
    found = [(record, _list_same(record=record, typed=typed)) for record in likeliest]
    details = describe_namesakes(access=access, records=[record for record, _ in found])
    return [_build(record=record, same=same, details=details) for record, same in found]


def find_stored(*, access: ObjectAccess, records: Sequence[Any]) -> dict[int, Duplicate]:
    """Return for new records, by their place, the likeliest record that is there already: one statement, and details.

    A name alone is no likeness. Texts are looked up as they are, or in lower case, so that no index is passed by.
    """
    attributes = ["name", *_list_attributes(access).values()]
    wanted = {each: {text for record in records if (text := getattr(record, each))} for each in attributes}
    condition = Q()
    lowered = {f"lower_{each}": Lower(each) for each in attributes}
    for each, texts in wanted.items():
        condition |= Q(**{f"{each}__in": texts}) | Q(**{f"lower_{each}__in": {text.lower() for text in texts}})
    found = access.list_records().alias(**lowered).filter(condition).order_by("pk") if any(wanted.values()) else []
    stored = {each.pk: each for each in found}
    holders = _index_texts(records=stored.values(), attributes=attributes)
    likely: dict[int, tuple[Any, tuple[str, ...]]] = {}
    for place, record in enumerate(records):
        same: dict[Any, list[str]] = {}
        for attribute, label, text in _list_comparable(access=access, draft=record):
            for pk in holders.get((attribute, fold_text(text.strip())), ()):
                same.setdefault(pk, []).append(_write_label(label))
        pk, labels = max(same.items(), key=lambda each: len(each[1]), default=(None, []))
        if len(labels) > 1:
            likely[place] = (stored[pk], tuple(labels))
    details = describe_namesakes(access=access, records=[record for record, _ in likely.values()])
    return {place: _build(record=record, same=same, details=details) for place, (record, same) in likely.items()}


def _index_texts(*, records: Iterable[Any], attributes: Sequence[str]) -> dict[tuple[str, str | None], list[Any]]:
    """Return attribute and folded text → primary keys of the records that hold it; each text is folded once."""
    holders: dict[tuple[str, str | None], list[Any]] = {}
    for record in records:
        for each in attributes:
            holders.setdefault((each, fold_text(getattr(record, each))), []).append(record.pk)
    return holders


def _build(*, record: Any, same: tuple[str, ...], details: Mapping[Any, str]) -> Duplicate:
    detail = details.get(record.pk, "")
    return Duplicate(record=record, label=describe_choice(record), detail=detail, url=get_record_url(record), same=same)


def _list_attributes(access: ObjectAccess) -> dict[str, str]:
    """Return label → attribute of the fields by which records of the object are known to be the same."""
    fields = [access.shape.fields[name] for name in access.vault_object.duplicate_fields if name in access.shape.fields]
    return {each.label: each.attribute for each in fields}


def _read_draft(*, access: ObjectAccess, values: Mapping[str, str]) -> Any:
    """Return an unsaved record with the texts, so that its name is the one that it would have."""
    draft: Any = access.vault_object.model()
    for name, text in values.items():
        field = access.shape.fields.get(name)
        if field is not None and not field.is_custom and not field.is_computed and field.reference is None:
            setattr(draft, field.attribute, text)
    draft.prepare_for_save()
    return draft


def _list_comparable(*, access: ObjectAccess, draft: Any) -> list[tuple[str, str, str]]:
    """Return attribute, label and text of what can be compared; a first name alone is not."""
    typed = [("name", "Name", draft.name)] if " " in draft.name.strip() else []
    typed += [(attribute, label, getattr(draft, attribute)) for label, attribute in _list_attributes(access).items()]
    return [each for each in typed if len(fold_text((each[2] or "").strip()) or "") >= _SHORTEST]


def _list_same(*, record: Any, typed: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    return tuple(
        _write_label(label)
        for attribute, label, text in typed
        if fold_text(getattr(record, attribute)) == fold_text(text.strip())
    )


def _write_label(label: str) -> str:
    """Return a label as it stands inside of a sentence."""
    return label[:1].lower() + label[1:] if label[1:2].islower() else label
