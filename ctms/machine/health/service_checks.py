"""What the doctor asks besides the database: Redis, scheduler, workers, mail server, static files, disks."""

from __future__ import annotations

import json
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import redis
import requests
from celery import current_app
from django.conf import settings
from django.contrib.staticfiles.finders import find
from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage
from django.core.mail import get_connection

from ctms.accounts.mail import describe_mail_error
from ctms.jobs.queue import IMPATIENT
from ctms.jobs.signs import TICKS, read_age
from ctms.machine.health.doctor import Check, Finding, fine, problem, register_check, skipped
from ctms.machine.health.figures import count_messages

_SECONDS: Final = 2.0
_LONGEST_SILENCE: Final = timedelta(minutes=3)
_LEAST_FREE: Final = 500 * 1024 * 1024  # bytes
_LEAST_SHARE: Final = 0.05


def check_redis() -> Finding:
    """Whether Redis answers, and with the password that it was given."""
    url = str(settings.CELERY_BROKER_URL)
    if not url.startswith("redis"):
        return skipped("The queue is of files, in the Vault's folder.")
    try:
        with redis.Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS) as client:
            client.ping()
    except redis.AuthenticationError:
        return problem("Redis refuses the password.", remedy="Correct user and password in REDIS_URL.")
    except redis.TimeoutError:
        return problem("Redis does not answer.", remedy="Restart it, or see that REDIS_URL names the right host.")
    except redis.RedisError as error:
        return problem(f"Redis cannot be reached ({type(error).__name__}).", remedy="Start it, or correct REDIS_URL.")
    return fine("Redis answers.")


def check_beat() -> Finding:
    """Whether the scheduler's ticks come and are done."""
    age = read_age(TICKS)
    if age is not None and age <= _LONGEST_SILENCE:
        return fine(f"The last tick was done {age.total_seconds():.0f} seconds ago.")
    since = "No tick was ever done" if age is None else f"No tick was done for {age.total_seconds() / 60:.0f} minutes"
    if count_messages([TICKS]).get(TICKS):
        return problem(f"{since}, though some wait.", remedy="Start the worker of the queue ticks.")
    return problem(f"{since}, and none waits.", remedy="Start the scheduler (celery beat), and a worker of ticks.")


def check_workers() -> Finding:
    """Whether each queue has a worker that answers."""
    options = current_app.conf.broker_transport_options | IMPATIENT
    with current_app.connection_for_write(transport_options=options) as connection:
        answers = current_app.control.inspect(timeout=_SECONDS, connection=connection).active_queues() or {}
    served = {queue["name"] for queues in answers.values() for queue in queues}
    missing = [queue.name for queue in settings.CELERY_TASK_QUEUES if queue.name not in served]
    if missing:
        return problem(
            f"No worker answers for {', '.join(missing)}.",
            remedy="Start one: celery --quiet --app ctms worker --queues NAME. A new one answers within a minute.",
        )
    return fine(f"{len(answers)} worker{'' if len(answers) == 1 else 's'} serve all queues.")


def check_mail() -> Finding:
    """Whether the mail server can be reached and takes the log-in. Sends nothing."""
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        return skipped("E-mail is not sent: EMAIL_URL names no server.")
    server = get_connection(timeout=_SECONDS)
    try:
        server.open()
        server.close()
    except Exception as error:  # noqa: BLE001  smtplib raises what it likes
        return problem("The mail server takes no e-mail.", remedy=describe_mail_error(error))
    return fine("The mail server can be reached.")


def check_error_reports() -> Finding:
    """Whether the server that errors are reported to can be reached. Sends nothing."""
    if not settings.SENTRY:
        return skipped("Errors are logged, and reported to nobody: SENTRY_DSN is not set.")
    address = urljoin(settings.SENTRY["address"], "/")
    try:
        requests.head(address, timeout=_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        return problem(
            f"The server of SENTRY_DSN cannot be reached ({type(error).__name__}).",
            remedy="Correct SENTRY_DSN, or let this machine reach it; errors are in the log all the same.",
        )
    return fine("The server of SENTRY_DSN can be reached.")


def check_static_files() -> Finding:
    """Whether the files that pages need are there."""
    storage: Any = staticfiles_storage
    if not isinstance(storage, ManifestFilesMixin):
        return fine("Served from the source folders.") if find("tokens.css") else _collect("tokens.css is missing.")
    names: dict[str, str] = json.loads(storage.read_manifest() or "{}").get("paths", {})
    missing = [name for name in names.values() if not Path(settings.STATIC_ROOT or "", name).is_file()]
    if not names or missing:
        return _collect(f"{missing[0]} is missing." if missing else "They were not collected.")
    return fine(f"{len(names)} files are there.")


def _collect(message: str) -> Finding:
    return problem(message, remedy="Run manage.py collectstatic --no-input, with the same VAULT_VAR_DIR.")


def check_disk() -> Finding:
    """Whether this machine's disks have room. The database's disk may be another machine's."""
    folders = [path for path in (Path(settings.VAR_DIR), Path(tempfile.gettempdir())) if path.is_dir()]
    for folder in folders:
        usage = shutil.disk_usage(folder)
        if usage.free < _LEAST_FREE and usage.free < usage.total * _LEAST_SHARE:
            return problem(f"{folder} has {usage.free // 2**20:,} MB left.", remedy="Make room on this disk.")
    free = min(shutil.disk_usage(folder).free for folder in folders)
    return fine(f"{free // 2**20:,} MB are free, at least, on this machine.")


def register_service_checks() -> None:
    """Add these checks."""
    register_check(Check(name="redis", ask=check_redis, needs_database=False))
    register_check(Check(name="beat", ask=check_beat, limit=8.0))
    register_check(Check(name="workers", ask=check_workers, needs_database=False, limit=10.0))
    register_check(Check(name="mail", ask=check_mail, needs_database=False, limit=10.0))
    register_check(Check(name="error reports", ask=check_error_reports, needs_database=False))
    register_check(Check(name="static files", ask=check_static_files, needs_database=False))
    register_check(Check(name="disk", ask=check_disk, needs_database=False))
