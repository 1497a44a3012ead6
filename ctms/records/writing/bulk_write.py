"""Writes many records with the same checks and audit entries as single ones, in few statements.

A batch is validated in memory; references and unique values are looked up for all of its rows together. If the database
still refuses the batch, the rows are saved one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import ForeignKey, QuerySet, UniqueConstraint

from ctms.audit.actors import Actor
from ctms.audit.reasons import ReasonRequiredError
from ctms.audit.services import (
    RecordInUseError,
    create_records,
    delete_records,
    restore_records,
    save_record,
    update_records,
)
from ctms.audit.values import list_changes, read_values
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.configuration.study_record import attach_references
from ctms.configuration.unique_values import build_error, build_key, find_owners
from ctms.core.errors import StaleRecordError
from ctms.core.models import TYPED_AS
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.choices import ProblemKind
from ctms.records.fields.users import explain_unfit, list_unfit, names_user
from ctms.records.fields.values import format_value, read_value
from ctms.records.writing.services import put_values, translate_errors

DELETE, RESTORE = "delete", "restore"
# Why a row is refused, for programs: the user may not, another record has the value, somebody wrote meanwhile, others
# refer to it, a reason is missing.
NOT_ALLOWED, TAKEN, STALE, IN_USE, NO_REASON = "not_allowed", "taken", "stale", "in_use", "no_reason"
# The writer refuses what others made impossible since it was planned; then it is planned again.
REFUSALS = (StaleRecordError, IntegrityError, ValidationError, RecordInUseError)
_REQUIRED = "This field is required."
_RACE = "Somebody else saved a record that this one contradicts at the same moment. Try this one again."


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """Why a row cannot be written, or a warning: a message, and label and value of the field.

    Label and value are empty if it concerns the whole row, and so is `name`, the API name of the field. `code` is one
    of those above, if any. `record` is another one that it is about, if any.
    """

    message: str
    label: str = ""
    value: str = ""
    name: str = ""
    code: str = ""
    kind: ProblemKind = ProblemKind.ERROR
    record: Any = None


@dataclass(slots=True, kw_only=True)
class RowDraft:
    """One row of a batch: a new or stored record, and the values to set. A row with problems is not written.

    `number` is the line of the file, or the position among the records, by which people find the row.
    """

    number: int
    record: Any = None
    name: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    problems: list[RowProblem] = field(default_factory=list)
    questions: list[RowProblem] = field(default_factory=list)  # about doubtful values, which are written nevertheless
    is_changed: bool = False
    is_left_out: bool = False
    task: str = ""  # DELETE or RESTORE; else the record is created or changed
    access: ObjectAccess | None = None  # to the record's object, where a batch has records of several
    is_outdated: bool = False  # what it would write is not what the user was shown: somebody wrote since
    # Labels of fields that others would fill whose values could not be read: that they are missing says nothing.
    excused: set[str] = field(default_factory=set)

    @property
    def is_new(self) -> bool:
        return not self.before and self.task != DELETE

    @property
    def stored_uid(self) -> UUID | None:
        """The uid of the record; None if the row is a new one, or is about none."""
        if self.record is None or self.record._state.adding:  # noqa: SLF001  Django's documented API
            return None
        uid: UUID = self.record.uid
        return uid

    @property
    def outcome(self) -> str:
        """Return `failed`, `left_out`, `deleted`, `restored`, `created`, `changed` or `unchanged`."""
        if self.problems:
            return "failed"
        if self.is_left_out:
            return "left_out"
        if self.task:
            return {DELETE: "deleted", RESTORE: "restored"}[self.task]
        if self.is_new:
            return "created"
        return "changed" if self.is_changed else "unchanged"

    def refuse(
        self,
        message: str,
        *,
        label: str = "",
        value: str = "",
        kind: ProblemKind = ProblemKind.ERROR,
        name: str = "",
        code: str = "",
    ) -> None:
        """Add a problem, so that the row is not written."""
        self.problems.append(RowProblem(message=message, label=label, value=value, kind=kind, name=name, code=code))

    def warn(
        self,
        message: str,
        *,
        label: str = "",
        value: str = "",
        kind: ProblemKind = ProblemKind.WARNING,
        record: Any = None,
        name: str = "",
    ) -> None:
        """Add a warning about a row that is written; `record` is another one that it is about, if any."""
        self.questions.append(
            RowProblem(message=message, label=label, value=value, kind=kind, record=record, name=name)
        )


def list_references(model: type[models.Model]) -> list[ForeignKey[Any, Any]]:
    """Return the foreign keys of a model, except bookkeeping such as `modified_by`."""
    kept: frozenset[str] = getattr(model, "bookkeeping_fields", frozenset())
    return [each for each in model._meta.concrete_fields if isinstance(each, ForeignKey) and each.name not in kept]


def load_for_writing(records: QuerySet[Any]) -> QuerySet[Any]:
    """Select with the records those that they refer to, which their validation may read."""
    names = [each.name for each in list_references(records.model)]
    return records.select_related(*names) if names else records


@dataclass(kw_only=True)
class UniqueChecker:
    """Finds unique values that another record has already, stored or among the rows checked before."""

    shape: ObjectShape
    noun: str  # what the number of a row counts: "line" or "record"
    seen: dict[tuple[tuple[str, ...], tuple[Any, ...]], int] = field(default_factory=dict)

    @cached_property
    def custom_fields(self) -> list[ObjectField]:
        """The unique custom fields of the object."""
        return [each for each in self.shape.fields.values() if each.is_custom and each.is_unique]

    def check(self, drafts: Sequence[RowDraft]) -> None:
        """Add a problem to each draft with such a value. Runs one statement for each unique rule."""
        for attributes, message in _list_unique_rules(self.shape.vault_object.model):
            keys = {id(draft): tuple(getattr(draft.record, name) for name in attributes) for draft in drafts}
            wanted = [key for key in keys.values() if None not in key]
            stored = self._find_stored(attributes=attributes, keys=wanted) if wanted else {}
            for draft in drafts:
                key = keys[id(draft)]
                if None not in key:
                    self._check_key(draft=draft, attributes=attributes, key=key, stored=stored, message=message)
        for each in self.custom_fields:
            self._check_custom(drafts=drafts, field=each)

    def _check_custom(self, *, drafts: Sequence[RowDraft], field: ObjectField) -> None:
        """Check a unique custom field: one statement."""
        kept = {id(draft): (draft.record.custom_fields or {}).get(field.api_name) for draft in drafts}
        keys = {number: build_key(value) for number, value in kept.items() if value not in (None, "")}
        model = self.shape.vault_object.model
        owners = find_owners(field=field, model=model, keys=keys.values()) if keys else {}
        for draft in drafts:
            key = keys.get(id(draft))
            if key is None:
                continue
            owner, earlier = owners.get(key), self.seen.get(((field.api_name,), (key,)), draft.number)
            shown = format_value(value=read_value(record=draft.record, field=field), field=field, shape=self.shape)
            if owner is not None and owner != draft.record.uid:
                error = build_error(model=model, field=field, owner=owner)
                draft.refuse(" ".join(error.messages), label=field.label, value=shown, name=field.api_name, code=TAKEN)
            elif earlier != draft.number:
                text = f"{self.noun.capitalize()} {earlier} gets the same {field.label}; only one may have it."
                draft.refuse(text, label=field.label, value=shown, name=field.api_name, code=TAKEN)
            elif not draft.problems:
                self.seen[(field.api_name,), (key,)] = draft.number

    def _find_stored(self, *, attributes: tuple[str, ...], keys: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
        records = self.shape.vault_object.model._base_manager.order_by()
        for position, name in enumerate(attributes):
            records = records.filter(**{f"{name}__in": {key[position] for key in keys}})
        return {tuple(found): pk for pk, *found in records.values_list("pk", *attributes)}

    def _check_key(
        self,
        *,
        draft: RowDraft,
        attributes: tuple[str, ...],
        key: tuple[Any, ...],
        stored: dict[tuple[Any, ...], Any],
        message: str,
    ) -> None:
        labels = self._name_fields(attributes)
        owner = stored.get(key)
        earlier = self.seen.get((attributes, key), draft.number)
        if owner is not None and owner != draft.record.pk:
            text = message or f"Another {self.shape.vault_object.label} has this {' and '.join(labels)}; only one may."
            self._refuse_taken(draft=draft, text=text, attributes=attributes)
        elif earlier != draft.number:
            text = f"{self.noun.capitalize()} {earlier} gets the same {' and '.join(labels)}; only one may have it."
            self._refuse_taken(draft=draft, text=text, attributes=attributes)
        elif not draft.problems:
            self.seen[attributes, key] = draft.number

    def _refuse_taken(self, *, draft: RowDraft, text: str, attributes: tuple[str, ...]) -> None:
        last = TYPED_AS.get(attributes[-1], attributes[-1])
        found = [name for name, each in self.shape.fields.items() if each.attribute in (last, last.removesuffix("_id"))]
        draft.refuse(
            text,
            label=self._name_fields(attributes)[-1],
            value=self._read_last(draft=draft, attributes=attributes),
            name=found[0] if found else "",
            code=TAKEN,
        )

    def _read_last(self, *, draft: RowDraft, attributes: tuple[str, ...]) -> str:
        return str(getattr(draft.record, TYPED_AS.get(attributes[-1], attributes[-1])))

    def _name_fields(self, attributes: Iterable[str]) -> list[str]:
        fields = {each.attribute: each.label for each in self.shape.fields.values()}
        attributes = [TYPED_AS.get(name, name) for name in attributes]
        return [fields.get(name) or fields.get(name.removesuffix("_id")) or name for name in attributes]


def prepare_drafts(*, access: ObjectAccess, drafts: Sequence[RowDraft], unique: UniqueChecker) -> None:
    """Assign the values and validate the records as saving each of them would; add problems to the drafts.

    What is wrong with a draft is found together: a value that is refused is left out, and the others are checked. The
    caller must have looked up references among `references.list_choices`.
    """
    allowed = []
    for draft in drafts:
        if not draft.record._state.adding:  # noqa: SLF001  Django's documented API
            draft.before = read_values(draft.record)
        if _put_values(access=access, draft=draft):
            allowed.append(draft)
    _check_users(access=access, drafts=[draft for draft in drafts if not draft.problems])
    validate_drafts(access=access, drafts=allowed, unique=unique)


def validate_drafts(*, access: ObjectAccess, drafts: Sequence[RowDraft], unique: UniqueChecker) -> None:
    """Validate records of one object that have their values, as saving each would; add problems to the drafts."""
    names = [each.name for each in list_references(access.vault_object.model)]
    attach_references([draft.record for draft in drafts], names=names)
    for draft in drafts:
        _validate(access=access, draft=draft)
    unique.check(drafts)
    for draft in drafts:
        draft.is_changed = draft.is_new or bool(list_changes(before=draft.before, after=read_values(draft.record)))


def write_together(*, drafts: Sequence[RowDraft], actor: Actor) -> None:
    """Write all drafts without problems at once.

    Raises one of `REFUSALS` if others wrote meanwhile; then the drafts must be planned again.
    """
    sound = [draft for draft in drafts if not draft.problems and not draft.is_left_out]
    with transaction.atomic():
        # What is restored may be referred to by what changes, and what changes may let go of what is deleted.
        for records in _group(draft.record for draft in sound if draft.task == RESTORE):
            restore_records(records=records, actor=actor)
        for records in _group(draft.record for draft in sound if draft.is_new and not draft.task):
            create_records(records=records, actor=actor)
        for records in _group(draft.record for draft in sound if draft.is_changed and not (draft.is_new or draft.task)):
            update_records(records=records, actor=actor)
        for records in _group(draft.record for draft in sound if draft.task == DELETE):
            delete_records(records=records, actor=actor)


def write_each(*, access: ObjectAccess, drafts: Sequence[RowDraft], actor: Actor) -> None:
    """Write the drafts without problems one by one; add a problem to each that is refused."""
    for draft in drafts:
        if draft.problems or draft.is_left_out or not (draft.is_changed or draft.task):
            continue
        try:
            with transaction.atomic():
                if draft.task:
                    write_together(drafts=[draft], actor=actor)
                else:
                    save_record(record=draft.record, actor=actor)
        except ValidationError as error:
            shape = (draft.access or access).shape
            note_errors(draft=draft, error=translate_errors(error=error, shape=shape), shape=shape)
        except (StaleRecordError, RecordInUseError) as error:
            draft.refuse(str(error), code=STALE if isinstance(error, StaleRecordError) else IN_USE)
        except IntegrityError:
            draft.refuse(_RACE, code=STALE)


def _group(records: Iterable[Any]) -> list[list[Any]]:
    """Return the records in lists of one model each, the models in the order of their first record."""
    groups: dict[type[models.Model], list[Any]] = {}
    for record in records:
        groups.setdefault(type(record), []).append(record)
    return list(groups.values())


def count_outcomes(drafts: Iterable[RowDraft]) -> dict[str, int]:
    """Count the drafts by outcome."""
    return dict(Counter(draft.outcome for draft in drafts))


def note_errors(*, draft: RowDraft, error: ValidationError, shape: ObjectShape) -> None:
    """Add an error by API names to the draft, as problems with labels.

    Nothing is said about fields that have a problem, nor about those that the Vault would fill from one that has.
    """
    if not hasattr(error, "error_dict"):
        code = NO_REASON if isinstance(error, ReasonRequiredError) else ""
        draft.refuse(" ".join(error.messages), code=code)
        return
    known = {each.label for each in draft.problems if each.label} | draft.excused
    if draft.problems:
        known |= {each.label for each in shape.fields.values() if each.is_read_only}
    for name, messages in error.message_dict.items():
        label = shape.fields[name].label if name in shape.fields else ""
        if label not in known:
            shown = _show(draft.values.get(name)) if label else ""
            draft.refuse(" ".join(messages), label=label, value=shown, name=name if label else "")


def _show(value: Any) -> str:
    return "" if value is None else str(value)[:255]


def _put_values(*, access: ObjectAccess, draft: RowDraft) -> bool:
    """Assign the values that can be; return whether the record is one that its validation says something about.

    It does not if the user may not write the record, or if a reference does not fit: the others would be blamed for it.
    """
    values, fits = dict(draft.values), True
    while True:
        try:
            asked = put_values(
                access=access,
                record=draft.record,
                values=values,
                references_are_checked=True,
                users_are_checked=True,
            )
        except AccessRefusedError as error:
            draft.refuse(str(error), code=NOT_ALLOWED)
            return False
        except ValidationError as error:
            note_errors(draft=draft, error=error, shape=access.shape)
            wrong = values.keys() & getattr(error, "error_dict", {}).keys()
            if not wrong:
                break
            fits = fits and all(access.shape.fields[name].reference is None for name in wrong)
            values = {name: value for name, value in values.items() if name not in wrong}
        else:
            for each in asked:
                name = each.field.api_name
                draft.warn(each.text, label=each.field.label, value=_show(draft.values.get(name)), name=name)
            break
    draft.record.prepare_for_save()
    return fits


def _check_users(*, access: ObjectAccess, drafts: Sequence[RowDraft]) -> None:
    """Refuse users who do not see what their record belongs to: a statement for each place that the drafts name."""
    for each in access.shape.fields.values():
        if not names_user(each):
            continue
        named = [draft for draft in drafts if draft.values.get(each.api_name) is not None and _names_anew(draft, each)]
        unfit = list_unfit(shape=access.shape, named=[(draft.record, draft.values[each.api_name]) for draft in named])
        for draft in named:
            user = draft.values[each.api_name]
            if (draft.record.uid, user.uid) in unfit:
                draft.refuse(explain_unfit(user), label=each.label, value=str(user), name=each.api_name)


def _names_anew(draft: RowDraft, field: ObjectField) -> bool:
    return bool(draft.before.get(field.attribute) != draft.values[field.api_name].pk)


def _validate(*, access: ObjectAccess, draft: RowDraft) -> None:
    record = draft.record
    references = list_references(type(record))
    errors = {
        each.name: [ValidationError(_REQUIRED)]
        for each in references
        if not each.blank and getattr(record, each.attname) is None
    }
    try:
        # The references were just read from the database, so their existence is not checked again.
        record.full_clean(exclude={each.name for each in references}, validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        errors = error.update_error_dict(errors)
    if errors:
        translated = translate_errors(error=ValidationError(errors), shape=access.shape)
        note_errors(draft=draft, error=translated, shape=access.shape)


def _list_unique_rules(model: type[models.Model]) -> list[tuple[tuple[str, ...], str]]:
    """Return attributes that are unique together, with the message. The database checks constraints with conditions."""
    rules: list[tuple[tuple[str, ...], str]] = [
        ((each.attname,), "")
        for each in model._meta.concrete_fields
        if each.unique and not each.primary_key and each.name != "uid"
    ]
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.fields and constraint.condition is None:
            attnames = {each.name: each.attname for each in model._meta.concrete_fields}
            names = tuple(attnames[name] for name in constraint.fields)
            own = constraint.violation_error_message != constraint.default_violation_error_message
            rules.append((names, str(constraint.violation_error_message) if own else ""))
    return rules
