"""Writes reports: saves, shares, hands over and deletes them. Views ask first whether the user may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction

from ctms.accounts.models import SecurityProfile, User
from ctms.audit.actors import Actor
from ctms.audit.services import delete_record, delete_records, save_record
from ctms.core.models import AuditedModel
from ctms.reports.choices import ShareRole
from ctms.reports.definition import TypeDefinition
from ctms.reports.models import Report, ReportShare, ReportType


def save_report(*, report: Report, actor: Actor, expected_version: int | None = None) -> bool:
    """Create or change a report. Return whether it stopped to run as its owner.

    What a report asks by its owner's rights, only the owner decides: changed by anybody else, it shows each reader
    their own rows until the owner decides otherwise. Raises ValidationError and StaleRecordError.
    """
    is_stopped = report.run_as_owner and report.owner_id != actor.user.pk
    if is_stopped:
        report.run_as_owner = False
    save_record(record=report, actor=actor, expected_version=expected_version)
    return is_stopped


def get_report_type(*, stored: ReportType | None, definition: TypeDefinition, label: str, actor: Actor) -> ReportType:
    """Return the stored report type, or one about the object alone, which is created for its first report."""
    if stored is not None:
        return stored
    found = ReportType.objects.filter(primary_object=definition.primary, related_objects=[]).order_by("pk").first()
    if found is not None:
        return found
    created = ReportType(name=label, primary_object=definition.primary)
    save_record(record=created, actor=actor)
    return created


def share_report(
    *, report: Report, role: str, actor: Actor, user: User | None = None, profile: SecurityProfile | None = None
) -> ReportShare:
    """Give a user, or all users of a profile, a role in the report; one given before is changed.

    Raises ValidationError.
    """
    if user is not None and user.pk == report.owner_id:
        raise ValidationError({"user": f"{user} is the owner of the report already."})
    with transaction.atomic():
        found = ReportShare.objects.select_for_update().filter(report=report, user=user, profile=profile).first()
        share = found or ReportShare(report=report, user=user, profile=profile)
        share.role = role
        save_record(record=share, actor=actor)
    return share


def unshare_report(*, share: ReportShare, actor: Actor) -> None:
    """Take a role in a report away. Raises StaleRecordError if it was taken away already."""
    delete_record(record=share, actor=actor)


def set_run_as_owner(*, report: Report, runs_as_owner: bool, actor: Actor, expected_version: int | None = None) -> None:
    """Let a report run as its owner, or as each of its readers. Raises ValidationError for anybody but the owner."""
    if runs_as_owner and report.owner_id != actor.user.pk:
        raise ValidationError("Only the owner decides that others see what the owner may see.")
    report.run_as_owner = runs_as_owner
    save_record(record=report, actor=actor, expected_version=expected_version)


def transfer_report(
    *, report: Report, owner: User, actor: Actor, expected_version: int | None = None, reason: str = ""
) -> None:
    """Give a report a new owner. The one before stays its editor; it runs as its readers until the new one decides.

    Raises ValidationError and StaleRecordError.
    """
    with transaction.atomic():
        before = report.owner
        if owner.pk == before.pk:
            raise ValidationError({"owner": f"{owner} is the owner of the report already."})
        report.owner, report.run_as_owner = owner, False
        save_record(record=report, actor=actor, expected_version=expected_version, reason=reason)
        delete_records(records=list(ReportShare.objects.filter(report=report, user=owner)), actor=actor)
        if before.is_active and not before.has_ended:
            share_report(report=report, user=before, role=ShareRole.EDITOR, actor=actor)


def delete_report(*, report: Report, actor: Actor, expected_version: int | None = None, reason: str = "") -> None:
    """Delete a report with its shares and its schedule.

    Raises StaleRecordError, RecordInUseError and ReasonRequiredError.
    """
    with transaction.atomic():
        for parts in list_parts([report]):
            delete_records(records=parts, actor=actor, reason=reason)
        delete_record(record=report, actor=actor, expected_version=expected_version, reason=reason)


def list_parts(records: list[Any]) -> Iterator[list[AuditedModel]]:
    """Yield the audited rows that belong to the records, by their model, those that belong to others first."""
    model = type(records[0])
    for relation in model._meta.related_objects:
        related = relation.related_model
        if not (isinstance(related, type) and issubclass(related, AuditedModel)):
            continue
        name = relation.field.name
        found = list(related._default_manager.filter(models.Q(**{f"{name}__in": records})))
        if found:
            yield from list_parts(found)
            yield found
