"""Shows the state of a form as a page: sections with inputs, and with values that are only shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.forms.boundfield import BoundField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ctms.configuration.fields import ObjectField
from ctms.records.fields.kinds.picklist import PicklistField, SegmentedInput
from ctms.records.fields.reference_field import ReferenceField
from ctms.records.fields.shown_value import ShownValue
from ctms.records.fields.values import ValueReader
from ctms.records.forms.form_state import FormState
from ctms.records.forms.next_step_form import DAY, TITLE

_MOST_SEGMENTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class FormItem:
    """One place in a form: an input, or a value that is only shown."""

    label: str
    bound: BoundField | None = None
    shown: ShownValue | None = None
    is_wide: bool = False
    has_title: bool = False  # the section's heading is its title; its own label is only for screen readers


@dataclass(frozen=True, slots=True, kw_only=True)
class FormSection:
    """A section of a form; it has at least one item."""

    key: str
    title: str
    items: list[FormItem]


@dataclass(frozen=True, kw_only=True)
class FormPage:
    """A form as its page shows it."""

    state: FormState

    @cached_property
    def sections(self) -> list[FormSection]:
        """The sections of the form, each with its items; those of child records stand below the others."""
        return _build_sections(self.state)


def render_form(
    request: HttpRequest, *, state: FormState, template: str, context: dict[str, Any], has_segments: bool = False
) -> HttpResponse:
    """Render a form; with `has_segments`, the choices of short required picklists stand side by side."""
    if has_segments:
        _use_segments(state)
    _place_focus(state)
    given = {"access": state.layout.access, "form": state, "page": FormPage(state=state)}
    return render(request, template, given | context)


def _build_sections(state: FormState) -> list[FormSection]:
    """Return the sections that the page shows, each with its items."""
    layout = state.layout
    reader = ValueReader(access=layout.access)
    shown = [each for _, fields in layout.sections for each in fields if each.api_name not in state.fields]
    reader.load(records=[layout.record], fields=shown)
    sections = []
    placed: set[str] = set()
    for number, (title, fields) in enumerate(layout.sections):
        items = [
            item
            for each in fields
            if each.api_name not in placed and (item := _build_item(state=state, field=each, reader=reader)) is not None
        ]
        placed |= {each.api_name for each in fields}
        if items:
            sections.append(FormSection(key=f"form-section-{number}", title=title, items=items))
    for child in state.children:
        item = FormItem(label=child.picker.title, bound=child.bound_field, is_wide=True, has_title=True)
        sections.append(FormSection(key=f"form-{child.name}", title=child.picker.title, items=[item]))
    if state.next_step is not None:
        inputs = [
            FormItem(label=str(each.label), bound=each, is_wide=each.name != DAY)
            for each in state.next_step.list_bound()
        ]
        sections.append(FormSection(key="form-next-step", title=TITLE, items=inputs))
    return sections


def _use_segments(state: FormState) -> None:
    for name, form_field in state.fields.items():
        if isinstance(form_field, PicklistField) and form_field.required:
            choices, icons = form_field.list_choices(), state.layout.access.vault_object.icons.get(name, {})
            if len(choices) <= _MOST_SEGMENTS:
                form_field.widget = SegmentedInput(choices=choices, icons=icons)


def _place_focus(state: FormState) -> None:
    """Give the focus to what has to be mended, else to the first input of a new record, after references that are set.

    Questions stand above the form, and have the focus by themselves.
    """
    wrong = next((each for each in state if each.errors), None) if state.is_bound else None
    first = next((each for each in state if _is_open(each)), None) if state.layout.is_new else None
    chosen = wrong or (first if not state.questions else None)
    if chosen is not None:
        chosen.field.widget.attrs["autofocus"] = True


def _is_open(bound: BoundField) -> bool:
    is_set = isinstance(bound.field, ReferenceField) and bool(bound.initial)
    return not (bound.is_hidden or is_set)


def _build_item(*, state: FormState, field: ObjectField, reader: ValueReader) -> FormItem | None:
    is_wide = field.is_wide
    if field.api_name in state.fields:
        return FormItem(label=field.label, bound=state[field.api_name], is_wide=is_wide)
    shown = reader.show(record=state.layout.record, field=field)
    return FormItem(label=field.label, shown=shown, is_wide=is_wide) if shown.text else None
