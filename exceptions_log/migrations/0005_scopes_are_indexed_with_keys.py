"""The constraints of scope and key are the index of the scope; a second index would be chosen instead of them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0005_duplicates_and_targets"),
        ("exceptions_log", "0004_one_unresolved_item_per_failure"),
        ("jobs", "0002_leases_are_observed"),
    ]

    operations = [
        migrations.AlterField(
            model_name="exceptionitem",
            name="integration",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="connections.integration",
            ),
        ),
        migrations.AlterField(
            model_name="exceptionitem",
            name="job",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="jobs.jobdefinition",
            ),
        ),
        migrations.AlterField(
            model_name="failure",
            name="integration",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="connections.integration",
            ),
        ),
        migrations.AlterField(
            model_name="failure",
            name="job",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="jobs.jobdefinition",
            ),
        ),
    ]
