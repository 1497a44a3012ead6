"""Integration rules hold a filter; without one, all records of the rule are transferred, as before."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0004_organisation"),
    ]

    operations = [
        migrations.AddField(
            model_name="integrationrule",
            name="conditions",
            field=models.JSONField(blank=True, default=list, editable=False, verbose_name="filter"),
        ),
    ]
