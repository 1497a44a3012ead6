"""Lets everything that refers to one record refer to another: foreign keys of every model, and custom fields.

A row that would then be there twice, by a unique constraint or because its object says so (`same_when`), is merged with
the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.db.models import ForeignKey, ManyToOneRel, QuerySet, UniqueConstraint

from ctms.audit.actors import Actor
from ctms.audit.services import delete_record, update_records
from ctms.configuration.registry import get_object_of_model
from ctms.configuration.snapshot import Configuration
from ctms.core.models import AuditedModel, VaultRecord
from ctms.records.fields.custom_references import list_custom_references
from ctms.records.fields.expressions import name_value
from ctms.records.fields.values import assign_value
from ctms.records.merging.redirects import keep_redirect
from ctms.records.models import Favourite, RecentView

_ROWS = 1000


def list_foreign_keys(model: type[models.Model]) -> list[ForeignKey[Any, Any]]:
    """Return every foreign key that refers to a model, those without a name on this side included."""
    relations = (each for each in model._meta.get_fields(include_hidden=True) if isinstance(each, ManyToOneRel))
    return [each.field for each in relations]


@dataclass(slots=True, kw_only=True)
class Move:
    """The moving of what refers to records, in a transaction of the caller. `moved` and `doubles` count by label."""

    configuration: Configuration
    actor: Actor
    reason: str
    moved: Counter[str] = field(default_factory=Counter)
    doubles: Counter[str] = field(default_factory=Counter)

    def replace(self, *, loser: Any, winner: Any) -> None:
        """Let all that refers to `loser` refer to `winner`, delete `loser`, and keep a redirect."""
        keys = list_foreign_keys(type(loser))
        # Rows outside of the audit trail first: what the deletions below add to them is about the loser, and goes.
        for key in sorted(keys, key=lambda each: issubclass(each.model, AuditedModel)):
            if issubclass(key.model, AuditedModel):
                self._move_records(key=key, loser=loser, winner=winner)
            else:
                _move_rows(key=key, loser=loser, winner=winner)
        self._move_custom(loser=loser, winner=winner)
        kept: tuple[Any, ...] = (Favourite, RecentView)
        for model in kept:
            rows = model._default_manager.filter(record_uid=loser.uid)
            there = model._default_manager.filter(record_uid=winner.uid).values_list("user", flat=True)
            rows.filter(user__in=list(there)).delete()
            rows.update(record_uid=winner.uid)
        keep_redirect(winner=winner, loser=loser)
        delete_record(record=loser, actor=self.actor, reason=self.reason)

    def _move_records(self, *, key: ForeignKey[Any, Any], loser: Any, winner: Any) -> None:
        for double, kept in list(_list_doubles(key=key, loser=loser, winner=winner)):
            self.doubles[str(key.model._meta.verbose_name_plural)] += 1
            self.replace(loser=double, winner=kept)
        for records in _read_batches(key.model._base_manager.filter(**{key.name: loser})):
            for record in records:
                setattr(record, key.name, winner)
            written = update_records(records=records, actor=self.actor, reason=self.reason)
            self.moved[str(key.model._meta.verbose_name_plural)] += len(written)

    def _move_custom(self, *, loser: Any, winner: Any) -> None:
        for other, each in list_custom_references(configuration=self.configuration, model=type(loser)):
            rows, name = name_value(records=other.model._base_manager.all(), field=each)
            for records in _read_batches(rows.filter(**{name: str(loser.uid)}).exclude(pk=_get_own_key(other, loser))):
                for record in records:
                    # The two are one: neither refers to itself because it referred to the other.
                    is_winner = other.model is type(winner) and record.pk == winner.pk
                    assign_value(record=record, field=each, value=None if is_winner else winner)
                written = update_records(records=records, actor=self.actor, reason=self.reason)
                self.moved[other.plural_label] += len(written)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SameRule:
    """Fields that may be there once together, in rows of the condition; whether empty ones are equal, too."""

    fields: tuple[str, ...]
    condition: models.Q | None = None
    empty_is_equal: bool = False


def _list_same_rules(model: type[models.Model]) -> list[_SameRule]:
    """Return the unique constraints of a model, and what its object says (`same_when`)."""
    rules = [
        _SameRule(fields=tuple(each.fields), condition=each.condition)
        for each in model._meta.constraints
        if isinstance(each, UniqueConstraint) and each.fields
    ]
    vault_object = get_object_of_model(model)
    if vault_object is not None and vault_object.same_when:
        # To people, two roles without a site are the same.
        rules.append(_SameRule(fields=vault_object.same_when, empty_is_equal=True))
    return rules


def _list_doubles(*, key: ForeignKey[Any, Any], loser: Any, winner: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each row of the loser that the winner has already, with the winner's."""
    seen: set[Any] = set()
    for rule in _list_same_rules(key.model):
        if key.name not in rule.fields:
            continue
        others = [_get_attname(key.model, name) for name in rule.fields if name != key.name]
        every = key.model._base_manager.order_by("pk")
        rows = every.filter(rule.condition) if rule.condition is not None else every
        kept = {tuple(getattr(row, name) for name in others): row for row in rows.filter(**{key.name: winner})}
        for row in rows.filter(**{key.name: loser}) if kept else ():
            own = tuple(getattr(row, name) for name in others)
            if own in kept and row.pk not in seen and (rule.empty_is_equal or None not in own):
                seen.add(row.pk)
                yield row, kept[own]


def _get_attname(model: type[models.Model], name: str) -> str:
    attname: str = model._meta.get_field(name).attname  # type: ignore[union-attr]  # a field of one value
    return attname


def _move_rows(*, key: ForeignKey[Any, Any], loser: Any, winner: Any) -> None:
    """Move rows that have no audit trail, such as what was declined; what the winner has already goes."""
    rows: QuerySet[Any] = models.QuerySet(key.model)
    doubles = [double.pk for double, _ in _list_doubles(key=key, loser=loser, winner=winner)]
    rows.filter(pk__in=doubles).delete()
    rows.filter(**{key.name: loser}).update(**{key.name: winner})


def _read_batches(records: QuerySet[Any]) -> Iterator[list[Any]]:
    """Yield the records until none is left that matches; the caller changes those that it gets."""
    while batch := list(records.order_by("pk")[:_ROWS]):
        yield batch


def _get_own_key(other: Any, loser: Any) -> Any:
    return loser.pk if isinstance(loser, VaultRecord) and other.model is type(loser) else None
