"""The rule which studies, and which records of studies, a user sees. Lists, pages, choices and jobs use it."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any, TypeVar

from django.apps import apps
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.constants import LOOKUP_SEP

from ctms.accounts import policies
from ctms.accounts.models import User
from ctms.accounts.policies import has_limit, list_visible
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.clinical.assignments import build_assigned_condition, read_assigned
from ctms.clinical.models import Study, StudyAssignment
from ctms.configuration.registry import (
    get_object,
    get_object_of_model,
    list_objects,
    list_record_objects,
    list_referring_fields,
)
from ctms.configuration.scope import InStudy, NoStudy, StudySight, find_study_path

ModelT = TypeVar("ModelT", bound=models.Model)


def sees_all_studies(user: User) -> bool:
    """Whether the user sees every study: superusers do, and users whose profile says so."""
    return policies.sees_all_studies(user=user)


def read_sight(user: User) -> StudySight:
    """Return which studies the user is assigned to today, as a whole or in part."""
    assigned = read_assigned(user)
    uids = dict(Study.objects.filter(pk__in=assigned.studies).order_by().values_list("pk", "uid"))
    return StudySight(
        whole=frozenset(uids[pk] for pk in assigned.whole),
        limited=frozenset(uids[pk] for pk in assigned.limited),
        key=json.dumps([sorted(keys) for keys in astuple(assigned)]),
    )


def limit_to_visible_studies(queryset: models.QuerySet[ModelT], user: User, path: str) -> models.QuerySet[ModelT]:
    """Filter for records that the user may see: those of the studies, countries and sites that the user is assigned to.

    `path` is the look-up from a record to its study. Of records without a study, the user sees their own and those
    received from elsewhere (a Medical Activity), whose study nobody here enters. Others may have had a study, and
    emptying that field must not show them to more users. What hangs on a record without a study is seen with it. With
    an API token for some studies, the user sees no record without a study.
    """
    if sees_all_studies(user):
        return queryset
    visible = build_assigned_condition(model=queryset.model, path=path, user=user)
    name, _, farther = path.partition(LOOKUP_SEP)
    if path == "pk":
        return queryset.filter(visible)
    reference: Any = queryset.model._meta.get_field(name)
    if farther and _can_be_empty(reference.related_model, farther):
        parents = list_visible(reference.related_model._default_manager.all(), user)
        visible = Q(**{f"{name}__in": parents})
    if reference.null and not _is_limited_by_token(user):
        received = Q(object_type__in=_list_received_types(queryset.model))
        visible |= Q(**{f"{name}__isnull": True}) & (Q(created_by=user) | received)
    return queryset.filter(visible)


def limit_to_known_persons(persons: models.QuerySet[ModelT], user: User) -> models.QuerySet[ModelT]:
    """Filter for persons whom the user entered, or whom a record of a study names that the user sees.

    With an API token for some studies, the user sees the latter alone.
    """
    if sees_all_studies(user):
        return persons
    known = Q(pk__in=()) if _is_limited_by_token(user) else Q(created_by=user)
    for model, name in _list_references_to(persons.model):
        known |= Q(Exists(list_visible(model._default_manager.filter(**{name: OuterRef("pk")}).order_by(), user)))
    return persons.filter(known)


def _is_limited_by_token(user: User) -> bool:
    return user.reach is not None and user.reach.study_uids is not None


def _list_references_to(model: type[models.Model]) -> list[tuple[type[models.Model], str]]:
    return [
        (other.model, field.attribute)
        for other, field in list_referring_fields(get_object(model.object_name))  # type: ignore[attr-defined]
        if isinstance(other.scope, InStudy)
    ]


def limit_to_records_named(
    rows: models.QuerySet[ModelT], user: User, object_field: str = ""
) -> models.QuerySet[ModelT]:
    """Filter rows that name a record by `record_uid` for those whose record the user sees.

    `object_field` holds the API name of the record's object, if the rows say it; rows about the set-up then stay, but
    for those about assignments to studies that the user does not see, or that are gone. A row that names
    no record, such as a call that could not be received, may be of any study: it goes.
    """
    return rows if sees_all_studies(user) else rows.filter(_names_visible(user, object_field))


def limit_to_entries(entries: models.QuerySet[AuditEntry], user: User) -> models.QuerySet[AuditEntry]:
    """Filter the audit trail: entries about records that the user sees, and about the set-up.

    Entries about deleted records are seen by who is assigned to the whole study that the record belonged to: of which
    country or site it was, nothing tells any more.
    """
    if sees_all_studies(user):
        return entries
    studies = Study.objects.filter(pk__in=read_assigned(user).whole).order_by().values("uid")
    deletion = AuditEntry.objects.filter(record_uid=OuterRef("record_uid"), action=AuditAction.DELETED).order_by()
    entries = entries.exclude(_build_hidden_setup(user)).exclude(action=AuditAction.EXPORTED, record_uid=None)
    return entries.filter(_names_visible(user, "object_name") | Q(Exists(deletion), study_uid__in=studies))


def _build_hidden_setup(user: User) -> Q:
    """Return the condition for entries about rows of the set-up that name records of others, such as exceptions."""
    hidden = Q(pk__in=[])
    for each in list_objects():
        if each.is_setup and isinstance(each.scope, NoStudy) and each.scope.limit is not None:
            seen = list_visible(each.model._default_manager.order_by(), user).values("uid")
            hidden |= Q(object_name=each.api_name) & ~Q(record_uid__in=seen)
    return hidden


def _names_visible(user: User, object_field: str) -> Q:
    models_by_name: dict[str, list[Any]] = {each.api_name: [each.model] for each in list_record_objects()}
    named = Q()
    if object_field:
        models_by_name[StudyAssignment.object_name] = _list_models(StudyAssignment.object_name)
        named = ~Q(**{f"{object_field}__in": ["", *models_by_name]})
    for name, found in models_by_name.items():
        seen = Q()
        for model in found:
            records = model._default_manager.order_by()
            visible = list_visible(records, user) if has_limit(model) else records
            seen |= Q(record_uid__in=visible.values("uid"))
        named |= seen & Q(**{object_field: name}) if object_field else seen
    return named


def _list_models(object_name: str) -> list[type[models.Model]]:
    """Return the models whose rows bear this name in the audit trail: users, profiles and assignments share one."""
    named = [each for each in apps.get_models() if getattr(each, "object_name", None) == object_name]
    return [each for each in named if any(field.name == "uid" for field in each._meta.concrete_fields)]


def _can_be_empty(model: Any, path: str) -> bool:
    """Whether a reference on the way is empty in some records."""
    for name in path.split(LOOKUP_SEP):
        field = model._meta.get_field(name)
        if field.null:
            return True
        model = field.related_model
    return False


def _list_received_types(model: type[models.Model]) -> list[str]:
    vault_object = get_object_of_model(model)
    return [each.api_name for each in vault_object.object_types if each.origin] if vault_object else []


def limit_to_assigned(queryset: models.QuerySet[ModelT], user: User) -> models.QuerySet[ModelT]:
    """Filter studies or sites for those that the user is assigned to, also for users who see all studies."""
    path = "pk" if queryset.model is Study else find_study_path(queryset.model)
    return queryset.filter(build_assigned_condition(model=queryset.model, path=path, user=user))
