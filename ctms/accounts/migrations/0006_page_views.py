"""Accounts that end, profiles whose users' page views are noted, and the notes, which PostgreSQL keeps as they are."""

import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import ctms.core.clock

CREATE = """
CREATE FUNCTION refuse_page_view_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'page views are never changed or removed';
END;
$$;
CREATE TRIGGER page_view_is_final BEFORE UPDATE OR DELETE ON accounts_pageview
    FOR EACH ROW EXECUTE FUNCTION refuse_page_view_change();
"""
DROP = """
DROP TRIGGER page_view_is_final ON accounts_pageview;
DROP FUNCTION refuse_page_view_change();
"""


def _create_trigger(_apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE)


def _drop_trigger(_apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_invitations")]

    operations = [
        migrations.AddField(
            model_name="securityprofile",
            name="log_views",
            field=models.BooleanField(
                default=False,
                help_text="Every page that its users open is noted, with the record and the time: Logs > Page Views.",
                verbose_name="notes what is looked at",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="valid_until",
            field=models.DateField(
                blank=True, help_text="The last day (UTC) on which the user may log in. Empty: no end.", null=True
            ),
        ),
        migrations.CreateModel(
            name="PageView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_index=True, default=ctms.core.clock.get_now, verbose_name="time (UTC)")),
                ("method", models.CharField(max_length=10)),
                ("address", models.CharField(max_length=500)),
                (
                    "status",
                    models.PositiveSmallIntegerField(
                        help_text="HTTP status: 200 is a page that was shown.", verbose_name="answer"
                    ),
                ),
                ("object_name", models.CharField(blank=True, default="", max_length=80, verbose_name="object")),
                ("record_uid", models.UUIDField(db_index=True, null=True, verbose_name="record UID")),
                ("record_name", models.CharField(blank=True, default="", max_length=255, verbose_name="record")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="page_views",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ("-id",), "base_manager_name": "objects"},
        ),
        migrations.RunPython(_create_trigger, _drop_trigger),
    ]
