"""Entries know when the database wrote them. Those from before do not; the triggers come after the migrations."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.functions import Now

NEW_GUARDS = """
DROP TRIGGER IF EXISTS audit_trail_is_kept ON audit_auditentry;
DROP TRIGGER IF EXISTS audit_entry_is_stamped ON audit_auditentry;
DROP TRIGGER IF EXISTS audit_entry_is_redacted_alone ON audit_auditentry;
DROP FUNCTION IF EXISTS stamp_audit_entry();
DROP FUNCTION IF EXISTS let_redact_audit_entry();
DROP FUNCTION IF EXISTS let_forget_audit_salt();
DROP TRIGGER audit_entry_is_final ON audit_auditentry;
CREATE TRIGGER audit_entry_is_final BEFORE UPDATE OR DELETE ON audit_auditentry
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
"""


def remove_new_guards(_apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """On PostgreSQL, leave the one trigger of migration 0002."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(NEW_GUARDS)


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_find_entries")]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, remove_new_guards),
        migrations.AddField(
            model_name="auditentry",
            name="written_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="written (database's clock)"),
        ),
        # In a step of its own, so that entries from before get no date.
        migrations.AlterField(
            model_name="auditentry",
            name="written_at",
            field=models.DateTimeField(
                db_default=Now(), editable=False, null=True, verbose_name="written (database's clock)"
            ),
        ),
    ]
