"""Celery: beat sends four ticks; which jobs are due is stored in the database."""

from __future__ import annotations

import socket
import sys
from typing import Any

from celery.schedules import schedule
from kombu import Exchange, Queue

from ctms.core.clock import get_steady_now

CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"  # keeps nothing in a file, which a full disk would leave unreadable
# A minute by the machine's uptime: beat sends nothing for hours if the clock that it goes by is set back. Messages do
# not expire either: a worker discards them by its own clock, which may be ahead of that of beat's machine.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "dispatch-due-jobs": {"task": "jobs.dispatch_due", "schedule": schedule(60.0, nowfun=get_steady_now)},
    "seal-audit-trail": {"task": "audit.seal_entries", "schedule": schedule(60.0, nowfun=get_steady_now)},
    "write-contact-dates": {"task": "activities.write_contacts", "schedule": schedule(60.0, nowfun=get_steady_now)},
    "transfer-as-it-happens": {"task": "crm_sync.start_live", "schedule": schedule(60.0, nowfun=get_steady_now)},
}
# A worker serves all queues unless it is told which; docs/operations.md starts one for each. What names no queue goes
# to `celery`, and `ctms/jobs/queue.py` names that of each run.
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name), routing_key=name) for name in ("ticks", "celery", "transfers", "live")
]
CELERY_TASK_ROUTES = {
    name: {"queue": "ticks"}
    for name in (
        "jobs.dispatch_due",
        "audit.seal_entries",
        "activities.write_contacts",
        "crm_sync.start_live",
        "crm_sync.wake",
    )
}
CELERY_TIMEZONE = "UTC"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 50 * 60  # seconds; an hourly transfer ends before the next one is due
CELERY_TASK_TIME_LIMIT = 55 * 60
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
    # Redis delivers a task again if it takes longer than this, so it is longer than any task may take.
    "visibility_timeout": 2 * 60 * 60,
    # So that a worker or beat notices within a minute that the machine of Redis is gone. No timeout: a worker whose
    # acknowledgement times out takes no more messages (Celery 5.7), and one that waits goes on when Redis does.
    "socket_keepalive": True,
    "socket_keepalive_options": {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}
    if sys.platform == "linux"
    else {},
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker that gave up would have to be started by somebody
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
JOB_LEASE_SECONDS = 90
JOB_REQUEUE_SECONDS = 120
