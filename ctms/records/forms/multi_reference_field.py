"""The form field for several records: a checkbox for each chosen one, and a reference input that adds another.

Without JavaScript, users type any number of names separated by semicolons.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from ctms.configuration.fields import ObjectField
from ctms.core.uuids import read_uid
from ctms.records.access import ObjectAccess
from ctms.records.fields.likely_choices import get_likely_choices
from ctms.records.fields.reference_field import ReferenceField, ReferenceInput
from ctms.records.fields.references import describe_reference


class MultiReferenceInput(ReferenceInput):
    """Checkboxes of the chosen records, and a text input that adds one. It also sends which were ticked at first."""

    template_name = "records/widgets/several.html"
    field: MultiReferenceField
    parameters = ""  # of the address of the suggestions, such as the page from which the record is created
    opens = False  # whether the suggestions are shown as soon as the input has the focus, with the first one marked

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        if f"{name}__shown" in data:  # sent by a form where the field takes one record
            one = super().value_from_datadict(data, files, name)
            return [one] if one else []
        ticked = data.getlist(name) if hasattr(data, "getlist") else data.get(name, [])
        return [each for each in dict.fromkeys([*ticked, *(self.list_typed(data, name) or [])]) if each]

    def list_typed(self, data: Any, name: str) -> list[str] | None:
        if f"{name}__shown" in data:
            return super().list_typed(data, name)
        return [text.strip() for text in data.get(f"{name}__text", "").split(";")]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, None, attrs)
        if self.parameters:
            context["widget"]["lookup_url"] += f"?{self.parameters}"
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
            "opens": self.opens,
            "together": self.field.together,
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

    @property
    def together(self) -> str:
        """Return what those are called that can be chosen in one step, such as the people of a site; or nothing."""
        declared = get_likely_choices(shape=self.access.shape, field=self.object_field)
        return declared.together if declared is not None else ""

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
