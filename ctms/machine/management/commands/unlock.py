"""The command `manage.py unlock`."""

from __future__ import annotations

import os
import sys
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ctms.audit.actors import build_system_actor
from ctms.core.errors import VaultError
from ctms.machine.unlocking import describe_state, list_admins, unlock_user

PASSWORD = "VAULT_ADMIN_PASSWORD"  # noqa: S105  the name of the variable


class Command(BaseCommand):
    help = (
        "Lets a user in again whom nobody in the console can: forgets wrong passwords, opens an account that is "
        "inactive or has ended, and on request removes the second factor, sets a password and gives all rights. "
        "Without --username, lists the admins and what keeps each out. All of it is in the audit trail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="", help="who is locked out")
        parser.add_argument("--second-factor", action="store_true", help="remove the second factor, too")
        parser.add_argument(
            "--password", action="store_true", help=f"set a password, too: it is asked for, or taken from {PASSWORD}"
        )
        parser.add_argument("--make-admin", action="store_true", help="give all rights: where no admin is left")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not options["username"]:
            for admin in list_admins():
                self.stdout.write(f"{admin.username}: {describe_state(admin)}")
            self.stdout.write("Let one of them in: manage.py unlock --username NAME")
            return
        try:
            done = unlock_user(
                username=options["username"],
                actor=build_system_actor(source="command", reference="unlock"),
                second_factor=options["second_factor"],
                password=_read_password() if options["password"] else "",
                make_admin=options["make_admin"],
            )
        except VaultError as error:
            raise CommandError(str(error)) from error
        for sentence in done or ["Nothing kept the user out that this command undoes."]:
            self.stdout.write(sentence)


def _read_password() -> str:
    """Return the new password: never from the command line, which others on the machine can read."""
    given = os.environ.pop(PASSWORD, "")
    if given:
        return given
    if not sys.stdin.isatty():
        raise CommandError(f"Nobody can be asked for the password here. Set {PASSWORD} in the environment.")
    return getpass("New password (it is not shown): ")
