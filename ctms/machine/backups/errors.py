"""Why a backup or a restore was refused or failed."""

from __future__ import annotations

from ctms.core.errors import VaultError


class BackupError(VaultError):
    """A backup could not be made, or cannot be restored. The message says what to do."""
