"""The processes that make a Vault on this machine: web server, a worker for each queue, and the scheduler."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from functools import partial

from ctms.celery import app as celery
from ctms.machine.processes import PREFIX_WIDTH, ProcessesError, Supervisor, wait_until_answering

START_SECONDS = 180
# Name of a worker → its queue, and how many of its tasks run at a time.
WORKERS = {"ticks": ("ticks", 1), "jobs": ("celery", 1), "transfer": ("transfers", 2), "live": ("live", 1)}

# Celery warns each time root starts it, as in most containers; these workers serve this machine alone.
ROOT_WARNING = "ignore:You're running the worker with superuser privileges"


def build_environment(*, base_url: str) -> Mapping[str, str]:
    """Return the environment of the processes. Links in e-mails and in CRM records begin with `base_url`."""
    warning_filters = filter(None, [os.environ.get("PYTHONWARNINGS"), ROOT_WARNING])
    return os.environ | {
        "VAULT_BASE_URL": base_url,
        "COLUMNS": str(shutil.get_terminal_size((140, 24)).columns - PREFIX_WIDTH),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": ",".join(warning_filters),
    }


async def start_web(*, supervisor: Supervisor, port: int, host: str = "127.0.0.1") -> None:
    """Start the web server and return once it answers. Raises ProcessesError if it does not."""
    options = ["--bind", f"{host}:{port}", "--workers", "1", "--log-level", "warning"]
    await supervisor.start(name="web", command=[sys.executable, "-m", "gunicorn", *options, "ctms.wsgi"])
    await wait_until_answering(name="web", port=port, seconds=START_SECONDS)


async def keep_workers(*, supervisor: Supervisor) -> None:
    """Start workers and scheduler, again whenever they end, and return once all workers take messages."""
    command = [sys.executable, "-m", "celery", "--quiet", "--app", "ctms"]
    for name, (queue, slots) in WORKERS.items():
        worker = ["worker", "--hostname", f"{name}@localhost", "--queues", queue, "--concurrency", str(slots)]
        alone = ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        await supervisor.keep(name=name, command=[*command, *worker, *alone])
    await supervisor.keep(name="beat", command=[*command, "beat", "--loglevel", "INFO", "--pidfile="])
    await _wait_until_working(seconds=START_SECONDS)


async def _wait_until_working(*, seconds: float) -> None:
    """Return once all workers take messages. Raises ProcessesError if one does not within `seconds`."""
    silent = {f"{name}@localhost" for name in WORKERS}
    try:
        async with asyncio.timeout(seconds):
            while silent:  # a message that is sent before a worker listens is lost
                ping = partial(celery.control.ping, destination=sorted(silent), timeout=1)
                silent -= {name for reply in await asyncio.to_thread(ping) or [] for name in reply}
    except TimeoutError as error:
        names = ", ".join(name.partition("@")[0] for name in sorted(silent))
        raise ProcessesError(f"{names} did not answer within {seconds:.0f} seconds") from error
