"""References between records: which of them may be chosen, and what choosing one says about the others.

Little is declared: where an activity and its site both have a `study` of the same model, the study of the activity
narrows the sites that may be chosen, and choosing a site fills the study. What the models do not say is an `Offer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import Offer, VaultObject, get_object_of_model, list_record_objects
from ctms.configuration.snapshot import Configuration, ObjectShape
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess, open_related
from ctms.records.expressions import name_value

# Stands for the name of a record that the user may not read.
HIDDEN = "(not visible to you)"
# Annotation of choices of which some come first: less is earlier.
RANK = "offer_rank"


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """`wider` is a field of the record, `attribute` the one of the same meaning of the record referred to."""

    wider: ObjectField
    attribute: str
    may_be_empty: bool


def get_target(field: ObjectField) -> VaultObject | None:
    """The object that a reference field refers to; None for users and other rows that are no object."""
    return get_object_of_model(field.reference) if field.reference else None


def list_narrowings(*, shape: ObjectShape, field: ObjectField) -> list[Narrowing]:
    """The fields of the object that narrow what `field` may refer to, and that it fills."""
    if field.reference is None or field.is_custom:
        return []
    found = []
    for other in shape.fields.values():
        if other.reference is None or other.is_custom or other.attribute == field.attribute or other.is_read_only:
            continue
        try:
            twin = field.reference._meta.get_field(other.attribute)
        except FieldDoesNotExist:
            continue
        if isinstance(twin, models.ForeignKey) and twin.related_model is other.reference:
            found.append(Narrowing(wider=other, attribute=other.attribute, may_be_empty=twin.null))
    return found


def is_filled_by_another(*, shape: ObjectShape, field: ObjectField) -> bool:
    """Whether choosing another reference fills the field, so that it may be left empty in a form."""
    return any(
        narrowing.wider.api_name == field.api_name
        for other in shape.fields.values()
        for narrowing in list_narrowings(shape=shape, field=other)
    )


def list_visible(*, access: ObjectAccess, field: ObjectField) -> QuerySet[Any] | None:
    """The records that `field` may refer to and that the user sees. None if the user may not read the target."""
    target = get_target(field)
    target_access = open_related(access=access, object_name=target.api_name) if target else None
    return target_access.list_records() if target_access else None


def can_name(*, access: ObjectAccess, model: type[models.Model], object_type: str = "") -> bool:
    """Whether the user may be told what records of a model are called: those that the profile lets the user read.

    Users and the console's records are known by name to everybody.
    """
    target = get_object_of_model(model)
    if target is None or target.is_setup:
        return True
    opened = open_related(access=access, object_name=target.api_name)
    return opened is not None and opened.allows("read", object_type)


def can_name_all(*, access: ObjectAccess, model: type[models.Model]) -> bool:
    """Whether the user may be told what every record of a model is called, of whatever object type."""
    target = get_object_of_model(model)
    if target is None or target.is_setup:
        return True
    opened = open_related(access=access, object_name=target.api_name)
    return opened is not None and all(opened.allows("read", name) for name in opened.shape.types)


def can_name_record(*, access: ObjectAccess, record: models.Model) -> bool:
    """The same of one record."""
    return can_name(access=access, model=type(record), object_type=getattr(record, "object_type", ""))


def list_choices(
    *, access: ObjectAccess, field: ObjectField, chosen: Mapping[str, Any] | None = None
) -> QuerySet[Any] | None:
    """The visible records that may be chosen now: those that are active and fit what is `chosen` already.

    `chosen` maps API names of the record's other references to uids. None if the user may not read the target.
    """
    records = list_visible(access=access, field=field)
    if records is None:
        return None
    records = records.filter(status=RecordStatus.ACTIVE)
    for narrowing in list_narrowings(shape=access.shape, field=field):
        uid = (chosen or {}).get(narrowing.wider.api_name)
        if uid:
            fits = Q(**{f"{narrowing.attribute}__uid": uid})
            if narrowing.may_be_empty:
                fits |= Q(**{f"{narrowing.attribute}__isnull": True})
            records = records.filter(fits)
    offer = get_offer(shape=access.shape, field=field)
    uid = (chosen or {}).get(offer.by) if offer else None
    return _limit_to_offer(access=access, records=records, offer=offer, uid=uid) if offer and uid else records


def get_offer(*, shape: ObjectShape, field: ObjectField) -> Offer | None:
    """What is declared of the choices of a field."""
    return None if field.is_custom else shape.vault_object.offers.get(field.api_name)


def _limit_to_offer(*, access: ObjectAccess, records: QuerySet[Any], offer: Offer, uid: Any) -> QuerySet[Any]:
    """What fits the record `uid`, ranked; nothing if the user does not see that."""
    deciding = list_visible(access=access, field=access.shape.fields[offer.by])
    decider = deciding.filter(uid=uid).first() if deciding is not None else None
    if decider is None:
        return records.none()
    rank = Case(When(offer.build_first(decider), then=Value(0)), default=Value(1), output_field=IntegerField())
    ranked: QuerySet[Any] = records.filter(offer.build(decider)).annotate(**{RANK: rank})
    return ranked


def list_filled(*, shape: ObjectShape, field: ObjectField, record: Any) -> dict[str, Any]:
    """What choosing `record` says about the wider references: API name → record."""
    filled = {}
    for narrowing in list_narrowings(shape=shape, field=field):
        wider = getattr(record, narrowing.attribute)
        if wider is not None:
            filled[narrowing.wider.api_name] = wider
    return filled


def describe_filled(*, access: ObjectAccess, filled: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The same for scripts: API name → uid and label."""
    return {
        name: {"uid": str(record.uid), "label": describe_reference(access=access, record=record)}
        for name, record in filled.items()
    }


