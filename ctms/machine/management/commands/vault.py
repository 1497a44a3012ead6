"""`manage.py vault`: an empty Vault on this machine, or one that was set up here before, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from ctms.core.errors import VaultError
from ctms.machine.first_admin import PASSWORD, create_first_admin, is_without_users, read_answers
from ctms.machine.processes import ProcessesError, Supervisor, is_port_free, supervise
from ctms.machine.vault_processes import build_environment, keep_workers, start_web

EMBEDDED = "ctms.settings.embedded"
LARGEST_PORT = 65_535


class Command(BaseCommand):
    help = (
        "Bring the database up to date, ask a new Vault's first admin for name, e-mail address and password, and keep "
        "the web server, the workers and the scheduler running until Ctrl-C."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8010, help="port of the Vault (default: %(default)s)")
        parser.add_argument(
            "--host",
            default="127.0.0.1",
            help="address to listen on (default: %(default)s, this machine alone); 0.0.0.0 inside a container",
        )
        parser.add_argument("--admin-name", default="", help="name of the first admin; else VAULT_ADMIN_NAME")
        parser.add_argument("--admin-email", default="", help="their e-mail address; else VAULT_ADMIN_EMAIL")
        parser.add_argument(
            "--check",
            action="store_true",
            help="end with exit code 0 once everything runs; the password of the "
            "first admin is never an option: VAULT_ADMIN_PASSWORD, or the question",
        )

    def handle(self, **options: Any) -> None:
        port, host = options["port"], options["host"]
        refuse_other_vaults(port=port)
        try:
            self.prepare(name=options["admin_name"], email=options["admin_email"])
        except VaultError as error:
            raise CommandError(f"{error}\nNothing was started.") from error
        except (KeyboardInterrupt, EOFError):
            raise CommandError("Interrupted. Nothing was started.", returncode=130) from None
        try:
            asyncio.run(self.run_processes(port=port, host=host, stay=not options["check"]))
        except ProcessesError as error:
            raise CommandError(f"{error}. Everything else was stopped.") from error
        self.stdout.write("Stopped. The data stay; the same command starts it again.")

    def prepare(self, *, name: str, email: str) -> None:
        """Migrate, which delivers definitions and security profiles, and create the first admin of a new Vault.

        A new Vault asks first: a refused answer is told at once, and nobody waits for a question.
        """
        answers = read_answers(name=name, email=email) if is_without_users() else None
        self.stdout.write("Preparing the database")
        call_command("migrate", verbosity=0)
        if answers is not None:
            user = create_first_admin(answers)
            self.stdout.write(f"{user.get_full_name()} is the first admin. Username: {user.username}")
        os.environ.pop(PASSWORD, None)  # nor do the processes of an existing Vault inherit it

    async def run_processes(self, *, port: int, host: str, stay: bool) -> None:
        base_url = settings.VAULT_BASE_URL if "VAULT_BASE_URL" in os.environ else f"http://127.0.0.1:{port}"

        async def tell(supervisor: Supervisor) -> None:
            await start_web(supervisor=supervisor, port=port, host=host)
            await keep_workers(supervisor=supervisor)
            supervisor.say(describe(base_url=base_url, stay=stay))

        supervisor = Supervisor(
            name="vault",
            output=sys.stdout,
            directory=settings.BASE_DIR,
            environment=build_environment(base_url=base_url),
        )
        await supervise(supervisor=supervisor, story=tell, stay=stay)


def refuse_other_vaults(*, port: int) -> None:
    """Raise CommandError for other settings, the demonstration's files, and a port that cannot be had."""
    if settings.SETTINGS_MODULE != EMBEDDED:
        raise CommandError(
            f"This command runs a Vault on this machine alone, with {EMBEDDED}. docs/operations.md says how one is "
            "run in production."
        )
    if Path(settings.VAR_DIR, "demo-logins.json").exists():
        raise CommandError(
            f"{settings.VAR_DIR} holds the demonstration. Name another folder in VAULT_VAR_DIR; `make vault` names "
            "vault/. Nothing was started."
        )
    if not 0 < port <= LARGEST_PORT:
        raise CommandError(f"--port {port}: a port is a number from 1 to {LARGEST_PORT}. Nothing was started.")
    if not is_port_free(port=port):
        raise CommandError(
            f"Port {port} is taken, maybe by this Vault, which runs already: choose another with --port "
            f'(make vault VAULT="--port {port + 1}"). Nothing was started.'
        )


def describe(*, base_url: str, stay: bool) -> str:
    """Return the text that says where everything is."""
    lines = [
        "",
        f"The Vault       {base_url}/",
        f"Its setup       {base_url}/admin/   begins with the checklist",
        "",
        f"Data and keys   {settings.VAR_DIR}   (back it up as a whole)",
    ]
    lines.append(f"Requests        {settings.REQUEST_LOG}   (their warnings and errors are said here too)")
    if not os.environ.get("EMAIL_URL"):
        lines.append(f"E-mail          {Path(settings.VAR_DIR, 'mail')}   (EMAIL_URL names a server that sends it)")
    if stay:
        lines += ["", "Ctrl-C stops everything."]
    return "\n".join(lines)
