"""Which user an identity of the OpenID Connect provider is, and the entries in the audit trail when one is linked."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from ctms.accounts.models import SYSTEM_USERNAME, OidcIdentity, SecurityProfile, User
from ctms.accounts.oidc import Identity, OidcError
from ctms.audit.acting import get_actor, get_actor_for
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.audit.users import save_user
from ctms.core.choices import RecordStatus


def find_or_link_user(*, identity: Identity) -> User:
    """Return the active user of an identity: the one that it is linked to, else the one of its verified e-mail address.

    A user is created only if `OIDC_SECURITY_PROFILE` names the profile of new users. Raises OidcError.
    """
    with transaction.atomic():
        linked = OidcIdentity.objects.filter(issuer=identity.issuer, subject=identity.subject).first()
        user = linked.user if linked is not None else _link(identity)
    if not user.is_active:
        raise OidcError("Your user of this Vault is inactive. Ask an admin.")
    return user


def _link(identity: Identity) -> User:
    if not identity.email:
        raise OidcError("The identity provider has not verified your e-mail address. Ask the admin of the provider.")
    alike = User.objects.select_for_update().filter(email__iexact=identity.email).exclude(username=SYSTEM_USERNAME)
    found = [user for user in alike if _is_same_address(user.email, identity.email)]
    if len(found) > 1:
        raise OidcError("Several users of this Vault have your e-mail address. Ask an admin.")
    user = found[0] if found else _create_user(identity)
    if OidcIdentity.objects.filter(issuer=identity.issuer, user=user).exists():
        raise OidcError("Your user of this Vault belongs to another identity of the provider. Ask an admin.")
    OidcIdentity.objects.create(user=user, issuer=identity.issuer, subject=identity.subject)
    record_event(
        actor=get_actor_for(user),
        action=AuditAction.EVENT,
        object_name="accounts.user",
        record=user,
        changes={"oidc_subject": ["", identity.subject]},
        reason=f"Linked to an identity of {identity.issuer} by the verified e-mail address",
    )
    return user


def _is_same_address(one: str, other: str) -> bool:
    """Whether two addresses differ at most in the case of ASCII letters.

    A database that ignores case takes more for the same: in capitals, a dotless i is an I, and a long s an S. Whoever
    owns such an address would be let in as somebody else.
    """
    return one == other or (one.isascii() and other.isascii() and one.lower() == other.lower())


def _create_user(identity: Identity) -> User:
    name = settings.OIDC_SECURITY_PROFILE
    profile = SecurityProfile.objects.filter(api_name=name, status=RecordStatus.ACTIVE).first() if name else None
    if profile is None:
        raise OidcError("No user of this Vault has your e-mail address. Ask an admin to create one.")
    user = User(
        username=identity.email[:150],
        email=identity.email,
        first_name=identity.first_name,
        last_name=identity.last_name,
        security_profile=profile,
    )
    user.set_unusable_password()
    try:
        save_user(user=user, actor=replace(get_actor(), reference="OpenID Connect"))
    except ValidationError as error:
        raise OidcError(
            "The username that you would get is taken, or has characters that nobody sees. Ask an admin."
        ) from error
    return user