def select_narrowing(*, records: QuerySet[Any], shape: ObjectShape, field: ObjectField) -> QuerySet[Any]:
    """Load with the records what `list_filled` says of each."""
    attributes = [each.attribute for each in list_narrowings(shape=shape, field=field)]
    return records.select_related(*attributes) if attributes else records


def list_custom_references(
    *, configuration: Configuration, model: type[models.Model]
) -> list[tuple[VaultObject, ObjectField]]:
    """Objects of the study teams with each of their custom fields that refers to records of the model."""
    return [
        (other, field)
        for other in list_record_objects()
        for field in configuration.get(other.api_name).fields.values()
        if field.is_custom and field.reference is model
    ]


def count_custom_references(*, configuration: Configuration, record: Any) -> list[tuple[VaultObject, int]]:
    """How many records of which objects name this one in custom fields, which no database keeps in order.

    One statement a field.
    """
    counts: dict[str, tuple[VaultObject, int]] = {}
    for other, field in list_custom_references(configuration=configuration, model=type(record)):
        records, name = name_value(records=other.model._base_manager.all(), field=field)
        naming = records.filter(**{name: str(record.uid)})
        number = (naming.exclude(pk=record.pk) if other.model is type(record) else naming).count()
        if number:
            counts[other.api_name] = (other, counts.get(other.api_name, (other, 0))[1] + number)
    return list(counts.values())


def describe_choice(record: Any) -> str:
    """A record as it is offered: people with their e-mail, all others by name and by what their object adds to it."""
    contact = getattr(record, "display_contact", "")
    if contact:
        return str(contact)
    vault_object = get_object_of_model(type(record))
    if vault_object is None or not vault_object.caption_field:
        return str(record)
    return join_caption(name=str(record), caption=getattr(record, vault_object.fields[vault_object.caption_field]))


def join_caption(*, name: str, caption: str) -> str:
    """The name of a record with what people know it by."""
    return f"{name} · {caption}" if caption else name


def describe_reference(*, access: ObjectAccess, record: Any) -> str:
    """The same of what a record refers to, whether or not the user may read it."""
    return describe_choice(record) if can_name_record(access=access, record=record) else HIDDEN
