"""Migration operations for searches on PostgreSQL. On SQLite, whose databases are small, they do nothing."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.operations import TrigramExtension
from django.db.migrations.operations.base import Operation


class TrigramsOfPostgreSQL(TrigramExtension):
    """Creates the extension pg_trgm. Django's own operation fails when it is reversed on SQLite."""

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class AddTrigramIndex(Operation):
    """Creates an index that finds a text by any part of it, in either case, for look-ups such as `icontains`.

    PostgreSQL also learns from it how frequent parts of the text are, and so when a scan is faster than the index.
    Needs the extension pg_trgm, see `TrigramsOfPostgreSQL`.
    """

    reversible = True
    reduces_to_sql = True

    def __init__(self, model_name: str, field_name: str) -> None:
        self.model_name, self.field_name = model_name, field_name

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.model_name, self.field_name], {}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Do nothing: the index is not part of the models' state."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        del from_state
        if schema_editor.connection.vendor != "postgresql":
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        quote = schema_editor.quote_name
        column = quote(model._meta.get_field(self.field_name).column)
        # The expression must be the one that Django writes for the column in these look-ups.
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
