"""Consistency of references: what is chosen narrowly fills the wider, and nothing crosses from study to study."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

_WIDER = ("site", "study_country", "study")
_BELONGING_TO_A_STUDY = ("study_person", "monitoring_event", "study_communication")


def fill_wider_references(record: Any) -> None:
    """Site fills country, country fills study, where the wider one is empty; a role, visit or communication the rest.

    For records with those references. Reads nothing where nothing is empty, so that many records can be saved at once.
    """
    for narrower in ("site", "study_country", *_BELONGING_TO_A_STUDY):
        empty = [wider for wider in _WIDER if getattr(record, f"{wider}_id") is None]
        if not empty:
            return
        if getattr(record, f"{narrower}_id", None) is not None:
            source = getattr(record, narrower)
            for wider in empty:
                setattr(record, f"{wider}_id", getattr(source, f"{wider}_id", None))


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
