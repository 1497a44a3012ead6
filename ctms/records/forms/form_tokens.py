"""Tokens of forms that create a record: the uid of the record to be, signed for one user and one form.

A form that is sent again, by Back and Save, a second click, or because an answer was lost, has the same token, so that
its record would get the same uid (`ctms/records/writing/repeats.py`).
"""

from __future__ import annotations

from uuid import UUID, uuid4

from django.core.signing import BadSignature, Signer

from ctms.accounts.models import User
from ctms.core.uuids import read_uid

# Parameter of a form with its token.
FORM_TOKEN = "form_token"  # noqa: S105  the name of an input


def issue_token(*, user: User, form: str, uid: UUID | None = None) -> str:
    """Return a token with the uid, or with a new one. `form` names the form: of which object, and for what."""
    return _get_signer(user=user, form=form).sign(str(uid or uuid4()))


def read_token(text: str, *, user: User, form: str) -> UUID | None:
    """Return the uid of a token; None for what is no token, or that of another user or another form."""
    try:
        return read_uid(_get_signer(user=user, form=form).unsign(text))
    except BadSignature:
        return None


def _get_signer(*, user: User, form: str) -> Signer:
    return Signer(salt=f"ctms.records.form:{user.pk}:{form}")
