"""Addresses of reports in e-mails, which lead to the Vault from anywhere."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from ctms.reports.models import Report


def get_report_path(report: Report) -> str:
    """Return the address of a report within the Vault."""
    return reverse("report", args=(report.uid,))


def get_schedule_path(report: Report) -> str:
    """Return the address of the page of a report's schedule within the Vault."""
    return reverse("report_schedule", args=(report.uid,))


def build_report_url(report: Report) -> str:
    """Return the whole address of a report."""
    return _build(get_report_path(report))


def build_schedule_url(report: Report) -> str:
    """Return the whole address of the page of a report's schedule."""
    return _build(get_schedule_path(report))


def _build(path: str) -> str:
    return f"{settings.VAULT_BASE_URL.rstrip('/')}{path}"
