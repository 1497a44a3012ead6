"""Where the cursor stands in a form that was refused."""

from __future__ import annotations

from collections.abc import Iterable

from django import forms


def focus_first_error(form: forms.Form, names: Iterable[str]) -> None:
    """Give the focus to the first of these inputs, named in the order of the page, that has an error.

    Without an error the form stays as it is.
    """
    wrong = next((name for name in names if name in form.fields and name in form.errors), None) if form.errors else None
    if wrong is not None:
        for field in form.fields.values():
            field.widget.attrs.pop("autofocus", None)
        form.fields[wrong].widget.attrs["autofocus"] = True
