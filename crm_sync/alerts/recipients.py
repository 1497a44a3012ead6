"""Who is told of a connection."""

from __future__ import annotations

from django.db.models import Q

from connections.models import Connection
from crm_sync.models import AlertSettings
from ctms.accounts.models import SYSTEM_USERNAME, User
from ctms.accounts.policies import has_permission


def find_settings(connection: Connection) -> AlertSettings:
    """Return the alert settings of a connection, or the defaults, unsaved."""
    return getattr(connection, "alert_settings", None) or AlertSettings(connection=connection)


def find_owner(*, connection: Connection, settings: AlertSettings) -> User | None:
    """Return who owns the connection; None if they have left, or if the Vault itself delivered it."""
    owner = settings.owner or connection.created_by
    if owner.username == SYSTEM_USERNAME or not owner.is_active or owner.has_ended:
        return None
    return owner


def list_addresses(*, connection: Connection, settings: AlertSettings) -> list[str]:
    """Return the addresses that are told by e-mail, each once: the contacts', and the owner's."""
    owner = find_owner(connection=connection, settings=settings)
    found = [connection.contact_email, *settings.list_contacts(), owner.email if owner else ""]
    return list({each.casefold(): each for each in found if each}.values())


def list_notified(*, connection: Connection, settings: AlertSettings) -> list[User]:
    """Return the users who are told in the Vault: the owner, and everybody who may edit connections."""
    users = User.objects.filter(is_active=True).filter(Q(is_superuser=True) | Q(security_profile__isnull=False))
    admins = [
        user
        for user in users.select_related("security_profile").order_by("pk")
        if has_permission(user=user, permission=f"{Connection.object_name}:edit")
    ]
    owner = find_owner(connection=connection, settings=settings)
    return list({user.pk: user for user in [*admins, *([owner] if owner else [])]}.values())
