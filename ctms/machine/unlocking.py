"""Lets a user in again who is locked out, from the machine: where no admin can get in to do it in the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from ctms.accounts.lockout import find_failures
from ctms.accounts.models import SYSTEM_USERNAME, SecondFactor, SecurityProfile, User
from ctms.audit.failed_log_ins import unlock_log_ins
from ctms.audit.second_factor import remove_second_factor
from ctms.audit.users import save_user
from ctms.configuration.profiles import VAULT_OWNER
from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from ctms.audit.actors import Actor


class UnlockError(VaultError):
    """The user cannot be let in; the message says what to do."""


def unlock_user(
    *, username: str, actor: Actor, second_factor: bool = False, password: str = "", make_admin: bool = False
) -> list[str]:
    """Undo what keeps a user out, and return a sentence for each thing that was undone.

    Always: wrong passwords, an account that is inactive or has ended. Where it is asked for: the second factor, the
    password, and rights – a superuser with the security profile *Vault Owner*. All of it is in the audit trail. Raises
    UnlockError.
    """
    found = User.objects.filter(username__iexact=username).exclude(username=SYSTEM_USERNAME).first()
    if found is None:
        raise UnlockError(f"There is no user {username!r}. Without --username, the command lists those who could help.")
    if found.is_service_account:
        raise UnlockError(f"{found} is a service account: nobody logs in as it. Replace its tokens in the console.")
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=found.pk)
        done = _open_account(user)
        if make_admin:
            done += _make_admin(user)
        if password:
            done += _set_password(user, password)
        save_user(user=user, actor=actor)
        if count := unlock_log_ins(failures=find_failures(username=user.username), actor=actor):
            done.append(f"{count:,} wrong passwords were forgotten.")
        factor = SecondFactor.objects.filter(user=user).first() if second_factor else None
        if factor is not None:
            remove_second_factor(factor=factor, actor=actor, reason="Removed by command")
            done.append("The second factor was removed.")
    return done


def list_admins() -> list[User]:
    """Return the users who may do everything, and could let others in if they got in themselves."""
    return list(User.objects.filter(is_superuser=True).exclude(username=SYSTEM_USERNAME).order_by("username"))


def describe_state(user: User) -> str:
    """Return what keeps a user out, in words."""
    failures = find_failures(username=user.username).count()
    states = [
        "is inactive" if not user.is_active else "",
        f"ended on {user.valid_until}" if user.has_ended else "",
        f"has {failures:,} wrong passwords" if failures else "",
        "has a second factor" if SecondFactor.objects.filter(user=user).exists() else "",
    ]
    return ", ".join(filter(None, states)) or "can log in with the password"


def _open_account(user: User) -> list[str]:
    done = []
    if not user.is_active:
        user.is_active = True
        done.append("The account is active again.")
    if user.has_ended:
        user.valid_until = None
        done.append("The account has no last day any more.")
    return done


def _make_admin(user: User) -> list[str]:
    profile = SecurityProfile.objects.filter(api_name=VAULT_OWNER).first()
    if profile is None:
        raise UnlockError("The security profile Vault Owner is missing. Run manage.py migrate, which delivers it.")
    if user.is_superuser and user.is_staff:
        return []
    user.is_staff = user.is_superuser = True
    user.security_profile = profile
    return ["The user may do everything now, with the security profile Vault Owner."]


def _set_password(user: User, password: str) -> list[str]:
    try:
        validate_password(password, user=user)
    except ValidationError as error:
        raise UnlockError(f"Password: {' '.join(error.messages)} Choose another one.") from None
    user.set_password(password)
    return ["The password was changed, and open sessions ended."]
