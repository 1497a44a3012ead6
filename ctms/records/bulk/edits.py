"""Bulk edit: the selection of records, the form for new values, and the drafts that an operation writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from ctms.audit.reasons import LONGEST_REASON, PARAMETER
from ctms.configuration.fields import COMMON_FIELDS, OBJECT_TYPE, ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.core.errors import VaultError
from ctms.core.models import TYPED_AS
from ctms.core.uuids import read_uid
from ctms.records.access import ObjectAccess
from ctms.records.fields.form_fields import build_edit_field
from ctms.records.fields.kinds.base import EMPTY, kind_of
from ctms.records.fields.references import name_record
from ctms.records.fields.values import format_value
from ctms.records.lists.order.keyset_pagination import order_records
from ctms.records.lists.query import read_list
from ctms.records.writing.bulk_write import RowDraft, UniqueChecker, load_for_writing, prepare_drafts

MOST_RECORDS = 100_000
# Parameters of a selection, in addition to those of the list.
UIDS, ALL, QUERY_STRING, QUICK = "uids", "all", "query", "quick"
_OWN = frozenset({UIDS, ALL, QUERY_STRING, QUICK, "csrfmiddlewaretoken"})


class InvalidSelectionError(VaultError):
    """The selection holds no visible records, or too many; the message says what to do."""


class InvalidEditError(VaultError):
    """A field can no longer be set to the value that the edit names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Records chosen in a list: single `uids`, or all that match. `query` is the query string of the list."""

    uids: tuple[str, ...]
    query: str
    is_all: bool


def read_selection(*, address: QueryDict, form: QueryDict) -> Selection:
    """Read what a list sent: `uids`, one for each chosen record; or `all` for every record of the list.

    The parameters of the list stand in the address, or as a query string in `query`.
    """
    parameters = QueryDict(form.get(QUERY_STRING) or address.get(QUERY_STRING) or "", mutable=True)
    for name, values in address.lists():
        if name not in _OWN:
            parameters.setlist(name, values)
    is_all = ALL in address or ALL in form
    chosen = dict.fromkeys([] if is_all else [*form.getlist(UIDS), *address.getlist(UIDS)])
    return Selection(uids=tuple(chosen), query=parameters.urlencode(), is_all=is_all)


def list_selected(*, access: ObjectAccess, selection: Selection) -> list[str]:
    """Return the uids of the selected records that the user sees now, in the order of the list.

    Raises InvalidSelectionError, and InvalidListError for list parameters that are not valid.
    """
    if selection.is_all:
        shown = read_list(access=access, parameters=QueryDict(selection.query))
        shown.require_valid()
        ordered = order_records(records=shown.list_records(), sort=shown.sort)
        found = list(ordered.values_list("uid", flat=True)[: MOST_RECORDS + 1])
    else:
        wanted = _read_uids(selection.uids)
        visible = set(access.list_records().filter(uid__in=wanted).values_list("uid", flat=True))
        found = [uid for uid in wanted if uid in visible]
    if not found:
        raise InvalidSelectionError(
            f"Choose {access.vault_object.plural_label} in the list first; there are none here that you can see."
        )
    if len(found) > MOST_RECORDS:
        raise InvalidSelectionError(
            f"These are more than {MOST_RECORDS:,} {access.vault_object.plural_label}. Narrow the list by a filter."
        )
    return [str(uid) for uid in found]


def list_edit_fields(shape: ObjectShape) -> list[ObjectField]:
    """Return the fields that can be set in many records at once: neither read-only nor unique, nor the object type.

    Those that every object has, as the status, come last: they are the least likely to be meant.
    """
    assigned = frozenset[str]().union(*(each.fields for each in shape.types.values()))
    unique = {each.name for each in shape.vault_object.model._meta.concrete_fields if each.unique}
    unique |= {
        TYPED_AS.get(constraint.fields[0], constraint.fields[0])
        for constraint in shape.vault_object.model._meta.total_unique_constraints
        if len(constraint.fields) == 1
    }
    found = [
        each
        for name, each in shape.fields.items()
        if name in assigned
        and not (each.is_read_only or each.is_unique or each.attribute in unique)
        and name != OBJECT_TYPE
    ]
    return sorted(found, key=lambda each: each.api_name in COMMON_FIELDS)


def may_be_cleared(field: ObjectField) -> bool:
    """Whether the field can be emptied: it is not required, and its kind knows emptiness."""
    return not field.is_required and kind_of(field).can_be_cleared


def fill_quick_change(*, access: ObjectAccess, form: QueryDict) -> QueryDict:
    """Return the form with the values of the quick change that it names in `quick`, as if they had been entered.

    A change that asks for a value has its field ticked; its value is entered in the form.
    """
    change = next((each for each in access.vault_object.quick_changes if each.api_name == form.get(QUICK)), None)
    if change is None:
        return form
    filled = form.copy()
    values = change.list_values(access.user)
    filled.setlist("change", [change.asks] if change.asks else list(values))
    for name, value in values.items():
        filled[name] = _write_value(value)
    if not change.asks:
        filled["step"] = "preview"
    return filled


def _write_value(value: Any) -> str:
    """Return a value as a form of the Vault sends it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(getattr(value, "uid", value))


