import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import ctms.core.trigrams


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
        ("clinical", "0001_initial"),
        ("connections", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Activity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
                ("name", models.CharField(max_length=128)),
                (
                    "status",
                    models.CharField(
                        choices=[("active__v", "Active"), ("inactive__v", "Inactive")],
                        db_index=True,
                        default="active__v",
                        max_length=20,
                    ),
                ),
                ("object_type", models.CharField(blank=True, default="", editable=False, max_length=80)),
                (
                    "external_id",
                    models.CharField(blank=True, max_length=255, null=True, unique=True, verbose_name="external ID"),
                ),
                ("custom_fields", models.JSONField(blank=True, default=dict, editable=False)),
                ("date", models.DateField()),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("in_person__v", "In person"),
                            ("video__v", "Video"),
                            ("phone__v", "Phone"),
                            ("chat_text__v", "Chat/Text"),
                            ("email__v", "Email"),
                            ("other__v", "Other"),
                        ],
                        max_length=32,
                    ),
                ),
                ("complete", models.BooleanField(default=False)),
                (
                    "from_text",
                    models.CharField(blank=True, default="", editable=False, max_length=400, verbose_name="from"),
                ),
                ("subject", models.CharField(blank=True, default="", max_length=500)),
                ("notes", models.TextField(blank=True, default="")),
                ("is_generated", models.BooleanField(default=False, editable=False, verbose_name="generated")),
                (
                    "crm_id",
                    models.CharField(blank=True, default="", editable=False, max_length=18, verbose_name="CRM id"),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="activities",
                        to="connections.connection",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "modified_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "monitoring_event",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="activities",
                        to="clinical.monitoringevent",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="activities",
                        to="clinical.person",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="activities",
                        to="clinical.studysite",
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="activities",
                        to="clinical.study",
                    ),
                ),
                (
                    "study_communication",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="activities",
                        to="clinical.studycommunicationlog",
                    ),
                ),
                (
                    "study_country",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="activities",
                        to="clinical.studycountry",
                    ),
                ),
                (
                    "study_person",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="activities",
                        to="clinical.studyperson",
                    ),
                ),
            ],
            options={
                "verbose_name": "activity",
                "verbose_name_plural": "activities",
                "ordering": ("-date", "-id"),
                "indexes": [
                    models.Index(fields=["-date", "-id"], name="activity_by_date"),
                    models.Index(fields=["person", "-date", "-id"], name="activity_of_person"),
                    models.Index(fields=["study", "-date", "-id"], name="activity_of_study"),
                    models.Index(fields=["study_country", "-date", "-id"], name="activity_of_study_country"),
                    models.Index(fields=["site", "-date", "-id"], name="activity_of_site"),
                    models.Index(fields=["study_person", "-date", "-id"], name="activity_of_study_person"),
                    models.Index(fields=["object_type", "modified_at"], name="activity_by_change"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("connection__isnull", True), ("crm_id", ""), ("object_type", "clinical_activity__v")
                            ),
                            models.Q(
                                ("connection__isnull", False),
                                ("object_type", "medical_activity__v"),
                                models.Q(("crm_id", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="medical_activity_has_its_origin",
                        violation_error_message="Object type: a Medical Activity has a connection and a CRM id, a Clinical Activity has neither.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("crm_id", ""), _negated=True),
                        fields=("connection", "crm_id"),
                        name="crm_call_received_once",
                        violation_error_message="CRM id: this call was received already.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("is_generated", True)),
                        fields=("monitoring_event", "person"),
                        name="generated_once_per_event_and_person",
                        violation_error_message="Person: this person's activity of the monitoring event exists already.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("is_generated", True)),
                        fields=("study_communication", "person"),
                        name="generated_once_per_communication_and_person",
                        violation_error_message="Person: this person's activity of the communication exists already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("is_generated", False),
                            models.Q(("monitoring_event__isnull", False), ("study_communication__isnull", True)),
                            models.Q(("monitoring_event__isnull", True), ("study_communication__isnull", False)),
                            _connector="OR",
                        ),
                        name="generated_activity_has_one_source",
                        violation_error_message="Monitoring event, Study communication: a generated activity keeps the one source that it was generated from.",
                    ),
                ],
            },
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="activity",
            field_name="name",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="activity",
            field_name="subject",
        ),
    ]
