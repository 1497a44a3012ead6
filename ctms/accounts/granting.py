"""Who may give which permissions to whom, so that nobody raises what they may do themselves.

- Nobody changes their own profile, nor which profile they have.
- Into a profile somebody writes only what they hold themselves.
- A profile that opens areas of the console is given only by somebody who holds all of it, and only they change
  its users: who sets somebody's password could log in as they. Other profiles are given by whoever manages users: who
  onboards a CRA need not be able to change records.

Superusers and the user *System*, as whom the Vault itself writes, are exempt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ctms.accounts.models import SYSTEM_USERNAME, SecurityProfile, User
from ctms.accounts.policies import has_permission, is_for_admins, sees_all_studies
from ctms.core.choices import RecordStatus

ALL_STUDIES = "Sees all studies"
_NAMED = 5
OWN_PROFILE = (
    "This is your own security profile. Ask another admin to change it, so that nobody raises their own rights."
)


def explain_profile_change(*, giver: User, before: SecurityProfile | None, after: SecurityProfile) -> str:
    """Return why `giver` may not save the profile as it is in `after`; empty if they may.

    `before` is the profile as stored; None for a new one. An Inactive profile gives nothing, so that setting it to
    Active gives all that it holds. Who could not give the profile does not change it either.
    """
    if is_exempt(giver):
        return ""
    if giver.security_profile_id is not None and after.pk == giver.security_profile_id:
        return OWN_PROFILE
    if refusal := explain_giving(giver=giver, profile=before):
        return refusal
    gained = list_rights(after) - list_rights(before)
    return _explain_lack(giver=giver, rights=gained, remedy="Untick them, or ask somebody who holds them")


def explain_giving(*, giver: User, profile: SecurityProfile | None) -> str:
    """Return why `giver` may not give the profile to a user, nor change its users; empty if they may."""
    if profile is None or is_exempt(giver):
        return ""
    rights = _list_held(profile)  # whatever the status: an Inactive profile can be set to Active
    if not any(_opens_console(right) for right in rights):
        rights &= {ALL_STUDIES}
    return _explain_lack(giver=giver, rights=rights, remedy="Choose another profile, or ask somebody who holds them")


def explain_acting_for(*, giver: User, user: User) -> str:
    """Return why `giver` may not have a program told what `user` sees; empty if they may.

    They may if it is themselves, or if they hold all that the user does and see every study.
    """
    if is_exempt(giver) or giver.pk == user.pk:
        return ""
    if is_exempt(user):
        return f"{user} may do everything, and you may not. Choose a user who may not do more than you."
    rights = list_rights(user.security_profile) | {ALL_STUDIES}
    return _explain_lack(giver=giver, rights=rights, remedy="Choose a user who may not do more than you, or yourself")


def explain_acting(*, giver: User, user: User) -> str:
    """Return why `giver` may not make tokens that act as `user`; empty if they may.

    Everybody may for themselves. For a service account may whoever could give its profile; for another person nobody.
    """
    if giver.pk == user.pk:
        return ""
    if not user.is_service_account:
        return f"{user} is a person, who makes their own tokens on their profile page."
    if not is_exempt(giver) and not has_permission(user=giver, permission=User.object_name):
        return "You may not manage users, and so make no tokens for service accounts. Ask an admin."
    return explain_giving(giver=giver, profile=user.security_profile)


def list_rights(profile: SecurityProfile | None) -> set[str]:
    """Return the permissions of a profile, and `ALL_STUDIES` if its users see all; none of an Inactive one."""
    return _list_held(profile) if profile is not None and profile.status == RecordStatus.ACTIVE else set()


def _list_held(profile: SecurityProfile) -> set[str]:
    return {*profile.permissions, *([ALL_STUDIES] if profile.sees_all_studies else [])}


def _opens_console(right: str) -> bool:
    """Whether a permission is for an area of the console, or to write an object of the set-up."""
    name, _, action = right.partition(":")
    return name == "admin" or (is_for_admins(name) and action != "read")


def is_exempt(user: User) -> bool:
    """Whether the rules of this module do not hold for the user."""
    return (user.is_active and user.is_superuser) or user.username == SYSTEM_USERNAME


def _explain_lack(*, giver: User, rights: Collection[str], remedy: str) -> str:
    lacking = sorted(right for right in rights if not _holds(giver, right))
    if not lacking:
        return ""
    return f"You cannot give what you do not have: {_enumerate(lacking)}. {remedy}."


def _holds(user: User, right: str) -> bool:
    if right == ALL_STUDIES:
        return sees_all_studies(user=user)
    narrowed, _, action = right.partition(":")
    whole = f"{narrowed.partition('.')[0]}:{action}"
    return has_permission(user=user, permission=right) or has_permission(user=user, permission=whole)


def _enumerate(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more
