"""Keeps references consistent: fills parents from children, and refuses references to other studies."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from ctms.core.references import copy_parents

_PARENTS = ("site", "study_country", "study")
_BELONGING_TO_A_STUDY = ("study_person", "monitoring_event", "study_communication")


def fill_parent_references(record: Any) -> None:
    """Fill empty references: the country from the site, the study from the country.

    A study person, monitoring event or communication that the record refers to fills all three. References that the
    model does not have are left out. Without empty references nothing is read.
    """
    model: type[models.Model] = type(record)
    copy_parents(record, pairs=_list_pairs(model))


@cache
def _list_pairs(model: type[models.Model]) -> tuple[tuple[str, str], ...]:
    referred_to: dict[str, Any] = {each.name: each.related_model for each in model._meta.concrete_fields}
    return tuple(
        (name, parent)
        for name in ("site", "study_country", *_BELONGING_TO_A_STUDY)
        for parent in _PARENTS
        if name in referred_to and parent in {each.name for each in referred_to[name]._meta.concrete_fields}
    )


def check_same_study(record: Any) -> None:
    """Raise ValidationError naming each reference that belongs to another study than the record."""
    errors: dict[str, str] = {}
    country, site = record.study_country, record.site
    if country is not None and country.study_id != record.study_id:
        errors["study_country"] = f"{country} is a country of study {country.study}, not of {record.study}."
    if site is not None and site.study_id != record.study_id:
        errors["site"] = f"Site {site} belongs to study {site.study}, not to {record.study}."
    elif site is not None and site.study_country_id != record.study_country_id:
        errors["site"] = f"Site {site} is in {site.study_country}, not in {country}."
    for name in _BELONGING_TO_A_STUDY:
        reference = getattr(record, name, None)
        if reference is not None and reference.study_id != record.study_id:
            errors[name] = f"{reference} belongs to study {reference.study}, not to {record.study}."
    if errors:
        raise ValidationError(errors)


def check_order(*, record: Any, start: str, end: str) -> None:
    """Raise ValidationError if the end lies before the start; either may be empty."""
    first, last = getattr(record, start), getattr(record, end)
    if first is not None and last is not None and last < first:
        raise ValidationError({end: f"The end ({last}) lies before the start ({first})."})
