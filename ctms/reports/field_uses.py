"""Where reports use a field: their columns, filters, order and groups."""

from __future__ import annotations

import json
from collections.abc import Iterator

from django.urls import reverse

from ctms.configuration.field_paths import names_field
from ctms.configuration.fields import ObjectField
from ctms.configuration.uses import Use
from ctms.reports.models import Report


def find_report_uses(object_name: str, field: ObjectField) -> Iterator[Use]:
    """Yield the reports that name the field, of its object or of one whose references lead to it."""
    for report in Report.objects.select_related("report_type"):
        stored = [
            report.filters,
            report.related_filters,
            report.prompts,
            report.columns,
            report.sort,
            report.groups,
            report.across,
            report.measures,
        ]
        kinds = report.report_type
        if any(
            names_field(
                texts=[json.dumps(each) for each in stored],
                start=start,
                object_name=object_name,
                api_name=field.api_name,
            )
            for start in (kinds.primary_object, *(str(each).partition(".")[0] for each in kinds.related_objects))
        ):
            url = reverse("admin:reports_report_change", args=(report.pk,))
            yield Use(place="Report", name=report.name, url=url)
