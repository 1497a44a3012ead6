"""Applies the configuration steps of the requirement documents and creates the two connections."""

from __future__ import annotations

from connections.choices import GrantFlow
from connections.models import Connection, ConnectionAuthorization, CrmConnectionIdentifierMapping
from connections.services import create_connection, enter_connected_app_details, save_connection, set_password
from crm_sync.contributions.steps import TRANSFER_JOB_STEP
from crm_sync.demo.dataset.crm import IntegrationLogin, OrganisationPlan
from crm_sync.demo.dataset.identity import EMEA
from crm_sync.jobs import TRANSFER_JOB_KEY
from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.configuration.steps import apply_steps, list_steps
from ctms.core.choices import RecordStatus
from ctms.jobs.services import set_job_status

# EMEA matches by another pair of fields (see `crm_sync.demo.dataset.expectations`) and logs in by another flow than NA.
_EMEA_PERSON_IDENTIFIER, _EMEA_ACCOUNT_IDENTIFIER = "npi__v", "NPI_vod__c"


def configure_vault(*, actor: Actor) -> None:
    """Apply every configuration step as recommended, except for the one that activates the transfer job."""
    apply_steps(steps=[step for step in list_steps() if step.key != TRANSFER_JOB_STEP], actor=actor)


def connect_organisation(*, plan: OrganisationPlan, login: IntegrationLogin, actor: Actor) -> Connection:
    """Return a connection to an organisation of the sandbox, ready to transfer: that of a new Vault, or another."""
    authorization = ConnectionAuthorization(name=f"{plan.label} integration user", username=login.username)
    save_record(record=authorization, actor=actor)
    set_password(authorization=authorization, password=login.password, actor=actor)
    enter_connected_app_details(
        authorization=authorization,
        consumer_key=login.consumer_key,
        consumer_secret=login.consumer_secret,
        grant_flow=GrantFlow.CLIENT_CREDENTIALS if plan.label == EMEA else GrantFlow.PASSWORD,
        actor=actor,
    )
    delivered = Connection.objects.filter(url="").first()
    connection = delivered or Connection()
    connection.name, connection.url, connection.description = plan.label, plan.url, plan.description
    connection.authorization, connection.api_name = authorization, ""  # made from the name
    if delivered is None:
        create_connection(connection=connection, actor=actor)
    else:
        save_connection(connection=connection, actor=actor)
    if plan.label == EMEA:
        save_record(
            record=CrmConnectionIdentifierMapping(
                connection=connection,
                clinical_person_identifier=_EMEA_PERSON_IDENTIFIER,
                crm_account_identifier=_EMEA_ACCOUNT_IDENTIFIER,
            ),
            actor=actor,
        )
    return connection


def activate_transfer(*, actor: Actor) -> None:
    """Activate the hourly transfer job."""
    set_job_status(key=TRANSFER_JOB_KEY, status=RecordStatus.ACTIVE, actor=actor)
