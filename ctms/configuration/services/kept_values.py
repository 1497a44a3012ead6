"""The values that records keep in a custom field: how many, which of a picklist, whether they fit new properties."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Count, F, FloatField, Max, Min
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast, Length, Round

from ctms.audit.actors import Actor
from ctms.audit.services import update_records
from ctms.configuration.kinds import find_custom_kind
from ctms.configuration.models import CustomField
from ctms.configuration.picklists import read_picklist
from ctms.configuration.selectors import find_object

_ROWS_PER_WRITE = 1000


def list_holders(field: CustomField) -> models.QuerySet[Any]:
    """Return the records that have a value in the field."""
    vault_object = find_object(field.of_object)
    if vault_object is None or not hasattr(vault_object.model, "custom_fields"):
        return models.QuerySet(CustomField).none()
    return vault_object.model._base_manager.filter(custom_fields__has_key=field.api_name).order_by()


def count_holders(field: CustomField) -> int:
    """Count the records that have a value in the field."""
    return list_holders(field).count()


def count_lacking(field: CustomField) -> int:
    """Count the records without a value in the field."""
    vault_object = find_object(field.of_object)
    return vault_object.model._base_manager.count() - count_holders(field) if vault_object else 0


def count_choices(field: CustomField) -> dict[str, int]:
    """Return for each value of a picklist that records have how many have it. Takes one statement."""
    kind = find_custom_kind(field.kind)
    counts = dict.fromkeys((each.api_name for each in read_picklist(field.picklist_values)), 0)
    kept = list_holders(field).annotate(kept=KeyTransform(field.api_name, "custom_fields"))
    for row in kept.values("kept").annotate(number=Count("pk")):
        for choice in counts:
            if kind.holds_choice(stored=row["kept"], choice=choice):
                counts[choice] += row["number"]
    return {choice: number for choice, number in counts.items() if number}


def move_choice(*, field: CustomField, old: str, new: str, actor: Actor, reason: str = "") -> int:
    """Put one value of a picklist in the place of another in every record; return how many were changed.

    The changes are like any other: in the audit trail, with a higher version, and transferred.
    """
    kind = find_custom_kind(field.kind)
    choices = {each.api_name: each for each in read_picklist(field.picklist_values)}
    if old not in choices:
        raise ValidationError({"old": "Choose the value whose records are to get another."})
    if new == old or new not in choices or not choices[new].is_active:
        raise ValidationError({"new": "Choose another value that is not retired."})
    moved = 0
    with transaction.atomic():
        records = list_holders(field).order_by("pk").annotate(kept=KeyTransform(field.api_name, "custom_fields"))
        wanted = [pk for pk, kept in records.values_list("pk", "kept") if kind.holds_choice(stored=kept, choice=old)]
        for start in range(0, len(wanted), _ROWS_PER_WRITE):
            batch = list(records.model._base_manager.filter(pk__in=wanted[start : start + _ROWS_PER_WRITE]))
            for record in batch:
                stored = record.custom_fields[field.api_name]
                swapped = kind.swap_choice(stored=stored, old=old, new=new)
                record.custom_fields = {**record.custom_fields, field.api_name: swapped}
            moved += len(update_records(records=batch, actor=actor, reason=reason))
    return moved


def find_misfits(*, field: CustomField, before: CustomField | None) -> dict[str, str]:
    """Return which new properties the values of records do not fit, by attribute; one statement for each property."""
    if before is None:
        return {}
    problems = {}
    text = Cast(KeyTextTransform(field.api_name, "custom_fields"), models.TextField())
    records = list_holders(field)
    if field.max_length is not None and field.max_length != before.max_length:
        longest = records.aggregate(longest=Max(Length(text)))["longest"] or 0
        if longest > field.max_length:
            problems["max_length"] = f"A record has {longest:,} characters. Enter at least that, or shorten it first."
    numbers = records.annotate(number=Cast(text, FloatField()))
    if field.least is not None and field.least != before.least:
        smallest = numbers.aggregate(found=Min("number"))["found"]
        if smallest is not None and smallest < float(field.least):
            problems["least"] = f"A record has {smallest:g}. Enter at most that, or correct it first."
    if field.greatest is not None and field.greatest != before.greatest:
        largest = numbers.aggregate(found=Max("number"))["found"]
        if largest is not None and largest > float(field.greatest):
            problems["greatest"] = f"A record has {largest:g}. Enter at least that, or correct it first."
    if field.decimals is not None and field.decimals != before.decimals:
        more = numbers.exclude(number=Round(F("number"), precision=field.decimals)).count()
        if more:
            problems["decimals"] = f"{more:,} records have more decimals. Allow them, or correct the records first."
    return problems
