"""Starts and kills real Celery workers and beats, in processes of their own, on PostgreSQL and Redis."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

REPOSITORY = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 180  # on a busy machine; a quiet one takes seconds
ALONE = ("--without-mingle", "--without-gossip")  # a worker that asks for no others starts sooner

# Kills the whole process group when our end of its pipe closes, on request or because this process died.
_DIE_WITH_US = '"$@" & read -r _; kill -KILL 0'

ResultT = TypeVar("ResultT")


def wait_for(what: str, condition: Callable[[], ResultT], *, seconds: int = WAIT_SECONDS) -> ResultT:
    """Return what `condition` returns when that is first true. Raises AssertionError with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds} seconds in vain for {what}.")
        time.sleep(0.02)
    return result


def is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended, also if it did so while it was looked at."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


class CeleryProcess:
    """A `celery` process with its children."""

    def __init__(self, *, arguments: list[str], environment: dict[str, str], log_path: Path) -> None:
        self._log_path = log_path
        with log_path.open("wb") as log:
            self._keeper = subprocess.Popen(
                ["/bin/sh", "-c", _DIE_WITH_US, "sh", sys.executable, "-m", "celery", "-A", "ctms", *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=REPOSITORY,
                env=environment,
                start_new_session=True,
            )

    def read_log(self) -> str:
        return self._log_path.read_text(errors="replace")

    def wait_for_log(self, text: str, *, times: int = 1) -> None:
        """Wait until `text` has been logged this many times. Raises AssertionError with the log if it never is."""
        try:
            wait_for(f"{text!r}, {times} times", lambda: self.read_log().count(text) >= times)
        except AssertionError as error:
            raise AssertionError(f"{error} The log says:\n{self.read_log()}") from None

    def tell_to_end(self) -> None:
        """Send SIGTERM to the parent alone, as Docker and systemd do."""
        self._parent.terminate()

    def has_ended(self) -> bool:
        """Whether the parent and all its children are gone, but for what their keeper has not looked at yet."""
        return all(is_gone(process) for process in psutil.Process(self._keeper.pid).children(recursive=True))

    def kill_pool(self) -> None:
        """Send SIGKILL to the children that run tasks. The parent lives on."""
        for child in self._parent.children():
            child.kill()

    def kill(self) -> None:
        """Send SIGKILL to parent and children at once, and wait until they are gone."""
        self._keeper.communicate()

    @property
    def _parent(self) -> psutil.Process:
        (parent,) = psutil.Process(self._keeper.pid).children()
        return parent


class Installation:
    """Workers and beats of one Vault, on the database and the broker that `environment` names."""

    def __init__(self, *, broker_url: str, environment: dict[str, str], directory: Path) -> None:
        self.broker_url = broker_url
        self._environment = os.environ | environment | {"DJANGO_SETTINGS_MODULE": "tests.reliability.settings"}
        self._directory = directory
        self._processes: list[CeleryProcess] = []

    def start(
        self, *, workers: int = 0, beats: int = 0, lease_seconds: int = 60, queues: str = "ticks,celery,transfers"
    ) -> list[CeleryProcess]:
        """Start this many workers (of one task at a time) and beats. Return them, workers first, when all are up.

        `queues` are those that the workers serve, separated by commas; `lease_seconds` is the time after which a run
        whose lease is not renewed is taken over.
        """
        started = [
            self._start(
                ["worker", "--concurrency=1", "--without-mingle", "--without-gossip", f"--queues={queues}"],
                lease_seconds,
            )
            for _ in range(workers)
        ]
        beating = [self._start(["beat"], lease_seconds) for _ in range(beats)]
        for process in started:
            process.wait_for_log(" ready.")
        for process in beating:
            process.wait_for_log("beat: Starting...")
        return started + beating

    def run_python(self, code: str) -> str:
        """Run `code` with the settings of the processes, and return what it prints."""
        result = subprocess.run(
            [sys.executable, "-c", code],
            cwd=REPOSITORY,
            env=self._environment | {"RELIABILITY_LEASE_SECONDS": "60", "REDIS_URL": self.broker_url},
            capture_output=True,
            text=True,
            check=True,
        )
        return result.stdout.strip()

    def kill_all(self) -> None:
        """Kill every process that still runs."""
        for process in self._processes:
            process.kill()

    def _start(self, arguments: list[str], lease_seconds: int) -> CeleryProcess:
        number = len(self._processes) + 1
        name = f"{arguments[0]}-{number}"
        own = {
            "worker": [f"--hostname={name}@%h"],
            "beat": ["--pidfile="],
        }[arguments[0]]
        process = CeleryProcess(
            arguments=[*arguments, *own, "--loglevel=INFO"],
            environment=self._environment
            | {"RELIABILITY_LEASE_SECONDS": str(lease_seconds), "REDIS_URL": self.broker_url},
            log_path=self._directory / f"{name}.log",
        )
        self._processes.append(process)
        return process
