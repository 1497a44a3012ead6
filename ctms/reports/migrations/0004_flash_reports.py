"""Flash reports are planned in a time zone, and remember what became of each planned moment."""

import datetime as dt
import uuid
from typing import Any

import django.core.validators
import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone


def keep_what_was_chosen(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001  Django's signature
    flash_reports: Any = apps.get_model("reports", "FlashReport").objects
    for each in flash_reports.all():
        each.time = dt.time(each.hour)
        each.preference = "with_records" if each.only_with_records else "always"
        flash_reports.filter(pk=each.pk).update(time=each.time, preference=each.preference)


class Migration(migrations.Migration):
    dependencies = [
        ("reports", "0003_report_uses"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FlashDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("moment", models.DateTimeField(verbose_name="planned for")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("sending", "Being sent"),
                            ("delivered", "Delivered"),
                            ("nothing", "Nothing to send"),
                            ("failed", "Failed"),
                        ],
                        default="sending",
                        max_length=20,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                (
                    "next_try_at",
                    models.DateTimeField(blank=True, help_text="empty: it is not tried again by itself", null=True),
                ),
                (
                    "missed",
                    models.PositiveIntegerField(default=0, help_text="moments before it that were not delivered"),
                ),
                ("rows", models.PositiveIntegerField(default=0, help_text="the most that a recipient got")),
                ("recipients", models.PositiveIntegerField(default=0)),
                ("message", models.TextField(blank=True, default="")),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name_plural": "flash deliveries",
                "ordering": ("-moment", "-id"),
            },
        ),
        migrations.CreateModel(
            name="FlashMail",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("sending", "Being sent"),
                            ("sent", "Sent"),
                            ("nothing", "Nothing to send"),
                            ("failed", "Failed"),
                            ("unclear", "Perhaps sent"),
                        ],
                        default="sending",
                        max_length=20,
                    ),
                ),
                ("rows", models.PositiveIntegerField(default=0)),
                ("reason", models.TextField(blank=True, default="")),
                ("changed_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="FlashUnsubscription",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="flashreport",
            name="flash_report_hour_is_an_hour",
        ),
        migrations.AddField(
            model_name="flashreport",
            name="counted_from",
            field=models.DateTimeField(default=timezone.now, editable=False),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="flashreport",
            name="day",
            field=models.PositiveSmallIntegerField(
                default=1,
                help_text="Used if it is sent monthly. Months that are shorter send it on their last day.",
                validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(31)],
                verbose_name="day of the month",
            ),
        ),
        migrations.AddField(
            model_name="flashreport",
            name="preference",
            field=models.CharField(
                choices=[("with_records", "Only send when at least one record is returned"), ("always", "Always send")],
                default="with_records",
                max_length=20,
                verbose_name="Email and Vault notification preferences",
            ),
        ),
        migrations.AddField(
            model_name="flashreport",
            name="status",
            field=models.CharField(
                choices=[("active__v", "Active"), ("inactive__v", "Inactive")], default="active__v", max_length=20
            ),
        ),
        migrations.AddField(
            model_name="flashreport",
            name="time",
            field=models.TimeField(default=dt.time(6, 0), help_text="Sent within five minutes of it."),
        ),
        migrations.AddField(
            model_name="flashreport",
            name="time_zone",
            field=models.CharField(default="UTC", max_length=64),
        ),
        migrations.AddField(
            model_name="flashreport",
            name="weekday",
            field=models.PositiveSmallIntegerField(
                choices=[
                    (0, "Monday"),
                    (1, "Tuesday"),
                    (2, "Wednesday"),
                    (3, "Thursday"),
                    (4, "Friday"),
                    (5, "Saturday"),
                    (6, "Sunday"),
                ],
                default=0,
                help_text="Used if it is sent weekly.",
            ),
        ),
        migrations.RunPython(keep_what_was_chosen, migrations.RunPython.noop, elidable=True),
        migrations.RemoveField(
            model_name="flashreport",
            name="hour",
        ),
        migrations.RemoveField(
            model_name="flashreport",
            name="only_with_records",
        ),
        migrations.AddConstraint(
            model_name="flashreport",
            constraint=models.CheckConstraint(
                condition=models.Q(("weekday__lte", 6), ("day__gte", 1), ("day__lte", 31)),
                name="flash_report_day_is_a_day",
            ),
        ),
        migrations.AddField(
            model_name="flashdelivery",
            name="flash",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="deliveries", to="reports.flashreport"
            ),
        ),
        migrations.AddField(
            model_name="flashmail",
            name="delivery",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="mails", to="reports.flashdelivery"
            ),
        ),
        migrations.AddField(
            model_name="flashmail",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="flash_mails", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="flashunsubscription",
            name="created_by",
            field=models.ForeignKey(
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="flashunsubscription",
            name="flash",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="unsubscriptions", to="reports.flashreport"
            ),
        ),
        migrations.AddField(
            model_name="flashunsubscription",
            name="modified_by",
            field=models.ForeignKey(
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="flashunsubscription",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="flashdelivery",
            constraint=models.UniqueConstraint(fields=("flash", "moment"), name="flash_report_delivered_once"),
        ),
        migrations.AddIndex(
            model_name="flashmail",
            index=models.Index(
                condition=models.Q(("seen_at", None)), fields=["user", "changed_at"], name="flash_mail_unseen"
            ),
        ),
        migrations.AddConstraint(
            model_name="flashmail",
            constraint=models.UniqueConstraint(fields=("delivery", "user"), name="flash_mail_once_per_recipient"),
        ),
        migrations.AddConstraint(
            model_name="flashunsubscription",
            constraint=models.UniqueConstraint(fields=("flash", "user"), name="flash_report_unsubscribed_once"),
        ),
    ]
