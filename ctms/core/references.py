"""Fills references of a record from its other references: a site belongs to a country, and a country to a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def copy_parents(record: Any, *, links: Sequence[tuple[str, str, str]]) -> None:
    """Fill empty references of the record from those that are set.

    A link (`site`, `study`, `trial`) means: if the record has a site and no trial, the study of the site is its trial.
    Links are applied in order, and again as long as they fill something, so that a filled reference can fill others.
    Without empty references nothing is read.
    """
    while any(_copy(record, reference=reference, twin=twin, parent=parent) for reference, twin, parent in links):
        pass


def _copy(record: Any, *, reference: str, twin: str, parent: str) -> bool:
    """Whether the reference `parent` was empty and is filled now."""
    own, reference_field = record._meta.get_field(parent), record._meta.get_field(reference)
    if getattr(record, own.attname) is not None or getattr(record, reference_field.attname) is None:
        return False
    source = getattr(record, reference)
    field = source._meta.get_field(twin)
    # What is loaded already is assigned as it is, so that it is not read once for each of many records.
    if field.is_cached(source):
        setattr(record, parent, getattr(source, twin))
    else:
        setattr(record, own.attname, getattr(source, field.attname))
    return getattr(record, own.attname) is not None
