"""The chain of the audit trail: a seal for each entry, and how far they go."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0007_entries_are_guarded"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("entry_id", models.BigIntegerField(unique=True)),
                ("format", models.PositiveSmallIntegerField()),
                ("salt", models.BinaryField(null=True)),
                ("commitment", models.BinaryField()),
                ("hash", models.BinaryField()),
            ],
            options={
                "verbose_name": "seal of the audit trail",
                "verbose_name_plural": "seals of the audit trail",
            },
        ),
        migrations.CreateModel(
            name="AuditSealing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "bookmark",
                    models.TextField(blank=True, default="", help_text="what is visible at that place is sealed"),
                ),
                ("position", models.BigIntegerField(default=0)),
                ("hash", models.BinaryField(default=bytes)),
            ],
            options={
                "verbose_name": "progress of the sealing",
                "verbose_name_plural": "progress of the sealing",
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="audit_sealing_is_one_row")],
            },
        ),
    ]
