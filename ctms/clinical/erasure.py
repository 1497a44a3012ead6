"""Erases a person on request: the personal values of the record, and their copies in what the application keeps.

Apps above this one register what they keep with `register_eraser`. The audit trail is not touched: its entries are
named, to be redacted by two people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Cast

from ctms.accounts.policies import has_permission
from ctms.audit.actors import Actor
from ctms.audit.change_sets import ERASURE
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.models import Person
from ctms.core.choices import RecordStatus
from ctms.core.errors import VaultError
from ctms.core.models import VaultRecord
from ctms.records.choices import OperationState
from ctms.records.models import BulkOperation, KeptAnswer, MergedRecord, OperationProblem

RowT = TypeVar("RowT", bound=models.Model)

PERMISSION = f"{Person.object_name}:delete"
ERASED = "Erased"
_EMPTIED = ("first_name", "email", "phone", "language", "npi", "person_identifier")
_IDENTIFYING = ("email", "phone", "npi", "person_identifier")
# The texts of a person in what is kept of one who was merged into another.
_TOLD = ("name", "last_name", "external_id", *(name for name in _EMPTIED if name != "language"))
_KEYS_PER_STATEMENT = 1000


class ErasureRefusedError(VaultError):
    """Nobody was erased; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedPerson:
    """Whom to forget: `record_uids` are those of the person and of all records that refer to them.

    `texts` are the person's values as they were, longest first; `identifiers` are those among them that nobody else
    has, by which rows are found that name no record.
    """

    pk: int
    record_uids: tuple[UUID, ...]
    texts: tuple[str, ...]
    identifiers: tuple[str, ...] = ()

    def clean(self, value: Any) -> Any:
        """Return a JSON value in which the word *Erased* stands in the place of the person's values."""
        return _replace(value, texts=self.texts)

    def clean_rows(self, rows: models.QuerySet[RowT], *, fields: tuple[str, ...]) -> int:
        """Clean fields of the rows about the person's records, or about none, such as a call, with an identifier.

        Returns how many rows were changed.
        """
        return sum(self.clean_row(row, fields=fields) for row in self._list_rows(rows, fields=fields))

    def _list_rows(self, rows: models.QuerySet[RowT], *, fields: tuple[str, ...]) -> Iterator[RowT]:
        for start in range(0, len(self.record_uids), _KEYS_PER_STATEMENT):
            yield from rows.filter(record_uid__in=self.record_uids[start : start + _KEYS_PER_STATEMENT])
        told = {f"told_{name}": Cast(name, models.TextField()) for name in fields}
        # JSON has letters beyond ASCII and quotation marks in an escaped form, depending on the database.
        texts = {form for each in self.identifiers for form in (each, json.dumps(each)[1:-1])}
        named = Q(*((f"{name}__icontains", text) for name in told for text in texts), _connector=Q.OR)
        if texts:
            found = rows.filter(record_uid__isnull=True).alias(**told).filter(named)
            yield from (row for row in found if self._names_person(row, fields=fields))

    def _names_person(self, row: models.Model, *, fields: tuple[str, ...]) -> bool:
        values = [getattr(row, name) for name in fields]
        return bool(_replace(values, texts=self.identifiers) != values)

    def is_named(self, value: Any) -> bool:
        """Whether one of the person's values stands in a JSON value."""
        return bool(self.clean(value) != value)

    def clean_row(self, row: models.Model, *, fields: tuple[str, ...]) -> bool:
        """Clean fields of a row; return whether it was changed."""
        cleaned = {name: self.clean(getattr(row, name)) for name in fields}
        changed = {name: value for name, value in cleaned.items() if value != getattr(row, name)}
        if changed:
            # A query set of Django's own: that of a model may refuse changes, which this one is meant to be.
            models.QuerySet(type(row)).filter(pk=row.pk).update(**changed)
        return bool(changed)


def _replace(value: Any, *, texts: Iterable[str]) -> Any:
    if isinstance(value, dict):
        return {key: _replace(each, texts=texts) for key, each in value.items()}
    if isinstance(value, list):
        return [_replace(each, texts=texts) for each in value]
    if not isinstance(value, str):
        return value
    for text in texts:
        # Whole words: the surname May is not in the month of May 2026 only, and Li in no English word.
        value = re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", ERASED, value, flags=re.IGNORECASE)
    return value


Eraser = Callable[[ErasedPerson], int]
_erasers: list[Eraser] = []


