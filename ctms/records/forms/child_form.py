"""The part of a record's form in which its child records are picked: a form of its own, beside that of the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.forms.boundfield import BoundField
from django.urls import reverse

from ctms.core.uuids import read_uid
from ctms.records.forms.form_layout import FormLayout
from ctms.records.forms.multi_reference_field import MultiReferenceField
from ctms.records.writing.child_records import ChildChange, ChildPickerAccess, build_deciders, list_child_choices


class ChildRecordsForm(forms.Form):
    """The records that a child picker offers, with those ticked that the record has children for already.

    `chosen` are the uids in the references of the record's form, by which the choices are limited.
    """

    def __init__(
        self,
        *,
        picker: ChildPickerAccess,
        layout: FormLayout,
        auto_id: str,
        data: Any = None,
        chosen: Mapping[str, Sequence[UUID]] | None = None,
    ) -> None:
        super().__init__(data=data, auto_id=auto_id, label_suffix="")
        self.picker, self.name = picker, picker.definition.name
        self.field = ChildRecordsField(picker=picker, layout=layout)
        self.fields[self.name] = self.field
        self.initial[self.name] = self.field.earlier
        if data is not None:
            self.field.recall(data, self.name)
            if self.field.widget.value_from_datadict(data, {}, self.name):
                self.field.limit(chosen or {})

    @property
    def bound_field(self) -> BoundField:
        return self[self.name]

    def keep(self, data: Any) -> None:
        """Fill the form with what was ticked and typed into another one, valid or not."""
        if not self.is_omitted(data):
            self.field.recall(data, self.name)
            self.initial[self.name] = self.field.widget.value_from_datadict(data, {}, self.name)

    def is_omitted(self, data: Any) -> bool:
        """Whether the submitted form did not have this part."""
        return bool(self.field.widget.value_omitted_from_data(data, {}, self.name))

    def read_change(self) -> ChildChange:
        """Return what was ticked and unticked since the form was opened; nothing if the form did not have this part."""
        if self.is_omitted(self.data):
            return ChildChange(picker=self.picker, added=())
        chosen, earlier = self.cleaned_data[self.name], self.field.earlier
        removed = [each for each in earlier if each not in chosen] if self.field.can_remove else []
        return ChildChange(picker=self.picker, added=[each for each in chosen if each not in earlier], removed=removed)


class ChildRecordsField(MultiReferenceField):
    """The records that a record's children refer to, limited to the choices declared for that record."""

    def __init__(self, *, picker: ChildPickerAccess, layout: FormLayout) -> None:
        self.picker, self.layout = picker, layout
        super().__init__(
            access=picker.access,
            field=picker.reference,
            earlier=[] if layout.is_new else picker.list_present(layout.record),
            label=picker.title,
            required=False,
        )
        self.can_add, self.can_remove = picker.can_add, picker.can_remove
        parent = [
            each.label
            for each in layout.access.shape.fields.values()
            if each.reference and each.is_required and not each.is_read_only
        ]
        if picker.choices and parent:
            self.nothing = f"{self.plural_noun} are offered once {_join_labels(parent)} is chosen above"
        if layout.repeated:
            label = layout.access.shape.fields[layout.repeated].label
            self.help_text += (
                f" With more than one {label}, the people of each go with it alone, others with every one."
            )
        if not self.can_remove and self.earlier:
            self.help_text = f"{self.help_text} Your security profile does not allow you to remove any."

    @property
    def lookup_url(self) -> str:
        layout = self.layout
        url = reverse("record_lookup", args=(layout.access.shape.api_name, self.picker.definition.name))
        kept = "" if layout.is_new else f"&record={layout.record.uid}"
        return f"{url}?type={layout.object_type}{kept}"

    def limit_to_parents(self, chosen: Mapping[str, Any] | None) -> None:
        """Offer no choices yet: `limit` sets them once the form is submitted."""
        del chosen
        self.choices: QuerySet[Any] = self.visible.none()

    def recall(self, data: Any, name: str) -> None:
        """Limit `earlier` to the records that the submitted form showed, so that changes by others meanwhile stay."""
        if self.layout.is_new:  # the record of an earlier form may be deleted, and is created again
            return
        shown = {uid for text in data.getlist(f"{name}__earlier") if (uid := read_uid(text))}
        self.gone = shown - {each.uid for each in self.earlier}
        self.earlier = [each for each in self.earlier if each.uid in shown]

    def limit(self, chosen: Mapping[str, Sequence[UUID]]) -> None:
        """Limit the choices to those that fit the form's values."""
        layout = self.layout
        deciders = build_deciders(
            access=layout.access, object_type=layout.object_type, chosen=chosen, record=layout.record
        )
        self.choices = list_child_choices(picker=self.picker, deciders=deciders)


def _join_labels(labels: list[str]) -> str:
    *first, last = labels
    return f"{', '.join(first)} or {last}" if first else last
