"""Writes the audit entries of tracked rows, such as users: what Django's own means wrote, and who did it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Model
from django.db.models.signals import m2m_changed
from django.dispatch import receiver

from ctms.accounts.models import User
from ctms.audit.acting import get_actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.audit.values import list_changes, read_values
from ctms.core.tracking import TrackedModel, Write

_FIELDS = {User.groups.through: "groups", User.user_permissions.through: "user_permissions"}


def record_writes(writes: Sequence[Write]) -> None:
    """Write an entry for each row that was created, changed or deleted, by whoever acts at present."""
    for before, after in writes:
        row = after if after is not None else before
        if row is not None:
            _record(
                row=row,
                action=_name_action(before, after),
                changes=list_changes(before=_read(before), after=_read(after)),
            )


def _name_action(before: Model | None, after: Model | None) -> AuditAction:
    if before is None:
        return AuditAction.CREATED
    return AuditAction.DELETED if after is None else AuditAction.CHANGED


def _read(row: TrackedModel | None) -> dict[str, Any]:
    return read_values(row) if row is not None else {}


def _record(*, row: TrackedModel, action: AuditAction, changes: dict[str, Any]) -> None:
    record_event(actor=get_actor(), action=action, object_name=row.audit_name, record=row, changes=changes)


# -- Groups and permissions of users, which grant nothing (see `User.has_perm`) and are in the trail all the same --
@receiver(m2m_changed, sender=User.groups.through)
@receiver(m2m_changed, sender=User.user_permissions.through)
def record_relations(
    sender: type[Model], instance: Model, action: str, pk_set: Collection[int] | None, **_kwargs: Any
) -> None:
    """Write an entry for each user to whom groups or permissions were given, or from whom they were taken."""
    if action not in ("post_add", "pre_remove", "pre_clear"):
        return
    field = _FIELDS[sender]
    for user, names in _list_related(instance=instance, field=field, pk_set=pk_set):
        if names:
            changes = {field: [[], names] if action == "post_add" else [names, []]}
            _record(row=user, action=AuditAction.CHANGED, changes=changes)


def _list_related(*, instance: Model, field: str, pk_set: Collection[int] | None) -> list[tuple[User, list[str]]]:
    """Return the users of a change with the names of the groups or permissions; `pk_set` is None if all are taken."""
    if isinstance(instance, User):
        related = getattr(instance, field).all() if pk_set is None else _get_model(field).filter(pk__in=pk_set)
        return [(instance, sorted(map(str, related)))]
    users = User.objects.filter(**{field: instance}) if pk_set is None else User.objects.filter(pk__in=pk_set)
    return [(user, [str(instance)]) for user in users]


def _get_model(field: str) -> Any:
    model = User._meta.get_field(field).related_model
    return (model if isinstance(model, type) else Group)._base_manager
