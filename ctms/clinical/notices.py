"""Notices about users: on a site that nobody can see to, and on a person who seems to be a user of the Vault."""

from __future__ import annotations

from typing import Any

from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.clinical.models import Person, StudySite
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess
from ctms.records.addresses import build_record_url
from ctms.records.bulk.handing_over.owned import may_hand_over
from ctms.records.bulk.handing_over.waiting import is_waiting
from ctms.records.fields.users import list_users, list_users_seeing
from ctms.records.pages.notices import NoticePart, RecordNotice, register_record_notice

USER = "user__sys"
_MOST_NAMED = 3
_MOST_LOOKED_AT = 200


def register_clinical_notices() -> None:
    """Register the notices; called once, when the app is ready."""
    register_record_notice(StudySite.object_name, _explain_owner)
    register_record_notice(Person.object_name, _offer_user)


def _explain_owner(access: ObjectAccess, record: Any) -> list[RecordNotice]:
    if record.status != RecordStatus.ACTIVE:
        return []
    can_edit = may_hand_over(access) and not access.explain_edit(record)
    if record.owner_id is None:
        return [] if can_edit else [_tell_ownerless(record)]
    if not is_waiting(record):
        return []
    parts = [NoticePart(text=f"{record.owner} owns this site, but cannot log in any more, or does not see it. ")]
    if can_edit:
        url = build_record_url(page="record_hand_over", object_name=access.shape.api_name, uid=record.uid)
        parts.append(NoticePart(text="Hand it over", url=url))
        parts.append(NoticePart(text=" to somebody who does."))
    else:
        parts.append(NoticePart(text="Ask a study manager to hand it over."))
    return [RecordNotice(parts=tuple(parts), icon="warning", is_warning=True)]


def _tell_ownerless(site: Any) -> RecordNotice:
    """Say whom a user who may not name an owner can ask."""
    able = _list_able(site)
    if not able:
        return RecordNotice(parts=(NoticePart(text="Nobody owns this site. Ask an admin to name its owner."),))
    parts = [NoticePart(text="Nobody owns this site. To own it, ask ")]
    for number, user in enumerate(able):
        if number:
            parts.append(NoticePart(text=" or " if number == len(able) - 1 else ", "))
        parts.append(NoticePart(text=str(user), url=f"mailto:{user.email}" if user.email else ""))
    return RecordNotice(parts=(*parts, NoticePart(text=".")))


def _list_able(site: Any) -> list[User]:
    """Return the first users by name who see the site and may change it."""
    users = list_users_seeing({StudySite: site.uid}).select_related("security_profile")
    named = users.filter(is_superuser=False).order_by("last_name", "first_name", "pk")[:_MOST_LOOKED_AT]
    permission = f"{StudySite.object_name}:edit"
    return [each for each in named if has_permission(user=each, permission=permission)][:_MOST_NAMED]


def _offer_user(access: ObjectAccess, record: Any) -> list[RecordNotice]:
    """Offer to link a person to the one user with the same e-mail address, who is no other person yet."""
    if record.user_id is not None or not record.email or record.status != RecordStatus.ACTIVE:
        return []
    if access.explain_edit(record) or USER not in access.shape.get_type(record.object_type).fields:
        return []
    linked = Person.objects.filter(user__isnull=False).order_by().values("user")
    found = list(list_users().filter(email__iexact=record.email).exclude(pk__in=linked)[:2])
    if len(found) != 1:
        return []
    url = build_record_url(page="record_field", object_name=access.shape.api_name, uid=record.uid, name=USER)
    told = NoticePart(text=f"{found[0]} logs in to this Vault with the same e-mail address. ")
    return [RecordNotice(parts=(told, NoticePart(text="Say that this is the same person", url=url)), icon="user")]
