"""Tags of the admin console's templates.

`{% list_form_problems as problems %}` lists what a form was refused for, `{% read_way as way %}` says where a page is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django import template
from django.db.models import Model
from django.forms import BaseForm
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst

register = template.Library()


class FormProblem(NamedTuple):
    """An error of a form. `field_id` is the id of the input to go to, empty if there is none to be seen."""

    field_id: str
    label: str
    error: str


class Step(NamedTuple):
    """A page that another one is below, as a link to it says."""

    title: str
    link: str


class Way(NamedTuple):
    """Where a page is: below which list and which record, and what its own heading is."""

    steps: list[Step]
    heading: str


@register.simple_tag(takes_context=True)
def read_way(context: template.Context) -> Way:
    """Return the list and the record that a page of the console is below, and its heading.

    A record's page has the record as its heading; every other page has its title.
    """
    heading = str(context.get("title") or "")
    opts = context.get("opts")
    plural = capfirst(str(opts.verbose_name_plural)) if opts else heading
    if opts is None or context.get("cl") or heading == plural:
        return Way([], heading)
    name = f"admin:{opts.app_label}_{opts.model_name}"
    steps = _build_step(f"{name}_changelist", title=plural)
    record = context.get("original") or context.get("object")
    if not isinstance(record, Model):
        return Way(steps, heading)
    if context.get("adminform") or heading == str(record):
        return Way(steps, str(record))
    return Way(steps + _build_step(f"{name}_change", record.pk, title=str(record)), heading)


def _build_step(name: str, *args: Any, title: str) -> list[Step]:
    try:
        return [Step(title, reverse(name, args=args))]
    except NoReverseMatch:
        return []


@register.simple_tag(takes_context=True)
def list_form_problems(context: template.Context) -> list[FormProblem]:
    """Return the errors of all fields of the page: of its form, the rows below it, and the rows of an editable list.

    Errors of the page's form as a whole are left out: the page shows them by themselves.
    """
    problems: list[FormProblem] = []
    form = getattr(context.get("adminform"), "form", None) or context.get("form")
    if form is not None:
        problems += _list_field_problems(form, prefix="")
    formsets = [(each.formset, each.opts.verbose_name) for each in context.get("inline_admin_formsets") or ()]
    if (listed := getattr(context.get("cl"), "formset", None)) is not None:
        formsets.append((listed, context["cl"].opts.verbose_name))
    for formset, name in formsets:
        problems += _list_formset_problems(formset, name=capfirst(str(name)))
    return problems


def _list_formset_problems(formset: Any, *, name: str) -> Iterator[FormProblem]:
    yield from (FormProblem("", "", str(error)) for error in formset.non_form_errors())
    for number, form in enumerate(formset.forms, start=1):
        row = f"{name} {number}"
        yield from (FormProblem("", "", f"{row}: {error}") for error in form.non_field_errors())
        yield from _list_field_problems(form, prefix=f"{row}, ")


def _list_field_problems(form: BaseForm, *, prefix: str) -> Iterator[FormProblem]:
    for field in form:
        field_id = "" if field.is_hidden else field.id_for_label or str(field.auto_id)
        for error in field.errors:
            yield FormProblem(field_id, f"{prefix}{field.label}", str(error))
