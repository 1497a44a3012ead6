"""Factories of report types, reports and who may see them."""

from __future__ import annotations

from ctms.reports.choices import ShareRole
from ctms.reports.models import Report, ReportShare, ReportType
from tests.factories.accounts import UserFactory
from tests.factories.base import AuditedFactory, sequence, sub


class ReportTypeFactory(AuditedFactory[ReportType]):
    """A report type about activities; give others as `primary_object` and `related_objects`."""

    class Meta:
        model = ReportType

    name = sequence(lambda n: f"Report type {n:06d}")
    primary_object = "crm_activity__v"


class ReportFactory(AuditedFactory[Report]):
    """A report that lists the names of activities."""

    class Meta:
        model = Report

    name = sequence(lambda n: f"Report {n:06d}")
    report_type = sub(ReportTypeFactory)
    owner = sub(UserFactory)
    columns = ["name__v"]


class ReportShareFactory(AuditedFactory[ReportShare]):
    """A viewer's share; give the user or the profile."""

    class Meta:
        model = ReportShare

    report = sub(ReportFactory)
    role = ShareRole.VIEWER
