"""Migration operations that change large tables of PostgreSQL while people and workers go on writing to them.

Django's own lock a table until an index is built or all rows are checked. These stand alone in a migration with
`atomic = False`, because neither works within a transaction; what an interrupted one left is removed when it runs
again. On SQLite, which one process at a time writes anyway, they are Django's own.
"""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations import AddConstraint, AddIndex
from django.db.models import CheckConstraint


class AddIndexOnline(AddIndex):
    """Builds an index while the table is written to."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        refuse_transaction(schema_editor, operation=type(self).__name__)
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
        model = to_state.apps.get_model(app_label, self.model_name)
        schema_editor.add_index(model, self.index, concurrently=True)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
            return
        refuse_transaction(schema_editor, operation=type(self).__name__)
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")


class AddCheckOnline(AddConstraint):
    """Adds a check that holds for new rows at once, and then looks at the others without keeping anybody waiting.

    If a row breaks it, the check stays as it is and the migration fails; it can run again once the row is corrected.
    """

    atomic = False

    def __init__(self, model_name: str, constraint: Any) -> None:
        if not isinstance(constraint, CheckConstraint):
            raise TypeError(
                "AddCheckOnline takes a CheckConstraint. A unique constraint needs an index: AddIndexOnline."
            )
        super().__init__(model_name, constraint)

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        refuse_transaction(schema_editor, operation=type(self).__name__)
        model = to_state.apps.get_model(app_label, self.model_name)
        table, name = schema_editor.quote_name(model._meta.db_table), schema_editor.quote_name(self.constraint.name)
        schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
        schema_editor.execute(f"{self.constraint.create_sql(model, schema_editor)} NOT VALID")
        schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def refuse_transaction(schema_editor: Any, *, operation: str) -> None:
    """Raise RuntimeError within a transaction, in which PostgreSQL does none of this."""
    if schema_editor.connection.in_atomic_block:
        raise RuntimeError(f"{operation} needs a migration of its own with `atomic = False`.")
