"""Figures of what stands below: jobs, queues, users, and the audit trail's verification."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Max, Min
from kombu.exceptions import KombuError
from redis import RedisError

from ctms.accounts.models import FailedLogIn
from ctms.core.clock import get_database_now, get_now
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.queue import IMPATIENT
from ctms.jobs.registry import find_queue
from ctms.jobs.signs import TICKS, read_age
from ctms.jobs.trail_verification import VERIFICATION_JOB_KEY
from ctms.machine.health.metrics import Metric

Samples = list[tuple[Mapping[str, str], float]]
_RECENT = timedelta(days=1)


def list_job_metrics() -> Iterable[Metric]:
    """Return ages of scheduler and audit trail verification, and the runs of the last day by job and state."""
    now = get_database_now()
    tick = read_age(TICKS)
    yield Metric(
        name="vault_tick_age_seconds",
        help="How long ago a worker did the last tick of the scheduler; more than 180: one of them is not running.",
        samples=[] if tick is None else [({}, tick.total_seconds())],
    )
    verified = JobRun.objects.filter(definition__key=VERIFICATION_JOB_KEY, state=RunState.SUCCEEDED)
    last: datetime | None = verified.aggregate(last=Max("finished_at"))["last"]
    yield Metric(
        name="vault_audit_verified_age_seconds",
        help="How long ago the job Verify Audit Trail last found that everything holds.",
        samples=[] if last is None else [({}, (now - last).total_seconds())],
    )
    recent = JobRun.objects.filter(queued_at__gt=now - _RECENT).order_by()
    counts = recent.values_list("definition__key", "state").annotate(count=Count("pk"))
    yield Metric(
        name="vault_runs",
        help="Runs that were queued within the last day.",
        samples=[({"job": job, "state": state}, count) for job, state, count in counts],
    )
    took = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
    durations = (
        recent.filter(started_at__isnull=False, finished_at__isnull=False)
        .values_list("definition__key")
        .annotate(mean=Avg(took), longest=Max(took))
    )
    samples: Samples = []
    for job, mean, longest in durations:
        samples.append(({"job": job, "of": "mean"}, mean.total_seconds()))
        samples.append(({"job": job, "of": "longest"}, longest.total_seconds()))
    yield Metric(name="vault_run_seconds", help="How long runs of the last day took.", samples=samples)


def list_queue_metrics() -> Iterable[Metric]:
    """Return what waits: queued runs and messages, by queue."""
    names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    waiting: Counter[str] = Counter(dict.fromkeys(names, 0))
    oldest: dict[str, list[datetime]] = defaultdict(list)
    rows = (
        JobRun.objects.filter(state=RunState.QUEUED)
        .order_by()
        .values_list("definition__key")
        .annotate(count=Count("pk"), first=Min("queued_at"))
    )
    for job, count, first in rows:
        waiting[find_queue(job)] += count
        oldest[find_queue(job)].append(first)
    now = get_database_now()
    yield Metric(
        name="vault_queued_runs",
        help="Runs that no worker has begun.",
        samples=[({"queue": name}, count) for name, count in waiting.items()],
    )
    yield Metric(
        name="vault_queue_wait_seconds",
        help="How long the oldest queued run has waited; much means that no worker serves the queue, or too few.",
        samples=[
            ({"queue": name}, (now - min(oldest[name])).total_seconds() if oldest[name] else 0.0) for name in waiting
        ],
    )
    yield Metric(
        name="vault_queue_messages",
        help="Messages in the broker; absent if it does not answer.",
        samples=[({"queue": name}, count) for name, count in count_messages(names).items()],
    )


def list_user_metrics() -> Iterable[Metric]:
    """Return how many usernames and addresses are locked out."""
    since = get_now() - timedelta(minutes=settings.LOGIN_LOCKOUT_MINUTES)
    failures = FailedLogIn.objects.filter(at__gt=since).order_by()
    by_username = failures.values("username", "address").annotate(count=Count("pk"))
    by_address = failures.values("address").annotate(count=Count("pk"))
    yield Metric(
        name="vault_lock_outs",
        help="Usernames (of one address) and addresses for which no password is checked at present.",
        samples=[
            ({"of": "username"}, by_username.filter(count__gte=settings.LOGIN_FAILURES).count()),
            ({"of": "address"}, by_address.filter(count__gte=settings.LOGIN_FAILURES_PER_ADDRESS).count()),
        ],
    )


def count_messages(names: Iterable[str]) -> dict[str, int]:
    """Return how many messages wait in each queue of the broker; nothing if it does not answer."""
    broker = current_app.connection_for_read(transport_options=current_app.conf.broker_transport_options | IMPATIENT)
    try:
        with broker as connection:
            channel: Any = connection.default_channel
            return {name: channel._size(name) for name in names}  # noqa: SLF001  kombu asks for no other way
    except (OSError, KombuError, RedisError):
        return {}
