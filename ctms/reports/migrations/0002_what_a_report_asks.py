import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reports", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="reporttype",
            name="description",
            field=models.CharField(blank=True, default="", max_length=500),
        ),
        migrations.AddField(
            model_name="reporttype",
            name="delivered_key",
            field=models.CharField(blank=True, editable=False, max_length=80, null=True, unique=True),
        ),
        migrations.AlterField(
            model_name="reporttype",
            name="primary_object",
            field=models.CharField(max_length=80, verbose_name="primary reporting object"),
        ),
        migrations.AddField(
            model_name="report",
            name="owner",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="owned_reports",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL("UPDATE reports_report SET owner_id = created_by_id", migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="report",
            name="owner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="owned_reports",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        *[
            migrations.AddField(model_name="report", name=name, field=models.JSONField(blank=True, default=default))
            for name, default in (
                ("related_filters", list),
                ("prompts", list),
                ("across", dict),
                ("measures", list),
            )
        ],
        migrations.AddField(
            model_name="report",
            name="row_limit",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="report",
            name="run_as_owner",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="report",
            name="delivered_key",
            field=models.CharField(blank=True, editable=False, max_length=80, null=True, unique=True),
        ),
    ]
