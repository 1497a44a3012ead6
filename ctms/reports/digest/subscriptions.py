"""Users choose when their digest comes, and stop it, also by a signed link that needs no log-in."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.users import save_user
from ctms.core.errors import VaultError

_SALT = "ctms.reports.digest.stop"


class UnknownLinkError(VaultError):
    """The link is none of the Vault's."""


def build_stop_url(user: User) -> str:
    """Return the address by which the user, or whoever has the e-mail, stops the user's digest."""
    token = _build_signer(user).sign(user.uid.hex)
    return f"{settings.VAULT_BASE_URL.rstrip('/')}{reverse('digest_stop', args=(token,))}"


def read_token(token: str) -> User:
    """Return the user whom an address is about. Raises UnknownLinkError."""
    try:
        user = User.objects.select_related("security_profile").get(uid=UUID(token.partition(":")[0]))
        _build_signer(user).unsign(token)
    except (signing.BadSignature, ValueError, User.DoesNotExist) as error:
        raise UnknownLinkError(
            "This link is not valid: perhaps it was not copied whole, or your e-mail address has changed since. Log in "
            "to change your digest."
        ) from error
    return user


def _build_signer(user: User) -> signing.Signer:
    """Return what signs the links sent to the user's present address; those sent to a former one stop nothing."""
    return signing.Signer(salt=f"{_SALT}:{user.email.casefold()}")


def set_hour(*, user: User, hour: int | None, actor: Actor) -> None:
    """Send the user's digest at this hour from now on; None: do not send it. Nothing is written if it is so already."""
    user.digest_hour = hour
    save_user(user=user, actor=actor, fields=("digest_hour",))
