"""The command `manage.py rotate_encryption_keys`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ctms.audit.actors import build_system_actor
from ctms.audit.key_rotation import rotate_encryption_keys
from ctms.core.encryption import get_primary_key_id
from ctms.core.errors import EncryptionKeyError


class Command(BaseCommand):
    help = (
        "Encrypts every stored secret with the first key of FIELD_ENCRYPTION_KEYS. Put a new key first and keep the "
        "old ones behind it until this has run. If any secret cannot be read, nothing is changed."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        actor = build_system_actor(source="command", reference="rotate_encryption_keys")
        try:
            key_id = get_primary_key_id()
            reports = rotate_encryption_keys(actor=actor)
        except EncryptionKeyError as error:
            raise CommandError(str(error)) from error
        for report in reports:
            self.stdout.write(
                f"{report.field}: {report.encrypted_anew} encrypted with the key {key_id!r}, "
                f"{report.already_current} already were"
            )
