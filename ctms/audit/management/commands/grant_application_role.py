"""The command `manage.py grant_application_role`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection, transaction

from ctms.audit.roles import build_grants, build_role
from ctms.settings.environment import take_secret

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

PASSWORD = "APPLICATION_ROLE_PASSWORD"  # noqa: S105  the name of a variable


class Command(BaseCommand):
    help = (
        "Prints the statements that let a PostgreSQL role run the Vault without owning its tables: it can add to the "
        "audit trail and not change it. With --apply they are executed; run it as the owner, after each migrate."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", help="the role in the DATABASE_URL of web, workers and beat")
        parser.add_argument(
            "--apply",
            action="store_true",
            help=f"execute them; with {PASSWORD} or {PASSWORD}_FILE set, the role is created or gets that password",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        role = options["role"]
        if connection.vendor != "postgresql":
            raise CommandError("Roles are PostgreSQL's. Whoever can write a SQLite file can do everything with it.")
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            if cursor.fetchone()[0] == role:
                raise CommandError(f"{role} is the role that owns the tables. Name the one that the application uses.")
        if not options["apply"]:
            for statement in build_grants(connection, role=role):
                self.stdout.write(f"{statement};")
            return
        try:
            password = take_secret(PASSWORD)
        except ValueError as error:
            raise CommandError(str(error)) from None
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                if password:
                    cursor.execute(build_role(connection, role=role, password=password))
                for statement in build_grants(connection, role=role):
                    cursor.execute(statement)
        except DatabaseError as error:
            state = getattr(error.__cause__, "sqlstate", "")
            raise CommandError(
                _REMEDIES.get(state, f"The database refused ({state}); its log has the cause.")
            ) from None
        self.stdout.write(f"{role} can run the Vault, and only add to its audit trail.")


# By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
_REMEDIES = {
    "42704": f"There is no such role. Create it, or give its password in {PASSWORD}.",
    "42501": "This role may not grant them. Run the command with the DATABASE_URL of the role that owns the tables, "
    "and create the application's role beforehand if that one may not create roles.",
}
