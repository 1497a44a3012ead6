"""Reports that the Vault delivers, and their types. Apps register them from `AppConfig.ready()`.

Each is stored once. Its rows belong to the admins of this Vault from then on, who change them or set them to Inactive.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ctms.audit.actors import Actor
from ctms.audit.services import create_records
from ctms.reports.definition import ReportDefinition, TypeDefinition
from ctms.reports.models import Report, ReportType

_REASON = "Delivered with the Vault"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredType:
    """A report type as delivered."""

    key: str
    name: str
    description: str
    definition: TypeDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredReport:
    """A report as delivered. Its definition is of its type."""

    key: str
    name: str
    description: str
    report_type: DeliveredType
    definition: ReportDefinition


_types: dict[str, DeliveredType] = {}
_reports: dict[str, DeliveredReport] = {}


def register_delivered_report(report: DeliveredReport) -> None:
    """Let the Vault deliver a report, and its type.

    Raises ValueError if the definition is of another type, or if another report or type has the key.
    """
    known = (_reports.get(report.key, report), _types.get(report.report_type.key, report.report_type))
    if known != (report, report.report_type):
        raise ValueError(f"{report.key}: the key of the report, or of its type, is that of another.")
    if report.definition.type != report.report_type.definition:
        raise ValueError(f"{report.key}: its definition is not of the type {report.report_type.key}.")
    _reports[report.key] = report
    _types[report.report_type.key] = report.report_type


def list_delivered_reports() -> list[DeliveredReport]:
    """Return the reports that the Vault delivers, by name."""
    return sorted(_reports.values(), key=lambda each: each.name)


def find_delivered_report(key: str) -> Report | None:
    """Return the stored report of that key; None if an admin deleted it since the Vault was last updated."""
    return Report.objects.filter(delivered_key=key).select_related("report_type", "owner").first()


def deliver_reports(*, actor: Actor) -> None:
    """Create the delivered types and reports that are not stored yet; stored ones stay as they are.

    A name that another one has already is followed by *(delivered)*. The actor owns the reports.
    """
    stored_types = ReportType.objects.filter(delivered_key__in=_types).in_bulk(field_name="delivered_key")
    taken = set(ReportType.objects.values_list("name", flat=True))
    made_types = create_records(
        records=[
            ReportType(
                delivered_key=each.key,
                name=_choose_name(each.name, taken=taken),
                description=each.description,
                primary_object=each.definition.primary,
                related_objects=list(filter(None, [each.definition.stored_relation])),
            )
            for each in _types.values()
            if each.key not in stored_types
        ],
        actor=actor,
        reason=_REASON,
    )
    types = stored_types | {str(each.delivered_key): each for each in made_types}
    stored = set(Report.objects.exclude(delivered_key=None).values_list("delivered_key", flat=True))
    taken = set(Report.objects.values_list("name", flat=True))
    create_records(
        records=[
            Report(
                delivered_key=each.key,
                name=_choose_name(each.name, taken=taken),
                description=each.description,
                report_type=types[each.report_type.key],
                owner=actor.user,
                **each.definition.as_stored(),
            )
            for each in list_delivered_reports()
            if each.key not in stored
        ],
        actor=actor,
        reason=_REASON,
    )


def _choose_name(name: str, *, taken: Collection[str]) -> str:
    return f"{name} (delivered)" if name in taken else name
