"""The form field for several records: a checkbox for each chosen one, and a reference input that adds another.

Without JavaScript, users type any number of names separated by semicolons.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.urls import reverse

from ctms.configuration.fields import ObjectField
from ctms.core.uuids import read_uid
from ctms.records.access import ObjectAccess
from ctms.records.fields.reference_field import ReferenceField, ReferenceInput
from ctms.records.fields.references import describe_reference
from ctms.records.forms.child_records import ChildChange, ChildPickerAccess, build_deciders, list_child_choices


class MultiReferenceInput(ReferenceInput):
    """Checkboxes of the chosen records, and a text input that adds one. It also sends which were ticked at first."""

    template_name = "records/widgets/several.html"
    field: MultiReferenceField

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        if f"{name}__shown" in data:  # sent by a form where the field takes one record
            one = super().value_from_datadict(data, files, name)
            return [one] if one else []
        ticked = data.getlist(name) if hasattr(data, "getlist") else data.get(name, [])
        typed = [text.strip() for text in data.get(f"{name}__text", "").split(";")]
        return [each for each in dict.fromkeys([*ticked, *typed]) if each]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, None, attrs)
        values = value or []
        shown = self.field.list_shown(values)
        earlier = {str(each.uid) for each in self.field.earlier}
        context["widget"] |= {
            "text": "; ".join(str(each) for each in values if read_uid(each) is None),
            "chosen": [
                {
                    "uid": str(each.uid),
                    "label": describe_reference(access=self.field.access, record=each),
                    "fills": json.dumps(self.field.describe_filled(each)),
                    "is_ticked": str(each.uid) in values,
                    "is_fixed": str(each.uid) in earlier and not self.field.can_remove,
                }
                for each in shown
            ],
            "earlier": sorted(earlier),
            "filled": " ".join(self.field.list_filling()),
            "can_add": self.field.can_add,
            "title": self.field.label,
            "nothing": self.field.nothing,
        }
        return context


class MultiReferenceField(ReferenceField):
    """Several records, each read like in `ReferenceField`; duplicates count once.

    `earlier` are the records chosen before: they may stay even if they could not be chosen now.
    """

    widget: MultiReferenceInput
    input_class = MultiReferenceInput
    nothing = "There is nothing to choose"

    def __init__(self, *, access: ObjectAccess, field: ObjectField, earlier: Sequence[Any] = (), **kwargs: Any) -> None:
        self.earlier = list(earlier)
        self.gone: set[UUID] = set()  # records that others removed since the form was opened
        self.can_add = self.can_remove = True
        super().__init__(access=access, field=field, **kwargs)
        self.help_text = f"{self.help_text} Several can be chosen.".strip()

    def list_shown(self, values: Sequence[Any]) -> list[Any]:
        """Return the records chosen before, and those of the newly chosen ones that the user sees."""
        known = {each.uid for each in self.earlier} | self.gone
        uids = [uid for each in values if (uid := read_uid(each)) and uid not in known]
        found = {each.uid: each for each in self.visible.filter(uid__in=uids)} if uids else {}
        return [*self.earlier, *(found[uid] for uid in uids if uid in found)]

    def list_filling(self) -> list[str]:
        """Return the required parent fields, which a choice fills in the form; others are filled for each record."""
        return [name for name in self.list_parents() if self.access.shape.fields[name].is_required]

    def list_filled(self, value: Any) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for each in value or []:
            filled |= super().list_filled(each)
        return {name: each for name, each in filled.items() if name in self.list_filling()}

    def split_chosen(self, value: Any) -> tuple[list[UUID], list[str]]:
        uids = [(each, read_uid(each)) for each in value or []]
        return [uid for _, uid in uids if uid], [str(each) for each, uid in uids if not uid]

    def prepare_value(self, value: Any) -> Any:
        return [super(MultiReferenceField, self).prepare_value(each) for each in value or []]

    def to_python(self, value: Any) -> list[Any]:
        earlier = {each.uid: each for each in self.earlier}
        found: dict[Any, Any] = {}
        problems: list[str] = []
        for each in [value] if isinstance(value, str) else value or []:
            if read_uid(each) in self.gone:
                continue
            try:
                record = earlier.get(read_uid(each)) or self.find(each)
            except ValidationError as error:
                problems += error.messages
            else:
                found[record.pk] = record
        if problems:
            raise ValidationError(problems)
        return list(found.values())

    def validate(self, value: Any) -> None:
        forms.Field.validate(self, value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return set(self.prepare_value(initial)) != set(data or [])


class ChildRecordsField(MultiReferenceField):
    """The records that a record's children refer to, limited to the choices declared for that record."""

    def __init__(
        self,
        *,
        picker: ChildPickerAccess,
        access: ObjectAccess,
        object_type: str,
        record: Any,
        create_one_per: ObjectField | None = None,
    ) -> None:
        self.picker, self.of, self.object_type, self.record = picker, access, object_type, record
        is_new = record._state.adding  # noqa: SLF001  Django's documented API
        super().__init__(
            access=picker.access,
            field=picker.reference,
            earlier=[] if is_new else picker.list_present(record),
            label=picker.title,
            required=False,
        )
        self.can_add, self.can_remove = picker.can_add, picker.can_remove
        parent = [
            each.label
            for each in access.shape.fields.values()
            if each.reference and each.is_required and not each.is_read_only
        ]
        if picker.choices and parent:
            self.nothing = f"{self.plural_noun} are offered once {_join_labels(parent)} is chosen above"
        if create_one_per is not None:
            label = create_one_per.label
            self.help_text += (
                f" With more than one {label}, the people of each go with it alone, others with every one."
            )
        if not self.can_remove and self.earlier:
            self.help_text = f"{self.help_text} Your security profile does not allow you to remove any."

    @property
    def lookup_url(self) -> str:
        url = reverse("record_lookup", args=(self.of.shape.api_name, self.picker.definition.name))
        kept = "" if self.record._state.adding else f"&record={self.record.uid}"  # noqa: SLF001
        return f"{url}?type={self.object_type}{kept}"

    def limit_to_parents(self, chosen: Mapping[str, Any] | None) -> None:
        """Offer no choices yet: `limit` sets them once the form is submitted."""
        del chosen
        self.choices: QuerySet[Any] = self.visible.none()

    def recall(self, data: Any, name: str) -> None:
        """Limit `earlier` to the records that the submitted form showed, so that changes by others meanwhile stay."""
        if self.record._state.adding:  # noqa: SLF001  the record of an earlier form may be deleted, and is created again
            return
        shown = {uid for text in data.getlist(f"{name}__earlier") if (uid := read_uid(text))}
        self.gone = shown - {each.uid for each in self.earlier}
        self.earlier = [each for each in self.earlier if each.uid in shown]

    def limit(self, chosen: Mapping[str, Sequence[Any]]) -> None:
        """Limit the choices to those that fit the form's values; `chosen` maps the record's references to uids."""
        deciders = build_deciders(access=self.of, object_type=self.object_type, chosen=chosen, record=self.record)
        self.choices = list_child_choices(picker=self.picker, deciders=deciders)

    def read_change(self, chosen: Sequence[Any]) -> ChildChange:
        """Return what was ticked and unticked since the form was opened."""
        removed = [each for each in self.earlier if each not in chosen] if self.can_remove else []
        return ChildChange(
            picker=self.picker, added=[each for each in chosen if each not in self.earlier], removed=removed
        )


