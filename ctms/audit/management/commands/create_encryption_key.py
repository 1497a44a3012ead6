"""The command `manage.py create_encryption_key`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ctms.core.clock import get_now
from ctms.core.encryption import create_key
from ctms.core.errors import EncryptionKeyError


class Command(BaseCommand):
    help = (
        "Prints a new random key as an entry of FIELD_ENCRYPTION_KEYS, and stores it nowhere. With "
        "--settings ctms.settings.base it needs neither a database nor any other key."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--id", default=f"{get_now():%Y-%m-%d}", help="id of the key, which no other may have (default: today)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            self.stdout.write(create_key(key_id=options["id"]))
        except EncryptionKeyError as error:
            raise CommandError(str(error)) from error
