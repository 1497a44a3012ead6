"""Messages reach the queue of their kind of work; a broker that hangs keeps nobody waiting."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import redis
from celery import Celery
from pytest_django import DjangoCaptureOnCommitCallbacks

from crm_sync.jobs import TRANSFER_JOB_KEY
from ctms.jobs import queue
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import start_now
from ctms.settings import base
from tests.factories.connections import ConnectionFactory
from tests.jobs.handlers import CountingJob

pytestmark = pytest.mark.django_db


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Celery:
    """The Celery application as production configures it, which `send_message` uses."""
    made = Celery("production", set_as_current=False)
    made.config_from_object(base, namespace="CELERY")
    monkeypatch.setattr(queue, "current_app", made)
    return made


@pytest.fixture
def hung_broker() -> Iterator[socket.socket]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_ticks_transfers_and_work_within_the_vault_wait_in_queues_of_their_own(
    app: Celery, job: CountingJob, redis_url: str, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    app.conf.update(broker_url=redis_url)
    ConnectionFactory.create()
    with django_capture_on_commit_callbacks(execute=True):
        start_now(definition=job.deliver(), user=None)
        start_now(definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY), user=None)
    for entry in app.conf.beat_schedule.values():
        app.send_task(entry["task"])
    with redis.Redis.from_url(redis_url) as broker:
        assert {name: broker.llen(name) for name in ("ticks", "celery", "transfers")} == {
            "ticks": 4,
            "celery": 2,
            "transfers": 1,
        }


def test_a_page_gives_up_on_a_broker_that_hangs_after_one_message(
    app: Celery,
    job: CountingJob,
    hung_broker: socket.socket,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    app.conf.update(broker_url=f"redis://127.0.0.1:{hung_broker.getsockname()[1]}/0")
    with django_capture_on_commit_callbacks(execute=True):
        start_now(definition=job.deliver(), user=None)
    assert list(JobRun.objects.values_list("state", flat=True)) == [RunState.QUEUED] * 2
    hung_broker.accept()[0].close()
    hung_broker.setblocking(False)
    with pytest.raises(BlockingIOError):
        hung_broker.accept()
