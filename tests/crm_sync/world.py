"""A Vault and a CRM organisation that are connected: the stage of every test of the transfer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
from django.conf import settings

from connections.choices import GrantFlow, IntegrationKind
from connections.services import enter_connected_app_details, set_password
from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit
from crm_sync.models import IntegrationRun
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import create_run, execute_run
from exceptions_log.models import ExceptionItem, ExceptionMessage
from tests.factories.base import build_admin_actor
from tests.factories.configuration import activate_medical_activities, map_identifiers
from tests.factories.connections import AuthorizationFactory, ConnectionFactory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connections.models import Connection, ConnectionAuthorization
    from crm_sync.sandbox.running import RunningOrganisation
    from ctms.clinical.models import Person


@dataclass(slots=True, kw_only=True)
class World:
    """One connection and the organisation behind it."""

    connection: Connection
    crm: RunningOrganisation

    def transfer(self) -> JobRun:
        """Run the transfer as a worker would, and return the finished run."""
        run = create_run(
            definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY), unit=build_unit(self.connection), user=None
        )
        finished = execute_run(run.pk)
        if finished is None:
            raise AssertionError("The run was not queued.")
        return finished

    def count(self, run: JobRun, kind: IntegrationKind) -> dict[str, int]:
        """The non-zero counts of one integration in a run, without its API calls."""
        part = IntegrationRun.objects.get(run=run, integration__kind=kind)
        columns = ("selected", "sent", "received", "created", "updated", "deleted", "unchanged", "failed", "blocked")
        return {column: getattr(part, column) for column in columns if getattr(part, column)}

    def list_interactions(self) -> list[dict[str, Any]]:
        return self.crm.organisation.list_records(object_name="Vault_Clinical_Interaction_vod__c")

    def list_studies(self) -> list[dict[str, Any]]:
        return self.crm.organisation.list_records(object_name="Clinical_Study_vod__c")

    def list_sites(self) -> list[dict[str, Any]]:
        return self.crm.organisation.list_records(object_name="Clinical_Site_vod__c")

    def list_exceptions(self) -> list[ExceptionItem]:
        """Items of the Active messages."""
        return list(
            ExceptionItem.objects.filter(
                message__in=ExceptionMessage.objects.filter(connection=self.connection, status="active__v")
            )
        )

    def add_accounts(self, people: Iterable[Person]) -> list[str]:
        """An account for each person, with the person's external id; returns their ids."""
        return self.crm.organisation.insert_records(
            object_name="Account",
            records=[
                {
                    "FirstName": person.first_name,
                    "LastName": person.last_name,
                    "External_ID_vod__c": person.external_id,
                }
                for person in people
            ],
        )

    def change_in_crm(self, object_name: str, crm_id: str, **values: Any) -> None:
        """As a CRM user would, over the REST API."""
        self._request("PATCH", f"/sobjects/{object_name}/{crm_id}", json=values)

    def delete_in_crm(self, object_name: str, crm_id: str) -> None:
        """As a CRM user would, over the REST API."""
        self._request("DELETE", f"/sobjects/{object_name}/{crm_id}")

    def _request(self, method: str, path: str, **options: Any) -> None:
        token = requests.post(
            f"{self.crm.base_url}/services/oauth2/token",
            data={
                "grant_type": "password",
                "client_id": self.crm.connected_app.client_id,
                "client_secret": self.crm.connected_app.client_secret,
                "username": self.crm.user.username,
                "password": self.crm.user.password,
            },
            timeout=10,
        ).json()["access_token"]
        answer = requests.request(
            method,
            f"{self.crm.base_url}/services/data/v60.0{path}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
            **options,
        )
        answer.raise_for_status()

    def add_calls(self, account_ids: Iterable[str], **values: Any) -> list[str]:
        """A call for each account, marked Send to Vault Clinical."""
        return self.crm.organisation.insert_records(
            object_name="Call2_vod__c",
            records=[
                {
                    "Account_vod__c": account_id,
                    "Call_Date_vod__c": "2026-03-04",
                    "Call_Channel_vod__c": "Phone_vod",
                    "Status_vod__c": "Submitted_vod",
                    "Send_to_Vault_Clinical_vod__c": True,
                    **values,
                }
                for account_id in account_ids
            ],
        )


def build_world(*, crm: RunningOrganisation, name: str = "NA") -> World:
    """Connect the Vault to a running organisation, with the delivered rules and the global identifier mapping."""
    map_identifiers()
    activate_medical_activities()
    host = f"{name.lower()}.crm.test"
    settings.CRM_SANDBOX_ORIGINS = {**settings.CRM_SANDBOX_ORIGINS, host: crm.base_url}
    authorization = AuthorizationFactory.create(username=crm.user.username)
    enter_credentials(authorization=authorization, crm=crm)
    connection = ConnectionFactory.create(name=name, url=f"https://{host}", authorization=authorization)
    return World(connection=connection, crm=crm)


def enter_credentials(*, authorization: ConnectionAuthorization, crm: RunningOrganisation) -> None:
    """Set the credentials of the organisation's integration user and connected app."""
    actor = build_admin_actor()
    authorization.username = crm.user.username
    set_password(authorization=authorization, password=crm.user.password, actor=actor)
    enter_connected_app_details(
        authorization=authorization,
        consumer_key=crm.connected_app.client_id,
        consumer_secret=crm.connected_app.client_secret,
        grant_flow=GrantFlow.PASSWORD,
        actor=actor,
    )
