"""The Actions menu of a record: the actions of every object, and those that an object adds.

An object names its own actions in the registry; its app registers here what they do, from `AppConfig.ready()`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.core.choices import RecordStatus
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.addresses import build_record_url
from ctms.records.bulk.handing_over.owned import may_hand_over
from ctms.records.merging.services import explain_merge


def _explain_nothing(_record: Any, _user: User) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAction:
    """An action of an object. `run` does it and returns a sentence; `explain` returns why it cannot be done, or empty.

    It is offered to users who may change the record. If the object has types, an admin has to assign it to the type.
    """

    object_name: str
    api_name: str
    run: Callable[[Any, Actor], str]
    explain: Callable[[Any, User], str] = _explain_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedAction:
    """An entry of the menu for an action of the object's own. `asks` names the field whose value it asks for."""

    label: str
    url: str
    icon: str = "arrow-right"
    key: str = ""
    asks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionMenu:
    """The actions that are possible with a record now; the URL of an impossible one is empty."""

    edit_url: str
    clone_url: str
    delete_url: str
    merge_url: str
    hand_over_url: str
    status_url: str
    next_status: str
    copies: OfferedAction | None
    own: list[OfferedAction]
    quick: list[OfferedAction]


_actions: dict[tuple[str, str], RecordAction] = {}


def register_action(action: RecordAction) -> None:
    """Register what an action does that the object names in the registry."""
    _actions[action.object_name, action.api_name] = action


def build_action_menu(*, access: ObjectAccess, record: Any) -> ActionMenu:
    """Return the actions that the user can do with the record now."""

    def build_url(page: str, name: str = "") -> str:
        return build_record_url(page=page, object_name=access.shape.api_name, uid=record.uid, name=name)

    object_type = getattr(record, "object_type", "")
    can_edit = not access.explain_edit(record)
    type_fields = access.shape.get_type(object_type).fields
    return ActionMenu(
        edit_url=build_url("record_edit") if can_edit else "",
        clone_url="" if access.explain_create(object_type) else build_url("record_clone"),
        delete_url="" if access.explain_delete(record) else build_url("record_delete"),
        merge_url="" if explain_merge(access=access, record=record) else build_url("record_merge"),
        hand_over_url=build_url("record_hand_over") if can_edit and may_hand_over(access) else "",
        status_url=build_url("record_status") if can_edit and "status__v" in type_fields else "",
        copies=_offer_copies(access=access, object_type=object_type, url=build_url("record_copies")),
        next_status=RecordStatus.INACTIVE if record.status == RecordStatus.ACTIVE else RecordStatus.ACTIVE,
        quick=[
            OfferedAction(
                label=each.label,
                url=build_url("record_field", each.asks) if each.asks else build_url("record_change", each.api_name),
                icon=each.icon,
                key=each.key,
                asks=each.asks,
            )
            for each in access.vault_object.quick_changes
            if can_edit and each.applies(record) and (not each.asks or each.asks in type_fields)
        ],
        own=[
            OfferedAction(label=label, url=build_url("record_action", name))
            for name, label in access.vault_object.actions.items()
            if not explain_action(access=access, record=record, name=name)
        ],
    )


def _offer_copies(*, access: ObjectAccess, object_type: str, url: str) -> OfferedAction | None:
    rule = access.vault_object.copying
    if rule is None or access.explain_create(object_type):
        return None
    return OfferedAction(label=rule.label, url=url, icon="calendar")


def explain_action(*, access: ObjectAccess, record: Any, name: str) -> str:
    """Return why an action of the object cannot be done with the record now; empty if it can."""
    vault_object = access.vault_object
    action = _actions.get((vault_object.api_name, name))
    if name not in vault_object.actions or action is None:
        return f"{vault_object.title} has no action {name}."
    shape = access.shape.get_type(getattr(record, "object_type", ""))
    if vault_object.object_types and name not in shape.actions:
        return (
            f"{vault_object.actions[name]} is not assigned to the object type {shape.label}. Ask an admin to do that."
        )
    return access.explain_edit(record) or action.explain(record, access.user)


def run_action(*, access: ObjectAccess, record: Any, name: str, actor: Actor) -> str:
    """Run an action and return what was done, in a sentence. Raises AccessRefusedError saying why it is impossible."""
    if refusal := explain_action(access=access, record=record, name=name):
        raise AccessRefusedError(refusal)
    return _actions[access.shape.api_name, name].run(record, actor)
