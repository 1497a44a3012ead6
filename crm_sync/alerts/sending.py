"""Sends the e-mails of alerts, each once.

An e-mail is noted as being sent before it is handed over. One that is found so is of a worker that died: it may have
gone out, and nobody sends it again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from connections.models import Connection
from crm_sync.alerts.changes import follow_change, list_changes
from crm_sync.choices import AlertMailState
from crm_sync.models import AlertMail
from ctms.accounts.mail import MailError, send_mail
from ctms.core.clock import format_time, get_database_now
from ctms.jobs.choices import RunState
from ctms.jobs.registry import JobUnit, RunContext, RunOutcome

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

PART = "e_mails"  # key in the run's result
# How long an e-mail that failed waits before it is tried again.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))


def list_alert_units() -> list[JobUnit]:
    """Return a unit for each connection of which something has to be noted or sent."""
    connections = list(_list_connections())
    if not connections:
        return []
    changed = {change.connection.pk for change in list_changes(connections)}
    mailing = set(_list_due(get_database_now()).values_list("alert__connection", flat=True))
    return [
        JobUnit(key=str(each.uid), label=each.name) for each in connections if each.pk in changed or each.pk in mailing
    ]


def send_alerts(context: RunContext) -> RunOutcome:
    """Note what changed of the connection of the run, and send the e-mails about it."""
    connections = list(_list_connections().filter(uid=context.run.unit_key))
    for change in list_changes(connections):
        with transaction.atomic():
            context.lease.renew()
            follow_change(change)
    mails = _list_due(get_database_now()).filter(alert__connection__in=connections)
    states = [_send(context, mail) for mail in mails.select_related("alert__connection").order_by("pk")]
    sent, failed = states.count(AlertMailState.SENT), len(states) - states.count(AlertMailState.SENT)
    return RunOutcome(
        state=RunState.SUCCEEDED if not failed else RunState.WITH_EXCEPTIONS,
        message=f"{sent:,} sent." if not failed else f"{sent:,} sent, {failed:,} not. {mails_reason(states)}",
        result={PART: {"selected": len(states), "sent": sent, "failed": failed}} if states else {},
    )


def mails_reason(states: list[AlertMailState]) -> str:
    """Say what becomes of e-mails that were not sent."""
    return "Those that failed are tried again." if AlertMailState.WAITING in states else "See the connection's Alerts."


def _list_connections() -> QuerySet[Connection]:
    return Connection.objects.select_related(
        "authorization",
        "schedule",
        "standing",
        "created_by",
        "alert_settings__owner",
        "alert_settings__webhook",
    ).order_by("pk")


def _list_due(now: datetime) -> QuerySet[AlertMail]:
    return AlertMail.objects.filter(
        Q(state=AlertMailState.SENDING) | Q(state=AlertMailState.WAITING, next_try_at__lte=now)
    )


def _send(context: RunContext, mail: AlertMail) -> AlertMailState:
    if mail.state == AlertMailState.SENDING:
        reason = "The worker stopped while it was being sent: it may have arrived."
        return _note(mail, state=AlertMailState.UNCLEAR, reason=reason)
    with transaction.atomic():
        context.lease.renew()
        claimed = AlertMail.objects.filter(pk=mail.pk, state=AlertMailState.WAITING, attempts=mail.attempts)
        if not claimed.update(state=AlertMailState.SENDING, attempts=mail.attempts + 1):
            return AlertMailState.SENT  # another worker has it in hand
    mail.attempts += 1
    context.lease.stop_if_run_out()
    try:
        send_mail(subject=mail.alert.title, text=_write_letter(mail), to=[mail.address])
    except MailError as error:
        if error.is_unclear:
            return _note(mail, state=AlertMailState.UNCLEAR, reason=str(error))
        if mail.attempts > len(WAITS):
            return _note(mail, state=AlertMailState.FAILED, reason=str(error))
        mail.next_try_at = get_database_now() + WAITS[mail.attempts - 1]
        return _note(mail, state=AlertMailState.WAITING, reason=str(error))
    return _note(mail, state=AlertMailState.SENT)


def _note(mail: AlertMail, *, state: AlertMailState, reason: str = "") -> AlertMailState:
    AlertMail.objects.filter(pk=mail.pk).update(state=state, reason=reason, next_try_at=mail.next_try_at)
    return state


def _write_letter(mail: AlertMail) -> str:
    alert = mail.alert
    page = reverse("admin:connections_connection_page", args=(alert.connection_id,))
    after = (
        "There is nothing to do."
        if alert.is_recovery
        else "There is no other e-mail about this before it changes or works again."
    )
    return "\n".join(
        [
            alert.text,
            "",
            f"Noticed at {format_time(alert.at)}.",
            f"The connection: {settings.VAULT_BASE_URL.rstrip('/')}{page}",
            "",
            f"{after} The contacts and the owner of the connection get it; its action Alerts says who they are.",
            "",
        ]
    )
