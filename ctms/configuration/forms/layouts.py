"""Forms of page layouts, and the JSON in which the editor's page holds sections."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminSelectWidget

from ctms.audit.forms import AuditedModelForm
from ctms.configuration.choices import SectionKind
from ctms.configuration.drafts import SectionDraft, Sections
from ctms.configuration.models import PageLayout
from ctms.configuration.tables import list_layout_choices

_NAMES = {each.name for each in fields(SectionDraft)}


def dump_sections(sections: Sections) -> str:
    """Return the sections as JSON, for a hidden field of the editor's page."""
    return json.dumps([asdict(section) for section in sections])


def load_sections(text: str) -> Sections:
    """Read the sections that `dump_sections` wrote. Raises ValidationError for anything else."""
    try:
        return tuple(_load_section(found) for found in json.loads(text))
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValidationError("The layout came incomplete. Reload the page and change it again.") from error


def _load_section(found: Any) -> SectionDraft:
    texts = ("key", "title", "related_object", "related_field")
    if (
        set(found) != _NAMES
        or not all(isinstance(found[name], str) for name in texts)
        or not all(isinstance(item, str) for item in found["items"])
    ):
        raise ValueError(found)
    return SectionDraft(
        **{name: found[name] for name in texts},
        kind=SectionKind(found["kind"]),
        items=tuple(found["items"]),
        prevent_creation=found["prevent_creation"] is True,
    )


class LayoutForm(forms.Form):
    """A layout in the editor: its sections as JSON, changed by what is in the inputs of each section."""

    name = forms.CharField(required=False)
    layout = forms.CharField()
    read_version = forms.IntegerField()

    def clean_layout(self) -> Sections:
        return tuple(self._read_inputs(section) for section in load_sections(self.cleaned_data["layout"]))

    def _read_inputs(self, section: SectionDraft) -> SectionDraft:
        title = self.data.get(f"title-{section.key}")
        if title is None:
            return section
        prevent_creation = section.is_related and f"prevent-{section.key}" in self.data
        return replace(section, title=title, prevent_creation=prevent_creation)


class TypeLayoutForm(AuditedModelForm):
    """A new layout for one object type."""

    target = forms.ChoiceField(
        label="Object type",
        widget=UnfoldAdminSelectWidget,
        help_text="Its records have this layout from now on. It begins as a copy of the object’s.",
    )

    class Meta:
        model = PageLayout
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = False
        self.fields["name"].help_text = "Left empty, it is named after the object type."
        field = self.fields["target"]
        if isinstance(field, forms.ChoiceField):
            field.choices = list_layout_choices(str(self.initial.get("of_object", "")))

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        self.instance.of_object, _, self.instance.object_type = self.cleaned_data.get("target", "").partition(":")
        return cleaned
