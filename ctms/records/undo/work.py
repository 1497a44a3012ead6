"""The work of undoing a change set: plans, batch by batch, drafts that put its records back as they were before.

A record is left as it is if what the change set wrote was changed since, and the draft says by whom. What is put back
goes through the same checks as any other change.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from uuid import UUID

from django.db.models import PROTECT, ManyToOneRel
from django.utils import formats, timezone

from ctms.audit.change_sets import ChangeSet
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.uses import explain_use, list_seen
from ctms.audit.words import flatten
from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.registry import UnknownObjectError, get_object, list_record_objects
from ctms.core.models import AuditedModel
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object
from ctms.records.fields.custom_references import list_custom_references
from ctms.records.fields.expressions import name_value
from ctms.records.fields.references import name_record
from ctms.records.undo.history import RecordHistory, Unit, list_made, read_births, read_histories, read_keys
from ctms.records.undo.values import PastValues, build_past_record, drop_unfit_values, list_keyed
from ctms.records.writing.bulk_write import (
    DELETE,
    RESTORE,
    RowDraft,
    UniqueChecker,
    load_for_writing,
    prepare_drafts,
    validate_drafts,
)

_REDACTED = "Values of this change were redacted in the audit trail, so it cannot be undone."
_ERASED = "The person was erased on request; nothing of before is brought back."
_HIDDEN = "This record was deleted since, or you cannot see it any more."
_UNUSED = "This field is not in use any more. Ask an admin to make it Active again, or to add it, then undo the change."
_SECONDS_OF = {
    AuditAction.DELETED: "deleted it",
    AuditAction.RESTORED: "brought it back",
    AuditAction.CREATED: "created it",
}


@dataclass(kw_only=True)
class UndoWork:
    """The work of an operation that undoes a change set; `units` are its records in the order of undoing."""

    access: ObjectAccess
    change_set: ChangeSet
    units: Sequence[Unit]
    accesses: dict[str, ObjectAccess | None] = field(default_factory=dict)
    unique: dict[str, UniqueChecker] = field(default_factory=dict)

    @cached_property
    def own(self) -> set[UUID]:
        """The records of the set that are undone, as far as none of them was refused."""
        return list_made(self.change_set)

    @cached_property
    def keys(self) -> dict[UUID, int]:
        """The keys that parents get back; there are none where all records are of one object."""
        return read_keys(self.change_set) if len({unit.object_name for unit in self.units}) > 1 else {}

    @cached_property
    def restored(self) -> dict[int, Any]:
        """The records planned to be restored so far, by the key that they get back."""
        return {}

    def plan(self, start: int, stop: int) -> list[RowDraft]:
        """Return drafts of the records from position `start` to before `stop`, from their present state."""
        units = self.units[start:stop]
        histories = {each.unit.uid: each for each in read_histories(change_set=self.change_set, units=units)}
        drafts: list[RowDraft] = []
        by_object: dict[str, list[tuple[RowDraft, RecordHistory]]] = defaultdict(list)
        for number, unit in enumerate(units, start=start + 1):
            history = histories[unit.uid]
            draft = RowDraft(number=number, name=history.own[-1].record_name, access=self._open(unit.object_name))
            if history.is_redacted:
                draft.refuse(_REDACTED)
            elif history.is_erased:
                draft.refuse(_ERASED)
            drafts.append(draft)
            by_object[unit.object_name].append((draft, history))
        for object_name, planned in by_object.items():
            self._plan_object(object_name, planned)
        return drafts

    def _plan_object(self, object_name: str, planned: Sequence[tuple[RowDraft, RecordHistory]]) -> None:
        access = self._open(object_name)
        ready = [(draft, history) for draft, history in planned if not draft.problems]
        if access is None:
            for draft, history in ready:
                self._refuse(draft, history, _HIDDEN)
            return
        records = load_for_writing(access.list_records()).filter(uid__in=[history.unit.uid for _, history in ready])
        found = {record.uid: record for record in records}
        unique = self.unique.setdefault(object_name, UniqueChecker(shape=access.shape, noun="record"))
        changes, removals, restorations = [], [], []
        for draft, history in ready:
            draft.record = found.get(history.unit.uid)
            if draft.record is not None:
                draft.name = name_record(draft.record)
            if history.was_made and history.was_deleted:
                draft.is_left_out = True
            elif history.was_deleted:
                restorations.append((draft, history))
            elif history.was_made:
                removals.append((draft, history))
            else:
                changes.append((draft, history))
        self._plan_restorations(access, restorations, unique=unique)
        self._plan_changes(access, changes, unique=unique)
        self._plan_removals(access, removals)
        for draft, history in planned:
            if draft.problems:
                self.own.discard(history.unit.uid)

    # -- Changes ----------------------------------------------------------------------------------
    def _plan_changes(
        self, access: ObjectAccess, planned: Sequence[tuple[RowDraft, RecordHistory]], *, unique: UniqueChecker
    ) -> None:
        past = PastValues(access=access)
        past.load([history for _, history in planned])
        ready = []
        for draft, history in planned:
            if draft.record is None:
                self._refuse(draft, history, _explain_gone(history))
                continue
            for label in past.list_unused(record=draft.record, history=history):
                self._refuse(draft, history, _UNUSED, label=label)
            if draft.problems:
                continue
            differing = past.list_differing(record=draft.record, history=history)
            if not differing:
                draft.is_left_out = True  # it is as it was already, or what changed follows from others
                continue
            later = history.find_later({each.key for each in differing})
            if later is not None:
                self._refuse_later(draft, history, later=later, fields=list_keyed(access.shape))
                continue
            for each in differing:
                if each.loss:
                    draft.refuse(each.loss, label=each.field.label)
                draft.values[each.field.api_name] = each.value
            if not draft.problems:
                ready.append(draft)
        prepare_drafts(access=access, drafts=ready, unique=unique)

    # -- Creations --------------------------------------------------------------------------------
    def _plan_removals(self, access: ObjectAccess, planned: Sequence[tuple[RowDraft, RecordHistory]]) -> None:
        ready = []
        follows = partial(_follows, names=_list_filled(access))
        for draft, history in planned:
            draft.task = DELETE
            later = history.find_later(follows=follows)
            if draft.record is None:
                if later is not None and later[0].action == AuditAction.DELETED:
                    draft.task, draft.is_left_out = "", True  # somebody deleted it already
                else:
                    self._refuse(draft, history, _HIDDEN)
            elif later is not None:
                self._refuse_later(draft, history, later=later, fields=list_keyed(access.shape))
            elif refusal := access.explain_delete(draft.record):
                self._refuse(draft, history, refusal)
            else:
                ready.append((draft, history))
        held = self._list_holding(access, [draft.record for draft, _ in ready])
        for draft, history in ready:
            if (counts := held.get(draft.record.pk)) is not None:
                referring = [(number, label) for label, number in counts.items()]
                text = explain_use(user=self.access.user, referring=referring)
                self._refuse(draft, history, text[0].upper() + text[1:])

    def _list_holding(self, access: ObjectAccess, records: Sequence[Any]) -> dict[int, Counter[str]]:
        """Count by record what refers to it and the user sees, without what is undone too.

        A record that only hidden ones refer to has an empty count. Takes two statements for each reference to it.
        """
        held: dict[int, Counter[str]] = defaultdict(Counter)
        if not records:
            return held
        model = access.vault_object.model
        keys = {str(record.uid): record.pk for record in records}
        for relation in model._meta.get_fields(include_hidden=True):
            if isinstance(relation, ManyToOneRel) and relation.on_delete is PROTECT:
                others = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": records})
                names = ("pk", relation.field.attname, *_name_uid(relation.related_model))
                self._count(
                    held,
                    rows=others.values_list(*names),
                    seen=set(list_seen(others, self.access.user).values_list("pk", flat=True)),
                    label=str(relation.related_model._meta.verbose_name_plural),
                )
        for other, reference in list_custom_references(configuration=access.configuration, model=model):
            naming, name = name_value(records=other.model._base_manager.all(), field=reference)
            others = naming.filter(**{f"{name}__in": list(keys)})
            self._count(
                held,
                rows=((pk, keys[str(key)], uid) for pk, key, uid in others.values_list("pk", name, "uid")),
                seen=set(list_seen(others, self.access.user).values_list("pk", flat=True)),
                label=other.plural_label,
            )
        return held

    def _count(self, held: dict[int, Counter[str]], *, rows: Any, seen: set[Any], label: str) -> None:
        for pk, key, *uid in rows:
            if not (uid and uid[0] in self.own):
                held[key][label] += pk in seen

    # -- Deletions --------------------------------------------------------------------------------
    def _plan_restorations(
        self, access: ObjectAccess, planned: Sequence[tuple[RowDraft, RecordHistory]], *, unique: UniqueChecker
    ) -> None:
        past = PastValues(access=access, restored=self.restored)
        past.load([history for _, history in planned])
        births = read_births(history.unit.uid for _, history in planned) if planned else {}
        model = access.vault_object.model
        uids = [history.unit.uid for _, history in planned]
        there = set(model._base_manager.filter(uid__in=uids).values_list("uid", flat=True)) if uids else set()
        ready = []
        for draft, history in planned:
            if history.unit.uid in there:
                draft.is_left_out = True  # it was brought back already
                continue
            if (later := history.find_later()) is not None:  # brought back, and deleted again: that is to be undone
                self._refuse_later(draft, history, later=later, fields=list_keyed(access.shape))
                continue
            draft.task = RESTORE
            key = self.keys.get(history.unit.uid)
            draft.record, lost = build_past_record(
                past=past, history=history, key=key, birth=births.get(history.unit.uid), by=access.user
            )
            draft.name = name_record(draft.record) if not lost else draft.name
            for name in drop_unfit_values(record=draft.record, access=access):
                draft.warn("The field was deleted since; what it held stays in the history alone.", label=name)
            for label in lost:
                draft.refuse("What it referred to is deleted, or not visible to you.", label=label)
            if refusal := self._explain_restoring(access, draft.record):
                draft.refuse(refusal)
            if not draft.problems:
                ready.append(draft)
                if key is not None:
                    self.restored[key] = draft.record
        validate_drafts(access=access, drafts=ready, unique=unique)

    def _explain_restoring(self, access: ObjectAccess, record: Any) -> str:
        if access.vault_object.is_setup:
            return ""  # it goes with the record whose part it is
        return access.explain_create(getattr(record, "object_type", ""))

    # -- Refusals ---------------------------------------------------------------------------------
    def _refuse_later(
        self,
        draft: RowDraft,
        history: RecordHistory,
        *,
        later: tuple[AuditEntry, str],
        fields: Mapping[str, ObjectField],
    ) -> None:
        entry, name = later
        at = formats.date_format(timezone.localtime(entry.at), "DATETIME_FORMAT")
        what = _SECONDS_OF.get(AuditAction(entry.action), "changed this")
        label = fields[name].label if name in fields else entry.words.get(name, {}).get("label", "")
        self._refuse(
            draft,
            history,
            f"{entry.actor_name} {what} on {at}, after what is to be undone. Undo that first, or change it by hand.",
            label=label,
        )

    def _refuse(self, draft: RowDraft, history: RecordHistory, message: str, *, label: str = "") -> None:
        draft.refuse(message, label=label)
        self.own.discard(history.unit.uid)

    def _open(self, object_name: str) -> ObjectAccess | None:
        """Return the user's access; None to what the user may not read, and to what is no part of their objects."""
        if object_name not in self.accesses:
            self.accesses[object_name] = self._find_access(object_name)
        return self.accesses[object_name]

    def _find_access(self, object_name: str) -> ObjectAccess | None:
        configuration = self.access.configuration
        try:
            if get_object(object_name).is_setup and object_name in _list_part_names():
                shape = configuration.get(object_name)
                return ObjectAccess(user=self.access.user, shape=shape, configuration=configuration)
            return open_object(user=self.access.user, object_name=object_name, configuration=configuration)
        except (UnknownObjectError, AccessRefusedError):
            return None


def _list_part_names() -> set[str]:
    parts = {model for each in list_record_objects() for model, _ in each.parts}
    return {str(model.object_name) for model in parts if issubclass(model, AuditedModel)}


def _name_uid(model: type[Any]) -> tuple[str, ...]:
    return ("uid",) if any(each.name == "uid" for each in model._meta.concrete_fields) else ()


def _explain_gone(history: RecordHistory) -> str:
    later = history.find_later()
    if later is not None and later[0].action == AuditAction.DELETED:
        return f"{later[0].actor_name} deleted it since. Undo that first."
    return _HIDDEN


def _list_filled(access: ObjectAccess) -> set[str]:
    """Return the names in the trail of the fields that users fill."""
    return {
        name for name, each in list_keyed(access.shape).items() if not each.is_read_only or each.api_name == OBJECT_TYPE
    }


def _follows(entry: AuditEntry, *, names: set[str]) -> bool:
    """Whether an entry changed only what the Vault fills, such as a name that follows another."""
    return names.isdisjoint(name for name, _ in flatten(entry.changes))
