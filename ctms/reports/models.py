"""Report types, reports, who may see them, and flash reports, which are e-mailed on a schedule."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from ctms.accounts.models import SecurityProfile
from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time
from ctms.core.models import AuditedModel, VaultRecord
from ctms.jobs.choices import Weekday
from ctms.reports.choices import DeliveryState, FlashFrequency, FlashPreference, MailState, ShareRole


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
    """The schedule on which a report is e-mailed to its owner and the users it is shared with.

    Moments that were planned before `counted_from`, when the schedule was set, are not delivered.
    """

    object_name = "report__sys"

    report = models.OneToOneField(Report, on_delete=models.PROTECT, related_name="flash")
    status = models.CharField(max_length=20, choices=RecordStatus.choices, default=RecordStatus.ACTIVE)
    frequency = models.CharField(max_length=20, choices=FlashFrequency.choices, default=FlashFrequency.DAILY)
    weekday = models.PositiveSmallIntegerField(
        choices=Weekday.choices, default=Weekday.MONDAY, help_text="Used if it is sent weekly."
    )
    day = models.PositiveSmallIntegerField(
        "day of the month",
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text="Used if it is sent monthly. Months that are shorter send it on their last day.",
    )
    time = models.TimeField(default=dt.time(6), help_text="Sent within five minutes of it.")
    time_zone = models.CharField(max_length=64, default="UTC")
    preference = models.CharField(
        "Email and Vault notification preferences",
        max_length=20,
        choices=FlashPreference.choices,
        default=FlashPreference.WITH_RECORDS,
    )
    counted_from = models.DateTimeField(editable=False)

    bookkeeping_fields = AuditedModel.bookkeeping_fields | {"counted_from"}

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(weekday__lte=6) & Q(day__gte=1) & Q(day__lte=31), name="flash_report_day_is_a_day"
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


class FlashUnsubscription(AuditedModel):
    """A user who does not want the e-mails of a flash report, though the report is shared with them."""

    object_name = "report__sys"

    flash = models.ForeignKey(FlashReport, on_delete=models.PROTECT, related_name="unsubscriptions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("flash", "user"), name="flash_report_unsubscribed_once"),
        ]

    def __str__(self) -> str:
        return f"{self.flash}: not to {self.user}"


class FlashDelivery(models.Model):
    """What became of a moment for which a flash report was planned. There is one at most, whoever else tries."""

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    flash = models.ForeignKey(FlashReport, on_delete=models.CASCADE, related_name="deliveries")
    moment = models.DateTimeField("planned for")
    state = models.CharField(max_length=20, choices=DeliveryState.choices, default=DeliveryState.SENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True, help_text="empty: it is not tried again by itself")
    missed = models.PositiveIntegerField(default=0, help_text="moments before it that were not delivered")
    rows = models.PositiveIntegerField(default=0, help_text="the most that a recipient got")
    recipients = models.PositiveIntegerField(default=0)
    message = models.TextField(blank=True, default="")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-moment", "-id")
        verbose_name_plural = "flash deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("flash", "moment"), name="flash_report_delivered_once"),
        ]

    def __str__(self) -> str:
        return f"{self.flash}, {format_time(self.moment)}"

    @property
    def tone(self) -> str:
        """Return the tone of a chip with the state."""
        return {DeliveryState.DELIVERED: "complete", DeliveryState.FAILED: "failed"}.get(
            DeliveryState(self.state), "planned" if self.state == DeliveryState.SENDING else "inactive"
        )


class FlashMail(models.Model):
    """The e-mail of a delivery to one recipient, and the notification that they have of it in the Vault.

    It is written before the e-mail is handed over, so that nobody gets it twice.
    """

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    delivery = models.ForeignKey(FlashDelivery, on_delete=models.CASCADE, related_name="mails")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="flash_mails")
    state = models.CharField(max_length=20, choices=MailState.choices, default=MailState.SENDING)
    rows = models.PositiveIntegerField(default=0)
    reason = models.TextField(blank=True, default="")
    changed_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("delivery", "user"), name="flash_mail_once_per_recipient"),
        ]
        indexes: ClassVar = [
            models.Index(fields=("user", "changed_at"), condition=Q(seen_at=None), name="flash_mail_unseen"),
        ]

    def __str__(self) -> str:
        return f"{self.delivery}: {self.user}"


class DigestMail(models.Model):
    """The daily digest of a user on a day of the user's calendar. There is one at most, whoever else tries.

    It is written before the e-mail is handed over, so that nobody gets it twice.
    """

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="digest_mails")
    day = models.DateField()
    state = models.CharField(max_length=20, choices=MailState.choices, default=MailState.SENDING)
    rows = models.PositiveIntegerField("entries", default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True, help_text="empty: it is not tried again by itself")
    reason = models.TextField(blank=True, default="")
    changed_at = models.DateTimeField("last changed")

    object_name = "admin:security"

    class Meta:
        verbose_name = "daily digest"
        ordering = ("-day", "-id")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("user", "day"), name="digest_once_a_day"),
        ]
        indexes: ClassVar = [
            models.Index(fields=("day", "state"), name="digest_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.day}"

    @property
    def tone(self) -> str:
        """Return the tone of a chip with the state."""
        return {MailState.SENT: "complete", MailState.NOTHING: "inactive", MailState.SENDING: "planned"}.get(
            MailState(self.state), "failed"
        )


class Dashboard(AuditedModel):
    """Reports side by side. A shared one is for everybody; each sees those of its reports that they may open."""

    object_name = "report__sys"

    name = models.CharField(max_length=128)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="dashboards")
    is_shared = models.BooleanField("shared with everybody", default=False)

    class Meta:
        ordering = ("name", "pk")

    def __str__(self) -> str:
        return self.name


class DashboardTile(AuditedModel):
    """A report on a dashboard, by its place."""

    object_name = "report__sys"

    dashboard = models.ForeignKey(Dashboard, on_delete=models.PROTECT, related_name="tiles")
    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="tiles")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("position", "pk")
        verbose_name = "place on a dashboard"
        verbose_name_plural = "places on dashboards"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("dashboard", "report"), name="report_once_on_a_dashboard"),
        ]

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.report}"


class HomeDashboard(models.Model):
    """The dashboard that a user has on the home page."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="home_dashboard")
    dashboard = models.ForeignKey(Dashboard, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.user}: {self.dashboard}"
