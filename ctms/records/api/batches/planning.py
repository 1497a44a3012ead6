"""Turns the rows of a batch into drafts of new and changed records, or into what is wrong with a row.

Records, keys, references and unique values are looked up for all rows together, so that statements do not grow with
the rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import Http404
from rest_framework import exceptions

from ctms.audit.actors import Actor
from ctms.audit.reasons import ReasonRequiredError, list_reasoned
from ctms.audit.values import list_changes, read_values
from ctms.audit.words import flatten
from ctms.core.errors import StaleRecordError, VaultError
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.api.batches.bodies import ANY_VERSION, CREATE, DELETE, UPSERT, RowRequest
from ctms.records.api.batches.problems import describe_draft, describe_unconfirmed
from ctms.records.api.conflicts import (
    EXTERNAL_ID,
    build_conflict,
    build_merged,
    find_refused_uids,
    read_external_id,
    read_uid,
)
from ctms.records.api.creating import begin_record, require_create
from ctms.records.api.errors import AMBIGUOUS, ApiProblem, ConflictError, PreconditionRequiredError, read_problem
from ctms.records.api.keys import AmbiguousKeyError, InvalidKeyError, KeyFinder
from ctms.records.api.references import References
from ctms.records.api.serializers import CONFIRMED, UID, RecordInputSerializer, show_records
from ctms.records.fields.values import select_references
from ctms.records.merging.redirects import find_winners
from ctms.records.writing.bulk_write import RowDraft, UniqueChecker, load_for_writing, prepare_drafts

_KEY = "key"


@dataclass(slots=True, kw_only=True)
class PlannedRow:
    """A row of a batch: what it asks for, the record that it is about, and its draft, or why it is refused."""

    number: int
    request: RowRequest
    record: Any = None  # that is stored
    body: Mapping[str, Any] = field(default_factory=dict)
    draft: RowDraft | None = None
    confirmed: Sequence[str] = ()
    problem: ApiProblem | None = None

    @property
    def is_deletion(self) -> bool:
        return self.request.operation == DELETE

    @property
    def is_creation(self) -> bool:
        return self.record is None and self.request.operation in (CREATE, UPSERT)

    def refuse(self, error: Exception) -> None:
        """Note why the row is refused. Raises the error again if it is a fault of the Vault."""
        self.problem = read_problem(error)
        if self.problem is None:
            raise error


@dataclass(frozen=True, kw_only=True)
class BatchPlanner:
    """Plans the rows of a batch for one user."""

    access: ObjectAccess
    requests: Sequence[RowRequest]
    actor: Actor

    def plan(self) -> list[PlannedRow]:
        """Return the rows as they would be written now. Takes a number of statements that does not grow with them."""
        rows = [PlannedRow(number=number, request=request) for number, request in enumerate(self.requests)]
        self._match(rows)
        _for_each(rows, self._require_current)
        self._refuse_repeated(rows)
        references = self._load_references(rows)
        self._refuse_existing(rows, references=references)
        self._read(rows, references=references)
        drafts = [row.draft for row in rows if row.draft is not None]
        prepare_drafts(access=self.access, drafts=drafts, unique=UniqueChecker(shape=self.access.shape, noun="row"))
        for row in rows:
            self._judge(row)
        return rows

    def _match(self, rows: Sequence[PlannedRow]) -> None:
        """Find the records that the keys of the rows name."""
        records = select_references(
            records=load_for_writing(self.access.list_records()), fields=self.access.shape.fields.values()
        )
        finder = KeyFinder(access=self.access, records=records)
        named = [row for row in rows if row.request.operation != CREATE]
        finder.load(row.request.key for row in named)
        uids = {uid for row in named if (uid := read_uid(row.request.key.get(UID))) is not None}
        winners = find_winners(access=self.access, uids=uids) if uids else {}

        def find(row: PlannedRow) -> None:
            row.record = _find_record(finder, row.request.key)
            uid = read_uid(row.request.key.get(UID))
            if row.record is None and uid in winners:
                raise build_merged(access=self.access, winner=winners[uid])
            if row.record is None and row.request.operation != UPSERT:
                raise Http404(f"There is no {self.access.vault_object.label} of this key, or it is not visible to you.")
            row.body = {**row.request.key, **row.request.values} if row.is_creation else row.request.values

        _for_each(named, find)
        for row in rows:
            if row.request.operation == CREATE:
                row.body = row.request.values

    def _require_current(self, row: PlannedRow) -> None:
        """Raise what the user may not do with the row, and if it is not about the version that the record has."""
        if row.record is None:
            require_create(self.access)
            return
        refusal = self.access.explain_delete(row.record) if row.is_deletion else self.access.explain_edit(row.record)
        if refusal:
            raise AccessRefusedError(refusal)
        version = row.request.version
        if version is None and row.request.operation != UPSERT:
            raise PreconditionRequiredError(
                "Send the version that the record was read with, so that nobody's change is lost."
            )
        if version not in (None, ANY_VERSION, row.record.version):
            raise StaleRecordError(
                f"{row.record} is at version {row.record.version}, not {version}: somebody changed it. Read it and "
                "apply your change again; nothing was saved."
            )

    def _refuse_repeated(self, rows: Sequence[PlannedRow]) -> None:
        """Refuse rows about records that a row before is about."""
        seen: dict[Any, int] = {}

        def note(row: PlannedRow) -> None:
            own: list[Any] = [row.record.uid] if row.record is not None else [read_uid(row.body.get(UID))]
            if row.record is None and row.request.operation == UPSERT:
                own.append(json.dumps(row.request.key, sort_keys=True))
            for each in own:
                first = seen.setdefault(each, row.number) if each is not None else row.number
                if first != row.number:
                    raise ConflictError(f"Row {first} is about the same record. Leave one.", code="duplicate-row")

        _for_each(rows, note)

    def _load_references(self, rows: Sequence[PlannedRow]) -> References:
        references = References(access=self.access)
        bodies = [row.body for row in rows if row.problem is None]
        for name, each in self.access.shape.fields.items():
            if each.reference is not None and not each.is_read_only:
                references.load(field=each, values=[body[name] for body in bodies if name in body])
        return references

    def _refuse_existing(self, rows: Sequence[PlannedRow], *, references: References) -> None:
        """Refuse new records whose uid or external ID others have, as a creation by itself is refused."""
        new = [row for row in rows if row.is_creation and row.problem is None]
        uids = {uid for row in new if (uid := read_uid(row.body.get(UID))) is not None}
        texts = {text for row in new if (text := read_external_id(row.body.get(EXTERNAL_ID)))}
        if not uids and not texts:
            return
        visible = select_references(records=self.access.list_records(), fields=self.access.shape.fields.values())
        found = list(visible.filter(Q(uid__in=uids) | Q(external_id__in=texts)))
        shown = self._show(found)
        by_uid, by_text = {each.uid: each for each in found}, {each.external_id: each for each in found}
        refused = find_refused_uids(access=self.access, uids=uids.difference(by_uid)) if uids else {}

        def refuse(row: PlannedRow) -> None:
            uid, text = read_uid(row.body.get(UID)), read_external_id(row.body.get(EXTERNAL_ID))
            for name, record in (
                (UID, by_uid.get(uid) if uid else None),
                (EXTERNAL_ID, by_text.get(text) if text else None),
            ):
                if record is not None:
                    raise build_conflict(
                        access=self.access,
                        record=record,
                        body=row.body,
                        name=name,
                        references=references,
                        shown=shown[record.uid],
                    )
            if uid in refused:
                raise refused[uid]

        _for_each(new, refuse)

    def _read(self, rows: Sequence[PlannedRow], *, references: References) -> None:
        """Read the values of the rows into drafts."""
        common: dict[str, Any] = {"shape": self.access.shape, "access": self.access, "references": references}
        created = RecordInputSerializer(**common)
        changed = RecordInputSerializer(**common, partial=True)
        written = [row for row in rows if not row.is_deletion and row.problem is None]
        shown = self._show([row.record for row in written if row.record is not None])

        def read(row: PlannedRow) -> None:
            serializer = created if row.record is None else changed
            serializer.instance = row.record
            serializer.shown = shown[row.record.uid] if row.record is not None else None
            values = dict(serializer.run_validation(dict(row.body)))
            row.confirmed = values.pop(CONFIRMED, ())
            record = row.record if row.record is not None else begin_record(access=self.access, values=values)
            row.draft = RowDraft(number=row.number, record=record, values=values)

        _for_each(written, read)

    def _show(self, records: Sequence[Any]) -> dict[UUID, dict[str, Any]]:
        shown = show_records(records=list(records), access=self.access) if records else []
        return {record.uid: each for record, each in zip(records, shown, strict=True)}

    def _judge(self, row: PlannedRow) -> None:
        """Refuse a row whose draft cannot be written, or lacks a confirmation or the reason for the change."""
        draft = row.draft
        if draft is None:
            return
        if draft.problems:
            row.problem = describe_draft(draft)
            return
        asked = [each for each in draft.questions if each.name not in row.confirmed]
        if asked:
            row.problem = describe_unconfirmed(asked)
        elif row.record is not None and not self.actor.reason.strip():
            changes = list_changes(before=draft.before, after=read_values(draft.record))
            names = [name for name, _ in flatten(changes)]
            if missing := [self._reasoned[name] for name in dict.fromkeys(names) if name in self._reasoned]:
                row.refuse(ReasonRequiredError(missing))
        if row.problem is not None:
            draft.refuse(row.problem.detail)

    @cached_property
    def _reasoned(self) -> dict[str, str]:
        return list_reasoned(self.access.vault_object.model)


def _find_record(finder: KeyFinder, key: Mapping[str, Any]) -> Any:
    try:
        return finder.find(key)
    except InvalidKeyError as error:
        raise exceptions.ValidationError({_KEY: str(error)}) from error
    except AmbiguousKeyError as error:
        raise ConflictError(str(error), code=AMBIGUOUS) from error


def _for_each(rows: Iterable[PlannedRow], step: Callable[[PlannedRow], None]) -> None:
    """Take a step with each row that nothing is wrong with so far; note what is."""
    for row in rows:
        if row.problem is not None:
            continue
        try:
            step(row)
        except (VaultError, ValidationError, exceptions.ValidationError, Http404) as error:
            row.refuse(error)
