"""Records of a study: all that a record refers to is of its study, whoever writes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.utils.text import capfirst

from ctms.configuration.scope import find_study_path
from ctms.core.models import VaultRecord
from ctms.core.references import copy_parents


class StudyRecord(VaultRecord):
    """A record that belongs to a study. Every object with the scope `InStudy` has a model of this class.

    Before it is saved, a reference fills the wider ones that are empty: a site fills its country and its study. It is
    saved only if all its references lead to the same study, and it stays in its study while others of that study refer
    to it.
    """

    # Whether it is a place within a study, such as a site: what names a place names the wider places that fit.
    is_place: ClassVar[bool] = False

    class Meta:
        abstract = True

    def prepare_for_save(self) -> None:
        copy_parents(self, links=[(each.name, each.twin, each.parent) for each in _list_links(type(self))])
        super().prepare_for_save()

    def clean(self) -> None:
        super().clean()
        if errors := _list_contradictions(self):
            raise ValidationError(errors)

    @classmethod
    def list_holding(cls, records: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """Return those of these records that hold what they refer to in its study; the others follow it."""
        return records

    @classmethod
    def check_together(cls, changes: Sequence[tuple[Any, Any]]) -> None:
        super().check_together(changes)
        names = [name for name, _ in _list_study_references(cls)]
        moved = [
            (record, stored)
            for record, stored in changes
            if stored is None or any(_get_key(record, name) != _get_key(stored, name) for name in names)
        ]
        # With one reference there is nothing that could contradict it.
        attach_references(
            [record for record, _ in moved if sum(_get_key(record, name) is not None for name in names) > 1],
            names=names,
        )
        for record, stored in moved:
            if errors := _list_contradictions(record):
                raise ValidationError(errors)
            if stored is not None:
                _refuse_leaving(record=record, stored=stored)


def attach_references(records: Sequence[Any], *, names: Iterable[str]) -> None:
    """Load what records of one model refer to, where it is not loaded: a statement for each reference."""
    for name in names:
        bare = [each for each in records if _get_key(each, name) is not None and not _is_loaded(each, name)]
        if bare:
            target: Any = bare[0]._meta.get_field(name).related_model
            found = target._base_manager.in_bulk({_get_key(each, name) for each in bare})
            for each in bare:
                if (referred := found.get(_get_key(each, name))) is not None:
                    setattr(each, name, referred)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    """A reference `name` whose record has a reference `twin` to what the record's own reference `parent` leads to."""

    name: str
    parent: str
    twin: str
    must_fit: bool


@cache
def _list_study_references(model: type[models.Model]) -> tuple[tuple[str, str], ...]:
    """Return the references of a model to records of studies, each with the path from there to the study."""
    return tuple(
        (field.name, path)
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and (path := find_study_path(field.related_model))
    )


@cache
def _list_links(model: type[models.Model]) -> tuple[_Link, ...]:
    """Return by which references others are filled: first places, the narrowest first, then all others."""
    targets: dict[str, Any] = {
        name: model._meta.get_field(name).related_model for name, _ in _list_study_references(model)
    }
    links = []
    for name, target in targets.items():
        for twin, _ in _list_study_references(target):
            wider = target._meta.get_field(twin).related_model
            parents = [other for other, each in targets.items() if each is wider and other != name]
            # Of two references to the same object, neither is the one that the other record means.
            parents = [other for other in parents if other == twin] or parents
            if len(parents) == 1:
                must_fit = getattr(target, "is_place", False) and getattr(wider, "is_place", False)
                links.append(_Link(name=name, parent=parents[0], twin=twin, must_fit=must_fit))
    return tuple(
        sorted(
            links, key=lambda each: (not getattr(targets[each.name], "is_place", False), -_count(targets[each.name]))
        )
    )


def _count(model: type[models.Model]) -> int:
    return len(_list_study_references(model))


def _list_contradictions(record: Any) -> dict[str, str]:
    """Return what is wrong with each reference that does not fit the others, by name."""
    model: type[models.Model] = type(record)
    studies = [
        (name, path, study)
        for name, path in _list_study_references(model)
        if (study := _find_study(record, name, path)) is not None
    ]
    errors: dict[str, str] = {}
    # That of the record itself, if it names one; else that of its first reference.
    own_name, own_path, own = min(studies, key=lambda each: each[1] != "pk", default=("", "", None))
    for name, path, study in studies:
        if study != own:
            theirs, ours = _name_study(record, name, path), _name_study(record, own_name, own_path)
            errors[name] = f"{_name(getattr(record, name))} belongs to study {theirs}, not to {ours}. Choose another."
    for link in _list_links(model):
        if not link.must_fit or errors.keys() & {link.name, link.parent} or _get_key(record, link.name) is None:
            continue
        place, wider = getattr(record, link.name), getattr(record, link.parent)
        if wider is not None and _get_key(place, link.twin) != wider.pk:
            errors[link.name] = (
                f"{_name(place)} belongs to {getattr(place, link.twin)}, not to {wider}. Choose another."
            )
    return errors


def _refuse_leaving(*, record: Any, stored: Any) -> None:
    """Raise ValidationError if the record leaves its study while records of that study refer to it."""
    model: type[models.Model] = type(record)
    for name, path in _list_study_references(model):
        if path != "pk" or _get_key(record, name) == _get_key(stored, name):
            continue
        for relation in record._meta.related_objects:
            other = relation.related_model
            if (
                issubclass(other, StudyRecord)
                # One that leads to its study by this record alone goes along, and cannot contradict it.
                and len(_list_study_references(other)) > 1
                and other.list_holding(other._base_manager.filter(**{relation.field.name: record.pk})).exists()
            ):
                # Without saying which they are: whoever moves the record may not see them.
                kept = f"{_name(stored)} stays in {getattr(stored, name)}, because records of that study refer to it."
                remedy = "Change or delete those first, or create another in the other study."
                raise ValidationError({name: f"{kept} {remedy}"})


def _name(record: Any) -> str:
    return f"{capfirst(record._meta.verbose_name)} {record}"


def _find_study(record: Any, name: str, path: str) -> Any:
    """Return the key of the study to which a reference leads; None if one on the way is empty."""
    if path == "pk":
        return _get_key(record, name)
    *steps, last = f"{name}{LOOKUP_SEP}{path}".split(LOOKUP_SEP)
    for step in steps:
        if _get_key(record, step) is None:
            return None
        record = getattr(record, step)
    return _get_key(record, last)


def _name_study(record: Any, name: str, path: str) -> str:
    for step in f"{name}{LOOKUP_SEP}{path}".removesuffix(f"{LOOKUP_SEP}pk").split(LOOKUP_SEP):
        record = getattr(record, step)
    return str(record)


def _get_key(record: Any, name: str) -> Any:
    return getattr(record, record._meta.get_field(name).attname)


def _is_loaded(record: Any, name: str) -> bool:
    return bool(record._meta.get_field(name).is_cached(record))
