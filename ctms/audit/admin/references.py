"""The fields of the console in which a reference is chosen among suggestions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.widgets import AutocompleteSelect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django import forms
    from django.contrib import admin
    from django.db.models import ForeignKey
    from django.http import HttpRequest

    _Base = admin.options.BaseModelAdmin[Any]
else:
    _Base = object

_MOST_DIGITS = 18  # of a key that any database stores


class ReferenceSelect(AutocompleteSelect):
    """Django's widget, which asks the database for the row of whatever was sent, and fails if that is no key."""

    def optgroups(self, name: str, value: Sequence[str], attr: dict[str, Any] | None = None) -> Any:
        keys = [each for each in value if each.isdecimal() and len(each) <= _MOST_DIGITS]
        return super().optgroups(name, keys, attr)


class ReferencesMixin(_Base):
    """Uses `ReferenceSelect` for `autocomplete_fields`."""

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> forms.ModelChoiceField[Any] | None:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", ReferenceSelect(db_field, self.admin_site, using=kwargs.get("using")))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