class BulkEditForm(forms.Form):
    """Asks which fields to set, and to what. Input in fields that are not ticked is kept but not validated."""

    change = forms.MultipleChoiceField(
        error_messages={"required": "Tick the fields that you want to change."}, widget=forms.CheckboxSelectMultiple
    )
    clear = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *, access: ObjectAccess, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self.access = access
        self.reasoned = access.list_reasoned()
        if self.reasoned:
            self.fields[PARAMETER] = forms.CharField(
                label="Reason for change", required=False, max_length=LONGEST_REASON
            )
        self.edit_fields = {each.api_name: each for each in list_edit_fields(access.shape)}
        self._set_choices("change", list(self.edit_fields.values()))
        self._set_choices("clear", [each for each in self.edit_fields.values() if may_be_cleared(each)])
        chosen = {name: data.get(name) for name, each in self.edit_fields.items() if each.reference} if data else {}
        ticked = data.getlist("change") if isinstance(data, QueryDict) else []
        for name, field in self.edit_fields.items():
            scope = {other: uid for other, uid in chosen.items() if other in ticked}
            self.fields[name] = build_edit_field(access=access, field=field, chosen=scope)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        ticked, cleared = cleaned.get("change", []), cleaned.get("clear", [])
        for name in self.edit_fields:
            if name not in ticked or name in cleared:
                self.errors.pop(name, None)
            elif name not in self.errors and cleaned.get(name) in EMPTY:
                hint = ", or tick “clear”" if may_be_cleared(self.edit_fields[name]) else ""
                self.add_error(name, f"Say what to set{hint}.")
        asked = [label for name, label in self.reasoned.items() if name in ticked]
        if asked and not cleaned.get(PARAMETER):
            self.add_error(PARAMETER, f"Say why {', '.join(asked)} is changed.")
        return cleaned

    def as_plan(self) -> dict[str, Any]:
        """Return what to set, as an operation stores it: API name → the input, a reference's uid, or None to clear."""
        return {name: None if name in self.cleaned_data["clear"] else self._write(name) for name in self.list_ticked()}

    def list_ticked(self) -> list[str]:
        ticked: list[str] = self.cleaned_data["change"]
        return ticked

    def _write(self, name: str) -> str:
        value = self.cleaned_data[name]
        return str(value.uid) if self.edit_fields[name].reference is not None else str(self[name].data)

    def _set_choices(self, name: str, fields: Sequence[ObjectField]) -> None:
        choice = self.fields[name]
        if isinstance(choice, forms.MultipleChoiceField):
            choice.choices = [(each.api_name, each.label) for each in fields]


def read_values(*, access: ObjectAccess, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that an edit's plan sets, by API name. Raises InvalidEditError naming what cannot be set."""
    editable = {each.api_name: each for each in list_edit_fields(access.shape)}
    values: dict[str, Any] = {}
    for name, text in plan.items():
        if name not in editable:
            raise InvalidEditError(f"{name} cannot be set any more: an admin changed the fields. Start again.")
        if text is None:
            values[name] = None
            continue
        try:
            values[name] = build_edit_field(access=access, field=editable[name]).clean(text)
        except ValidationError as error:
            raise InvalidEditError(f"{editable[name].label}: {' '.join(error.messages)}") from error
    return values


def drop_values(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan of an operation that has ended: the names of the fields that an edit set, without the values."""
    if "values" not in plan:
        return dict(plan)
    return {name: each for name, each in plan.items() if name != "values"} | {"fields": list(plan["values"])}


def describe_plan(*, access: ObjectAccess, plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return label and new value (empty if cleared) of each field that an edit sets. Raises InvalidEditError."""
    values = read_values(access=access, plan=plan)
    return [
        (
            access.shape.fields[name].label,
            format_value(value=value, field=access.shape.fields[name], shape=access.shape),
        )
        for name, value in values.items()
    ]


class EditWork:
    """The work of a bulk edit: plans drafts, batch by batch, that set the same values in many records."""

    def __init__(self, *, access: ObjectAccess, uids: Sequence[str], plan: Mapping[str, Any]) -> None:
        self.access, self.uids = access, uids
        self.values = read_values(access=access, plan=plan)
        self.unique = UniqueChecker(shape=access.shape, noun="record")

    def plan(self, start: int, stop: int) -> list[RowDraft]:
        """Return drafts of the records from position `start` to before `stop`, from their present state."""
        uids = [UUID(uid) for uid in self.uids[start:stop]]
        records = load_for_writing(self.access.list_records()).filter(uid__in=uids)
        found = {record.uid: record for record in records}
        drafts = [
            RowDraft(
                number=number,
                record=found.get(uid),
                name=name_record(found[uid]) if uid in found else "",
                values=dict(self.values),
            )
            for number, uid in enumerate(uids, start=start + 1)
        ]
        for draft in drafts:
            if draft.record is None:
                draft.refuse(f"This {self.access.vault_object.label} was deleted, or you cannot see it any more.")
        prepare_drafts(
            access=self.access, drafts=[draft for draft in drafts if draft.record is not None], unique=self.unique
        )
        return drafts


def _read_uids(texts: Sequence[str]) -> list[UUID]:
    uids = [uid for text in texts if (uid := read_uid(text))]
    if len(uids) < len(texts):
        raise InvalidSelectionError("uids: one of these is no UID. Choose the records in the list again.")
    return uids
