"""The command `manage.py demo`, which runs the whole product on one machine with demonstration data."""

from __future__ import annotations

import asyncio
import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from crm_sync.demo.data import (
    get_logins_path,
    get_sandbox_directory,
    is_demo_data_loaded,
    load_demo_data,
    plant_later_changes,
)
from crm_sync.demo.dataset.expectations import list_expected_exceptions
from ctms.core.errors import VaultError
from ctms.machine.processes import (
    ProcessesError,
    Supervisor,
    is_port_free,
    supervise,
    wait_until_answering,
)
from ctms.machine.vault_processes import START_SECONDS, build_environment, keep_workers, start_web

ORGANISATIONS = ("na", "emea")


@dataclass(frozen=True, kw_only=True)
class Ports:
    web: int
    crm: int

    @property
    def organisations(self) -> dict[str, int]:
        """The port of each organisation of the CRM sandbox, by name. They follow one another."""
        return {name: self.crm + number for number, name in enumerate(ORGANISATIONS)}


class Command(BaseCommand):
    help = (
        "Prepare the database and the demonstration data of Vault and CRM, transfer once, and keep the web server, "
        "the CRM sandbox, a worker and the scheduler running until Ctrl-C."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--web-port", type=int, default=8000, help="port of the Vault (default: %(default)s)")
        parser.add_argument(
            "--crm-port",
            type=int,
            default=8101,
            help="port of the CRM's first organisation, the next has the next (default: %(default)s)",
        )
        parser.add_argument("--check", action="store_true", help="end with exit code 0 once everything runs")

    def handle(self, **options: Any) -> None:
        ports = Ports(web=options["web_port"], crm=options["crm_port"])
        if not settings.CRM_SANDBOX_ORIGINS:
            raise CommandError(
                "The demonstration fills the database with invented data: it needs ctms.settings.embedded."
            )
        if taken := list_taken_ports(ports=ports):
            raise CommandError("\n".join([*taken, "Nothing was started."]))
        try:
            self.prepare_data()
        except VaultError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Nothing was started.", returncode=130) from None
        try:
            asyncio.run(self.run_processes(ports=ports, stay=not options["check"]))
        except ProcessesError as error:
            raise CommandError(f"{error}. Everything else was stopped.") from error
        self.stdout.write("Stopped.")

    def prepare_data(self) -> None:
        self.stdout.write("Preparing the database")
        call_command("migrate", verbosity=0)
        if not is_demo_data_loaded():
            self.stdout.write("Loading the demonstration data")
        load_demo_data()

    async def run_processes(self, *, ports: Ports, stay: bool) -> None:
        async def tell(supervisor: Supervisor) -> None:
            await start_everything(supervisor=supervisor, ports=ports)
            supervisor.say(describe(ports=ports, stay=stay))

        environment = build_demo_environment(ports=ports)
        supervisor = Supervisor(name="demo", output=sys.stdout, directory=settings.BASE_DIR, environment=environment)
        await supervise(supervisor=supervisor, story=tell, stay=stay)


def list_taken_ports(*, ports: Ports) -> list[str]:
    """Return a sentence for each port that is not free, with the option that chooses another."""
    wanted = {ports.web: ("the web server", "--web-port")}
    wanted |= {port: (f"the CRM organisation {name}", "--crm-port") for name, port in ports.organisations.items()}
    if len(wanted) <= len(ORGANISATIONS):
        return [f"Port {ports.web} is asked for twice: choose another with --web-port or --crm-port."]
    return [
        f"Port {port}, meant for {purpose}, is taken: choose another with {option}."
        for port, (purpose, option) in wanted.items()
        if not is_port_free(port=port)
    ]


def build_demo_environment(*, ports: Ports) -> Mapping[str, str]:
    origins = ",".join(f"{name}.crm.test=http://127.0.0.1:{port}" for name, port in ports.organisations.items())
    environment = build_environment(base_url=f"http://127.0.0.1:{ports.web}")
    return {**environment, "CRM_SANDBOX_ORIGINS": origins}


async def start_everything(*, supervisor: Supervisor, ports: Ports) -> None:
    """Start web server and CRM sandbox, transfer once, then start workers and scheduler.

    In this order the first transfer is over before the scheduler starts one. Workers and scheduler are started again
    when they end. Raises ProcessesError if another process fails.
    """
    sandbox = [sys.executable, "manage.py", "crm_sandbox", "--port", str(ports.crm)]
    sandbox += ["--data-dir", str(get_sandbox_directory())]
    for name in ORGANISATIONS:
        sandbox += ["--org", name]
    await supervisor.start(name="crm", command=sandbox)
    await start_web(supervisor=supervisor, port=ports.web)
    for port in ports.organisations.values():
        await wait_until_answering(name="crm", port=port, seconds=START_SECONDS)

    await transfer(supervisor=supervisor)
    if await sync_to_async(plant_later_changes)():
        supervisor.say("Transferring what a day's work has changed")
        await transfer(supervisor=supervisor)

    await keep_workers(supervisor=supervisor)


async def transfer(*, supervisor: Supervisor) -> None:
    returncode = await supervisor.run(
        name="transfer", command=["env", "LOG_LEVEL=WARNING", sys.executable, "manage.py", "transfer"]
    )
    if returncode not in (0, 1):  # 1: some records cannot be transferred, as planted in the data
        raise ProcessesError(f"The transfer ended with exit code {returncode}")


def describe(*, ports: Ports, stay: bool) -> str:
    """Return the text that says where everything is and how to log in."""
    lines = [
        "",
        f"The Vault       http://127.0.0.1:{ports.web}/",
        f"Its admin       http://127.0.0.1:{ports.web}/admin/",
    ]
    lines += [f"CRM {name:<11} http://127.0.0.1:{port}/" for name, port in ports.organisations.items()]
    logins = json.loads(get_logins_path().read_text(encoding="utf-8"))
    width = max(len(login["username"]) for login in logins)
    lines += ["", f"{'Log in as':<15} {'user name':<{width}} password"]
    lines += [f"{login['role']:<15} {login['username']:<{width}} {login['password']}" for login in logins]
    planted = len(list_expected_exceptions())
    lines += ["", f"{planted} records cannot be transferred, on purpose: see Logs > User Exceptions in the admin."]
    if settings.REQUEST_LOG is not None:
        lines += ["", f"Requests are written to {settings.REQUEST_LOG}; their warnings and errors are said here too."]
    if stay:
        lines += ["", "Ctrl-C stops everything."]
    return "\n".join(lines)
