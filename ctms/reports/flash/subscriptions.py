"""Users unsubscribe from a flash report, by a signed link that needs no log-in, and subscribe again."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.urls import reverse

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import delete_records, save_record
from ctms.core.errors import VaultError
from ctms.reports.models import FlashReport, FlashUnsubscription

_SALT = "ctms.reports.flash.unsubscribe"


class UnknownLinkError(VaultError):
    """The link does not unsubscribe anybody: it is not one of the Vault's, or the flash report was removed."""


def build_unsubscribe_url(*, flash: FlashReport, user: User) -> str:
    """Return the address by which this user, or whoever has the e-mail, unsubscribes the user."""
    token = signing.Signer(salt=_SALT).sign(f"{flash.uid.hex}-{user.uid.hex}")
    return f"{settings.VAULT_BASE_URL.rstrip('/')}{reverse('flash_unsubscribe', args=(token,))}"


def read_token(token: str) -> tuple[FlashReport, User]:
    """Return which flash report and user an address is about. Raises UnknownLinkError."""
    try:
        flash_uid, _, user_uid = signing.Signer(salt=_SALT).unsign(token).partition("-")
        flash = FlashReport.objects.select_related("report").get(uid=UUID(flash_uid))
        return flash, User.objects.select_related("security_profile").get(uid=UUID(user_uid))
    except (signing.BadSignature, ValueError, FlashReport.DoesNotExist, User.DoesNotExist) as error:
        raise UnknownLinkError(
            "This link is not valid any more: the report is not sent any longer, or the address was not copied whole."
        ) from error


def unsubscribe(*, flash: FlashReport, user: User, actor: Actor) -> None:
    """Send the user no more e-mails of the flash report; does nothing if they are unsubscribed already."""
    if flash.unsubscriptions.filter(user=user).exists():
        return
    try:
        with transaction.atomic():
            save_record(record=FlashUnsubscription(flash=flash, user=user), actor=actor, validate=False)
    except IntegrityError:  # another click was faster
        return


def subscribe(*, flash: FlashReport, user: User, actor: Actor) -> None:
    """Send the user the e-mails of the flash report again."""
    delete_records(records=list(flash.unsubscriptions.filter(user=user)), actor=actor)
