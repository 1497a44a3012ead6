"""Texts that the API gives a user to bring back, such as cursors and bookmarks: encrypted for that user and purpose."""

from __future__ import annotations

from ctms.accounts.models import User
from ctms.core.encryption import decrypt, encrypt


def seal(text: str, *, purpose: str, user: User) -> str:
    """Return the text encrypted, so that only this user can bring it back, and for this purpose alone."""
    return encrypt(plaintext=text, context=_name(purpose=purpose, user=user))


def unseal(sealed: str, *, purpose: str, user: User) -> str:
    """Return the text that was sealed. Raises EncryptionKeyError if it was not, or for another user or purpose."""
    return decrypt(token=sealed, context=_name(purpose=purpose, user=user))


def _name(*, purpose: str, user: User) -> str:
    return f"{purpose} for user {user.pk}"
