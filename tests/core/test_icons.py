"""Icons in templates, and templates that are the same in every page."""

from __future__ import annotations

import pytest
from django.template import Context, Template, TemplateSyntaxError

from ctms.core.icons import render_icon

EDIT = '<svg class="icon small" aria-hidden="true" focusable="false"><use href="#icon-edit"></use></svg>'


def test_an_icon_is_shown_by_its_name() -> None:
    assert render_icon("edit", "small") == EDIT
    assert Template('{% icon "edit" class="small" %}').render(Context()) == EDIT
    assert Template('{% icon entry.icon|default:"edit" class=size %}').render(Context({"size": "small"})) == EDIT


def test_a_name_of_an_icon_cannot_leave_its_attribute() -> None:
    shown = Template("{% icon name %}").render(Context({"name": '"><script>alert(1)</script>'}))
    assert "<script>" not in shown


@pytest.mark.parametrize("tag", ["{% icon %}", '{% icon "edit" "small" %}', '{% icon "edit" size="small" %}'])
def test_a_wrong_icon_is_refused_when_the_template_is_compiled(tag: str) -> None:
    with pytest.raises(TemplateSyntaxError, match="Write"):
        Template(tag)


def test_a_fixed_template_is_included_without_the_context_of_the_page() -> None:
    shown = Template('{% fixed "components/mark.html" %}').render(Context())
    assert shown.startswith("<svg")
    with pytest.raises(TemplateSyntaxError, match="Write"):
        Template("{% fixed name %}")
