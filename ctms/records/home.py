"""The home page is made of panels. A higher floor registers its own from `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.urls import NoReverseMatch, reverse

from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.audit.selectors import list_recent_records
from ctms.configuration.registry import UnknownObjectError, get_object

_RECENT_RECORDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePanel:
    """A part of the home page: `build` gives its template what to show to a user, or None to leave the panel out."""

    title: str
    template: str
    build: Callable[[User], dict[str, Any] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRecord:
    """A record that the user created or changed, with its address if the user may open it."""

    name: str
    object_label: str
    action: str
    at: Any
    url: str


_panels: list[HomePanel] = []


def register_home_panel(panel: HomePanel) -> None:
    """Add a panel, below those registered before."""
    if panel not in _panels:
        _panels.append(panel)


def build_home_panels(user: User) -> list[dict[str, Any]]:
    """Title, template and content of each panel that has something to say to the user."""
    built = [(panel, panel.build(user)) for panel in (*_panels, RECENT_RECORDS)]
    return [
        {"title": panel.title, "template": panel.template, "content": content}
        for panel, content in built
        if content is not None
    ]


def build_recent_records(user: User) -> dict[str, Any]:
    """The records that the user changed last and that still exist."""
    by_object: dict[str, list[AuditEntry]] = {}
    for entry in list_recent_records(user=user, limit=_RECENT_RECORDS):
        by_object.setdefault(entry.object_name, []).append(entry)
    recent: list[RecentRecord] = []
    for object_name, entries in by_object.items():
        try:
            vault_object = get_object(object_name)
        except UnknownObjectError:
            continue  # users and the like: their place is the admin console
        if vault_object.is_setup:
            continue
        found = vault_object.model._base_manager.filter(uid__in=[entry.record_uid for entry in entries])
        keys = dict(found.values_list("uid", "pk"))
        recent.extend(
            RecentRecord(
                name=entry.record_name,
                object_label=vault_object.label,
                action=entry.get_action_display(),
                at=entry.at,
                url=find_record_url(user=user, model=vault_object.model, key=keys[entry.record_uid]),
            )
            for entry in entries
            if entry.record_uid in keys
        )
    return {"records": sorted(recent, key=lambda record: record.at, reverse=True)}


def find_record_url(*, user: User, model: type[models.Model], key: int) -> str:
    """Address of a record's page in the admin console; empty for users who may not open it."""
    label = model._meta
    if not user.is_staff or not user.has_perm(f"{label.app_label}.view_{label.model_name}"):
        return ""
    try:
        return reverse(f"admin:{label.app_label}_{label.model_name}_change", args=(key,))
    except NoReverseMatch:
        return ""


RECENT_RECORDS = HomePanel(title="Recent records", template="home/recent_records.html", build=build_recent_records)
