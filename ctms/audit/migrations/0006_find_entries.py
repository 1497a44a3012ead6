"""Indexes by which entries are found: any part of the record's name or of the reason, and the fields that changed."""

from collections.abc import Callable

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from ctms.core.trigrams import AddTrigramIndex

# The expression must be the one of `ctms.audit.admin.entry_filters.NamesField`.
CREATE = """
CREATE INDEX audit_auditentry_fields ON audit_auditentry
    USING gin (jsonb_path_query_array(words, '$.keyvalue().key'))
"""
DROP = "DROP INDEX audit_auditentry_fields"


def _run_on_postgresql(sql: str) -> Callable[[Apps, BaseDatabaseSchemaEditor], None]:
    def run(_apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(sql)

    return run


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_old_entries_in_words")]

    operations = [
        # The extension is not dropped again: indexes of other apps use it.
        migrations.RunPython(_run_on_postgresql("CREATE EXTENSION IF NOT EXISTS pg_trgm"), migrations.RunPython.noop),
        AddTrigramIndex("auditentry", "record_name"),
        AddTrigramIndex("auditentry", "reason"),
        migrations.RunPython(_run_on_postgresql(CREATE), _run_on_postgresql(DROP)),
    ]
