"""A Vault connected to a CRM organisation, for the tests of the transfer."""

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
from tests.prepared_rows import PreparedRows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connections.models import Connection, ConnectionAuthorization
    from crm_sync.sandbox.data.organisation import Organisation
    from crm_sync.sandbox.serving.running import RunningOrganisation
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
        """Return the non-zero counts of one integration in a run, without its API calls."""
        part = IntegrationRun.objects.filter(run=run, integration__kind=kind).first()
        if part is None:
            raise AssertionError(f"The integration did not run: {run.state}, {run.message} {run.log}")
        columns = ("selected", "sent", "received", "created", "updated", "deleted", "unchanged", "failed", "blocked")
        return {column: getattr(part, column) for column in columns if getattr(part, column)}

    def list_interactions(self) -> list[dict[str, Any]]:
        return self.crm.organisation.list_records(object_name="Vault_Clinical_Interaction_vod__c")

    def list_studies(self) -> list[dict[str, Any]]:
        return self.crm.organisation.list_records(object_name="Clinical_Study_vod__c")

    def list_sites(self) -> list[dict[str, Any]]:
        return self.crm.organisation.list_records(object_name="Clinical_Site_vod__c")

    def list_exceptions(self) -> list[ExceptionItem]:
        """Return the items of the Active messages."""
        return list(
            ExceptionItem.objects.filter(
                message__in=ExceptionMessage.objects.filter(connection=self.connection, status="active__v")
            )
        )

    def add_accounts(self, people: Iterable[Person]) -> list[str]:
        """Add an account for each person, with the person's external id, and return their ids."""
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
        """Change a record over the REST API, as a CRM user would."""
        self._request("PATCH", f"/sobjects/{object_name}/{crm_id}", json=values)

    def delete_in_crm(self, object_name: str, crm_id: str) -> None:
        """Delete a record over the REST API, as a CRM user would."""
        self._request("DELETE", f"/sobjects/{object_name}/{crm_id}")

    def undelete_in_crm(self, crm_id: str) -> None:
        """Take a record out of the recycle bin, as a CRM user would."""
        self._control("POST", f"/records/{crm_id}/undelete")

    def purge_in_crm(self, crm_id: str) -> None:
        """Delete a record, if it is not deleted yet, and empty it out of the recycle bin."""
        self._request("DELETE", "/composite/sobjects", params={"ids": crm_id})
        self._control("POST", f"/records/{crm_id}/purge")

    def empty_recycle_bin(self) -> None:
        """Purge every deleted record."""
        self._control("DELETE", "/recycle-bin")

    def empty_deletion_log(self) -> None:
        """Let the CRM forget all deletions so far: `getDeleted` lists none of them any more."""
        self._control("DELETE", "/deletion-log")

    def merge_accounts(self, master_id: str, *loser_ids: str, **values: Any) -> None:
        """Merge one or two accounts into the master, and set fields of the master, as a CRM user would."""
        self._control("POST", f"/records/{master_id}/merge", json={"losers": loser_ids, "values": values})

    def hide_in_crm(self, *crm_ids: str) -> None:
        """Hide records from the user of the transfer, as a sharing rule would."""
        for crm_id in crm_ids:
            self._control("POST", f"/records/{crm_id}/hide")

    def show_in_crm(self, *crm_ids: str) -> None:
        """Show hidden records again."""
        for crm_id in crm_ids:
            self._control("POST", f"/records/{crm_id}/show")

    def misbehave(self, **body: Any) -> None:
        """Send the sandbox rules (`match`, `effect` or `rules`) and `settings`; see docs/sandbox.md."""
        self._control("POST", "/misbehave", json=body)

    def _control(self, method: str, path: str, **options: Any) -> None:
        """Send a request to the sandbox's own interface, which needs no log-in."""
        requests.request(method, f"{self.crm.base_url}/_sandbox{path}", timeout=60, **options).raise_for_status()

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
            timeout=60,
        ).json()["access_token"]
        answer = requests.request(
            method,
            f"{self.crm.base_url}/services/data/v60.0{path}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            **options,
        )
        answer.raise_for_status()

    def add_calls(self, account_ids: Iterable[str], **values: Any) -> list[str]:
        """Add a call for each account, marked Send to Vault Clinical, and return their ids."""
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


# What connecting writes is made once in a process: see tests/prepared_rows.py.
_CONNECTED = PreparedRows["Connection"]()


def build_world(*, crm: RunningOrganisation, name: str = "NA") -> World:
    """Connect the Vault to a running organisation, with the delivered rules and the global identifier mapping."""
    return World(connection=_connect(crm=crm, name=name), crm=crm)


def prepare_world(*, crm: RunningOrganisation, name: str = "NA") -> World:
    """The same for an organisation in this process, whose log-in becomes the one that the prepared rows know."""
    _set_known_log_in(crm.organisation, name=name)
    _lead_to(crm, name=name)
    return World(connection=_CONNECTED.provide(name, lambda: _connect(crm=crm, name=name)), crm=crm)


def _connect(*, crm: RunningOrganisation, name: str) -> Connection:
    map_identifiers()
    activate_medical_activities()
    _lead_to(crm, name=name)
    authorization = AuthorizationFactory.create(
        username=crm.user.username,
        password=crm.user.password,
        consumer_key=crm.connected_app.client_id,
        consumer_secret=crm.connected_app.client_secret,
    )
    return ConnectionFactory.create(name=name, url=f"https://{_name_host(name)}", authorization=authorization)


def _name_host(name: str) -> str:
    return f"{name.lower()}.crm.test"


def _lead_to(crm: RunningOrganisation, *, name: str) -> None:
    """Let the host of the connection be the organisation."""
    settings.CRM_SANDBOX_ORIGINS = {**settings.CRM_SANDBOX_ORIGINS, _name_host(name): crm.base_url}


def _set_known_log_in(organisation: Organisation, *, name: str) -> None:
    """Give the organisation's user and connected app secrets that follow from the name of the connection."""
    organisation.database.execute("UPDATE sandbox_logins SET password = ?", [f"password-of-{name}-alone!"])
    organisation.database.execute(
        "UPDATE sandbox_connected_apps SET client_id = ?, client_secret = ?",
        [f"3MVG9-of-{name}-alone", f"consumer-secret-of-{name}-alone"],
    )


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
