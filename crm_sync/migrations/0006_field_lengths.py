"""Lengths of the CRM's fields, which forms tell."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0005_duplicates_and_targets"),
        ("crm_sync", "0005_preview"),
    ]

    operations = [
        migrations.CreateModel(
            name="FieldLength",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("crm_field", models.CharField(max_length=241, verbose_name="CRM field")),
                ("length", models.PositiveIntegerField()),
                ("known_since", models.DateTimeField()),
                (
                    "field_rule",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="crm_length",
                        to="connections.fieldrule",
                    ),
                ),
            ],
        ),
    ]