def limit_fields(*, fields: Mapping[str, forms.Field], data: Any) -> None:
    """Limit each reference to what fits the others. Typed names are looked up, those with fewest parents first."""
    references = {
        name: each
        for name, each in fields.items()
        if isinstance(each, ReferenceField) and not isinstance(each, ChildRecordsField)
    }
    chosen: dict[str, list[UUID]] = {}
    words: dict[str, list[str]] = {}
    for name, each in references.items():
        chosen[name], words[name] = each.split_chosen(each.widget.value_from_datadict(data, {}, name))
    for name in sorted(words, key=lambda name: len(references[name].list_parents())):
        if words[name]:
            references[name].limit_to_parents(_list_single(chosen))
        for text in words[name]:
            try:
                chosen[name].append(references[name].find(text).uid)
            except ValidationError:
                continue  # the form reports it when it is validated
    for each in references.values():
        each.limit_to_parents(_list_single(chosen))
    for name, parts in fields.items():
        if isinstance(parts, ChildRecordsField):
            parts.recall(data, name)
            if parts.widget.value_from_datadict(data, {}, name):
                parts.limit(chosen)


def _list_single(chosen: Mapping[str, list[UUID]]) -> dict[str, Any]:
    """Return the uid of references with exactly one; several do not limit the other references."""
    return {name: uids[0] for name, uids in chosen.items() if len(uids) == 1}


def _join_labels(labels: list[str]) -> str:
    *first, last = labels
    return f"{', '.join(first)} or {last}" if first else last
