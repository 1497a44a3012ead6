"""Report types, reports, who may see them, and flash reports, which are e-mailed on a schedule."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from ctms.accounts.models import SecurityProfile
from ctms.core.models import AuditedModel, VaultRecord
from ctms.reports.choices import FlashFrequency, ShareRole


class ReportType(VaultRecord):
    """What reports of this type are about: a primary object and, at most, one related child object.

    `related_objects` holds `<object>.<reference>`: the child object and its reference to the primary one.
    `delivered_key` is set where the Vault delivered it.
    """

    object_name = "report_type__sys"

    description = models.CharField(max_length=500, blank=True, default="")
    primary_object = models.CharField("primary reporting object", max_length=80)
    related_objects = models.JSONField(default=list, blank=True)
    delivered_key = models.CharField(max_length=80, unique=True, null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name",)


class Report(VaultRecord):
    """A report over its report type; `ctms.reports.definition` says what the JSON of each part is.

    With `run_as_owner`, everybody it is shared with sees the rows of its owner instead of their own.
    """

    object_name = "report__sys"

    report_type = models.ForeignKey(ReportType, on_delete=models.PROTECT, related_name="reports")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="owned_reports")
    description = models.CharField(max_length=500, blank=True, default="")
    filters = models.JSONField(default=list, blank=True)
    related_filters = models.JSONField(default=list, blank=True)
    prompts = models.JSONField(default=list, blank=True)
    columns = models.JSONField(default=list, blank=True)
    sort = models.JSONField(default=list, blank=True)
    groups = models.JSONField(default=list, blank=True)
    across = models.JSONField(default=dict, blank=True)
    measures = models.JSONField(default=list, blank=True)
    chart = models.JSONField(default=dict, blank=True)
    row_limit = models.PositiveIntegerField(null=True, blank=True)
    run_as_owner = models.BooleanField(default=False)
    delivered_key = models.CharField(max_length=80, unique=True, null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name",)


class ReportShare(AuditedModel):
    """The role of one user, or of all users of one profile, in a report."""

    object_name = "report__sys"

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="shares")
    role = models.CharField(max_length=20, choices=ShareRole.choices, default=ShareRole.VIEWER)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="report_shares"
    )
    profile = models.ForeignKey(
        SecurityProfile, on_delete=models.PROTECT, null=True, blank=True, related_name="report_shares"
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(profile__isnull=True),
                name="report_shared_with_user_or_profile",
                violation_error_message="Share with a user or with a profile, and not with both.",
            ),
            models.UniqueConstraint(fields=("report", "user"), name="report_shared_once_per_user"),
            models.UniqueConstraint(fields=("report", "profile"), name="report_shared_once_per_profile"),
        ]

    def __str__(self) -> str:
        return f"{self.report}: {self.get_role_display()} {self.user or self.profile}"


class FlashReport(AuditedModel):
    """The schedule on which a report is e-mailed to the users it is shared with."""

    object_name = "report__sys"

    report = models.OneToOneField(Report, on_delete=models.PROTECT, related_name="flash")
    frequency = models.CharField(max_length=20, choices=FlashFrequency.choices, default=FlashFrequency.DAILY)
    hour = models.PositiveSmallIntegerField(default=6, help_text="0–23 UTC")
    only_with_records = models.BooleanField("Only send when at least one record is returned", default=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(hour__lte=23),
                name="flash_report_hour_is_an_hour",
                violation_error_message="Hour: enter 0 to 23 (UTC).",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.report} ({self.get_frequency_display()})"


class ReportUse(models.Model):
    """What a report is to one user: whether it is a favourite, and when the user ran it last."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="report_uses")
    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="uses")
    is_favourite = models.BooleanField(default=False)
    last_run_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("user", "report"), name="report_used_once_per_user"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.report}"
