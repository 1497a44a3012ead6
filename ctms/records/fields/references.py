"""References between records: which records may be chosen, and which other references a choice fills.

Most of it follows from the models: since an activity and its site both have a `study` of the same model, the study of
the activity limits the sites that may be chosen, and choosing a site fills the study. Other rules are declared as
`ReferenceChoices`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import ReferenceChoices, VaultObject, get_object_of_model
from ctms.configuration.snapshot import ObjectShape
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess, open_related
from ctms.records.fields.titles import get_code, get_title, join_caption
from ctms.records.fields.users import list_fitting, names_user

# Shown in place of the name of a record that the user may not read.
HIDDEN = "(not visible to you)"
# Name of the annotation that orders choices: lower comes first.
RANK = "offer_rank"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceScope:
    """A parent reference: `parent` is a field of the record, `attribute` its twin on the record referred to."""

    parent: ObjectField
    attribute: str
    may_be_empty: bool


def get_target(field: ObjectField) -> VaultObject | None:
    """Return the object that a reference field refers to; None for users and other models that are no object."""
    return get_object_of_model(field.reference) if field.reference else None


def list_scopes(*, shape: ObjectShape, field: ObjectField) -> list[ReferenceScope]:
    """Return the object's references that limit the choices of `field`, and that choosing a record fills.

    Users are none: the owner of an activity need not be that of its site.
    """
    if field.reference is None or field.is_custom:
        return []
    found = []
    for other in shape.fields.values():
        if other.reference in (None, User) or other.is_custom or other.is_read_only:
            continue
        if other.attribute == field.attribute:
            continue
        try:
            twin = field.reference._meta.get_field(other.attribute)
        except FieldDoesNotExist:
            continue
        if isinstance(twin, models.ForeignKey) and twin.related_model is other.reference:
            found.append(ReferenceScope(parent=other, attribute=other.attribute, may_be_empty=twin.null))
    return found


def is_filled_by_another(*, shape: ObjectShape, field: ObjectField) -> bool:
    """Whether choosing another reference fills the field, so that it may be left empty in a form."""
    return any(
        scope.parent.api_name == field.api_name
        for other in shape.fields.values()
        for scope in list_scopes(shape=shape, field=other)
    )


def list_visible(*, access: ObjectAccess, field: ObjectField) -> QuerySet[Any] | None:
    """Return the records of the field's target that the user sees; None if the user may not read the target."""
    if names_user(field):
        return User.objects.all()
    target = get_target(field)
    target_access = open_related(access=access, object_name=target.api_name) if target else None
    return target_access.list_records() if target_access else None


def can_name(*, access: ObjectAccess, model: type[models.Model], object_type: str = "") -> bool:
    """Whether the user may see the names of a model's records, because the profile lets the user read them.

    Everybody may see the names of users and of the admin console's records.
    """
    target = get_object_of_model(model)
    if target is None or target.is_setup:
        return True
    opened = open_related(access=access, object_name=target.api_name)
    return opened is not None and opened.allows("read", object_type)


def can_name_all(*, access: ObjectAccess, model: type[models.Model]) -> bool:
    """Whether the user may see the names of a model's records of every object type."""
    target = get_object_of_model(model)
    if target is None or target.is_setup:
        return True
    opened = open_related(access=access, object_name=target.api_name)
    return opened is not None and all(opened.allows("read", name) for name in opened.shape.types)


def can_name_record(*, access: ObjectAccess, record: models.Model) -> bool:
    """Whether the user may see the name of the record."""
    return can_name(access=access, model=type(record), object_type=getattr(record, "object_type", ""))


def list_choices(
    *, access: ObjectAccess, field: ObjectField, chosen: Mapping[str, Any] | None = None
) -> QuerySet[Any] | None:
    """Return the records that may be chosen now: visible, active, and fitting what is `chosen` already.

    `chosen` maps API names of the record's other references to uids. None if the user may not read the target.
    """
    if names_user(field):
        return list_fitting(shape=access.shape, chosen=chosen or {})
    records = list_visible(access=access, field=field)
    if records is None:
        return None
    records = records.filter(status=RecordStatus.ACTIVE)
    follows = access.vault_object.follows
    for scope in list_scopes(shape=access.shape, field=field):
        if follows.get(scope.parent.api_name) == field.api_name:
            continue  # it is changed along
        uid = (chosen or {}).get(scope.parent.api_name)
        if uid:
            fits = Q(**{f"{scope.attribute}__uid": uid})
            if scope.may_be_empty:
                fits |= Q(**{f"{scope.attribute}__isnull": True})
            records = records.filter(fits)
    offer = get_reference_choices(shape=access.shape, field=field)
    uid = (chosen or {}).get(offer.by) if offer else None
    return _limit_to_choices(access=access, records=records, offer=offer, uid=uid) if offer and uid else records


def get_reference_choices(*, shape: ObjectShape, field: ObjectField) -> ReferenceChoices | None:
    """Return the `ReferenceChoices` declared for a field; None if there are none."""
    return None if field.is_custom else shape.vault_object.reference_choices.get(field.api_name)


def _limit_to_choices(
    *, access: ObjectAccess, records: QuerySet[Any], offer: ReferenceChoices, uid: Any
) -> QuerySet[Any]:
    """Limit the records to those that fit the record `uid`, and rank them; none if the user does not see it."""
    deciding = list_visible(access=access, field=access.shape.fields[offer.by])
    decider = deciding.filter(uid=uid).first() if deciding is not None else None
    if decider is None:
        return records.none()
    rank = Case(When(offer.build_first(decider), then=Value(0)), default=Value(1), output_field=IntegerField())
    ranked: QuerySet[Any] = records.filter(offer.build(decider)).annotate(**{RANK: rank})
    return ranked


def list_filled(*, shape: ObjectShape, field: ObjectField, record: Any) -> dict[str, Any]:
    """Return the parent references that choosing `record` fills: API name → record."""
    filled = {}
    for scope in list_scopes(shape=shape, field=field):
        parent = getattr(record, scope.attribute)
        if parent is not None:
            filled[scope.parent.api_name] = parent
    return filled


def describe_filled(*, access: ObjectAccess, filled: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Convert filled references for the page's script: API name → uid and label."""
    return {
        name: {"uid": str(record.uid), "label": describe_reference(access=access, record=record)}
        for name, record in filled.items()
    }


def select_scopes(*, records: QuerySet[Any], shape: ObjectShape, field: ObjectField) -> QuerySet[Any]:
    """Select related records that `list_filled` reads from each record."""
    attributes = [each.attribute for each in list_scopes(shape=shape, field=field)]
    return records.select_related(*attributes) if attributes else records


def describe_choice(record: Any) -> str:
    """Return the text of a choice: name and e-mail of a person, else name and caption field, or title and name."""
    contact = getattr(record, "display_contact", "")
    if contact:
        return str(contact)
    vault_object = get_object_of_model(type(record))
    if vault_object is None or not vault_object.caption_field:
        return join_caption(name=get_title(record), caption=get_code(record))
    return join_caption(name=str(record), caption=getattr(record, vault_object.fields[vault_object.caption_field]))


def name_record(record: Any) -> str:
    """Return what people call a record: its title where its name is only a code, as the subject of an activity."""
    return get_title(record) if get_code(record) else describe_choice(record)


def describe_reference(*, access: ObjectAccess, record: Any) -> str:
    """Return the text of a record referred to, or `HIDDEN` if the user may not see its name."""
    return describe_choice(record) if can_name_record(access=access, record=record) else HIDDEN
