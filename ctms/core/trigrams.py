"""Migrations of what searches need of PostgreSQL. On SQLite they do nothing: it is quick enough for what it holds."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.operations import TrigramExtension
from django.db.migrations.operations.base import Operation


class TrigramsOfPostgreSQL(TrigramExtension):
    """The extension pg_trgm. Django's own operation, taken back on SQLite, would ask there for extensions."""

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class AddTrigramIndex(Operation):
    """An index by which a text is found by any part of it, whatever its case: what `icontains` and the like ask.

    Besides, PostgreSQL learns from it how frequent the parts of the text are, which tells it when to leave the index
    alone. Needs the extension pg_trgm, see `TrigramExtension` of django.contrib.postgres.
    """

    reversible = True
    reduces_to_sql = True

    def __init__(self, model_name: str, field_name: str) -> None:
        self.model_name, self.field_name = model_name, field_name

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.model_name, self.field_name], {}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Nothing: models do not know of it."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        del from_state
        if schema_editor.connection.vendor != "postgresql":
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        quote = schema_editor.quote_name
        column = quote(model._meta.get_field(self.field_name).column)
        # As Django writes the left side of these look-ups.
        schema_editor.execute(
            f"CREATE INDEX {quote(self._get_name(app_label))} ON {quote(model._meta.db_table)} "
            f"USING gin (UPPER({column}::text) gin_trgm_ops)"
        )

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        del from_state, to_state
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"DROP INDEX IF EXISTS {schema_editor.quote_name(self._get_name(app_label))}")

    def describe(self) -> str:
        return f"Search {self.model_name} by any part of {self.field_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name}_{self.field_name}_trigrams".lower()

    def _get_name(self, app_label: str) -> str:
        return f"{app_label}_{self.model_name}_{self.field_name}_trigrams".lower()
