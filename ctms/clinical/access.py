"""The rule which studies, and which records of studies, a user sees. Lists, pages, choices and jobs use it."""

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
    """Whether the user sees every study: superusers do, and users whose profile says so."""
    return user.is_superuser or (user.security_profile is not None and user.security_profile.sees_all_studies)


def find_study_path(model: type[models.Model]) -> str:
    """Return the look-up from a model to its study; empty for a model that has none, such as a person."""
    if model in _PATHS:
        return _PATHS[model]
    try:
        field = model._meta.get_field("study")
    except FieldDoesNotExist:
        return ""
    return "study" if field.related_model is Study else ""


def limit_to_visible_studies(*, queryset: models.QuerySet[ModelT], user: User) -> models.QuerySet[ModelT]:
    """Filter for records that the user may see: those of studies that the user is assigned to.

    Of records without a study, these are the user's own and those received from elsewhere (a Medical Activity), whose
    study nobody here enters. Others may have had a study, and emptying that field must not show them to more users.
    """
    path = find_study_path(queryset.model)
    if not path or sees_all_studies(user):
        return queryset
    # As a list of ids and not as a subquery: only with ids can the database estimate how many records match, on which
    # the choice of a good query plan depends.
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
    """Call `limit_to_visible_studies` with the arguments that `VaultObject.limit_to_visible` takes."""
    return limit_to_visible_studies(queryset=queryset, user=user)
