"""Turns each row of a file into a draft of a new or changed record, or of what is wrong with the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol
from uuid import UUID

from django.core.exceptions import ValidationError

from ctms.configuration.fields import OBJECT_TYPE
from ctms.configuration.snapshot import TypeShape
from ctms.core.text.dates import DateOrder
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.bulk.imports.cells import CellReader
from ctms.records.bulk.imports.chosen_records import ChosenRecords, UnusableRecordError
from ctms.records.bulk.imports.columns import Column, read_texts
from ctms.records.bulk.imports.dialects.numbers import DecimalMark
from ctms.records.bulk.imports.dialects.zeros import ZeroAnswer
from ctms.records.bulk.imports.files import FileRow
from ctms.records.bulk.imports.keys import MatchKey
from ctms.records.bulk.imports.matching import Key, RecordMatcher, UnmatchedRowError
from ctms.records.bulk.imports.references import ReferenceFinder
from ctms.records.bulk.imports.row_reading import RowReader, list_refused
from ctms.records.bulk.imports.user_references import UserFinder
from ctms.records.choices import ProblemKind
from ctms.records.fields.kinds.base import EMPTY
from ctms.records.fields.references import is_filled_by_another
from ctms.records.fields.users import names_user
from ctms.records.fields.values import read_value
from ctms.records.lists.duplicates import find_stored, has_duplicates
from ctms.records.writing.bulk_write import RowDraft, UniqueChecker, prepare_drafts
from ctms.records.writing.services import build_record
from ctms.records.writing.validation import REQUIRED


class _Options(Protocol):
    """The options that the user chose for reading the file."""

    @property
    def update_existing(self) -> bool: ...

    @property
    def clear_empty(self) -> bool: ...

    @property
    def orders(self) -> Mapping[str, DateOrder]: ...

    @property
    def marks(self) -> Mapping[str, DecimalMark]: ...

    @property
    def zero_answer(self) -> ZeroAnswer: ...

    @property
    def used(self) -> Mapping[int, UUID]: ...


@dataclass(kw_only=True)
class RowPlanner:
    """Plans the rows of one file for one user, in batches, in the order of the file.

    Between batches it remembers which records the texts name, and the line of each record.
    """

    access: ObjectAccess
    columns: Sequence[Column]
    key: MatchKey
    options: _Options
    headers: int
    reader: CellReader = field(init=False)
    finders: dict[str, ReferenceFinder] = field(init=False)
    rows: RowReader = field(init=False)
    matcher: RecordMatcher = field(init=False)
    unique: UniqueChecker = field(init=False)
    chosen: ChosenRecords = field(init=False)
    _unclear: set[int] = field(default_factory=set, init=False)  # lines of which the record, or its type, is unknown

    def __post_init__(self) -> None:
        zeros = self.options.zero_answer
        self.reader = CellReader(access=self.access, orders=self.options.orders, marks=self.options.marks)
        self.finders = {
            column.field.api_name: (UserFinder if names_user(column.field) else ReferenceFinder)(
                access=self.access, field=column.field, zeros=zeros
            )
            for column in self.columns
            if column.field.reference is not None
        }
        self.rows = RowReader(
            access=self.access,
            columns=self.columns,
            key_fields=self.key.fields,
            cells=self.reader,
            finders=self.finders,
            zeros=zeros,
            clear_empty=self.options.clear_empty,
        )
        self.matcher = RecordMatcher(
            access=self.access, key=self.key, reader=self.reader, finders=self.finders, zeros=zeros
        )
        self.chosen = ChosenRecords(access=self.access, used=self.options.used)
        self.unique = UniqueChecker(shape=self.access.shape, noun="line")

    def plan(self, rows: Sequence[FileRow]) -> list[RowDraft]:
        """Return a draft of each row, in the same order; nothing is written."""
        drafts = [RowDraft(number=row.line) for row in rows]
        texts = [self._read_texts(row=row, draft=draft) for row, draft in zip(rows, drafts, strict=True)]
        self._load_references(texts)
        keys = [self._read_key(texts=each, draft=draft) for each, draft in zip(texts, drafts, strict=True)]
        found = self.matcher.find_records([key for key in keys if key is not None])
        self.chosen.load(draft.number for draft in drafts)
        for draft, each, key in zip(drafts, texts, keys, strict=True):
            if not draft.problems:
                self._build_draft(draft=draft, texts=each, key=key, found=found)
        ready = [draft for draft in drafts if draft.record is not None and not draft.is_left_out]
        prepare_drafts(access=self.access, drafts=ready, unique=self.unique)
        self._warn_of_duplicates([draft for draft in ready if draft.is_new and not draft.problems])
        for draft, each in zip(drafts, texts, strict=True):
            if draft.number in self._unclear:
                self._check_unclear(draft=draft, texts=each)
        for draft in drafts:
            draft.name = str(draft.record or "")
        return drafts

    def _warn_of_duplicates(self, drafts: Sequence[RowDraft]) -> None:
        if not has_duplicates(self.access):
            return
        found = find_stored(access=self.access, records=[draft.record for draft in drafts])
        for place, each in found.items():
            known = f"{each.label}, {each.detail}," if each.detail else each.label
            told = f"{known} is there already: same {', '.join(each.same)}."
            drafts[place].warn(told, kind=ProblemKind.ALIKE, record=each.record)

    def skip(self, rows: Sequence[FileRow]) -> None:
        """Remember the lines of records that an earlier run has written, so that later lines cannot repeat them."""
        drafts = [RowDraft(number=row.line) for row in rows]
        texts = [self._read_texts(row=row, draft=draft) for row, draft in zip(rows, drafts, strict=True)]
        self._load_references(texts)
        for each, draft in zip(texts, drafts, strict=True):
            self._read_key(texts=each, draft=draft)

    def _read_texts(self, *, row: FileRow, draft: RowDraft) -> dict[str, str]:
        if len(row.cells) > self.headers and any(row.cells[self.headers :]):
            draft.refuse(
                f"The line has {len(row.cells)} cells, the first line names {self.headers} columns. Put text that "
                "contains the separator between quotation marks."
            )
        return read_texts(columns=self.columns, row=row)

    def _load_references(self, texts: Sequence[Mapping[str, str]]) -> None:
        for name, finder in self.finders.items():
            finder.load(each[name] for each in texts)

    def _read_key(self, *, texts: Mapping[str, str], draft: RowDraft) -> Key | None:
        if draft.problems:
            return None  # the cells of the line do not stand below their headings
        try:
            key = self.matcher.read_key(texts)
            if key is not None:
                self.matcher.note_line(key=key, line=draft.number)
        except UnmatchedRowError as error:
            self._refuse_key(draft=draft, texts=texts, error=error)
            return None
        return key

    def _build_draft(
        self, *, draft: RowDraft, texts: Mapping[str, str], key: Key | None, found: Mapping[Key, Sequence[Any]]
    ) -> None:
        try:
            record = None
            if key is not None:
                record = self.matcher.choose(key=key, found=found[key], line=draft.number)
            record = self.chosen.choose(draft=draft, matched=record)
        except UnmatchedRowError as error:
            self._refuse_key(draft=draft, texts=texts, error=error)
            return
        except UnusableRecordError as error:
            draft.refuse(str(error))
            self._unclear.add(draft.number)
            return
        if record is not None and not self.options.update_existing:
            draft.record, draft.is_left_out = record, True
            return
        draft.record = record if record is not None else self._build_record(draft=draft, texts=texts)
        if draft.record is not None:
            self.rows.read_into(draft=draft, texts=texts, is_new=record is None)

    def _check_unclear(self, *, draft: RowDraft, texts: Mapping[str, str]) -> None:
        """Add what is wrong with the cells of a row whose record or type is unknown, so that all is told at once."""
        draft.record = self.access.vault_object.model()  # never saved
        self.rows.read_into(draft=draft, texts=texts, is_new=True)
        if not self._key_labels & list_refused(draft):
            self._note_missing(draft=draft, texts=texts)
        draft.record = None

    def _note_missing(self, *, draft: RowDraft, texts: Mapping[str, str]) -> None:
        """Add what every new record needs, whatever its type, and no other cell fills."""
        shape, refused = self.access.shape, list_refused(draft)
        of_types = [each.required for each in self.access.list_creatable_types()]
        needed = frozenset.intersection(*of_types) if of_types else frozenset()
        for name, each in shape.fields.items():
            is_needed = (each.is_required or name in needed) and not each.is_read_only
            if not is_needed or each.label in refused or texts.get(name):
                continue
            if read_value(record=draft.record, field=each) in EMPTY and not is_filled_by_another(
                shape=shape, field=each
            ):
                draft.refuse(REQUIRED, label=each.label)

    def _refuse_key(self, *, draft: RowDraft, texts: Mapping[str, str], error: UnmatchedRowError) -> None:
        value = texts.get(error.field.api_name, "")
        draft.refuse(str(error), label=error.field.label, value=value, kind=error.kind)
        self._unclear.add(draft.number)

    def _build_record(self, *, draft: RowDraft, texts: Mapping[str, str]) -> Any:
        """Return a new record of the row's type; None, with a problem of the draft, if there can be none."""
        field = self.access.shape.fields.get(OBJECT_TYPE)
        text = texts.get(OBJECT_TYPE, "")
        try:
            if field is None:
                return build_record(access=self.access, object_type="")
            object_type = self.reader.read(field=field, text=text) if text else self._choose_type()
            return build_record(access=self.access, object_type=object_type)
        except AccessRefusedError as error:
            draft.refuse(str(error), label=field.label if field and text else "", value=text)
        except ValidationError as error:
            draft.refuse(" ".join(error.messages), label=field.label if field else "", value=text)
        self._unclear.add(draft.number)
        return None

    def _choose_type(self) -> str:
        possible: list[TypeShape] = self.access.list_creatable_types()
        if len(possible) == 1:
            return possible[0].api_name
        if not possible:
            raise AccessRefusedError(
                f"Your security profile does not allow you to create {self.access.vault_object.plural_label}."
            )
        raise ValidationError(f"Say which one: {', '.join(each.label for each in possible)}.")

    @cached_property
    def _key_labels(self) -> frozenset[str]:
        return frozenset(self.access.shape.fields[name].label for name in self.key.fields)
