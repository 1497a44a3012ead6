"""Decides that a connection changed in a way to be told, and writes that down once.

A connection that flaps is told of once: trouble is told when as many runs in a row as the settings say have ended in
it, recovery when as many have worked. No clock is asked. What holds without runs that end, silence for instance, is
told at once. Of several workers one writes the change: the standing is updated only as it was read, in the transaction
of the alert with its e-mails, notices and the event for the webhook.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from crm_sync.alerts.levels import WITHOUT_RUNS, judge_level
from crm_sync.alerts.recipients import find_settings, list_addresses, list_notified
from crm_sync.choices import ConnectionStateKey
from crm_sync.diagnostics.states import list_connection_states
from crm_sync.jobs import TRANSFER_JOB_KEY
from crm_sync.models import AlertMail, AlertNotice, ConnectionAlert, ConnectionStanding
from ctms.core.clock import format_time, get_database_now
from ctms.jobs.models import JobRun
from ctms.jobs.silence import ENDED
from ctms.webhooks.services import queue_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connections.models import Connection
    from crm_sync.diagnostics.states import ConnectionState
    from crm_sync.models import AlertSettings

EVENT = "connection.state_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A connection that is judged otherwise than was told; `state` is its state now, `key` what would be told."""

    connection: Connection
    settings: AlertSettings
    standing: ConnectionStanding
    state: ConnectionState
    key: ConnectionStateKey
    sentence: str


def list_changes(connections: Sequence[Connection]) -> list[Change]:
    """Return the connections whose standing has to be written. Takes no more statements for ten than for one.

    They come with `alert_settings`, `standing` and `created_by`.
    """
    now = get_database_now()
    states = list_connection_states(connections)
    found = []
    for connection in connections:
        settings = find_settings(connection)
        standing = getattr(connection, "standing", None) or ConnectionStanding(connection=connection)
        judged = judge_level(state=states[connection.pk], settings=settings, now=now)
        if judged is None:
            continue
        key, sentence = judged
        if key != standing.told or standing.candidate:
            found.append(
                Change(
                    connection=connection,
                    settings=settings,
                    standing=standing,
                    state=states[connection.pk],
                    key=key,
                    sentence=sentence,
                )
            )
    return found


def follow_change(change: Change) -> ConnectionAlert | None:
    """Write how the connection stands, and the alert if it is time to tell; None if it is not, or another did."""
    standing, key = change.standing, change.key
    if not standing.pk:
        standing, _ = ConnectionStanding.objects.get_or_create(connection=change.connection)
    same = ConnectionStanding.objects.filter(
        pk=standing.pk, number=standing.number, told=standing.told, candidate=standing.candidate
    )
    if key == standing.told:
        same.update(candidate="", candidate_run_id=None)
        return None
    if standing.candidate != key:
        standing.candidate, standing.candidate_run_id = key, change.state.last_run_id
        if not same.update(candidate=key, candidate_run_id=change.state.last_run_id):
            return None
        same = ConnectionStanding.objects.filter(pk=standing.pk, number=standing.number, candidate=key)
    if not _has_held(change=change, standing=standing):
        return None
    return _tell(change=change, standing=standing, same=same)


def _has_held(*, change: Change, standing: ConnectionStanding) -> bool:
    """Whether enough runs have ended since the candidate began."""
    if change.key in WITHOUT_RUNS:
        return True
    is_recovery = change.key == ConnectionStateKey.OK
    needed = change.settings.runs_to_recover if is_recovery else change.settings.runs_to_alert
    runs = JobRun.objects.filter(
        definition__key=TRANSFER_JOB_KEY,
        unit_key=str(change.connection.uid),
        state__in=ENDED,
        pk__gte=standing.candidate_run_id or 0,
    )
    return needed <= 1 or runs.count() >= needed


def _tell(*, change: Change, standing: ConnectionStanding, same: object) -> ConnectionAlert | None:
    now, number = get_database_now(), standing.number + 1
    title, text = _write(change=change, standing=standing, now=now)
    began = None
    if change.key != ConnectionStateKey.OK:
        began = standing.trouble_since or change.state.since or now
    try:
        with transaction.atomic():
            if not same.update(  # type: ignore[attr-defined]
                number=number,
                told=change.key,
                told_sentence=change.sentence,
                trouble_since=began,
                candidate="",
                candidate_run_id=None,
            ):
                return None
            alert = ConnectionAlert.objects.create(
                connection=change.connection, number=number, at=now, key=change.key, title=title, text=text
            )
            addresses = list_addresses(connection=change.connection, settings=change.settings)
            AlertMail.objects.bulk_create(
                [AlertMail(alert=alert, address=address, next_try_at=now) for address in addresses]
            )
            users = list_notified(connection=change.connection, settings=change.settings)
            AlertNotice.objects.bulk_create([AlertNotice(alert=alert, user=user) for user in users])
            webhook = change.settings.webhook
            if webhook is not None and webhook.is_active:
                queue_event(
                    webhook=webhook,
                    event=EVENT,
                    key=f"{change.connection.uid}:{number}",
                    data={
                        "connection": {"uid": change.connection.uid, "name": change.connection.name},
                        "state": change.key,
                        "before": standing.told,
                        "since": began,
                        "failed": change.state.failed,
                        "of": change.state.of,
                        "title": title,
                        "text": text,
                    },
                )
    except IntegrityError:
        return None
    return alert


def _write(*, change: Change, standing: ConnectionStanding, now: datetime) -> tuple[str, str]:
    """Return the subject and the text of an alert."""
    name = change.connection.name
    if change.key == ConnectionStateKey.OK:
        lasted, since = "", standing.trouble_since
        if since is not None:
            lasted = f" It lasted {describe_duration(now - since)}, since {format_time(since)}."
        what = ConnectionStateKey(standing.told).label
        return f"{name} works again", f"{name} works again. It was: {what}. {standing.told_sentence}{lasted}"
    since_text = f" since {format_time(change.state.since)}" if change.state.since else ""
    label = change.state.label if change.key == change.state.key else change.key.label
    return f"{name}: {label}", f"{name}: {label}{since_text}. {change.sentence}"


def describe_duration(span: timedelta) -> str:
    """Return a duration in words, such as `2 days 3 hours` or `12 minutes`."""
    minutes = max(1, span // timedelta(minutes=1))
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [(days, "day"), (hours, "hour"), (minutes, "minute")]
    words = [f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in parts if number]
    return " ".join(words[:2])
