"""Whose studies a user sees: the one rule that lists, pages, choices and jobs ask."""

from __future__ import annotations

from typing import TypeVar

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Q

from ctms.accounts.models import User
from ctms.clinical.models import (
    MonitoringEventParticipant,
    Study,
    StudyAssignment,
    StudyCommunicationContact,
)
from ctms.configuration.registry import get_object_of_model

ModelT = TypeVar("ModelT", bound=models.Model)

_PATHS: dict[type[models.Model], str] = {
    Study: "pk",
    MonitoringEventParticipant: "monitoring_event__study",
    StudyCommunicationContact: "communication__study",
}


def sees_all_studies(user: User) -> bool:
    """Whether every study is visible to the user: to superusers, and to users whose profile says so."""
    return user.is_superuser or (user.security_profile is not None and user.security_profile.sees_all_studies)


def find_study_path(model: type[models.Model]) -> str:
    """The look-up that leads from a model to its study; empty for what belongs to no study, such as a person."""
    if model in _PATHS:
        return _PATHS[model]
    try:
        field = model._meta.get_field("study")
    except FieldDoesNotExist:
        return ""
    return "study" if field.related_model is Study else ""


def limit_to_visible_studies(*, queryset: models.QuerySet[ModelT], user: User) -> models.QuerySet[ModelT]:
    """Leave the records of studies that the user is assigned to.

    Of those that name no study: what the user created, and what came from elsewhere (a Medical Activity), where nobody
    here names one. All others were of a study, or may be of one, and emptying a field shows them to nobody new.
    """
    path = find_study_path(queryset.model)
    if not path or sees_all_studies(user):
        return queryset
    # By number, not by a statement within the statement: how many records these studies have is what a database has to
    # know before it chooses how to find them, and it knows of numbers alone.
    studies = list(StudyAssignment.objects.filter(user=user).values_list("study_id", flat=True))
    visible = Q(**{f"{path}__in": studies})
    if path == "study" and queryset.model._meta.get_field("study").null:
        received = Q(object_type__in=_list_received_types(queryset.model))
        visible |= Q(study__isnull=True) & (Q(created_by=user) | received)
    return queryset.filter(visible)


def _list_received_types(model: type[models.Model]) -> list[str]:
    vault_object = get_object_of_model(model)
    return [each.api_name for each in vault_object.object_types if each.origin] if vault_object else []


def show_own_studies(queryset: models.QuerySet[ModelT], user: User) -> models.QuerySet[ModelT]:
    """The same, as the object registry asks it."""
    return limit_to_visible_studies(queryset=queryset, user=user)
