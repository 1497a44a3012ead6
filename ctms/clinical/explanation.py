"""What a user may do, and why: the answers of the policies themselves, with the ground of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ctms.accounts.models import User
from ctms.accounts.policies import (
    Ground,
    allows_object_type,
    find_ground,
    find_ground_for_all_studies,
    list_permitted_types,
)
from ctms.clinical.assignments import IN_FORCE, describe_state
from ctms.clinical.models import Study, StudyAssignment
from ctms.configuration.permissions import ACTIONS, Area, PermissionRow, list_areas, list_permission_rows
from ctms.configuration.registry import get_object, list_record_objects
from ctms.configuration.scope import find_study_path
from ctms.configuration.snapshot import load_configuration
from ctms.records.access import ObjectAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedRow:
    """An object, or one of its types, with the ground of each action in the order of `ACTIONS`."""

    row: PermissionRow
    grounds: tuple[Ground, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a user sees a record, and why; `actions` are what else the user may do with it."""

    title: str
    is_visible: bool
    why: str
    actions: tuple[str, ...] = ()


def explain_objects(*, user: User) -> list[ExplainedRow]:
    """Return for every object, and for its types where it has several, which actions the user may do."""
    return [
        ExplainedRow(row=row, grounds=tuple(_explain_action(user=user, row=row, action=action) for action in ACTIONS))
        for row in list_permission_rows()
    ]


def explain_areas(*, user: User) -> list[tuple[Area, Ground]]:
    """Return the areas of the console, and whether the user's permissions open them."""
    return [(area, find_ground(user=user, permission=area.permission)) for area in list_areas()]


def explain_record(*, user: User, asker: User, uid: UUID) -> Verdict | None:
    """Return whether the user sees the record of that uid; None if `asker` does not see it, or it does not exist."""
    configuration = load_configuration()
    for vault_object in list_record_objects():
        shape = configuration.get(vault_object.api_name)
        asked = ObjectAccess(user=asker, shape=shape, configuration=configuration)
        record = asked.list_records().filter(uid=uid).first()
        if record is not None:
            return _judge(access=ObjectAccess(user=user, shape=shape, configuration=configuration), record=record)
    return None


def _explain_action(*, user: User, row: PermissionRow, action: str) -> Ground:
    permission = row.permissions[ACTIONS.index(action)]
    ground = find_ground(user=user, permission=permission)
    if not row.is_narrowed:
        types = list_permitted_types(user=user, object_name=row.object_name, action=action)
        if not ground.is_allowed and types:
            return Ground(is_allowed=False, why="Not for all types; see below")
        return ground
    object_type = permission.removeprefix(f"{row.object_name}.").removesuffix(f":{action}")
    registered = get_object(row.object_name).get_object_type(object_type)
    if registered is not None and registered.origin and action != "read":
        return Ground(is_allowed=False, why=f"These records come from {registered.origin}")
    if ground.is_allowed:
        return ground
    if allows_object_type(user=user, object_name=row.object_name, object_type=object_type, action=action):
        return Ground(is_allowed=True, why="As the object")
    return ground


def _judge(*, access: ObjectAccess, record: Any) -> Verdict:
    title = f"{access.vault_object.title} {record}"
    if access.list_records().filter(pk=record.pk).exists():
        allowed = tuple(action for action in ACTIONS[2:] if access.allows(action, record.object_type))
        return Verdict(
            title=title, is_visible=True, why=_explain_seen(user=access.user, record=record), actions=allowed
        )
    return Verdict(title=title, is_visible=False, why=_explain_hidden(access=access, record=record))


def _explain_seen(*, user: User, record: Any) -> str:
    ground = find_ground_for_all_studies(user=user)
    if ground.is_allowed:
        return f"sees all studies ({ground.why})"
    study = _find_study(record)
    if study is not None:
        return f"is assigned to {study}"
    if record.created_by_id == user.pk:
        return "entered it, and it belongs to no study"
    if find_study_path(type(record)):
        return "sees it because it was received, or hangs on a record that the user sees, without a study"
    return "sees a record of a study that names it"


def _explain_hidden(*, access: ObjectAccess, record: Any) -> str:
    if not access.allows("read"):
        ground = find_ground(user=access.user, permission=f"{access.vault_object.api_name}:read")
        return f"may not read {access.vault_object.plural_label}: {_lower(ground.why)}"
    if not access.allows("read", record.object_type):
        label = access.shape.get_type(record.object_type).label or record.object_type
        return f"may not read {access.vault_object.plural_label} of the type {label}"
    if not find_study_path(type(record)):
        return "sees no record of a study that names it, and did not enter it"
    study = _find_study(record)
    if study is None:
        return "did not enter it, and it belongs to no study"
    return _explain_unassigned(user=access.user, study=study)


def _explain_unassigned(*, user: User, study: Study) -> str:
    assignments = list(StudyAssignment.objects.filter(user=user, study=study))
    states = {describe_state(each) for each in assignments}
    if not assignments:
        return f"is not assigned to {study}"
    if IN_FORCE not in states:
        return f"has no assignment to {study} that is in force today ({', '.join(sorted(states)).lower()})"
    return f"is assigned to other countries or sites of {study}"


def _find_study(record: Any) -> Study | None:
    path = find_study_path(type(record))
    if not path:
        return None
    key = type(record)._default_manager.filter(pk=record.pk).values_list(path, flat=True).first()
    return Study.objects.filter(pk=key).first()


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
