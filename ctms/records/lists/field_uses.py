"""Where users' lists use a field: the columns, filters and order of saved views."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse

from ctms.configuration.field_paths import names_field
from ctms.configuration.fields import ObjectField
from ctms.configuration.uses import Use
from ctms.records.models import SavedView


def find_view_uses(object_name: str, field: ObjectField) -> Iterator[Use]:
    """Yield the views that name the field. A view of one user alone is named by its user, and has no link."""
    for view in SavedView.objects.select_related("user").order_by("name", "pk"):
        if names_field(
            texts=[view.parameters, *map(str, view.columns)],
            start=view.of_object,
            object_name=object_name,
            api_name=field.api_name,
        ):
            url = f"{reverse('record_list', args=(view.of_object,))}?view={view.uid}" if view.is_shared else ""
            yield Use(place="Saved view", name=f"{view.name} ({view.user})", url=url)
