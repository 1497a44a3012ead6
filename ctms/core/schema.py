"""Whether the database has the tables that the code expects; asked before initial data are written into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db import models


def is_schema_current(*, apps: Apps, models: tuple[type[models.Model], ...]) -> bool:
    """True if every model has, in the migrated state `apps`, the columns that it has in the code.

    False halfway through the migrations, forwards or backwards: then a row of the model in the code would not fit.
    """
    return all(_list_columns(_find(apps=apps, model=model)) == _list_columns(model) for model in models)


def _find(*, apps: Apps, model: type[models.Model]) -> type[models.Model] | None:
    try:
        return apps.get_model(model._meta.label)
    except LookupError:
        return None


def _list_columns(model: type[models.Model] | None) -> set[str]:
    return {str(field.column) for field in model._meta.local_concrete_fields} if model else set()
