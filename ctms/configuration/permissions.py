"""Lists all permissions that a security profile can have, for the page on which admins choose them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.apps import apps

from ctms.configuration.registry import UnknownObjectError, get_object
from ctms.core.text.titles import capitalise

ACTIONS = ("read", "create", "edit", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """An area of the console: its permission, label, and a sentence on what the permission allows."""

    permission: str
    label: str
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionRow:
    """One row of the page: an object, or one of its types (`is_narrowed`), with the permission for each action."""

    object_name: str
    label: str
    is_narrowed: bool
    permissions: tuple[str, ...]


_AREAS = (
    Area(
        permission="admin:connections",
        label="Admin: Application: Manage Connections",
        explanation=(
            "Sets up connections, authorizations, integrations and their rules; brings Manage Integrations, "
            "Configuration, Job Definitions and Application Settings along."
        ),
    ),
    Area(
        permission="admin:integrations",
        label="Admin: Application: Manage Integrations",
        explanation="Changes integrations, integration rules and field rules of connections that exist.",
    ),
    Area(
        permission="admin:audit",
        label="Admin: Logs: Audit Trail",
        explanation="Reads the audit trail; nobody can change it.",
    ),
    Area(
        permission="admin:redaction",
        label="Admin: Logs: Redactions of the Audit Trail",
        explanation="Asks for personal data to be taken out of the audit trail, and approves what others asked for.",
    ),
    Area(
        permission="admin:configuration",
        label="Admin: Configuration: Objects, Object Types, Page Layouts",
        explanation="Changes objects, object types, custom fields and page layouts for all users.",
    ),
    Area(
        permission="admin:jobs",
        label="Admin: Operations: Job Definitions, Job Status",
        explanation="Activates, schedules, starts and cancels jobs, and reads what they did.",
    ),
    Area(
        permission="admin:security",
        label="Admin: Settings: Users, Security Profiles",
        explanation="Creates and changes users, their security profiles and their assignments to studies.",
    ),
    Area(
        permission="admin:settings",
        label="Admin: Settings: Application Settings",
        explanation=(
            "Changes by which identifiers persons are matched with accounts of the CRM; says whether this is the Vault "
            "or a copy, and makes it read-only for maintenance; sets up subscriptions of programs."
        ),
    ),
)


def list_areas() -> list[Area]:
    """Return the areas of the admin console."""
    return list(_AREAS)


def list_permission_rows() -> list[PermissionRow]:
    """Return the permissions by object, and by object type if an object has several, in the order of `ACTIONS`."""
    rows: list[PermissionRow] = []
    for name, label in sorted(_list_object_labels().items(), key=lambda pair: pair[1]):
        rows.append(_build_row(object_name=name, prefix=name, label=label, is_narrowed=False))
        types = _list_object_types(name)
        if len(types) > 1:
            rows.extend(
                _build_row(object_name=name, prefix=f"{name}.{api_name}", label=type_label, is_narrowed=True)
                for api_name, type_label in types
            )
    return rows


def list_permissions() -> list[str]:
    """Return the names of all permissions."""
    return [area.permission for area in list_areas()] + [p for row in list_permission_rows() for p in row.permissions]


def add_reading(permissions: Iterable[str]) -> list[str]:
    """Return the permissions, sorted, with those to read what they allow to create, edit or delete.

    Where the whole object may be read, none of its types needs a permission of its own.
    """
    held = set(permissions)
    writing = {
        name.removesuffix(f":{action}") for name in held for action in ACTIONS[1:] if name.endswith(f":{action}")
    }
    for name in writing:
        if f"{name.partition('.')[0]}:read" not in held:
            held.add(f"{name}:read")
    return sorted(held)


def _build_row(*, object_name: str, prefix: str, label: str, is_narrowed: bool) -> PermissionRow:
    return PermissionRow(
        object_name=object_name,
        label=label,
        is_narrowed=is_narrowed,
        permissions=tuple(f"{prefix}:{action}" for action in ACTIONS),
    )


def _list_object_labels() -> dict[str, str]:
    labels: dict[str, str] = {}
    for model in apps.get_models():
        name = getattr(model, "object_name", "")
        if isinstance(name, str) and name and not name.startswith("admin:"):
            # Several models may have the same object name; the label is that of the registered one.
            registered = _find_label(name)
            labels.setdefault(name, registered or capitalise(str(model._meta.verbose_name)))
    return labels


def _find_label(name: str) -> str:
    try:
        return get_object(name).title
    except UnknownObjectError:
        return ""


def _list_object_types(name: str) -> list[tuple[str, str]]:
    try:
        return [(t.api_name, t.label) for t in get_object(name).object_types]
    except UnknownObjectError:
        return []
