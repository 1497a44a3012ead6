"""The command that saves what was asked of a record, whichever form it was typed into."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from ctms.audit.actors import Actor
from ctms.records.access import ObjectAccess
from ctms.records.fields.values import read_value
from ctms.records.writing.child_records import ChildChange, share_out, write_children
from ctms.records.writing.repeats import RepeatedError, derive_uid, is_made
from ctms.records.writing.services import RACE, put_values, write_values


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChange:
    """Creates a record or changes a stored one, with its child records: all of it or nothing.

    `values` and `confirmed` are those of `write_values`; references were found among the choices. For a new record,
    `repeated` holds the records for which it is created once each, by the object's `create_one_per`. `next_values` are
    those of a next step that is created for each, without child records; None if there is none. `is_once` says
    that the uid of the new record stands for the request: with the same uid it is not created again.
    """

    access: ObjectAccess
    record: Any
    values: Mapping[str, Any]
    actor: Actor
    children: Sequence[ChildChange] = ()
    repeated: Sequence[Any] = ()
    next_values: Mapping[str, Any] | None = None
    expected_version: int | None = None
    confirmed: Collection[str] = ()
    is_once: bool = False

    def save(self) -> list[Any]:
        """Write everything in one transaction; return the records, new ones as copies of `record`, next steps last.

        Raises what `write_values` raises, and RepeatedError if the record was created before.
        """
        if self.is_once and is_made(self.record.uid):
            raise RepeatedError(uid=self.record.uid)
        try:
            with transaction.atomic():
                saved = self._write()
                parents = saved[: self.count]
                for change in self.children:
                    shares = share_out(picker=change.picker, records=parents, names=self.repeated, chosen=change.added)
                    for record, added in zip(parents, shares, strict=True):
                        share = ChildChange(picker=change.picker, added=added, removed=change.removed)
                        write_children(change=share, record=record, actor=self.actor)
        except (ValidationError, IntegrityError) as error:
            # Another request may have created it in between: the database refuses the second of one uid.
            if self.is_once and is_made(self.record.uid):
                raise RepeatedError(uid=self.record.uid) from error
            if isinstance(error, IntegrityError):  # of a constraint that is checked when the transaction ends
                raise ValidationError(RACE) from error
            raise
        return saved

    @property
    def count(self) -> int:
        """How many records are written without their next steps."""
        return max(len(self.repeated), 1)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write: a stored record keeps its values and child records."""
        is_new = self.record._state.adding  # noqa: SLF001  Django's documented API
        return not (is_new or self.values or any(each.added or each.removed for each in self.children))

    def is_done(self, made: Sequence[Any]) -> bool:
        """Whether the records, which a request like this one created, hold what this one would write."""
        built = self.build_records()
        if len(built) != len(made):
            return False
        try:
            for (record, values, _), stored in zip(built, made, strict=True):
                put_values(
                    access=self.access,
                    record=record,
                    values=values,
                    references_are_checked=True,
                    users_are_checked=True,
                )
                type(record).fill_new([record], user=self.actor.user)
                fields = [self.access.shape.fields[name] for name in values]
                if any(
                    read_value(record=record, field=each) != read_value(record=stored, field=each) for each in fields
                ):
                    return False
            return all(self._has_children(change=each, made=made) for each in self.children)
        except ValidationError:
            return False

    def _has_children(self, *, change: ChildChange, made: Sequence[Any]) -> bool:
        made = made[: self.count]
        shares = share_out(picker=change.picker, records=made, names=self.repeated, chosen=change.added)
        return all(
            {each.pk for each in share} == {each.pk for each in change.picker.list_present(record)}
            for record, share in zip(made, shares, strict=True)
        )

    def build_records(self) -> list[tuple[Any, Mapping[str, Any], Any]]:
        """Return for each record that is written the record, its values, and what it is repeated for, or None."""
        if not self.record._state.adding:  # noqa: SLF001  Django's documented API
            return [(self.record, self.values, None)]
        name = self.access.vault_object.create_one_per
        steps = [self.values, *([self.next_values] if self.next_values is not None else [])]
        built = []
        for number, (values, each) in enumerate(product(steps, self.repeated or [None])):
            made = copy.copy(self.record)
            if hasattr(made, "custom_fields"):
                made.custom_fields = dict(made.custom_fields or {})
            made.uid = derive_uid(self.record.uid, number)
            built.append((made, values if each is None else {**values, name: each}, each))
        return built

    def _write(self) -> list[Any]:
        saved = []
        for record, values, repeated_for in self.build_records():
            try:
                write_values(
                    access=self.access,
                    record=record,
                    values=values,
                    actor=self.actor,
                    expected_version=self.expected_version,
                    references_are_checked=True,
                    confirmed=self.confirmed,
                )
            except ValidationError as error:
                raise _name_record(error, repeated_for if len(self.repeated) > 1 else None) from error
            saved.append(record)
        return saved


def _name_record(error: ValidationError, record: Any) -> ValidationError:
    """Return the error with the record's name before each message; unchanged if there is only one record."""
    if record is None or not hasattr(error, "error_dict"):
        return error
    return ValidationError(
        {name: [f"{record}: {text}" for each in found for text in each] for name, found in error.error_dict.items()}
    )
