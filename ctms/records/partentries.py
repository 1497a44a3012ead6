"""Parts that are chosen on the form of their record: who may be chosen for it, and how they are written with it.

What is offered follows from the record as the form has it, saved or not; of a form for several records, from all.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from ctms.audit.actors import Actor
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import Offer, PartEntry
from ctms.core.choices import RecordStatus
from ctms.core.errors import VaultError
from ctms.records.access import AccessRefusedError, ObjectAccess, open_related
from ctms.records.checks import fill_wider
from ctms.records.references import RANK, describe_choice, get_offer, list_choices, list_visible
from ctms.records.services import build_record, delete_with_parts, write_values

_NONE = Q(pk__in=())


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPlan:
    """An entry in force: `access` is that to the parts, `title` what the page calls them."""

    entry: PartEntry
    title: str
    access: ObjectAccess
    can_add: bool
    can_remove: bool

    @property
    def reference(self) -> ObjectField:
        return self.access.shape.fields[self.entry.reference]

    @property
    def parent(self) -> ObjectField:
        return self.access.shape.fields[self.entry.parent]

    @property
    def offer(self) -> Offer | None:
        """What the parts offer by the record that they belong to."""
        offer = get_offer(shape=self.access.shape, field=self.reference)
        return offer if offer is not None and offer.by == self.entry.parent else None

    def list_parts(self, record: Any) -> QuerySet[Any]:
        """All parts of a record, active or not, with what they refer to."""
        parts: QuerySet[Any] = self.access.vault_object.model._default_manager.filter(**{self.parent.attribute: record})
        return parts.select_related(self.reference.attribute).order_by("pk")

    def list_present(self, record: Any) -> list[Any]:
        """What the active parts of a record refer to."""
        active = self.list_parts(record).filter(status=RecordStatus.ACTIVE)
        return [getattr(part, self.reference.attribute) for part in active]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartChange:
    """What a form asks of the parts of a record: for what there shall be one, and for what none any more."""

    plan: PartPlan
    added: Sequence[Any]
    removed: Sequence[Any] = ()


def plan_parts(*, access: ObjectAccess, object_type: str) -> list[PartPlan]:
    """The entries that the user meets: the layout holds their section, and the profile allows to write them."""
    sections = access.shape.get_layout(object_type).sections
    plans = []
    for entry in access.vault_object.part_entries:
        section = next(
            (
                each
                for each in sections
                if each.related is not None
                and each.related_field is not None
                and not each.prevent_creation
                and (each.related.api_name, each.related_field.api_name) == (entry.part, entry.parent)
            ),
            None,
        )
        parts = open_related(access=access, object_name=entry.part) if section else None
        if section is None or parts is None or list_visible(access=parts, field=_get_reference(parts, entry)) is None:
            continue
        can_add, can_remove = parts.can_create(), parts.allows("delete")
        if can_add or can_remove:
            plans.append(
                PartPlan(entry=entry, title=section.title, access=parts, can_add=can_add, can_remove=can_remove)
            )
    return plans


def _get_reference(parts: ObjectAccess, entry: PartEntry) -> ObjectField:
    return parts.shape.fields[entry.reference]


def build_deciders(
    *, access: ObjectAccess, object_type: str, chosen: Mapping[str, Sequence[UUID]], record: Any = None
) -> list[Any]:
    """The records for which parts are chosen, as a form has them; none of them is saved.

    `chosen` are the uids of their references; what it does not name is as in `record`. More than one, if there are
    several of the reference by which the object is repeated.
    """
    known: dict[str, list[Any]] = {}
    for name, uids in chosen.items():
        each = access.shape.fields.get(name)
        visible = list_visible(access=access, field=each) if each and each.reference and not each.is_custom else None
        if visible is not None:
            known[name] = list(visible.filter(uid__in=uids))
    repeated = access.vault_object.repeated_by
    deciders = []
    for one in known.pop(repeated, []) or [None]:
        decider = copy.copy(record) if record is not None else access.vault_object.model()
        for name, found in known.items():
            setattr(decider, access.shape.fields[name].attribute, found[0] if found else None)
        if one is not None:
            setattr(decider, access.shape.fields[repeated].attribute, one)
        fill_wider(shape=access.shape, record=decider, object_type=object_type)
        deciders.append(decider)
    return deciders


def list_part_choices(*, plan: PartPlan, deciders: Iterable[Any]) -> QuerySet[Any]:
    """Who can be chosen: whoever fits one of the records, ranked."""
    records = list_choices(access=plan.access, field=plan.reference)
    if records is None:
        raise TypeError(f"{plan.entry.name} is an entry of what the user may not read.")
    offer = plan.offer
    if offer is None:
        return records
    fits, first = _NONE, _NONE
    for decider in deciders:
        fits, first = fits | offer.build(decider), first | offer.build_first(decider)
    rank = Case(When(first, then=Value(0)), default=Value(1), output_field=IntegerField())
    ranked: QuerySet[Any] = records.filter(fits).annotate(**{RANK: rank})
    return ranked


def write_each(
    *,
    access: ObjectAccess,
    record: Any,
    values: Mapping[str, Any],
    repeated: Sequence[Any],
    parts: Sequence[PartChange],
    actor: Actor,
) -> list[Any]:
    """Create a record, or one for each of `repeated`, with their parts: all of them or none.

    `record` stays as it is: what is saved are copies. Raises what `write_values` raises.
    """
    name = access.vault_object.repeated_by
    saved: list[Any] = []
    with transaction.atomic():
        for each in repeated or [None]:
            made = copy.copy(record)
            if hasattr(record, "custom_fields"):
                made.custom_fields = dict(record.custom_fields or {})
            if saved:
                made.uid = uuid4()
            given = {**values, name: each} if each is not None else values
            try:
                write_values(access=access, record=made, values=given, actor=actor, references_are_checked=True)
            except ValidationError as error:
                raise _name_record(error, each if len(repeated) > 1 else None) from error
            saved.append(made)
        for change in parts:
            shares = share_out(plan=change.plan, records=saved, names=repeated, chosen=change.added)
            for made, share in zip(saved, shares, strict=True):
                write_parts(change=PartChange(plan=change.plan, added=share), record=made, actor=actor)
    return saved


def write_with_parts(
    *,
    access: ObjectAccess,
    record: Any,
    values: Mapping[str, Any],
    parts: Sequence[PartChange],
    actor: Actor,
    expected_version: int | None,
) -> None:
    """Change a record and its parts, or nothing. Raises what `write_values` raises."""
    with transaction.atomic():
        write_values(
            access=access,
            record=record,
            values=values,
            actor=actor,
            expected_version=expected_version,
            references_are_checked=True,
        )
        for change in parts:
            write_parts(change=change, record=record, actor=actor)


def share_out(
    *, plan: PartPlan, records: Sequence[Any], names: Sequence[Any], chosen: Sequence[Any]
) -> list[list[Any]]:
    """Who of those chosen for several records goes with which of them.

    Whoever comes first at some of the records belongs to those alone, as the people of a site do; all others go with
    each that they fit. Raises ValidationError naming who fits none, and by `names` a record that nobody is left for.
    """
    if len(records) == 1 or plan.offer is None or not chosen:
        return [list(chosen) for _ in records]
    people = type(chosen[0])._default_manager.filter(pk__in=[each.pk for each in chosen])
    first, fitting = (
        [set(people.filter(build(record)).values_list("pk", flat=True)) for record in records]
        for build in (plan.offer.build_first, plan.offer.build)
    )
    at_home = set().union(*first)
    shares = [
        [each for each in chosen if each.pk in (first[at] if each.pk in at_home else fitting[at])]
        for at in range(len(records))
    ]
    placed = {each.pk for share in shares for each in share}
    problems = [f"{each} belongs to none of what is chosen above." for each in chosen if each.pk not in placed]
    problems += [
        f"Nobody who is chosen here belongs to {describe_choice(name)}. Choose somebody of it, or leave it out above."
        for name, share in zip(names, shares, strict=True)
        if not share
    ]
    if problems:
        raise ValidationError({plan.entry.name: problems})
    return shares


def write_parts(*, change: PartChange, record: Any, actor: Actor) -> None:
    """Add and remove parts of a record, in the caller's transaction.

    A part that is there but inactive becomes active again. What others did meanwhile is left as it is. Raises
    ValidationError by the name of the entry.
    """
    plan = change.plan
    parts = {getattr(part, plan.reference.attribute).pk: part for part in plan.list_parts(record)}
    problems: list[str] = []
    for each in change.removed:
        part = parts.get(each.pk)
        if part is not None and part.status == RecordStatus.ACTIVE:
            try:
                delete_with_parts(access=plan.access, record=part, actor=actor)
            except VaultError as error:
                problems.append(f"{each}: {error}")
    for each in change.added:
        try:
            _add_part(plan=plan, record=record, chosen=each, part=parts.get(each.pk), actor=actor)
        except AccessRefusedError as error:
            problems.append(f"{each}: {error}")
        except ValidationError as error:
            problems += [f"{each}: {text}" for text in error.messages]
    if problems:
        raise ValidationError({plan.entry.name: problems})


def _add_part(*, plan: PartPlan, record: Any, chosen: Any, part: Any, actor: Actor) -> None:
    if part is None:
        types = plan.access.list_creatable_types()
        part = build_record(access=plan.access, object_type=types[0].api_name if types else "")
        values = {plan.entry.parent: record, plan.entry.reference: chosen}
    elif part.status != RecordStatus.ACTIVE:
        values = {"status__v": RecordStatus.ACTIVE}
    else:
        return
    write_values(access=plan.access, record=part, values=values, actor=actor, references_are_checked=True)


def _name_record(error: ValidationError, record: Any) -> ValidationError:
    """The same error, saying of which of several it is."""
    if record is None or not hasattr(error, "error_dict"):
        return error
    return ValidationError(
        {name: [f"{record}: {text}" for each in found for text in each] for name, found in error.error_dict.items()}
    )
