"""Secrets belong to the organisation that they are used for; one that shared them has to get its own."""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def bind_secrets(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001  Django's signature
    """Bind the secrets of an authorization to its oldest connection, and take it from its other connections."""
    connections: Any = apps.get_model("connections", "Connection").objects
    authorizations: Any = apps.get_model("connections", "ConnectionAuthorization").objects
    bound: set[int] = set()
    for connection in connections.exclude(authorization=None).order_by("pk"):
        if connection.authorization_id in bound:
            connections.filter(pk=connection.pk).update(authorization=None)
            continue
        bound.add(connection.authorization_id)
        authorization = authorizations.filter(pk=connection.authorization_id)
        authorization.exclude(password_set_at=None).update(password_origin=connection.url)
        authorization.exclude(connected_app_set_at=None).update(connected_app_origin=connection.url)


class Migration(migrations.Migration):
    dependencies = [("connections", "0005_duplicates_and_targets")]

    operations = [
        migrations.AddField(
            model_name="connectionauthorization",
            name="connected_app_origin",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                max_length=255,
                verbose_name="organisation of the connected app",
            ),
        ),
        migrations.AddField(
            model_name="connectionauthorization",
            name="password_origin",
            field=models.CharField(
                blank=True, default="", editable=False, max_length=255, verbose_name="organisation of the password"
            ),
        ),
        migrations.RunPython(bind_secrets, migrations.RunPython.noop, elidable=True),
    ]
