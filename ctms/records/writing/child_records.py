"""Child records that users pick on the form of their parent record: what can be chosen, and adding and removing them.

The choices depend on the parent's values in the form, saved or not. A form that creates several records offers what
fits any of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from ctms.audit.actors import Actor
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import ChildPicker, ReferenceChoices
from ctms.core.choices import RecordStatus
from ctms.core.errors import VaultError
from ctms.records.access import AccessRefusedError, ObjectAccess, open_related
from ctms.records.fields.references import RANK, describe_choice, get_reference_choices, list_choices, list_visible
from ctms.records.writing.services import build_record, delete_with_parts, write_values
from ctms.records.writing.validation import fill_parents

_NONE = Q(pk__in=())


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPickerAccess:
    """A child picker that the user may use. `access` is to the child object, `title` is the title of the section."""

    definition: ChildPicker
    title: str
    access: ObjectAccess
    can_add: bool
    can_remove: bool

    @property
    def reference(self) -> ObjectField:
        return self.access.shape.fields[self.definition.reference]

    @property
    def parent(self) -> ObjectField:
        return self.access.shape.fields[self.definition.parent]

    @property
    def choices(self) -> ReferenceChoices | None:
        """Return the declared choices that depend on the parent record, if there are any."""
        choices = get_reference_choices(shape=self.access.shape, field=self.reference)
        return choices if choices is not None and choices.by == self.definition.parent else None

    def list_children(self, record: Any) -> QuerySet[Any]:
        """Return all child records of a record, active or not, with the records that they refer to."""
        parts: QuerySet[Any] = self.access.vault_object.model._default_manager.filter(**{self.parent.attribute: record})
        return parts.select_related(self.reference.attribute).order_by("pk")

    def list_present(self, record: Any) -> list[Any]:
        """Return the records that the active child records refer to."""
        active = self.list_children(record).filter(status=RecordStatus.ACTIVE)
        return [getattr(part, self.reference.attribute) for part in active]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildChange:
    """The records for which a form adds a child record, and those whose child record it removes."""

    picker: ChildPickerAccess
    added: Sequence[Any]
    removed: Sequence[Any] = ()


def open_child_pickers(*, access: ObjectAccess, object_type: str) -> list[ChildPickerAccess]:
    """Return the child pickers whose section is in the layout, and whose records the profile allows to write."""
    sections = access.shape.get_layout(object_type).sections
    pickers = []
    for definition in access.vault_object.child_pickers:
        section = next(
            (
                each
                for each in sections
                if each.related is not None
                and each.related_field is not None
                and not each.prevent_creation
                and (each.related.api_name, each.related_field.api_name) == (definition.part, definition.parent)
            ),
            None,
        )
        parts = open_related(access=access, object_name=definition.part) if section else None
        if section is None or parts is None:
            continue
        if list_visible(access=parts, field=parts.shape.fields[definition.reference]) is None:
            continue
        can_add, can_remove = parts.can_create(), parts.allows("delete")
        if can_add or can_remove:
            pickers.append(
                ChildPickerAccess(
                    definition=definition, title=section.title, access=parts, can_add=can_add, can_remove=can_remove
                )
            )
    return pickers


def build_deciders(
    *, access: ObjectAccess, object_type: str, chosen: Mapping[str, Sequence[UUID]], record: Any = None
) -> list[Any]:
    """Build the parent records from the values of a form, to decide which choices fit; none of them is saved.

    `chosen` maps references to uids; other values come from `record`. There is one parent record for each uid of the
    object's `create_one_per` reference.
    """
    known: dict[str, list[Any]] = {}
    for name, uids in chosen.items():
        each = access.shape.fields.get(name)
        visible = list_visible(access=access, field=each) if each and each.reference and not each.is_custom else None
        if visible is not None:
            known[name] = list(visible.filter(uid__in=uids))
    repeated = access.vault_object.create_one_per
    deciders = []
    for one in known.pop(repeated, []) or [None]:
        decider = copy.copy(record) if record is not None else access.vault_object.model()
        for name, found in known.items():
            setattr(decider, access.shape.fields[name].attribute, found[0] if found else None)
        if one is not None:
            setattr(decider, access.shape.fields[repeated].attribute, one)
        fill_parents(shape=access.shape, record=decider, object_type=object_type)
        deciders.append(decider)
    return deciders


def list_child_choices(*, picker: ChildPickerAccess, deciders: Iterable[Any]) -> QuerySet[Any]:
    """Return the records that can be chosen: those that fit at least one of the deciders, ranked."""
    records = list_choices(access=picker.access, field=picker.reference)
    if records is None:
        raise TypeError(f"{picker.definition.name} is an entry of what the user may not read.")
    choices = picker.choices
    if choices is None:
        return records
    fits, first = _NONE, _NONE
    for decider in deciders:
        fits, first = fits | choices.build(decider), first | choices.build_first(decider)
    rank = Case(When(first, then=Value(0)), default=Value(1), output_field=IntegerField())
    ranked: QuerySet[Any] = records.filter(fits).annotate(**{RANK: rank})
    return ranked


def share_out(
    *, picker: ChildPickerAccess, records: Sequence[Any], names: Sequence[Any], chosen: Sequence[Any]
) -> list[list[Any]]:
    """Distribute the chosen records over several parent records; returns a list for each parent.

    A choice that ranks first for some parents goes only to those, such as people to their own site; any other goes to
    each parent that it fits. Raises ValidationError naming choices that fit no parent, and by `names` the parents that
    nothing is left for.
    """
    if len(records) == 1 or picker.choices is None or not chosen:
        return [list(chosen) for _ in records]
    people = type(chosen[0])._default_manager.filter(pk__in=[each.pk for each in chosen])
    first, fitting = (
        [set(people.filter(build(record)).values_list("pk", flat=True)) for record in records]
        for build in (picker.choices.build_first, picker.choices.build)
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
        raise ValidationError({picker.definition.name: problems})
    return shares


def write_children(*, change: ChildChange, record: Any, actor: Actor) -> None:
    """Add and remove child records of a record, in the caller's transaction.

    An inactive child record becomes active again. Changes that other users made meanwhile are kept. Raises
    ValidationError under the name of the picker.
    """
    picker = change.picker
    parts = {getattr(part, picker.reference.attribute).pk: part for part in picker.list_children(record)}
    problems: list[str] = []
    for each in change.removed:
        part = parts.get(each.pk)
        if part is not None and part.status == RecordStatus.ACTIVE:
            try:
                delete_with_parts(access=picker.access, record=part, actor=actor)
            except VaultError as error:
                problems.append(f"{each}: {error}")
    for each in change.added:
        try:
            _add_child(picker=picker, record=record, chosen=each, part=parts.get(each.pk), actor=actor)
        except AccessRefusedError as error:
            problems.append(f"{each}: {error}")
        except ValidationError as error:
            problems += [f"{each}: {text}" for text in error.messages]
    if problems:
        raise ValidationError({picker.definition.name: problems})


def _add_child(*, picker: ChildPickerAccess, record: Any, chosen: Any, part: Any, actor: Actor) -> None:
    if part is None:
        types = picker.access.list_creatable_types()
        part = build_record(access=picker.access, object_type=types[0].api_name if types else "")
        values = {picker.definition.parent: record, picker.definition.reference: chosen}
    elif part.status != RecordStatus.ACTIVE:
        values = {"status__v": RecordStatus.ACTIVE}
    else:
        return
    write_values(access=picker.access, record=part, values=values, actor=actor, references_are_checked=True)
