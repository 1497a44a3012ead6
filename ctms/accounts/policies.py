"""Who may do what: the one module that pages, API, admin and jobs ask."""

from __future__ import annotations

from collections.abc import Iterable

from django.apps import apps

from ctms.accounts.models import User
from ctms.core.choices import RecordStatus

# Permission → permissions that it brings along, registered by the apps that know what its tasks take.
_brought_along: dict[str, frozenset[str]] = {}
_DJANGO_ACTIONS = {"view": "read", "add": "create", "change": "edit", "delete": "delete"}


def register_grants(*, permission: str, brings: Iterable[str]) -> None:
    """Let `permission` bring others along. Called from `AppConfig.ready()`."""
    _brought_along[permission] = _brought_along.get(permission, frozenset()) | frozenset(brings)


def has_permission(*, user: User, permission: str) -> bool:
    """Whether the user's active profile holds `permission`, or one that brings it along; superusers hold all."""
    if not user.is_active:
        return False
    if user.is_superuser:
        return True
    profile = user.security_profile
    if profile is None or profile.status != RecordStatus.ACTIVE:
        return False
    return permission in profile.permissions or any(
        permission in brought and name in profile.permissions for name, brought in _brought_along.items()
    )


def allows_django_permission(*, user: User, permission: str) -> bool:
    """Answer `app_label.action_model` from the profile.

    A model's `object_name` is its API name, or `admin:<area>` where the whole area is one permission.
    """
    app_label, _, codename = permission.partition(".")
    action, _, model_name = codename.partition("_")
    if action not in _DJANGO_ACTIONS:
        return False
    try:
        model = apps.get_model(app_label, model_name)
    except LookupError:
        return False
    object_name = getattr(model, "object_name", "")
    if not isinstance(object_name, str) or not object_name:
        return False  # the audit trail's `object_name` is a column
    permitted = list_permitted_types(user=user, object_name=object_name, django_action=action)
    return permitted is None or bool(permitted)


def list_permitted_types(*, user: User, object_name: str, django_action: str = "view") -> list[str] | None:
    """Object types for which the profile allows the action; None if it allows it for all of the object."""
    if object_name.startswith("admin:"):
        return None if has_permission(user=user, permission=object_name) else []
    action = _DJANGO_ACTIONS[django_action]
    if has_permission(user=user, permission=f"{object_name}:{action}"):
        return None
    profile = user.security_profile
    narrowed = (
        [p.removesuffix(f":{action}") for p in profile.permissions if p.endswith(f":{action}")] if profile else []
    )
    return [
        name.removeprefix(f"{object_name}.")
        for name in narrowed
        if name.startswith(f"{object_name}.") and has_permission(user=user, permission=f"{name}:{action}")
    ]


def allows_object_type(*, user: User, object_name: str, object_type: str, django_action: str) -> bool:
    """Whether the profile allows the action for records of that object type; empty: of any."""
    permitted = list_permitted_types(user=user, object_name=object_name, django_action=django_action)
    return permitted is None or (object_type in permitted if object_type else bool(permitted))


def allows_django_module(*, user: User, app_label: str) -> bool:
    """Whether any model of the app may be read."""
    return any(
        allows_django_permission(user=user, permission=f"{app_label}.view_{model._meta.model_name}")
        for model in apps.get_app_config(app_label).get_models()
    )
