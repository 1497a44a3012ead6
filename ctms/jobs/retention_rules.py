"""How long runs are kept, and what is kept of log-ins: the kinds of rows of this floor and of those below."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import CASCADE, Exists, OuterRef, Q

from ctms.accounts.models import FailedLogIn, UserSession
from ctms.jobs.choices import SUCCESS_STATES, UNFINISHED_STATES
from ctms.jobs.models import JobRun
from ctms.jobs.registry import list_handlers
from ctms.jobs.retention import OldRows, RetentionRule, register_retention

if TYPE_CHECKING:
    from django.db.models import Model

JOB_RUN_SETTING = "JOB_RUN_RETENTION_DAYS"

_run_parts: list[tuple[type[Model], str]] = []


def register_run_part(model: type[Model], *, field: str) -> None:
    """Let rows of a model go with the run that their `field` names. All others that name a run keep it."""
    if (model, field) not in _run_parts:
        _run_parts.append((model, field))


def register_retention_rules() -> None:
    """Register the kinds of rows; called once, when the app is ready."""
    register_retention(
        RetentionRule(
            key="sessions",
            name="Ended sessions",
            models=(UserSession,),
            find=lambda now: [OldRows(rows=UserSession.objects.filter(expire_date__lte=now))],
            keeps="Sessions in use.",
            position=100,
        )
    )
    register_retention(
        RetentionRule(
            key="failed_log_ins",
            name="Wrong passwords",
            models=(FailedLogIn,),
            find=_find_failed_log_ins,
            keeps="Those that still count for a lock-out; the audit trail tells of lock-outs.",
            position=110,
        )
    )
    register_retention(
        RetentionRule(
            key="job_runs",
            name="Job runs",
            models=(JobRun,),
            find=find_old_runs,
            setting=JOB_RUN_SETTING,
            keeps="The last success of each unit and what followed it, and runs that attempts, exceptions, "
            "reconciliations or previews name.",
            position=900,
        )
    )


def find_old_runs(before: datetime) -> list[OldRows]:
    """Return the runs that ended before a moment, and that nothing needs.

    Needed are the last success of a unit and all that followed, by which overdue, silent and failing is told, and what
    another row refers to. Of jobs whose units are done once, such as an import, no run is the last that is needed.
    """
    later_success = JobRun.objects.filter(
        definition=OuterRef("definition"),
        unit_key=OuterRef("unit_key"),
        state__in=SUCCESS_STATES,
        finished_at__gt=OuterRef("finished_at"),
    )
    done_once = [handler.key for handler in list_handlers() if not handler.has_lasting_units]
    rows = JobRun.objects.filter(
        Q(definition__key__in=done_once) | Exists(later_success), finished_at__lt=before
    ).exclude(state__in=UNFINISHED_STATES)
    for relation in JobRun._meta.related_objects:
        model, field = relation.related_model, relation.field.name
        if relation.on_delete is not CASCADE and (model, field) not in _run_parts:
            rows = rows.exclude(Exists(model._base_manager.filter(**{field: OuterRef("pk")})))
    return [OldRows(rows=rows, parts=tuple(_run_parts))]


def _find_failed_log_ins(now: datetime) -> list[OldRows]:
    window = timedelta(minutes=settings.LOGIN_LOCKOUT_MINUTES)
    return [OldRows(rows=FailedLogIn.objects.filter(at__lte=now - window))]
