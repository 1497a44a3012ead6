"""Turns each row of a file into a draft of a new or changed record, or of what is wrong with the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from django.core.exceptions import ValidationError

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.snapshot import TypeShape
from ctms.core.text.dates import DateOrder
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.bulk.imports.cells import CellReader
from ctms.records.bulk.imports.chosen_records import ChosenRecords, UnusableRecordError
from ctms.records.bulk.imports.columns import Column, read_texts
from ctms.records.bulk.imports.dialects.leavings import explain_leaving, explain_shortened
from ctms.records.bulk.imports.dialects.numbers import DecimalMark
from ctms.records.bulk.imports.dialects.zeros import LostZerosError, ZeroAnswer, explain_lost_zeros, list_padded
from ctms.records.bulk.imports.files import FileRow
from ctms.records.bulk.imports.keys import UID, MatchKey
from ctms.records.bulk.imports.matching import Key, RecordMatcher, UnmatchedRowError
from ctms.records.bulk.imports.references import ReferenceFinder
from ctms.records.bulk.imports.user_references import UserFinder
from ctms.records.choices import ProblemKind
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.users import names_user
from ctms.records.fields.values import format_for, format_value, read_value
from ctms.records.lists.duplicates import find_stored, has_duplicates
from ctms.records.lists.exports import CUT_MARK
from ctms.records.writing.bulk_write import RowDraft, UniqueChecker, prepare_drafts
from ctms.records.writing.services import build_record


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


@dataclass(slots=True, kw_only=True)
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
    matcher: RecordMatcher = field(init=False)
    unique: UniqueChecker = field(init=False)
    chosen: ChosenRecords = field(init=False)

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
        ready = [draft for draft in drafts if draft.record is not None and not (draft.problems or draft.is_left_out)]
        prepare_drafts(access=self.access, drafts=ready, unique=self.unique)
        self._warn_of_duplicates([draft for draft in ready if draft.is_new and not draft.problems])
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
            return None
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
            return
        if record is not None and not self.options.update_existing:
            draft.record, draft.is_left_out = record, True
            return
        draft.record = record if record is not None else self._build_record(draft=draft, texts=texts)
        self._read_values(draft=draft, texts=texts, is_new=record is None)

    def _refuse_key(self, *, draft: RowDraft, texts: Mapping[str, str], error: UnmatchedRowError) -> None:
        value = texts.get(error.field.api_name, "")
        draft.refuse(str(error), label=error.field.label, value=value, kind=error.kind)

    def _build_record(self, *, draft: RowDraft, texts: Mapping[str, str]) -> Any:
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
        return self.access.vault_object.model()  # never saved: only so that the other cells are checked too

    def _choose_type(self) -> str:
        possible: list[TypeShape] = self.access.list_creatable_types()
        if len(possible) == 1:
            return possible[0].api_name
        if not possible:
            raise AccessRefusedError(
                f"Your security profile does not allow you to create {self.access.vault_object.plural_label}."
            )
        raise ValidationError(f"Say which one: {', '.join(each.label for each in possible)}.")

    def _read_values(self, *, draft: RowDraft, texts: Mapping[str, str], is_new: bool) -> None:
        references = []
        for column in self.columns:
            text, name = texts[column.field.api_name], column.field.api_name
            if name == UID or (column.field.is_read_only and (is_new or name != OBJECT_TYPE)):
                continue  # used before: the uid to find the record, the type of a new one to build it
            if not text:
                if not is_new and self.options.clear_empty and name not in (OBJECT_TYPE, *self.key.fields):
                    draft.values[name] = kind_of(column.field).cleared
            elif column.field.reference is not None:
                references.append(column.field)
            elif not self._says_present(draft=draft, field=column.field, text=text):
                self._read_plain(draft=draft, field=column.field, text=text)
        # References that limit the choices of others are read first.
        for each in sorted(references, key=lambda each: len(self.finders[each.api_name].scopes)):
            self._read_reference(draft=draft, field=each, text=texts[each.api_name])

    def _read_plain(self, *, draft: RowDraft, field: ObjectField, text: str) -> None:
        problem = self._explain_loss(draft=draft, field=field, text=text)
        if problem:
            draft.refuse(problem[0], label=field.label, value=text, kind=problem[1])
            return
        try:
            draft.values[field.api_name] = self.reader.read(field=field, text=text)
        except ValidationError as error:
            if text != self._format_present(draft=draft, field=field):
                draft.refuse(" ".join(error.messages), label=field.label, value=text)
            return
        warning = _explain_doubt(field=field, text=text)
        if warning:
            draft.warn(warning, label=field.label, value=text)

    def _read_reference(self, *, draft: RowDraft, field: ObjectField, text: str) -> None:
        finder = self.finders[field.api_name]
        parent = {each.parent.label for each in finder.scopes}
        if any(problem.label in parent for problem in draft.problems):
            return  # the parent reference has to be right before this one can be looked up
        chosen = {
            each.parent.api_name: draft.values.get(
                each.parent.api_name, getattr(draft.record, each.parent.attribute, None)
            )
            for each in finder.scopes
        }
        present = read_value(record=draft.record, field=field) if not field.is_custom else None
        try:
            draft.values[field.api_name] = finder.find(text, chosen=chosen, present=present)
        except LostZerosError as error:
            draft.refuse(" ".join(error.messages), label=field.label, value=text, kind=ProblemKind.LOST_ZEROS)
        except ValidationError as error:
            if text != self._format_present(draft=draft, field=field):
                draft.refuse(" ".join(error.messages), label=field.label, value=text)

    def _says_present(self, *, draft: RowDraft, field: ObjectField, text: str) -> bool:
        """Whether the cell is what an export shows of the present value, which omits seconds and surrounding spaces."""
        if _is_new(draft):
            return False
        present = read_value(record=draft.record, field=field)
        if kind_of(field).holds_text:
            stored = str(present or "")
            if text.endswith(CUT_MARK) and _flatten(stored).startswith(_flatten(text.removesuffix(CUT_MARK))):
                return True
            if self.options.zero_answer is ZeroAnswer.RESTORE and stored in list_padded(text):
                return True
        shown = format_value(value=present, field=field, shape=self.access.shape)
        return kind_of(field).says_present(text=text, present=present, shown=shown)

    def _explain_loss(self, *, draft: RowDraft, field: ObjectField, text: str) -> tuple[str, ProblemKind] | None:
        """Return what a text has lost against the one that is stored, if nobody can have meant that."""
        if not kind_of(field).holds_text:
            return None
        if text.endswith(CUT_MARK):
            return (
                "The export to Excel has cut this text. Write all of it, or empty the cell to keep what is stored.",
                ProblemKind.ERROR,
            )
        if _is_new(draft) or self.options.zero_answer is not ZeroAnswer.OPEN:
            return None
        stored = read_value(record=draft.record, field=field)
        if stored not in list_padded(text):
            return None
        return explain_lost_zeros(text=text, meant=stored), ProblemKind.LOST_ZEROS

    def _format_present(self, *, draft: RowDraft, field: ObjectField) -> str:
        if _is_new(draft):
            return ""
        value = read_value(record=draft.record, field=field)
        return format_for(access=self.access, value=value, field=field)


def _is_new(draft: RowDraft) -> bool:
    return bool(draft.record._state.adding)  # noqa: SLF001  Django's documented API


def _explain_doubt(*, field: ObjectField, text: str) -> str:
    """Return why a text that can be stored is probably not what is meant; empty if nothing speaks against it."""
    if kind_of(field).holds_text:
        return explain_leaving(text)
    return explain_shortened(text) if kind_of(field).is_number else ""


def _flatten(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
