"""The form of a report type in the console: what its reports are about."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from ctms.audit.forms import AuditedModelForm
from ctms.reports.models import ReportType
from ctms.reports.sources import Relation, list_relations, list_source_names

_NONE = ""


class ReportTypeForm(AuditedModelForm):
    """Primary Reporting Object, and a related child object, which is one of those that refer to it."""

    primary_object = forms.ChoiceField(label="Primary Reporting Object", widget=UnfoldAdminSelectWidget)
    related_object = forms.ChoiceField(
        label="Add Related Object",
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Each of its records makes a row of its own, beside the record that it belongs to.",
    )

    class Meta:
        model = ReportType
        fields: ClassVar = ("name", "description", "primary_object", "status")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sources = list_source_names()
        self._relations = {name: list_relations(name) for name, _ in sources}
        self._choose("primary_object", [(_NONE, "Choose an object"), *sources])
        related = [
            (
                f"Of {label}",
                [(each.name, _describe(each, among=self._relations[name])) for each in self._relations[name]],
            )
            for name, label in sources
            if self._relations[name]
        ]
        self._choose("related_object", [(_NONE, "None"), *related])
        if self.instance.related_objects and "related_object" in self.fields:
            self.initial["related_object"] = self.instance.related_objects[0]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        primary, related = cleaned.get("primary_object", ""), cleaned.get("related_object", "")
        before = (self.initial.get("primary_object"), self.initial.get("related_object", ""))
        if related and related not in {each.name for each in self._relations.get(primary, ())}:
            self.add_error(
                "related_object", "It does not refer to the primary object. Choose one that stands below it."
            )
        elif self.instance.pk is not None and (primary, related) != before and self.instance.reports.exists():
            self.add_error("primary_object", "Reports of this type exist. Create another report type instead.")
        else:
            self.instance.related_objects = [related] if related else []
        return cleaned

    def _choose(self, name: str, choices: list[Any]) -> None:
        field = self.fields.get(name)
        if isinstance(field, forms.ChoiceField):
            field.choices = choices


def _describe(relation: Relation, *, among: list[Relation]) -> str:
    """Return the child object, with its reference if it has several to the primary object."""
    is_one = sum(each.child.api_name == relation.child.api_name for each in among) == 1
    return f"{relation.child.plural_title} (Child)" if is_one else relation.label
