"""Items have their scope, their problem and the time when they were resolved; failures of a run have a table."""

import uuid

import django.core.serializers.json
import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

ERROR_TYPES = [
    ("configuration__v", "Configuration"),
    ("authentication__v", "Authentication"),
    ("mapping__v", "Mapping"),
    ("matching__v", "Matching"),
    ("rejected__v", "Rejected by CRM"),
    ("connectivity__v", "Connectivity"),
    ("limit__v", "Limit"),
]
HAS_ONE_SCOPE = Q(integration__isnull=False, job__isnull=True) | Q(integration__isnull=True, job__isnull=False)


def scope_fields() -> list[tuple[str, models.Field]]:  # type: ignore[type-arg]
    return [
        (
            name,
            models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=model,
            ),
        )
        for name, model in (("integration", "connections.integration"), ("job", "jobs.jobdefinition"))
    ]


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0001_initial"),
        ("exceptions_log", "0001_initial"),
        ("jobs", "0001_initial"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="exceptionitem", name="dismissal_in_force"),
        migrations.RemoveConstraint(model_name="exceptionitem", name="exception_item_once_per_message"),
        migrations.RemoveConstraint(model_name="exceptionmessage", name="draft_message_is_inactive"),
        migrations.RenameField(model_name="exceptionitem", old_name="dismissal_lapsed_at", new_name="resolved_at"),
        migrations.AddField(
            model_name="exceptionitem",
            name="resolved_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="jobs.jobrun",
                verbose_name="resolved by run",
            ),
        ),
        migrations.AddField(
            model_name="exceptionitem",
            name="cause",
            field=models.CharField(blank=True, default="", max_length=255, verbose_name="problem"),
        ),
        *(migrations.AddField(model_name="exceptionitem", name=name, field=field) for name, field in scope_fields()),
        migrations.AddField(
            model_name="exceptionmessage",
            name="failed_count",
            field=models.PositiveIntegerField(default=0, editable=False, verbose_name="failed items"),
        ),
        migrations.CreateModel(
            name="Failure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("key", models.CharField(editable=False, max_length=80)),
                ("name", models.CharField(max_length=255, verbose_name="exception item name")),
                ("error_type", models.CharField(choices=ERROR_TYPES, max_length=32)),
                ("error_message", models.TextField()),
                ("cause", models.CharField(blank=True, default="", max_length=255, verbose_name="problem")),
                ("item", models.CharField(max_length=255)),
                (
                    "item_data",
                    models.JSONField(blank=True, default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder),
                ),
                ("record_object", models.CharField(blank=True, default="", max_length=80)),
                ("record_uid", models.UUIDField(db_index=True, null=True)),
                ("crm_id", models.CharField(blank=True, default="", max_length=18, verbose_name="CRM id")),
                ("record_version", models.PositiveIntegerField(editable=False, null=True)),
                ("dependency_version", models.PositiveBigIntegerField(editable=False, null=True)),
                ("last_failed_at", models.DateTimeField()),
                *scope_fields(),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("integration", "key"), name="failure_once_per_integration"),
                    models.UniqueConstraint(fields=("job", "key"), name="failure_once_per_job"),
                    models.CheckConstraint(condition=HAS_ONE_SCOPE, name="failure_is_of_an_integration_or_a_job"),
                ],
            },
        ),
    ]
