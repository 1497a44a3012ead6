"""Fills references of a record from its other references: a site belongs to a country, and a country to a study."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def copy_parents(record: Any, *, pairs: Iterable[tuple[str, str]]) -> None:
    """Fill empty references of the record from those that are set.

    A pair (`site`, `study`) means: if the record has a site and no study, it takes the study of the site. Pairs are
    applied in order, so that a filled reference can fill the next. Without empty references nothing is read.
    """
    for reference, parent in pairs:
        parent_field, reference_field = record._meta.get_field(parent), record._meta.get_field(reference)
        if getattr(record, parent_field.attname) is not None or getattr(record, reference_field.attname) is None:
            continue
        source = getattr(record, reference)
        twin = source._meta.get_field(parent)
        # A parent that is loaded already is assigned as it is, so that it is not read once for each of many records.
        if twin.is_cached(source):
            setattr(record, parent, getattr(source, parent))
        else:
            setattr(record, parent_field.attname, getattr(source, twin.attname))
