"""Reads the cells of a row into the values of its draft, or says what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.core.exceptions import ValidationError

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.bulk.imports.cells import CellReader
from ctms.records.bulk.imports.columns import Column
from ctms.records.bulk.imports.dialects.leavings import explain_leaving, explain_shortened
from ctms.records.bulk.imports.dialects.zeros import LostZerosError, ZeroAnswer, explain_lost_zeros, list_padded
from ctms.records.bulk.imports.keys import UID
from ctms.records.bulk.imports.references import ReferenceFinder
from ctms.records.choices import ProblemKind
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.values import format_for, format_value, read_value
from ctms.records.lists.exports import CUT_MARK
from ctms.records.writing.bulk_write import RowDraft


@dataclass(kw_only=True)
class RowReader:
    """Reads rows of one file, whose references were loaded into the finders.

    `key_fields` are what a record is found by. With `clear_empty` an empty cell empties the field of a record.
    """

    access: ObjectAccess
    columns: Sequence[Column]
    key_fields: Sequence[str]
    cells: CellReader
    finders: Mapping[str, ReferenceFinder]
    zeros: ZeroAnswer
    clear_empty: bool

    def read_into(self, *, draft: RowDraft, texts: Mapping[str, str], is_new: bool) -> None:
        """Read the cells of a row into the values of its draft; add what is wrong. Refused fields are skipped."""
        references, refused = [], list_refused(draft)
        for column in self.columns:
            text, name = texts[column.field.api_name], column.field.api_name
            if column.field.label in refused:
                continue  # what the record is found by, or its type
            if name == UID or (column.field.is_read_only and (is_new or name != OBJECT_TYPE)):
                continue  # used before: the uid to find the record, the type of a new one to build it
            if not text:
                if not is_new and self.clear_empty and name not in (OBJECT_TYPE, *self.key_fields):
                    draft.values[name] = kind_of(column.field).cleared
            elif column.field.reference is not None:
                references.append(column.field)
            elif not self._says_present(draft=draft, field=column.field, text=text):
                self._read_plain(draft=draft, field=column.field, text=text)
        # References that limit the choices of others are read first.
        for each in sorted(references, key=lambda each: len(self.finders[each.api_name].scopes)):
            self._read_reference(draft=draft, field=each, text=texts[each.api_name])
            if each.api_name not in draft.values:
                draft.excused |= self._filled_by[each.api_name]

    @cached_property
    def _filled_by(self) -> Mapping[str, frozenset[str]]:
        """The labels of the fields that a reference fills or decides, by its API name."""
        fields, follows = self.access.shape.fields, self.access.vault_object.follows
        return {
            name: frozenset(
                [scope.parent.label for scope in finder.scopes]
                + [fields[parent].label for parent, decisive in follows.items() if decisive == name]
            )
            for name, finder in self.finders.items()
        }

    def _read_plain(self, *, draft: RowDraft, field: ObjectField, text: str) -> None:
        problem = self._explain_loss(draft=draft, field=field, text=text)
        if problem:
            draft.refuse(problem[0], label=field.label, value=text, kind=problem[1])
            return
        try:
            draft.values[field.api_name] = self.cells.read(field=field, text=text)
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
            if self.zeros is ZeroAnswer.RESTORE and stored in list_padded(text):
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
        if _is_new(draft) or self.zeros is not ZeroAnswer.OPEN:
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


def list_refused(draft: RowDraft) -> set[str]:
    """Return the labels of the fields that have a problem."""
    return {each.label for each in draft.problems if each.label}


def _is_new(draft: RowDraft) -> bool:
    return bool(draft.record._state.adding)  # noqa: SLF001  Django's documented API


def _explain_doubt(*, field: ObjectField, text: str) -> str:
    """Return why a text that can be stored is probably not what is meant; empty if nothing speaks against it."""
    if kind_of(field).holds_text:
        return explain_leaving(text)
    return explain_shortened(text) if kind_of(field).is_number else ""


def _flatten(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