def register_eraser(eraser: Eraser) -> None:
    """Let `eraser` forget what its app keeps of a person; it returns the number of rows. Called from `ready()`."""
    _erasers.append(eraser)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What was done: the rows of the application that were cleaned, and the audit entries that are left to redact."""

    rows: int
    entry_ids: list[int]


def erase_person(*, person: Person, actor: Actor, reason: str) -> Erasure:
    """Replace a person's values and forget their copies, in one transaction.

    The record stays, Inactive, because activities refer to it. Raises ErasureRefusedError without the permission to
    delete persons or without a reason, and StaleRecordError if somebody else has changed the person.
    """
    if not has_permission(user=actor.user, permission=PERMISSION):
        raise ErasureRefusedError(f"{actor.user} may not erase persons: that takes the permission {PERMISSION}.")
    if not reason.strip():
        raise ErasureRefusedError("Give a reason: who asked for the erasure, and when.")
    actor = replace(actor, reference=ERASURE)
    with transaction.atomic():
        erased = _find_traces(person)
        for name in _EMPTIED:
            setattr(person, name, "")
        person.last_name = f"{ERASED} {str(person.uid)[:8]}"
        person.external_id, person.custom_fields, person.user = None, {}, None
        person.status = RecordStatus.INACTIVE
        save_record(record=person, actor=actor, reason=reason)
        rows = sum(
            eraser(erased) for eraser in (_erase_operations, _erase_operation_problems, _erase_answers, *_erasers)
        )
        entries = AuditEntry.objects.filter(record_uid__in=erased.record_uids).order_by("id")
        return Erasure(rows=rows, entry_ids=list(entries.values_list("id", flat=True)))


def _find_traces(person: Person) -> ErasedPerson:
    """Return whom to forget, with what is left of those who were merged into the person, whose values go here."""
    merged = MergedRecord.objects.filter(of_object=person.object_name, into_uid=person.uid)
    uids = {*_list_record_uids(person), *_list_former_uids(person.uid)}
    texts, identifiers = _list_texts(person), _list_identifiers(person)
    for row in merged:
        uids |= {row.record_uid, *_list_former_uids(row.record_uid)}
        former = {name: text for name, text in row.values.items() if text.strip()}
        texts |= {text for name, text in former.items() if name in _TOLD or name.startswith("custom_fields__")}
        identifiers |= {text for name, text in former.items() if name in ("external_id", *_IDENTIFYING)}
    merged.update(values={})
    return ErasedPerson(
        pk=person.pk,
        record_uids=tuple(sorted(uids)),
        texts=tuple(sorted(texts, key=len, reverse=True)),
        identifiers=tuple(sorted(identifiers)),
    )


def _erase_operations(erased: ErasedPerson) -> int:
    """Drop what was not confirmed and names the person, and clean the other operations.

    The rows of one that is confirmed stay until it ends, which empties them: it would write *Erased* instead.
    """
    waiting = BulkOperation.objects.filter(state__in=(OperationState.DRAFT, OperationState.CHECKING))
    naming = [each.pk for each in waiting.iterator() if erased.is_named([each.plan, each.content])]
    BulkOperation.objects.filter(pk__in=naming).delete()
    cleaned = 0
    for operation in BulkOperation.objects.defer("content", "basis").iterator():
        is_over = operation.finished_at is not None
        cleaned += erased.clean_row(operation, fields=("plan", "message") if is_over else ("message",))
    return len(naming) + cleaned


def _erase_operation_problems(erased: ErasedPerson) -> int:
    return erased.clean_rows(OperationProblem.objects.all(), fields=("record_name", "value", "message"))


def _erase_answers(erased: ErasedPerson) -> int:
    """Clean what answers to batches say of rows that were refused: it may quote what was sent."""
    answers = KeptAnswer.objects.filter(results__isnull=False)
    return sum(erased.clean_row(each, fields=("results",)) for each in answers.iterator())


def _list_record_uids(person: Person) -> tuple[UUID, ...]:
    found = {person.uid}
    for relation in person._meta.related_objects:
        model = relation.related_model
        if issubclass(model, VaultRecord):
            found.update(model._base_manager.filter(**{relation.field.name: person}).values_list("uid", flat=True))
    return tuple(sorted(found))


def _list_former_uids(uid: UUID) -> set[UUID]:
    """Return the uids of records whose audit entries name the person, also if they do not refer to them any more."""
    entries = AuditEntry.objects.annotate(told=Cast("words", models.TextField())).filter(told__contains=str(uid))
    return {uid for uid in entries.order_by().values_list("record_uid", flat=True).distinct() if uid is not None}


def _list_identifiers(person: Person) -> set[str]:
    values = [person.external_id or "", *(getattr(person, name) for name in _IDENTIFYING)]
    return {value for value in values if value.strip()}


def _list_texts(person: Person) -> set[str]:
    values = [person.full_name, person.name, person.last_name, person.external_id or ""]
    values += [getattr(person, name) for name in _EMPTIED if name != "language"]
    values += [value for value in person.custom_fields.values() if isinstance(value, str)]
    return {value for value in values if value.strip()}
