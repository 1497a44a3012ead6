"""How long attempts, reconciliations, alerts and call-back sessions are kept."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from connections.models import CallbackSession, CrmFieldChange
from crm_sync.choices import AlertMailState
from crm_sync.models import (
    AlertMail,
    AlertNotice,
    ConnectionAlert,
    Difference,
    IntegrationRun,
    Reconciliation,
    TransferAttempt,
)
from ctms.jobs.retention import OldRows, RetentionRule, register_retention
from ctms.jobs.retention_rules import register_run_part

_ON_THE_WAY = (AlertMailState.WAITING, AlertMailState.SENDING)


def register_retention_rules() -> None:
    """Register the kinds of rows; called once, when the app is ready."""
    register_run_part(IntegrationRun, field="run")
    for rule in (
        RetentionRule(
            key="attempts",
            name="Transfer attempts",
            models=(TransferAttempt,),
            find=lambda before: [OldRows(rows=TransferAttempt.objects.filter(at__lt=before))],
            setting="TRANSFER_HISTORY_DAYS",
            keeps="Links, by which the transfer knows its records, are no attempts and stay.",
            position=300,
        ),
        RetentionRule(
            key="reconciliations",
            name="Reconciliations",
            models=(Reconciliation, Difference),
            find=_find_reconciliations,
            setting="RECONCILIATION_RETENTION_DAYS",
            keeps="The newest of each connection, and the newest that found nothing unexplained.",
            position=310,
        ),
        RetentionRule(
            key="callback_sessions",
            name="Call-back sessions",
            models=(CallbackSession,),
            find=lambda before: [OldRows(rows=CallbackSession.objects.filter(expires_at__lt=before))],
            setting="CALLBACK_SESSION_RETENTION_DAYS",
            keeps="What was done with them stays in the audit trail.",
            position=320,
        ),
        RetentionRule(
            key="alert_notices",
            name="Seen alerts",
            models=(AlertNotice,),
            find=lambda before: [OldRows(rows=AlertNotice.objects.filter(seen_at__lt=before))],
            setting="NOTIFICATION_RETENTION_DAYS",
            keeps="The alert itself, for the page of its connection.",
            position=330,
        ),
        RetentionRule(
            key="alerts",
            name="Connection alerts",
            models=(ConnectionAlert, AlertMail),
            find=_find_alerts,
            setting="ALERT_RETENTION_DAYS",
            keeps="The newest of each connection, and those with e-mails that wait to be sent.",
            position=340,
        ),
        RetentionRule(
            key="crm_changes",
            name="Seen changes of CRM objects",
            models=(CrmFieldChange,),
            find=lambda before: [OldRows(rows=CrmFieldChange.objects.filter(seen_at__lt=before))],
            setting="CRM_CHANGE_RETENTION_DAYS",
            keeps="Those that nobody has seen.",
            position=350,
        ),
    ):
        register_retention(rule)


def _find_reconciliations(before: datetime) -> list[OldRows]:
    later = Reconciliation.objects.filter(
        connection=OuterRef("connection"), pk__gt=OuterRef("pk"), finished_at__isnull=False
    )
    is_proof = Q(unexplained=0, errors={})
    # One that proves nothing is outdone by any later one, a proof by a later proof.
    old = Reconciliation.objects.filter(
        (Exists(later) & ~is_proof) | Exists(later.filter(is_proof)), finished_at__lt=before
    )
    return [OldRows(rows=Difference.objects.filter(reconciliation__in=old)), OldRows(rows=old)]


def _find_alerts(before: datetime) -> list[OldRows]:
    later = ConnectionAlert.objects.filter(connection=OuterRef("connection"), number__gt=OuterRef("number"))
    on_the_way = AlertMail.objects.filter(alert=OuterRef("pk"), state__in=_ON_THE_WAY)
    return [OldRows(rows=ConnectionAlert.objects.filter(Exists(later), ~Exists(on_the_way), at__lt=before))]
