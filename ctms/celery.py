"""The Celery application. Beat sends `jobs.dispatch_due` every minute; workers run it and the jobs that it queues."""

from logging.config import dictConfig
from typing import Any

from celery import Celery, signals
from django.conf import settings
from structlog.contextvars import bind_contextvars, unbind_contextvars

from ctms.settings.choice import choose_settings

choose_settings()

app = Celery("ctms")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def _log_as_everywhere(**_options: Any) -> None:
    """Let workers and beat log as the settings say: where this is connected, Celery adds no handlers of its own."""
    dictConfig(settings.LOGGING)


@signals.task_prerun.connect
def _name_task(*, task_id: str, task: Any, **_options: Any) -> None:
    """Let each line that a task logs name it."""
    bind_contextvars(task=task.name, task_id=task_id)


@signals.task_postrun.connect
def _forget_task(**_options: Any) -> None:
    unbind_contextvars("task", "task_id")
