"""What can be wrong with a file as a whole."""

from __future__ import annotations

from ctms.core.errors import VaultError


class UnreadableFileError(VaultError):
    """The file cannot be imported; the message says what to do with it."""
