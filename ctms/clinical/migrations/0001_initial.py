import uuid

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import ctms.core.trigrams


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="Person",
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
                ("first_name", models.CharField(blank=True, default="", max_length=64)),
                ("last_name", models.CharField(max_length=64)),
                ("email", models.EmailField(blank=True, default="", max_length=254)),
                ("phone", models.CharField(blank=True, default="", max_length=40)),
                ("language", models.CharField(blank=True, default="", help_text="e.g. en or pt-BR", max_length=16)),
                ("npi", models.CharField(blank=True, db_index=True, default="", max_length=20, verbose_name="NPI")),
                (
                    "person_identifier",
                    models.CharField(
                        blank=True,
                        db_index=True,
                        default="",
                        help_text="the sponsor's own number of this person",
                        max_length=80,
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
            ],
            options={
                "verbose_name": "person",
                "verbose_name_plural": "people",
                "ordering": ("last_name", "first_name", "id"),
                "indexes": [
                    models.Index(fields=["last_name", "first_name"], name="person_by_name"),
                    models.Index(fields=["name", "id"], name="person_list"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("last_name", ""), _negated=True), name="person_has_a_last_name"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("object_type__in", ["person__v", "investigator__v"])),
                        name="person_type_is_known",
                        violation_error_message="Object type: choose one of Person, Investigator.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Study",
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
                ("study_name", models.CharField(blank=True, default="", max_length=255)),
                ("protocol_title", models.CharField(blank=True, default="", max_length=1000)),
                (
                    "phase",
                    models.CharField(
                        choices=[
                            ("phase_1__v", "Phase I"),
                            ("phase_2__v", "Phase II"),
                            ("phase_3__v", "Phase III"),
                            ("phase_4__v", "Phase IV"),
                            ("not_applicable__v", "Not applicable"),
                        ],
                        default="not_applicable__v",
                        max_length=32,
                    ),
                ),
                (
                    "lifecycle_state",
                    models.CharField(
                        choices=[
                            ("planning_state__v", "Planning"),
                            ("enrolling_state__v", "Enrolling"),
                            ("active_state__v", "Active"),
                            ("closed_state__v", "Closed"),
                        ],
                        default="planning_state__v",
                        max_length=32,
                    ),
                ),
                ("sponsor", models.CharField(blank=True, default="", max_length=255)),
                ("planned_start", models.DateField(blank=True, null=True)),
                ("planned_end", models.DateField(blank=True, null=True)),
                ("actual_start", models.DateField(blank=True, null=True)),
                ("actual_end", models.DateField(blank=True, null=True)),
                ("send_to_crm", models.BooleanField(default=True, verbose_name="Send to Medical CRM")),
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
            ],
            options={
                "verbose_name": "study",
                "verbose_name_plural": "studies",
                "ordering": ("name",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("name",),
                        name="study_number_once",
                        violation_error_message="A study of this number exists.",
                    ),
                    models.CheckConstraint(condition=models.Q(("name", ""), _negated=True), name="study_has_a_number"),
                ],
            },
        ),
        migrations.CreateModel(
            name="StudyAssignment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
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
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="assignments", to="clinical.study"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="study_assignments",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user", "study"), name="user_assigned_once_per_study")],
            },
        ),
        migrations.CreateModel(
            name="StudyCountry",
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
                (
                    "country",
                    models.CharField(
                        help_text="ISO 3166-1 alpha-2",
                        max_length=2,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z]{2}\\Z", "Use the two capital letters of ISO 3166-1, e.g. DE."
                            )
                        ],
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
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="countries", to="clinical.study"
                    ),
                ),
            ],
            options={
                "verbose_name": "study country",
                "verbose_name_plural": "study countries",
                "ordering": ("study", "name"),
                "indexes": [models.Index(fields=["name", "id"], name="study_country_list")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("study", "country"),
                        name="country_once_per_study",
                        violation_error_message="The study has this country already.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StudySite",
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
                ("site_name", models.CharField(blank=True, default="", max_length=255)),
                (
                    "lifecycle_state",
                    models.CharField(
                        choices=[
                            ("candidate_state__v", "Candidate"),
                            ("selected_state__v", "Selected"),
                            ("initiating_state__v", "Initiating"),
                            ("active_state__v", "Active"),
                            ("closed_state__v", "Closed"),
                        ],
                        default="candidate_state__v",
                        max_length=32,
                    ),
                ),
                ("city", models.CharField(blank=True, default="", max_length=128)),
                (
                    "address_country",
                    models.CharField(
                        blank=True,
                        default="",
                        max_length=2,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z]{2}\\Z", "Use the two capital letters of ISO 3166-1, e.g. DE."
                            )
                        ],
                    ),
                ),
                ("send_to_crm", models.BooleanField(default=True, verbose_name="Send to Medical CRM")),
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
                    "principal_investigator",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sites_led",
                        to="clinical.person",
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sites", to="clinical.study"
                    ),
                ),
                (
                    "study_country",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sites", to="clinical.studycountry"
                    ),
                ),
            ],
            options={
                "verbose_name": "study site",
                "verbose_name_plural": "study sites",
                "ordering": ("study", "name"),
                "indexes": [models.Index(fields=["name", "id"], name="site_list")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("study", "name"),
                        name="site_number_once_per_study",
                        violation_error_message="The study has a site of this number already.",
                    ),
                    models.CheckConstraint(condition=models.Q(("name", ""), _negated=True), name="site_has_a_number"),
                ],
            },
        ),
        migrations.CreateModel(
            name="MonitoringEvent",
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
                (
                    "lifecycle_state",
                    models.CharField(
                        choices=[
                            ("expected_state__v", "Expected"),
                            ("confirmed_state__v", "Confirmed"),
                            ("in_progress_state__v", "In Progress"),
                            ("ready_for_review_state__v", "Ready for Review"),
                            ("final_state__v", "Final"),
                            ("cancelled_state__v", "Cancelled"),
                        ],
                        default="expected_state__v",
                        max_length=32,
                    ),
                ),
                ("planned_start", models.DateField(blank=True, null=True)),
                ("planned_end", models.DateField(blank=True, null=True)),
                ("actual_start", models.DateField(blank=True, null=True)),
                ("actual_end", models.DateField(blank=True, null=True)),
                (
                    "visit_method",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("on_site__v", "On-site"),
                            ("remote_video__v", "Remote: video"),
                            ("remote_phone__v", "Remote: phone"),
                        ],
                        default="",
                        max_length=32,
                        verbose_name="monitoring visit method",
                    ),
                ),
                ("activity_update_required", models.BooleanField(default=False, editable=False)),
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
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="monitoring_events",
                        to="clinical.study",
                    ),
                ),
                (
                    "study_country",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="monitoring_events",
                        to="clinical.studycountry",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="monitoring_events",
                        to="clinical.studysite",
                    ),
                ),
            ],
            options={
                "verbose_name": "monitoring event",
                "verbose_name_plural": "monitoring events",
                "ordering": ("-planned_start", "-id"),
                "indexes": [
                    models.Index(
                        condition=models.Q(("activity_update_required", True)),
                        fields=["id"],
                        name="monitoring_event_flagged",
                    ),
                    models.Index(
                        models.OrderBy(models.F("planned_start"), descending=True, nulls_last=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="monitoring_event_list",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "object_type__in",
                                [
                                    "pre_study_visit__v",
                                    "site_initiation_visit__v",
                                    "interim_monitoring_visit__v",
                                    "close_out_visit__v",
                                ],
                            )
                        ),
                        name="monitoring_event_type_is_known",
                        violation_error_message="Object type: choose one of Pre-Study Visit, Site Initiation Visit, Interim Monitoring Visit, Close Out Visit.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MonitoringEventParticipant",
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
                ("role", models.CharField(blank=True, default="", max_length=128)),
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
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="participants",
                        to="clinical.monitoringevent",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="monitoring_event_participations",
                        to="clinical.person",
                    ),
                ),
            ],
            options={
                "verbose_name": "monitoring event participant",
                "verbose_name_plural": "monitoring event participants",
                "indexes": [models.Index(fields=["name", "id"], name="participant_list")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("monitoring_event", "person"),
                        name="participant_once_per_event",
                        violation_error_message="This person takes part in the event already.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StudyCommunicationLog",
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
                ("date", models.DateField(blank=True, null=True)),
                ("subject", models.CharField(blank=True, default="", max_length=500)),
                ("summary", models.TextField(blank=True, default="")),
                (
                    "direction",
                    models.CharField(
                        choices=[("inbound__v", "Inbound"), ("outbound__v", "Outbound")],
                        default="outbound__v",
                        max_length=20,
                    ),
                ),
                ("activity_update_required", models.BooleanField(default=False, editable=False)),
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
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="communications", to="clinical.study"
                    ),
                ),
                (
                    "study_country",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="communications",
                        to="clinical.studycountry",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="communications",
                        to="clinical.studysite",
                    ),
                ),
            ],
            options={
                "verbose_name": "study communication log",
                "verbose_name_plural": "study communication logs",
                "ordering": ("-date", "-id"),
                "indexes": [
                    models.Index(
                        condition=models.Q(("activity_update_required", True)),
                        fields=["id"],
                        name="communication_flagged",
                    ),
                    models.Index(
                        models.OrderBy(models.F("date"), descending=True, nulls_last=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="communication_list",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "object_type__in",
                                [
                                    "email__v",
                                    "phone_call__v",
                                    "video_call__v",
                                    "in_person_meeting__v",
                                    "message__v",
                                    "other__v",
                                ],
                            )
                        ),
                        name="communication_type_is_known",
                        violation_error_message="Object type: choose one of Email, Phone Call, Video Call, In-person Meeting, Message, Other.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StudyCommunicationContact",
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
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="communication_contacts",
                        to="clinical.person",
                    ),
                ),
                (
                    "communication",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="contacts",
                        to="clinical.studycommunicationlog",
                    ),
                ),
            ],
            options={
                "verbose_name": "study communication contact",
                "verbose_name_plural": "study communication contacts",
                "indexes": [models.Index(fields=["name", "id"], name="contact_list")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("communication", "person"),
                        name="contact_once_per_communication",
                        violation_error_message="This person is a contact of the communication already.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StudyPerson",
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
                (
                    "team_role",
                    models.CharField(
                        choices=[
                            ("principal_investigator__v", "Principal investigator"),
                            ("sub_investigator__v", "Sub-investigator"),
                            ("study_coordinator__v", "Study coordinator"),
                            ("pharmacist__v", "Pharmacist"),
                            ("cra__v", "Clinical research associate"),
                            ("study_manager__v", "Study manager"),
                            ("other__v", "Other"),
                        ],
                        default="other__v",
                        max_length=32,
                    ),
                ),
                ("start_date", models.DateField(blank=True, null=True)),
                ("end_date", models.DateField(blank=True, null=True)),
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
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="study_roles", to="clinical.person"
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="study_people", to="clinical.study"
                    ),
                ),
                (
                    "study_country",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="study_people",
                        to="clinical.studycountry",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="study_people",
                        to="clinical.studysite",
                    ),
                ),
            ],
            options={
                "verbose_name": "study person",
                "verbose_name_plural": "study people",
                "ordering": ("study", "name"),
                "indexes": [models.Index(fields=["name", "id"], name="study_person_list")],
            },
        ),
        ctms.core.trigrams.TrigramsOfPostgreSQL(),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="study",
            field_name="name",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="study",
            field_name="study_name",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="study",
            field_name="sponsor",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="studycountry",
            field_name="name",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="studysite",
            field_name="name",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="studysite",
            field_name="site_name",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="studysite",
            field_name="city",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="person",
            field_name="name",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="person",
            field_name="email",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="person",
            field_name="npi",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="studyperson",
            field_name="name",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="monitoringevent",
            field_name="name",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="monitoringeventparticipant",
            field_name="name",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="studycommunicationlog",
            field_name="name",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="studycommunicationlog",
            field_name="subject",
        ),
        ctms.core.trigrams.AddTrigramIndex(
            model_name="studycommunicationcontact",
            field_name="name",
        ),
    ]
