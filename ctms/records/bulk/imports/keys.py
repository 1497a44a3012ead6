"""The keys by which rows find existing records: which there are, and which one the columns of a file propose."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import EmailField, UniqueConstraint

from ctms.configuration.snapshot import ObjectShape
from ctms.core.models import TYPED_AS

UID, EXTERNAL_ID, NAME = "uid__sys", "external_id__v", "name__v"
ALWAYS_CREATE = "none"
BY_COLUMNS = ""  # the key that the columns propose


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchKey:
    """Fields whose values together identify one record. Without fields, every row becomes a new record."""

    name: str
    label: str
    fields: tuple[str, ...]


def list_match_keys(shape: ObjectShape) -> list[MatchKey]:
    """Return the keys that can match rows with records, the surest first; the last one is to match nothing.

    They are UID, external ID, fields that are unique together, e-mail address, and name.
    """
    model = shape.vault_object.model
    names = {each.attribute: name for name, each in shape.fields.items()}
    found: list[tuple[str, ...]] = [(name,) for name in (UID, EXTERNAL_ID) if name in shape.fields]
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.fields and constraint.condition is None:
            attributes = [TYPED_AS.get(attribute, attribute) for attribute in constraint.fields]
            fields = tuple(names[attribute] for attribute in attributes if attribute in names)
            if len(fields) == len(constraint.fields):
                found.append(fields)
    found += [
        (names[each.name],)
        for each in model._meta.concrete_fields
        if isinstance(each, EmailField) and each.name in names
    ]
    if NAME in shape.fields and not any(NAME in fields for fields in found):
        found.append((NAME,))
    keys = [
        MatchKey(name="+".join(fields), label=" and ".join(shape.fields[name].label for name in fields), fields=fields)
        for fields in dict.fromkeys(found)
    ]
    return [*keys, MatchKey(name=ALWAYS_CREATE, label="Nothing: every row is a new record", fields=())]


def get_match_key(*, shape: ObjectShape, name: str) -> MatchKey:
    """Return the key of that name. Raises KeyError."""
    return {key.name: key for key in list_match_keys(shape)}[name]


def list_possible_keys(*, shape: ObjectShape, filled: Collection[str]) -> list[MatchKey]:
    """Return the keys whose fields are all among `filled`, the API names of columns with values."""
    return [key for key in list_match_keys(shape) if all(name in filled for name in key.fields)]
