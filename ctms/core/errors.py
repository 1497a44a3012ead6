"""Errors whose messages are shown to users: each says what is wrong and what to do."""


class VaultError(Exception):
    """Base of every error with a message that a user can act on."""


class UnauditedWriteError(VaultError):
    """A record was about to be written without an audit entry: a fault of the program, never of a user."""


class DeletionRefusedError(VaultError):
    """Rows of this kind are never deleted; the message says what is done instead."""


class StaleRecordError(VaultError):
    """Somebody else changed the record since it was read; nothing was written."""


class EncryptionKeyError(VaultError):
    """A stored secret cannot be read with the configured keys; it is left as it is."""
