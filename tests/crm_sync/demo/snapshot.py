"""All that the demonstration's data say, without what differs by design: database keys, secrets, the CRM's own ids."""

from __future__ import annotations

from typing import Any

from django.db.models import ForeignKey

from activities.models import Activity
from crm_sync.demo.data import get_sandbox_directory
from crm_sync.demo.dataset.crm import ORGANISATIONS, get_data_file
from crm_sync.sandbox.data.organisation import Organisation
from ctms.accounts.models import User
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    Person,
    Study,
    StudyCommunicationContact,
    StudyCommunicationLog,
    StudyCountry,
    StudyPerson,
    StudySite,
)
from ctms.core.models import AuditedModel

MODELS: tuple[type[AuditedModel], ...] = (
    Activity,
    MonitoringEvent,
    MonitoringEventParticipant,
    Person,
    Study,
    StudyCommunicationContact,
    StudyCommunicationLog,
    StudyCountry,
    StudyPerson,
    StudySite,
)
CALL_FIELDS = ("Name", "Call_Date_vod__c", "Call_Datetime_vod__c", "Call_Channel_vod__c", "Status_vod__c")
ACCOUNT_FIELDS = ("FirstName", "LastName", "PersonEmail", "External_ID_vod__c", "NPI_vod__c", "SystemModstamp")
USER_FIELDS = ("Username", "FirstName", "LastName", "Email")


def take_snapshot() -> dict[str, list[Any]]:
    """Rows by model and by organisation and object, in a fixed order; references by UID."""
    snapshot: dict[str, list[Any]] = {
        model.__name__: list(model._base_manager.order_by("uid").values_list(*list_columns(model))) for model in MODELS
    }
    snapshot["User"] = list(User.objects.order_by("username").values_list("username", "first_name", "email"))
    for plan in ORGANISATIONS:
        path = get_data_file(plan=plan, directory=get_sandbox_directory())
        with Organisation.open(path, name=plan.name) as organisation:
            snapshot |= {
                f"{plan.label} {object_name}": [
                    [record[name] for name in names] for record in organisation.list_records(object_name=object_name)
                ]
                for object_name, names in (
                    ("Account", ACCOUNT_FIELDS),
                    ("Call2_vod__c", CALL_FIELDS),
                    ("User", USER_FIELDS),
                )
            }
    return snapshot


def list_columns(model: type[AuditedModel]) -> list[str]:
    """The columns of a model that a load on the same day fills with the same."""
    columns = []
    for column in model._meta.concrete_fields:
        if column.name in {"id", "created_at", "modified_at"}:
            continue
        if isinstance(column, ForeignKey):
            columns.append(f"{column.name}__{'username' if column.related_model is User else 'uid'}")
        else:
            columns.append(column.name)
    return columns
