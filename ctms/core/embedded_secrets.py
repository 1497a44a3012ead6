"""Secrets of the embedded installation, in a file that is made on the first start and readable by its owner alone."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path

from ctms.core.errors import EncryptionKeyError


def make_private_folder(path: Path) -> None:
    """Make a folder that its owner alone may enter; one that is there and belongs to this user is closed to others."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid == os.getuid():
        path.chmod(0o700)


def load_or_create_secrets(*, path: Path) -> dict[str, str]:
    """Return `secret_key` and `field_encryption_key` (`id:base64`) from `path`, making the file on the first call.

    Two processes that start together use the same file: each writes a draft and links it into place, and only one
    link succeeds. Raises EncryptionKeyError if the file is damaged; replacing it would lose all that is encrypted.
    """
    if not path.exists():
        made = {
            "secret_key": secrets.token_urlsafe(64),
            "field_encryption_key": "embedded:" + base64.b64encode(secrets.token_bytes(32)).decode(),
        }
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            json.dump(made, handle)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    try:
        loaded = json.loads(path.read_text())
        return {name: str(loaded[name]) for name in ("secret_key", "field_encryption_key")}
    except (ValueError, TypeError, KeyError):
        raise EncryptionKeyError(
            f"{path} is damaged. Restore it from a backup; without it the secrets in the database cannot be read. "
            "To start anew, delete it together with the database."
        ) from None
