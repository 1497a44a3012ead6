import django.core.serializers.json
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_index=True, verbose_name="time (UTC)")),
                ("actor_name", models.CharField(max_length=255)),
                ("source", models.CharField(help_text="page, admin, api, import, job or command", max_length=20)),
                (
                    "reference",
                    models.CharField(blank=True, default="", help_text="the job run or request", max_length=100),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("created", "Created"),
                            ("changed", "Changed"),
                            ("deleted", "Deleted"),
                            ("logged_in", "Logged in"),
                            ("logged_out", "Logged out"),
                            ("login_failed", "Log-in failed"),
                            ("exported", "Exported"),
                            ("event", "Event"),
                        ],
                        max_length=20,
                    ),
                ),
                ("object_name", models.CharField(max_length=80, verbose_name="object")),
                ("record_uid", models.UUIDField(null=True)),
                ("record_name", models.CharField(blank=True, default="", max_length=255)),
                (
                    "changes",
                    models.JSONField(
                        default=dict,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                        help_text="field → [value before, value after]",
                    ),
                ),
                ("reason", models.CharField(blank=True, default="", max_length=500)),
                (
                    "actor",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "audit trail entry",
                "verbose_name_plural": "audit trail",
                "ordering": ("-id",),
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["record_uid", "-id"], name="audit_record")],
            },
        ),
    ]
