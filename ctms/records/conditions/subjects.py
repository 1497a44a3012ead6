"""The subject of a condition: a field of a record, or of a record that its references lead to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.conditions.kinds import list_operators
from ctms.records.fields.comparing.askers import Asker

MOST_STEPS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A reference on the way to the field, and the object that it leads to."""

    reference: ObjectField
    target: ObjectShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A field and the references that lead to it; `shape` is the object that has the field."""

    shape: ObjectShape
    field: ObjectField
    steps: tuple[Step, ...] = ()

    @property
    def path(self) -> str:
        """The API names on the way, such as `study__v.sponsor__v`."""
        return ".".join([*(step.reference.api_name for step in self.steps), self.field.api_name])

    @property
    def label(self) -> str:
        """The labels on the way, such as `Study: Sponsor`."""
        return ": ".join([*(step.reference.label for step in self.steps), self.field.label])

    @property
    def group(self) -> str:
        """The labels of the references alone; empty for a field of the record itself."""
        return ": ".join(step.reference.label for step in self.steps)


def find_subject(*, asker: Asker, object_name: str, path: str) -> Subject | None:
    """Return the field at a path; None if it does not exist (any more), or the asker may not ask about it."""
    shape = asker.configuration.get(object_name)
    *names, last = path.split(".")
    if len(names) > MOST_STEPS:
        return None
    steps: list[Step] = []
    for name in names:
        step = _find_step(asker=asker, reference=shape.fields.get(name))
        if step is None:
            return None
        steps.append(step)
        shape = step.target
    field = shape.fields.get(last)
    if field is None or not asker.may_ask(field):
        return None
    return Subject(shape=shape, field=field, steps=tuple(steps))


def list_own_subjects(*, asker: Asker, object_name: str, object_type: str = "") -> list[Subject]:
    """Return the fields of the object, or of one of its types, by label."""
    shape = asker.configuration.get(object_name)
    fields = shape.list_type_fields(object_type) if object_type in shape.types else shape.fields.values()
    # The type itself is fixed if it is given.
    fixed = {OBJECT_TYPE} if object_type else set()
    return [
        Subject(shape=shape, field=each)
        for each in _sort(fields)
        if each.api_name not in fixed and _may_offer(asker=asker, field=each)
    ]


def list_subjects(*, asker: Asker, object_name: str, object_type: str = "") -> list[Subject]:
    """Return the fields that forms offer: those of the object, then those of records that it refers to."""
    own = list_own_subjects(asker=asker, object_name=object_name, object_type=object_type)
    return [*own, *_list_referred(asker=asker, own=own)]


def _list_referred(*, asker: Asker, own: Iterable[Subject]) -> Iterator[Subject]:
    for each in own:
        step = _find_step(asker=asker, reference=each.field)
        if step is not None:
            for field in _sort(step.target.fields.values()):
                if _may_offer(asker=asker, field=field):
                    yield Subject(shape=step.target, field=field, steps=(step,))


def _find_step(*, asker: Asker, reference: ObjectField | None) -> Step | None:
    target = asker.find_target(reference) if reference is not None and asker.may_follow(reference) else None
    return Step(reference=reference, target=target) if reference is not None and target is not None else None


def _may_offer(*, asker: Asker, field: ObjectField) -> bool:
    return asker.may_ask(field) and bool(list_operators(asker=asker, field=field))


def _sort(fields: Iterable[ObjectField]) -> list[ObjectField]:
    return sorted(fields, key=lambda each: each.label.casefold())
