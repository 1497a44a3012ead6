"""Installs the Vault as docs/deploy/README.md says, with processes in place of systemd's units."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil

from tests.imports import ROOT

DEPLOY = ROOT / "docs" / "deploy"
PROGRAMS = Path(sys.executable).parent
WAIT_SECONDS = 420  # on a busy machine; a quiet one takes seconds
SHOWN_LINES = 60  # of each log
ADMIN = {
    "DJANGO_SUPERUSER_USERNAME": "first.admin",
    "DJANGO_SUPERUSER_EMAIL": "first.admin@example.org",
    "DJANGO_SUPERUSER_PASSWORD": "A-Long-Pass-Phrase-29",
}

ResultT = TypeVar("ResultT")


def wait_for(what: str, condition: Callable[[], ResultT]) -> ResultT:
    """Return what `condition` returns when that is first true. Raises AssertionError with `what` after 7 minutes."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {WAIT_SECONDS} seconds in vain for {what}.")
        time.sleep(0.1)
    return result


class Installation:
    """A Vault in `folder`, by the commands and units of the documents.

    `role` takes the place of `vault_application`, since a server of tests has one for several of them.
    """

    def __init__(self, *, folder: Path, role: str, settings: str) -> None:
        self.folder, self.role = folder, role
        self.secrets = folder / "secrets"
        self.secrets.mkdir(mode=0o700)
        sample = re.findall(r"^(\w+)=(.*)$", (DEPLOY / "vault.env").read_text(), re.MULTILINE)
        self.environment = {
            "PATH": os.environ["PATH"],
            **dict(sample),
            "DJANGO_SETTINGS_MODULE": settings,
            "VAULT_VAR_DIR": str(folder / "var"),
        }
        (folder / "var").mkdir()
        self._processes: dict[str, psutil.Popen] = {}

    def keep_secret(self, name: str, value: str) -> None:
        (self.secrets / name).write_text(f"{value}\n")
        (self.secrets / name).chmod(0o600)

    def run(
        self, command: str, *, owner: bool = False, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the documents, as the owner of the tables or as the application."""
        words = command.replace("vault_application", self.role).replace(".venv/bin", str(PROGRAMS))
        names = ["secret_key", "field_encryption_keys", "redis_url", "database_url"]
        files = {f"{name.upper()}_FILE": str(self.secrets / name) for name in names if (self.secrets / name).exists()}
        if owner:
            files["DATABASE_URL_FILE"] = str(self.secrets / "owner_database_url")
        return subprocess.run(
            ["/bin/sh", "-c", words],
            cwd=ROOT,
            env=self.environment | files | dict(more or {}),
            capture_output=True,
            text=True,
            check=False,
        )

    def list_commands(self) -> list[str]:
        """The lines of the second block of commands of README.md that begin with a program of the Vault's packages."""
        blocks = re.findall(r"```sh\n(.*?)```", (DEPLOY / "README.md").read_text(), re.DOTALL)
        return [line for line in blocks[1].splitlines() if ".venv/bin/python manage.py" in line]

    def start(self, unit: str, *, instance: str = "", options: str = "", **more: str) -> None:
        """Start the program of a systemd unit as systemd would: its environment, its secrets, its arguments."""
        text = (DEPLOY / "systemd" / f"{unit}.service").read_text().replace("%%", "\0").replace("%i", instance)
        text = text.replace("%d", str(self.secrets)).replace("\0", "%")
        given = dict(re.findall(r"(\w+)=(\S+)", " ".join(re.findall(r"^Environment=(.*)$", text, re.MULTILINE))))
        (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
        words = [word.replace("/srv/vault/current/.venv/bin", str(PROGRAMS)) for word in command.split()]
        words = [re.sub(r"\$\{(\w+)\}", lambda match: given[match[1]], word) for word in words]
        name = f"{unit}{instance}"
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = psutil.Popen(
                [*words, *options.split()],
                cwd=ROOT,
                env=self.environment | given | more,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def read_log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def kill(self, name: str) -> None:
        """Kill a unit's processes at once, as a machine does that fails."""
        process = self._processes.pop(name)
        children = process.children(recursive=True) if process.is_running() else []
        for each in [process, *children]:  # the parent first, or it would see the others die
            with suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
                each.kill()
        process.wait()

    def end(self, name: str) -> int:
        """End a unit as systemd does with KillMode=mixed; return its exit code."""
        process = self._processes.pop(name)
        process.terminate()
        return int(process.wait(timeout=WAIT_SECONDS))

    def end_all(self) -> None:
        """Kill all that still runs. Prints the end of every log, which the report of a failed test shows."""
        for log in sorted(self.folder.glob("*.log")):
            process = self._processes.get(log.stem)
            is_running = process is not None and process.poll() is None
            lines = [
                f"{log.stem}, {'still running' if is_running else 'ended'}:",
                *self.read_log(log.stem).splitlines()[-SHOWN_LINES:],
            ]
            sys.stdout.write("\n".join([*lines, ""]))
        for name in list(self._processes):
            self.kill(name)
