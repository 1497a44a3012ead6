"""Duplicates may be allowed by rule, and no target is filled twice, whatever its case."""

import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0004_organisations"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="fieldrule",
            name="target_once_per_rule",
        ),
        migrations.AddField(
            model_name="integrationrule",
            name="allow_duplicates",
            field=models.BooleanField(
                default=False,
                help_text="Save records although a duplicate rule of the CRM that only warns would refuse them.",
            ),
        ),
        migrations.AddConstraint(
            model_name="fieldrule",
            constraint=models.UniqueConstraint(
                models.F("rule"),
                django.db.models.functions.text.Lower("target"),
                name="target_once_per_rule",
                violation_error_message="Another field rule fills this target field.",
            ),
        ),
    ]
