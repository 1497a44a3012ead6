"""Security profiles: those that the Vault delivers, and how profiles are saved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from ctms.accounts.granting import explain_profile_change
from ctms.accounts.models import SecurityProfile
from ctms.audit.actors import Actor
from ctms.audit.services import create_records, save_record
from ctms.configuration.permissions import ACTIONS, list_areas, list_permission_rows
from ctms.configuration.registry import list_record_objects

VAULT_OWNER, SYSTEM_ADMIN, CONNECTION_ADMIN = "vault_owner__v", "system_admin__v", "connection_admin__v"
STUDY_MANAGER, CRA, READ_ONLY = "study_manager__v", "cra__v", "read_only__v"
INSPECTOR, INTEGRATION = "inspector__v", "integration__v"

_READ = ("read",)
_WRITE = ("read", "create", "edit")
# What happens in a study; CRAs log it, and only read what the study consists of.
_DAILY_WORK = (
    "crm_activity__v",
    "monitoring_event__ctms",
    "monitoring_event_participant__ctms",
    "study_communication_log__ctms",
    "study_communication_contact__ctms",
)
# Why a record was not transferred; an item is seen with its record, the messages of whole runs are not.
_ITEMS = ("exception_item__sys",)
_EXCEPTIONS = ("exception_message__sys", *_ITEMS)
# Reports that are one's own or shared; which of them may be changed is decided by the role in each.
_BUILDS_REPORTS = ("report__sys:read", "report__sys:create", "report__sys:edit", "report__sys:delete")
_READS_REPORTS = ("report__sys:read", "report_type__sys:read")
_REASON = "Delivered with the Vault"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredProfile:
    """A profile as delivered. Its row belongs to the admins of this Vault, who change it or set it to Inactive."""

    api_name: str
    name: str
    description: str
    permissions: tuple[str, ...]
    sees_all_studies: bool = True
    log_views: bool = False


def list_delivered_profiles() -> list[DeliveredProfile]:
    """Return the delivered profiles, with permissions for all objects that are registered now."""
    everything = {row.object_name for row in list_permission_rows()}
    records = {each.api_name for each in list_record_objects()}
    areas = tuple(area.permission for area in list_areas())
    return [
        DeliveredProfile(
            api_name=VAULT_OWNER,
            name="Vault Owner",
            description="May do everything in every study and every area of the console.",
            permissions=(*_grant(everything, ACTIONS), *areas),
        ),
        DeliveredProfile(
            api_name=SYSTEM_ADMIN,
            name="System Admin",
            description="Looks after the console, its users and its jobs, and reads all records without changing them.",
            permissions=(*_grant(records, _READ), *_grant(everything - records, ACTIONS), *areas),
        ),
        DeliveredProfile(
            api_name=CONNECTION_ADMIN,
            name="Connection Admin",
            description="Sets up connections to CRMs, and reads the records of all studies to find out why one failed.",
            permissions=(
                *_grant(records, _READ),
                *_grant(_EXCEPTIONS, _READ),
                *_BUILDS_REPORTS,
                *_READS_REPORTS,
                "report_type__sys:create",
                "admin:connections",
            ),
        ),
        DeliveredProfile(
            api_name=STUDY_MANAGER,
            name="Study Manager",
            description="Sets up studies, keeps all that happens in them, and sees what did not reach the CRM.",
            permissions=(
                *_grant(records, ACTIONS),
                *_grant(_EXCEPTIONS, _READ),
                *_BUILDS_REPORTS,
                *_READS_REPORTS,
            ),
        ),
        DeliveredProfile(
            api_name=CRA,
            name="CRA",
            description="Logs activities, visits and communications of the studies assigned to them, and sees what "
            "did not reach the CRM.",
            permissions=(
                *_grant(records, _READ),
                *_grant(_DAILY_WORK, _WRITE),
                *_grant(_ITEMS, _READ),
                *_BUILDS_REPORTS,
                *_READS_REPORTS,
            ),
            sees_all_studies=False,
        ),
        DeliveredProfile(
            api_name=READ_ONLY,
            name="Read Only",
            description="Reads the records of the studies assigned to them, and changes nothing.",
            permissions=(*_grant(records, _READ), *_READS_REPORTS),
            sees_all_studies=False,
        ),
        DeliveredProfile(
            api_name=INSPECTOR,
            name="Inspector",
            description="Reads records and audit trail of the studies assigned to them; what they look at is noted.",
            permissions=(*_grant(records, _READ), *_READS_REPORTS, "admin:audit"),
            sees_all_studies=False,
            log_views=True,
        ),
        DeliveredProfile(
            api_name=INTEGRATION,
            name="Integration",
            description="Lets a program read, create and edit the records of all studies through the API.",
            permissions=(*_grant(records, _WRITE), *_READS_REPORTS),
        ),
    ]


def deliver_profiles(*, actor: Actor) -> None:
    """Create the delivered profiles that are not stored yet; stored ones stay as they are.

    A name that another profile has already is followed by *(delivered)*.
    """
    stored = dict(SecurityProfile.objects.values_list("api_name", "name"))
    taken = set(stored.values())
    create_records(
        records=[
            SecurityProfile(
                api_name=each.api_name,
                name=f"{each.name} (delivered)" if each.name in taken else each.name,
                description=each.description,
                permissions=sorted(set(each.permissions)),
                sees_all_studies=each.sees_all_studies,
                log_views=each.log_views,
            )
            for each in list_delivered_profiles()
            if each.api_name not in stored
        ],
        actor=actor,
        reason=_REASON,
    )


def save_profile(*, profile: SecurityProfile, actor: Actor, expected_version: int | None = None) -> None:
    """Create or change a profile. Raises ValidationError if it is the actor's own, or gives what the actor lacks."""
    with transaction.atomic():
        stored = SecurityProfile.objects.select_for_update().filter(pk=profile.pk).first()
        refusal = explain_profile_change(giver=actor.user, before=stored, after=profile)
        if refusal:
            raise ValidationError({"permissions": refusal})
        save_record(record=profile, actor=actor, expected_version=expected_version)


def is_delivered(profile: SecurityProfile) -> bool:
    """Whether the Vault delivers a profile of this API name, and would deliver it again if it were deleted."""
    return profile.api_name in {each.api_name for each in list_delivered_profiles()}


def list_ungranted(profile: SecurityProfile) -> list[str]:
    """Return in words, such as `Activity Template: read`, what the Vault delivers with the profile and it lacks.

    A later version may deliver more than the one that made the row, or an admin took it away. Empty for own profiles.
    """
    delivered = next((each for each in list_delivered_profiles() if each.api_name == profile.api_name), None)
    if delivered is None:
        return []
    words = {area.permission: area.label for area in list_areas()}
    for row in list_permission_rows():
        words |= {name: f"{row.label}: {action}" for name, action in zip(row.permissions, ACTIONS, strict=True)}
    return sorted(words[each] for each in set(delivered.permissions).difference(profile.permissions))


def _grant(objects: Iterable[str], actions: Iterable[str]) -> tuple[str, ...]:
    granted = tuple(actions)
    return tuple(f"{name}:{action}" for name in sorted(objects) for action in granted)
