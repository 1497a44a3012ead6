"""The keys that a backup's secrets need: named in the manifest, and written to another place than the database."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings

from ctms.core.encryption import get_key_id, load_key_ring
from ctms.core.fields import EncryptedTextField
from ctms.machine.backups.errors import BackupError
from ctms.machine.backups.manifest import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

FILE_NAME = "keys.json"
_CHECK = b"which key this is"
_CHECK_DIGITS = 16


def list_secret_columns() -> list[tuple[str, str]]:
    """Return the table and the column of every encrypted field."""
    return [
        (model._meta.db_table, str(field.column))
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, EncryptedTextField)
    ]


def list_key_checks(read_column: Callable[[str, str], Iterable[Any]]) -> dict[str, str]:
    """Return the ids of the keys that the secrets of a database need, each with a value by which it is known again.

    `read_column` returns the values of a column of a table. Raises BackupError for a key that is not in the ring: the
    backup could not be read even here.
    """
    needed = {
        get_key_id(token=str(value), context=f"{table}.{column}")
        for table, column in list_secret_columns()
        for value in read_column(table, column)
        if value
    }
    ring = load_key_ring()
    if lacking := sorted(needed - ring.keys()):
        raise BackupError(
            f"Secrets of this database need the keys {', '.join(lacking)}, which FIELD_ENCRYPTION_KEYS does not hold. "
            "Add them, or enter those secrets again; then make the backup."
        )
    return {key_id: _compute_check(ring[key_id]) for key_id in sorted(needed)}


def require_keys(needed: Mapping[str, str]) -> None:
    """Raise BackupError naming the keys of a backup that are missing here, or are others of the same id."""
    ring = load_key_ring()
    lacking = [key_id for key_id in needed if key_id not in ring]
    if lacking:
        raise BackupError(
            f"The backup's secrets need the keys {', '.join(lacking)}, which are not in FIELD_ENCRYPTION_KEYS. Add "
            f"them (a backup made with --keys-to has them in {FILE_NAME}), or restore without them: --without-keys."
        )
    others = [key_id for key_id, check in needed.items() if _compute_check(ring[key_id]) != check]
    if others:
        raise BackupError(
            f"FIELD_ENCRYPTION_KEYS has another key than the backup under the ids {', '.join(others)}. Put the "
            "backup's own key there, and give yours another id."
        )


def write_keys(folder: Path) -> Path:
    """Write what the Vault's secrets and links depend on into a file of its own; return its path."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / FILE_NAME
    values = {"FIELD_ENCRYPTION_KEYS": settings.FIELD_ENCRYPTION_KEYS, "SECRET_KEY": settings.SECRET_KEY}
    write_private(path, json.dumps(values, indent=1))
    return path


def _compute_check(key: bytes) -> str:
    """Return a value that tells keys apart and tells nothing of the key."""
    return hmac.digest(key, _CHECK, hashlib.sha256).hex()[:_CHECK_DIGITS]
