"""The form field of several records: those chosen as boxes to untick, and a reference that adds one more to them.

Without JavaScript the names of any number of them are typed, with semicolons between.
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
from ctms.records.access import ObjectAccess
from ctms.records.partentries import PartChange, PartPlan, build_deciders, list_part_choices
from ctms.records.referencefields import ReferenceField, ReferenceInput, read_uid
from ctms.records.references import describe_reference


class SeveralInput(ReferenceInput):
    """Boxes of what is chosen, and a text that adds to them. What was ticked when the form was opened goes along."""

    template_name = "records/widgets/several.html"
    field: SeveralField

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        if f"{name}__shown" in data:  # it was sent by the form of one
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


class SeveralField(ReferenceField):
    """Records, each as `ReferenceField` reads one; what is chosen twice counts once.

    `earlier` are those that the record has already: they may stay even if they could not be chosen now.
    """

    widget: SeveralInput
    input_class = SeveralInput
    nothing = "There is nothing to choose"

    def __init__(self, *, access: ObjectAccess, field: ObjectField, earlier: Sequence[Any] = (), **kwargs: Any) -> None:
        self.earlier = list(earlier)
        self.gone: set[UUID] = set()  # what others removed since the form was opened
        self.can_add = self.can_remove = True
        super().__init__(access=access, field=field, **kwargs)
        self.help_text = f"{self.help_text} Several can be chosen.".strip()

    def list_shown(self, values: Sequence[Any]) -> list[Any]:
        """What the record has already, and what else was chosen, as far as the user sees it."""
        known = {each.uid for each in self.earlier} | self.gone
        uids = [uid for each in values if (uid := read_uid(each)) and uid not in known]
        found = {each.uid: each for each in self.visible.filter(uid__in=uids)} if uids else {}
        return [*self.earlier, *(found[uid] for uid in uids if uid in found)]

    def list_filling(self) -> list[str]:
        """The wider fields that choosing fills in the form: required ones. Each of several fills the rest itself."""
        return [name for name in self.list_wider() if self.access.shape.fields[name].is_required]

    def list_filled(self, value: Any) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for each in value or []:
            filled |= super().list_filled(each)
        return {name: each for name, each in filled.items() if name in self.list_filling()}

    def split_chosen(self, value: Any) -> tuple[list[UUID], list[str]]:
        uids = [(each, read_uid(each)) for each in value or []]
        return [uid for _, uid in uids if uid], [str(each) for each, uid in uids if not uid]

    def prepare_value(self, value: Any) -> Any:
        return [super(SeveralField, self).prepare_value(each) for each in value or []]

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


class PartsField(SeveralField):
    """What parts of a record refer to, limited to what their offer says of the record."""

    def __init__(
        self,
        *,
        plan: PartPlan,
        access: ObjectAccess,
        object_type: str,
        record: Any,
        repeated_by: ObjectField | None = None,
    ) -> None:
        self.plan, self.of, self.object_type, self.record = plan, access, object_type, record
        is_new = record._state.adding  # noqa: SLF001  Django's documented API
        super().__init__(
            access=plan.access,
            field=plan.reference,
            earlier=[] if is_new else plan.list_present(record),
            label=plan.title,
            required=False,
        )
        self.can_add, self.can_remove = plan.can_add, plan.can_remove
        wider = [
            each.label
            for each in access.shape.fields.values()
            if each.reference and each.is_required and not each.is_read_only
        ]
        if plan.offer and wider:
            self.nothing = f"{self.plural_noun} are offered once {_join_labels(wider)} is chosen above"
        if repeated_by is not None:
            label = repeated_by.label
            self.help_text += (
                f" With more than one {label}, the people of each go with it alone, others with every one."
            )
        if not self.can_remove and self.earlier:
            self.help_text = f"{self.help_text} Your security profile does not allow you to remove any."

    @property
    def lookup_url(self) -> str:
        url = reverse("record_lookup", args=(self.of.shape.api_name, self.plan.entry.name))
        kept = "" if self.record._state.adding else f"&record={self.record.uid}"  # noqa: SLF001
        return f"{url}?type={self.object_type}{kept}"

    def narrow(self, chosen: Mapping[str, Any] | None) -> None:
        """To nothing: what can be chosen is seen once the form was sent."""
        del chosen
        self.choices: QuerySet[Any] = self.visible.none()

    def recall(self, data: Any, name: str) -> None:
        """Know those alone that whoever sent the form was shown: what others added or removed meanwhile stays so."""
        if self.record._state.adding:  # noqa: SLF001  the record of an earlier form may be gone, and is made anew
            return
        shown = {uid for text in data.getlist(f"{name}__earlier") if (uid := read_uid(text))}
        self.gone = shown - {each.uid for each in self.earlier}
        self.earlier = [each for each in self.earlier if each.uid in shown]

    def limit(self, chosen: Mapping[str, Sequence[Any]]) -> None:
        """To what fits the record as the form has it: `chosen` are the uids of its references."""
        deciders = build_deciders(access=self.of, object_type=self.object_type, chosen=chosen, record=self.record)
        self.choices = list_part_choices(plan=self.plan, deciders=deciders)

    def read_change(self, chosen: Sequence[Any]) -> PartChange:
        """What was ticked and unticked since the form was opened."""
        removed = [each for each in self.earlier if each not in chosen] if self.can_remove else []
        return PartChange(plan=self.plan, added=[each for each in chosen if each not in self.earlier], removed=removed)


def narrow_fields(*, fields: Mapping[str, forms.Field], data: Any) -> None:
    """Let each reference be one that fits the others, those named in words included: the widest are read first."""
    references = {
        name: each
        for name, each in fields.items()
        if isinstance(each, ReferenceField) and not isinstance(each, PartsField)
    }
    chosen: dict[str, list[UUID]] = {}
    words: dict[str, list[str]] = {}
    for name, each in references.items():
        chosen[name], words[name] = each.split_chosen(each.widget.value_from_datadict(data, {}, name))
    for name in sorted(words, key=lambda name: len(references[name].list_wider())):
        if words[name]:
            references[name].narrow(_list_single(chosen))
        for text in words[name]:
            try:
                chosen[name].append(references[name].find(text).uid)
            except ValidationError:
                continue  # said when the form is validated
    for each in references.values():
        each.narrow(_list_single(chosen))
    for name, parts in fields.items():
        if isinstance(parts, PartsField):
            parts.recall(data, name)
            if parts.widget.value_from_datadict(data, {}, name):
                parts.limit(chosen)


def _list_single(chosen: Mapping[str, list[UUID]]) -> dict[str, Any]:
    """Of several nothing can be told that all others must fit."""
    return {name: uids[0] for name, uids in chosen.items() if len(uids) == 1}


def _join_labels(labels: list[str]) -> str:
    *first, last = labels
    return f"{', '.join(first)} or {last}" if first else last
