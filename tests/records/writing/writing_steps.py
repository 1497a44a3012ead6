"""Steps that the tests of services share."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from activities.choices import ActivityType
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.clinical.models import Study
from ctms.configuration.models import ObjectType
from ctms.configuration.services import FieldDecision, decide_fields
from ctms.records.access import ObjectAccess, open_object
from ctms.records.writing.services import build_record, write_values
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import (
    StudyAssignmentFactory,
)

ACTIVITY, PERSON, STUDY, SITE, TRAINING = "crm_activity__v", "person__sys", "study__v", "site__v", "training__v"


CUSTOM_KINDS = ("text", "long_text", "number", "date", "datetime", "yes_no", "picklist", "reference")


def open_as(user: User, object_name: str) -> ObjectAccess:
    return open_object(user=user, object_name=object_name)


def open_(object_name: str) -> ObjectAccess:
    return open_as(get_admin_user(), object_name)


def create(access: ObjectAccess, object_type: str = "", **values: Any) -> Any:
    record = build_record(access=access, object_type=object_type)
    write_values(access=access, record=record, values=values, actor=Actor(user=access.user, source="page"))
    return type(record).objects.get(pk=record.pk)


def change(access: ObjectAccess, record: Any, **values: Any) -> bool:
    """Change a record as another request would, on an instance of its own."""
    stored = type(record).objects.get(pk=record.pk)
    return write_values(access=access, record=stored, values=values, actor=Actor(user=access.user, source="page"))


def list_refusals(error: pytest.ExceptionInfo[ValidationError]) -> dict[str, list[str]]:
    return dict(error.value.message_dict) if hasattr(error.value, "error_dict") else {"": error.value.messages}


def create_member(*permissions: str, study: Study | None = None) -> User:
    user = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=list(permissions)))
    if study is not None:
        StudyAssignmentFactory.create(user=user, study=study)
    return user


def require(field: str, *, object_name: str = ACTIVITY, object_type: str = ActivityType.CLINICAL) -> None:
    row = ObjectType.objects.get(of_object=object_name, api_name=object_type)
    decision = FieldDecision(is_assigned=True, is_required=True)
    decide_fields(object_type=row, decisions={field: decision}, actor=build_admin_actor())
