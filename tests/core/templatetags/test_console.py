"""The summary of a console form lists every error with its input; a page says below which list and record it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django import forms
from django.template import Context
from django.template.loader import render_to_string

from ctms.clinical.models import Study
from ctms.core.templatetags.console import FormProblem, Step, Way, list_form_problems, read_way

REQUIRED = "This field is required."


class SiteForm(forms.Form):
    number = forms.CharField(label="Site number")
    token = forms.CharField(widget=forms.HiddenInput)
    visits = forms.MultipleChoiceField(choices=[("a", "First")], widget=forms.CheckboxSelectMultiple)


class RowForm(forms.Form):
    person = forms.CharField(label="Person")

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("person") == "nobody":
            raise forms.ValidationError("Nobody is no person.")
        return self.cleaned_data


def build_rows(*persons: str) -> Any:
    data = {"rows-TOTAL_FORMS": str(len(persons)), "rows-INITIAL_FORMS": str(len(persons))}
    data |= {f"rows-{number}-person": person for number, person in enumerate(persons)}
    return forms.formset_factory(RowForm)(data, prefix="rows")


def test_each_field_is_named_with_its_input_unless_it_is_hidden() -> None:
    assert list_form_problems(Context({"form": SiteForm({})})) == [
        FormProblem("id_number", "Site number", REQUIRED),
        FormProblem("", "Token", REQUIRED),
        FormProblem("id_visits", "Visits", REQUIRED),
    ]


def test_rows_below_a_form_and_rows_of_a_list_are_named_by_their_number() -> None:
    options = SimpleNamespace(verbose_name="assigned user")
    inline = SimpleNamespace(formset=build_rows("Ada", "", "nobody"), opts=options)
    expected = [
        FormProblem("id_rows-1-person", "Assigned user 2, Person", REQUIRED),
        FormProblem("", "", "Assigned user 3: Nobody is no person."),
    ]
    assert list_form_problems(Context({"inline_admin_formsets": [inline]})) == expected
    listed = SimpleNamespace(formset=inline.formset, opts=options)
    assert list_form_problems(Context({"cl": listed})) == expected


def test_a_page_without_a_form_has_no_problem() -> None:
    assert list_form_problems(Context({})) == []


def test_the_summary_links_to_the_inputs() -> None:
    form = SiteForm({"token": "x", "visits": ["a"]})
    html = render_to_string("unfold/helpers/messages/errornote.html", {"form": form, "errors": form.errors})
    assert 'role="alert"' in html
    assert 'href="#id_number"' in html
    assert "Please correct the error below." in html


STUDY = Study(pk=7, name="HVT062-301")
LIST = Step("Studies", "/admin/clinical/study/")
RECORD = Step("HVT062-301", "/admin/clinical/study/7/change/")


@pytest.mark.parametrize(
    ("context", "way"),
    [
        ({"title": "Studies", "cl": object()}, Way([], "Studies")),
        ({"title": "Studies"}, Way([], "Studies")),  # a list that is not Django's
        ({"title": "Add study", "adminform": object(), "original": None}, Way([LIST], "Add study")),
        ({"title": "Study", "adminform": object(), "original": STUDY}, Way([LIST], "HVT062-301")),
        ({"title": "HVT062-301", "original": STUDY}, Way([LIST], "HVT062-301")),
        ({"title": "Delete", "object": STUDY}, Way([LIST, RECORD], "Delete")),
        ({"title": "Hand over", "original": STUDY}, Way([LIST, RECORD], "Hand over")),
        ({"title": "Unmatched", "object": "no record"}, Way([LIST], "Unmatched")),
    ],
)
def test_a_page_is_below_its_list_and_its_record(context: dict[str, Any], way: Way) -> None:
    assert read_way(Context({"opts": Study._meta, **context})) == way


def test_a_page_of_no_model_has_its_title_alone() -> None:
    assert read_way(Context({"title": "Admin"})) == Way([], "Admin")
