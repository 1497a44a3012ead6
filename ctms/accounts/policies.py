"""Decides what a user may do. Pages, API, admin and jobs all ask here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from django.apps import apps
from django.db import models

from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from ctms.accounts.reach import TokenReach

ModelT = TypeVar("ModelT", bound=models.Model)

# Permission → further permissions that it includes, registered by the apps whose tasks need them.
_brought_along: dict[str, frozenset[str]] = {}
# API names of the objects of the set-up, and of those among them whose records admins alone write.
_setup_objects: set[str] = set()
_admins_objects: set[str] = set()
# Model → the filter for the records that a user sees, registered with each object.
_limits: dict[type[models.Model], Callable[[Any, Any], Any]] = {}
# Django's word for an action → the Vault's.
ACTIONS_BY_DJANGO = {"view": "read", "add": "create", "change": "edit", "delete": "delete"}


class Profile(Protocol):
    """The attributes of a security profile that policies read."""

    @property
    def status(self) -> str: ...
    @property
    def permissions(self) -> Sequence[str]: ...
    @property
    def sees_all_studies(self) -> bool: ...
    @property
    def log_views(self) -> bool: ...


class Permitted(Protocol):
    """The attributes of a user that policies read; a protocol, because the model `User` imports this module."""

    @property
    def is_active(self) -> bool: ...
    @property
    def is_superuser(self) -> bool: ...
    @property
    def has_ended(self) -> bool: ...
    @property
    def security_profile(self) -> Profile | None: ...
    @property
    def reach(self) -> TokenReach | None: ...


def register_setup(object_name: str, *, is_for_admins: bool) -> None:
    """Say that an object is one of the set-up, and whether admins alone write it. Called when it is registered."""
    _setup_objects.add(object_name)
    if is_for_admins:
        _admins_objects.add(object_name)


def list_setup_objects() -> list[str]:
    """Return the API names of the objects of the set-up."""
    return sorted(_setup_objects)


def is_for_admins(object_name: str) -> bool:
    """Whether an object is one of the set-up whose records admins alone write."""
    return object_name in _admins_objects


def register_grants(*, permission: str, brings: Iterable[str]) -> None:
    """Let everybody who holds `permission` hold those in `brings`, too. Called from `AppConfig.ready()`."""
    _brought_along[permission] = _brought_along.get(permission, frozenset()) | frozenset(brings)


@dataclass(frozen=True, slots=True)
class Ground:
    """Whether a user holds a permission, and why, in a few words."""

    is_allowed: bool
    why: str


def find_ground(*, user: Permitted, permission: str) -> Ground:
    """Return whether the user holds a permission, and why.

    Superusers hold all. Others hold what is in their active profile, and what that brings along. Who asks with an API
    token holds nothing beyond the objects of the token.
    """
    if user.reach is not None and not user.reach.covers_permission(permission):
        return Ground(is_allowed=False, why="Not among the objects of the token")
    found = _find_common_ground(user=user)
    if isinstance(found, Ground):
        return found
    if permission in found.permissions:
        return _BY_PROFILE
    for name, brought in _brought_along.items():
        if permission in brought and name in found.permissions:
            return Ground(is_allowed=True, why=f"Comes with {name}")
    return Ground(is_allowed=False, why="The security profile does not hold it")


def find_ground_for_all_studies(*, user: Permitted) -> Ground:
    """Return whether the user sees every study, and why: superusers do, and users whose active profile says so.

    Nobody does who asks with an API token for some studies.
    """
    if user.reach is not None and user.reach.study_uids is not None:
        return Ground(is_allowed=False, why="Only the studies of the token")
    return find_ground_of_account_for_all_studies(user=user)


def find_ground_of_account_for_all_studies(*, user: Permitted) -> Ground:
    """Return whether the user sees every study, and why, whatever the token is that they ask with."""
    found = _find_common_ground(user=user)
    if isinstance(found, Ground):
        return found
    if found.sees_all_studies:
        return _BY_PROFILE
    return Ground(is_allowed=False, why="Assigned studies only")


_BY_PROFILE = Ground(is_allowed=True, why="Profile")


def _find_common_ground(*, user: Permitted) -> Ground | Profile:
    """Return the ground that decides every question about the user, or else the profile that does."""
    if not user.is_active:
        return Ground(is_allowed=False, why="The user is inactive")
    if user.has_ended:
        return Ground(is_allowed=False, why="The account has ended")
    if user.is_superuser:
        return Ground(is_allowed=True, why="Superuser")
    if user.security_profile is None:
        return Ground(is_allowed=False, why="There is no security profile")
    return find_active_profile(user=user) or Ground(is_allowed=False, why="The security profile is Inactive")


def has_permission(*, user: Permitted, permission: str) -> bool:
    """Whether the user's active profile holds `permission`, or one that includes it; superusers hold all."""
    return find_ground(user=user, permission=permission).is_allowed


