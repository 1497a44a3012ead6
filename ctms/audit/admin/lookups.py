"""Which conditions the address of a list in the console may hold: those of its filters, and of links that lead to it.

Django allows any look-up of the model's own fields. Then whoever may see a list can guess what none of its pages shows,
letter by letter, and keep the database busy with a regular expression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import FieldDoesNotExist
from django.db.models.constants import LOOKUP_SEP

if TYPE_CHECKING:
    from django.contrib import admin
    from django.http import HttpRequest

    _Base = admin.ModelAdmin[Any]
else:
    _Base = object

# What filters put after the name of their field. None of them looks into a text.
_COMPARISONS = frozenset({"exact", "in", "isnull", "gt", "gte", "lt", "lte", "id", "pk"})


class ListedLookupsMixin(_Base):
    """Refuses look-ups that neither `list_filter` nor `linked_lookups` names; the page answers 400."""

    # Look-ups by which other pages lead to this list, e.g. `record_uid__exact`.
    linked_lookups: ClassVar[tuple[str, ...]] = ()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        if lookup in self.linked_lookups or not self._names_field(lookup):
            return super().lookup_allowed(lookup, value, request)
        return any(
            lookup == path
            or (
                lookup.startswith(path + LOOKUP_SEP)
                and set(lookup.removeprefix(path + LOOKUP_SEP).split(LOOKUP_SEP)) <= _COMPARISONS
            )
            for path in self._list_filter_paths(request)
        )

    def _names_field(self, lookup: str) -> bool:
        """Whether a look-up is one of the model; filters have parameters of their own, such as `shown`."""
        name = lookup.split(LOOKUP_SEP, maxsplit=1)[0]
        if name == "pk":
            return True
        try:
            self.model._meta.get_field(name)
        except FieldDoesNotExist:
            return False
        return True

    def _list_filter_paths(self, request: HttpRequest) -> list[str]:
        named = [_name_filter(each) for each in self.get_list_filter(request)]
        return [each for each in [*named, self.date_hierarchy] if each]


def _name_filter(each: Any) -> str:
    """Return the field of a filter; of a filter of its own kind the parameter, which may be the name of a field."""
    if isinstance(each, str):
        return each
    return str(each[0] if isinstance(each, list | tuple) else each.parameter_name)
