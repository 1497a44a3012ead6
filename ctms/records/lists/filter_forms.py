"""The form that filters by one field; its inputs are parameters of the list's address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.fields.date_ranges import PERIOD_CHOICES
from ctms.records.fields.kinds.base import Comparison, kind_of
from ctms.records.fields.reference_field import ReferenceField
from ctms.records.fields.references import describe_choice, get_target, list_visible
from ctms.records.lists.filters import (
    CONTAINS,
    EMPTY,
    FROM,
    ME,
    TO,
    WITHIN,
    YES_NO_CHOICES,
    list_filterable_fields,
    split_parameter,
)

# Suffix of the parameter with a typed reference, which is replaced by a uid before the list is shown.
ADD = "add"
_MOST_USERS = 200


class FilterForm(forms.Form):
    """A form with a field for each parameter. It shows present values, valid or not; the list validates them."""

    def __init__(self, *, access: ObjectAccess, field: ObjectField, parameters: QueryDict) -> None:
        super().__init__(prefix=None, auto_id="filter_%s")
        self.fields |= _build_fields(access=access, field=field, parameters=parameters)
        exactly = parameters.get(field.api_name)
        for name, each in self.fields.items():
            several = isinstance(each, forms.MultipleChoiceField)
            self.initial[name] = parameters.getlist(name) if several else parameters.get(name)
            if exactly and name.endswith((f"__{FROM}", f"__{TO}")):
                self.initial[name] = exactly


def list_own_parameters(*, access: ObjectAccess, field: ObjectField, parameters: QueryDict) -> list[str]:
    """Return the parameters of an address that filter by the field."""
    found = {name: split_parameter(shape=access.shape, name=name) for name in parameters}
    return [name for name, split in found.items() if split is not None and split[0].api_name == field.api_name]


def look_up_references(*, access: ObjectAccess, parameters: QueryDict) -> QueryDict:
    """Replace text typed into a reference by the uid of the record that it means.

    Text that does not match exactly one record stays, for the list to refuse.
    """
    changed = parameters.copy()
    for field in list_filterable_fields(access.shape):
        name = f"{field.api_name}__{ADD}"
        parts = [each for each in (name, f"{name}__text", f"{name}__shown") if each in changed]
        if not parts or get_target(field) is None:
            continue
        entry = _build_typeahead(access=access, field=field)
        value = entry.widget.value_from_datadict(changed, {}, name)
        for each in parts:
            del changed[each]
        if not value:
            continue
        try:
            uid = str(entry.clean(value).uid)
        except forms.ValidationError:
            uid = str(value)
        if uid not in changed.getlist(field.api_name):
            changed.appendlist(field.api_name, uid)
    return changed


def _build_fields(*, access: ObjectAccess, field: ObjectField, parameters: QueryDict) -> dict[str, forms.Field]:
    name = field.api_name
    fields: dict[str, forms.Field] = {}
    kind = kind_of(field)
    if kind.comparison == Comparison.RECORD:
        fields |= _build_reference_fields(access=access, field=field, parameters=parameters)
    elif kind.comparison == Comparison.CHOICE:
        choices = access.shape.list_choices(field)
        fields[name] = forms.MultipleChoiceField(
            choices=choices, widget=forms.CheckboxSelectMultiple(), required=False, label="Is any of"
        )
    elif kind.comparison == Comparison.YES_NO:
        fields[name] = _build_choice(label="Is", choices=YES_NO_CHOICES, blank="Either")
    else:
        fields |= {f"{name}{suffix}": made for suffix, made in _PLAIN[kind.comparison](field.label).items()}
    if field.may_be_empty or kind.holds_text:
        fields[f"{name}__{EMPTY}"] = _build_choice(label="Is empty", choices=YES_NO_CHOICES, blank="Either")
    return fields


def _build_texts(_label: str) -> dict[str, forms.Field]:
    return {
        f"__{CONTAINS}": forms.CharField(label="Contains", required=False),
        "": forms.CharField(label="Is exactly", required=False),
    }


def _build_dates(_label: str) -> dict[str, forms.Field]:
    def build_day(label: str) -> forms.Field:
        return forms.CharField(label=label, required=False, widget=forms.TextInput(attrs={"type": "date"}))

    return {
        f"__{WITHIN}": _build_choice(label="Is", choices=PERIOD_CHOICES, blank="Any day"),
        f"__{FROM}": build_day("From"),
        f"__{TO}": build_day("Until"),
    }


def _build_numbers(_label: str) -> dict[str, forms.Field]:
    def build_number(label: str) -> forms.Field:
        return forms.CharField(
            label=label, required=False, widget=forms.TextInput(attrs={"type": "number", "step": "any"})
        )

    return {f"__{FROM}": build_number("From"), f"__{TO}": build_number("To")}


_PLAIN: Mapping[Comparison, Callable[[str], dict[str, forms.Field]]] = {
    Comparison.WORDS: _build_texts,
    Comparison.PROSE: _build_texts,
    Comparison.DAY: _build_dates,
    Comparison.NUMBER: _build_numbers,
}


def _build_choice(*, label: str, choices: list[tuple[str, str]], blank: str) -> forms.Field:
    return forms.ChoiceField(choices=[("", blank), *choices], required=False, label=label)


def _build_reference_fields(
    *, access: ObjectAccess, field: ObjectField, parameters: QueryDict
) -> dict[str, forms.Field]:
    if field.reference is User:
        users = [(each.username, str(each)) for each in User.objects.filter(is_active=True)[:_MOST_USERS]]
        return {field.api_name: _build_choice(label="Is", choices=[(ME, "Me"), *users], blank="Anybody")}
    visible = list_visible(access=access, field=field)
    if visible is None:
        return {}
    fields: dict[str, forms.Field] = {}
    chosen = _list_chosen(visible=visible, uids=parameters.getlist(field.api_name))
    if chosen:
        fields[field.api_name] = forms.MultipleChoiceField(
            choices=chosen, widget=forms.CheckboxSelectMultiple(), required=False, label="Is any of"
        )
    fields[f"{field.api_name}__{ADD}"] = _build_typeahead(access=access, field=field, label="Or" if chosen else "Is")
    return fields


def _list_chosen(*, visible: QuerySet[Any], uids: list[str]) -> list[tuple[str, str]]:
    try:
        return [(str(each.uid), describe_choice(each)) for each in visible.filter(uid__in=uids)]
    except forms.ValidationError:  # not a uid; the list reports it
        return []


def _build_typeahead(*, access: ObjectAccess, field: ObjectField, label: str = "") -> ReferenceField:
    # Listed records may refer to inactive records too.
    return ReferenceField(access=access, field=field, takes_any=True, label=label, required=False)
