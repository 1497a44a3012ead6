"""`manage.py migrate`: Django's, which on PostgreSQL waits for a lock only briefly, and tries again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as DjangoCommand
from django.db import OperationalError, connections

if TYPE_CHECKING:
    from django.core.management.base import CommandParser
    from django.db.backends.base.base import BaseDatabaseWrapper

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOCK_NOT_AVAILABLE = "55P03"
_PAUSE_SECONDS = 3.0


class Command(DjangoCommand):
    """A statement that waits for a table keeps everybody waiting who comes after it, readers too.

    So it waits for `--lock-timeout` seconds, gives up, and the migration is tried again a little later: the Vault goes
    on meanwhile. What was migrated before stays; a migration in a transaction leaves nothing, and one without begins
    by removing what is left (`ctms.core.online_operations`). Statements themselves may take any time.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--lock-timeout",
            type=float,
            default=5.0,
            metavar="SECONDS",
            help="how long a statement waits for a table that is in use (PostgreSQL; default: %(default)s)",
        )
        parser.add_argument(
            "--lock-attempts",
            type=int,
            default=20,
            metavar="TIMES",
            help="how often that is tried before the command fails (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if options["lock_timeout"] <= 0 or options["lock_attempts"] < 1:
            raise CommandError("--lock-timeout and --lock-attempts have to be more than 0.")
        if connection.vendor != "postgresql":
            super().handle(*args, **options)
            return
        milliseconds = max(1, round(options["lock_timeout"] * 1000))
        for attempt in range(1, options["lock_attempts"] + 1):
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{milliseconds}ms"])
            try:
                super().handle(*args, **options)
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                    raise
                _connect_anew(connection)
            else:
                with connection.cursor() as cursor:
                    cursor.execute("RESET lock_timeout")
                return
            if attempt < options["lock_attempts"]:
                self.stderr.write(
                    f"\nA table is in use: after {options['lock_timeout']:g} seconds the migration let go of it, so "
                    f"that nobody waits behind it. Trying again (attempt {attempt + 1} of {options['lock_attempts']})."
                )
                time.sleep(_PAUSE_SECONDS)
        raise CommandError(
            "A table that a migration changes was in use all the time, and that migration was not applied; those "
            "before it were. End what keeps the table (a report, an export, pg_dump; pg_stat_activity names it), or "
            "stop the workers, and run this command again."
        )


def _connect_anew(connection: BaseDatabaseWrapper) -> None:
    """Drop the connection, and with it a transaction that Django leaves open.

    `BaseDatabaseSchemaEditor.__exit__` of Django 5.2 does not end its transaction when one of the statements fails that
    it executes last, such as those that add foreign keys.
    """
    connection.close()
    connection.connect()
