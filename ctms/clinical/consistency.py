"""Consistency of references: what is chosen narrowly fills the wider, and nothing crosses from study to study."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError


def fill_wider_references(record: Any) -> None:
    """Site fills country, country fills study, where the wider one is empty. For records with those references."""
    study_person = getattr(record, "study_person", None)
    if study_person is not None:
        record.site = record.site or study_person.site
        record.study_country = record.study_country or study_person.study_country
        record.study = record.study or study_person.study
    if record.site is not None:
        record.study_country = record.study_country or record.site.study_country
        record.study = record.study or record.site.study
    if record.study_country is not None and record.study_id is None:
        record.study = record.study_country.study


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
    study_person = getattr(record, "study_person", None)
    if study_person is not None and study_person.study_id != record.study_id:
        errors["study_person"] = f"{study_person} belongs to study {study_person.study}, not to {record.study}."
    if errors:
        raise ValidationError(errors)


def check_order(*, record: Any, start: str, end: str) -> None:
    """Raise ValidationError if the end lies before the start; either may be empty."""
    first, last = getattr(record, start), getattr(record, end)
    if first is not None and last is not None and last < first:
        raise ValidationError({end: f"The end ({last}) lies before the start ({first})."})