def sees_all_studies(*, user: Permitted) -> bool:
    """Whether the user sees every study."""
    return find_ground_for_all_studies(user=user).is_allowed


def find_active_profile(*, user: Permitted) -> Profile | None:
    """Return the user's profile; None if there is none or it is Inactive."""
    profile = user.security_profile
    return profile if profile is not None and profile.status == RecordStatus.ACTIVE else None


def allows_django_permission(*, user: Permitted, permission: str) -> bool:
    """Whether the profile grants what Django names `app_label.action_model`.

    A model's `object_name` is its API name, or `admin:<area>` where one permission covers a whole area.
    """
    app_label, _, codename = permission.partition(".")
    action, _, model_name = codename.partition("_")
    if action not in ACTIONS_BY_DJANGO:
        return False
    try:
        model = apps.get_model(app_label, model_name)
    except LookupError:
        return False
    object_name = getattr(model, "object_name", "")
    if not isinstance(object_name, str) or not object_name:
        return False  # for the audit trail, `object_name` is a database column
    permitted = list_permitted_types(user=user, object_name=object_name, action=ACTIONS_BY_DJANGO[action])
    return permitted is None or bool(permitted)


def register_limit(*, model: type[models.Model], limit: Callable[[Any, Any], Any]) -> None:
    """Say which records of a model a user sees: `limit(queryset, user)`. Called when an object is registered."""
    _limits[model] = limit


def has_limit(model: type[models.Model]) -> bool:
    """Whether it was said which records of a model a user sees."""
    return model in _limits


def list_visible(queryset: models.QuerySet[ModelT], user: Permitted) -> models.QuerySet[ModelT]:
    """Return those of these records that the user sees by their study; none of a model of which nobody has said it.

    Whether the profile allows to read the object is another question.
    """
    limit = _limits.get(queryset.model)
    return limit(queryset, user) if limit is not None else queryset.none()


def list_permitted_types(*, user: Permitted, object_name: str, action: str = "read") -> list[str] | None:
    """Return the object types for which the profile allows the action; None if it does for the whole object."""
    if object_name.startswith("admin:"):
        return None if has_permission(user=user, permission=object_name) else []
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


def allows_object_type(*, user: Permitted, object_name: str, object_type: str, action: str) -> bool:
    """Whether the profile allows the action for records of that object type, or, if it is empty, of any type."""
    permitted = list_permitted_types(user=user, object_name=object_name, action=action)
    return permitted is None or (object_type in permitted if object_type else bool(permitted))


def allows_django_module(*, user: Permitted, app_label: str) -> bool:
    """Whether any model of the app may be read."""
    return any(
        allows_django_permission(user=user, permission=f"{app_label}.view_{model._meta.model_name}")
        for model in apps.get_app_config(app_label).get_models()
    )


def list_django_permissions() -> list[str]:
    """Return the permissions of all models in Django's words, `app_label.action_model`."""
    return [
        f"{model._meta.app_label}.{action}_{model._meta.model_name}"
        for model in apps.get_models()
        for action in ACTIONS_BY_DJANGO
    ]
