"""Lists all permissions that a security profile can have, for the page on which admins choose them."""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps
from django.utils.text import capfirst

from ctms.configuration.registry import UnknownObjectError, get_object

ACTIONS = ("read", "create", "edit", "delete")

_AREAS = {
    "admin:connections": "Admin: Application: Manage Connections",
    "admin:integrations": "Admin: Application: Manage Integrations",
    "admin:audit": "Admin: Logs: Audit Trail",
    "admin:redaction": "Admin: Logs: Redactions of the Audit Trail",
    "admin:configuration": "Admin: Configuration: Objects, Object Types, Page Layouts",
    "admin:jobs": "Admin: Operations: Job Definitions, Job Status",
    "admin:security": "Admin: Settings: Users, Security Profiles",
    "admin:settings": "Admin: Settings: Application Settings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionRow:
    """One row of the page: an object, or one of its types (`is_narrowed`), with the permission for each action."""

    label: str
    is_narrowed: bool
    permissions: tuple[str, ...]


def list_areas() -> list[tuple[str, str]]:
    """Return the permissions for areas of the admin console, with their labels."""
    return list(_AREAS.items())


def list_permission_rows() -> list[PermissionRow]:
    """Return the permissions by object, and by object type if an object has several, in the order of `ACTIONS`."""
    rows: list[PermissionRow] = []
    for name, label in sorted(_list_object_labels().items(), key=lambda pair: pair[1]):
        rows.append(_build_row(prefix=name, label=label, is_narrowed=False))
        types = _list_object_types(name)
        if len(types) > 1:
            rows.extend(
                _build_row(prefix=f"{name}.{api_name}", label=type_label, is_narrowed=True)
                for api_name, type_label in types
            )
    return rows


def list_permissions() -> list[str]:
    """Return the names of all permissions."""
    return [name for name, _ in list_areas()] + [p for row in list_permission_rows() for p in row.permissions]


def _build_row(*, prefix: str, label: str, is_narrowed: bool) -> PermissionRow:
    return PermissionRow(
        label=label, is_narrowed=is_narrowed, permissions=tuple(f"{prefix}:{action}" for action in ACTIONS)
    )


def _list_object_labels() -> dict[str, str]:
    labels: dict[str, str] = {}
    for model in apps.get_models():
        name = getattr(model, "object_name", "")
        if isinstance(name, str) and name and not name.startswith("admin:"):
            # Several models may have the same object name; the label is that of the registered one.
            registered = _find_label(name)
            labels.setdefault(name, registered or str(capfirst(str(model._meta.verbose_name))))
    return labels


def _find_label(name: str) -> str:
    try:
        return str(capfirst(get_object(name).label))
    except UnknownObjectError:
        return ""


def _list_object_types(name: str) -> list[tuple[str, str]]:
    try:
        return [(t.api_name, t.label) for t in get_object(name).object_types]
    except UnknownObjectError:
        return []
