"""Fills the two CRM organisations of the sandbox with accounts, representatives and calls."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

from crm_sync.demo.dataset.countries import COUNTRIES_BY_CODE
from crm_sync.demo.dataset.expectations import PLANTED_PEOPLE, UNKNOWN_ACCOUNT, UNKNOWN_ACCOUNT_CALL
from crm_sync.demo.dataset.identity import EMEA, NA, build_register_number
from crm_sync.demo.dataset.names import build_mailbox, choose_name
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.data.records import PlannedRow
from crm_sync.sandbox.data.writes import delete_rows
from ctms.clinical.models import Person

CALL_TO_DELETE = "C00000001"
_STRANGERS = 120  # accounts of people who are not in the Vault
_ACCOUNT_AGE_DAYS = 700
_CALL = "Call2_vod__c"

_CHANNELS = {
    "Face_to_face_vod": 45,
    "Video_vod": 18,
    "Phone_vod": 20,
    "Message_vod": 6,
    "Email_vod": 9,
    "Other_vod": 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationPlan:
    """The contents of an organisation. `representatives` are pairs of first name and last name."""

    label: str
    name: str  # in the sandbox: part of its data file's name and its host name
    description: str
    marked_calls: int
    unmarked_calls: int
    representatives: tuple[tuple[str, str], ...]
    stranger_countries: tuple[str, ...] = field(default=())

    @property
    def url(self) -> str:
        """The address in the Vault's connection, which CRM_SANDBOX_ORIGINS maps to that of the sandbox."""
        return f"https://{self.name}.crm.test"


ORGANISATIONS: tuple[OrganisationPlan, ...] = (
    OrganisationPlan(
        label=NA,
        name="na",
        description="Medical CRM of the Americas; people are matched by the sponsor's own number",
        marked_calls=160,
        unmarked_calls=70,
        representatives=(
            ("Maria", "Santos"),
            ("Étienne", "Bouchard"),
            ("Jordan", "Whitfield"),
            ("Guadalupe", "Herrera Núñez"),
            ("Tyler", "Okonkwo"),
        ),
        stranger_countries=("US", "CA", "MX", "BR"),
    ),
    OrganisationPlan(
        label=EMEA,
        name="emea",
        description="Medical CRM of Europe, Asia and Africa; people are matched by their national register number",
        marked_calls=140,
        unmarked_calls=60,
        representatives=(
            ("Jürgen", "Weiß"),
            ("Chloé", "Lefèvre"),
            ("Małgorzata", "Wróbel"),
            ("Søren", "Kjærgaard"),
            ("Αλέξανδρος", "Ιωάννου"),
        ),
        stranger_countries=("DE", "FR", "PL", "GR", "JP"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationLogin:
    """The log-in of the integration user that the Vault uses in an organisation."""

    username: str
    password: str = field(repr=False)
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)


def create_organisation(
    *, plan: OrganisationPlan, directory: Path, people: Sequence[Person], now: datetime, rng: Random
) -> IntegrationLogin:
    """Write the data file of an organisation and return the Vault's log-in to it.

    The file is written under another name and renamed when it is complete. It replaces an earlier one.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # the data files hold passwords
    target, draft = get_data_file(plan=plan, directory=directory), directory / f".{plan.name}.{os.getpid()}.draft"
    _remove_data_file(draft)
    with Organisation.open(draft, name=plan.name) as organisation:
        with organisation.database.transaction():
            _fill_organisation(organisation=organisation, plan=plan, people=people, now=now, rng=rng)
        login = _read_login(organisation)
    _remove_data_file(target)
    draft.rename(target)
    return login


def read_integration_login(*, plan: OrganisationPlan, directory: Path) -> IntegrationLogin:
    """Return the Vault's log-in to an organisation that exists."""
    with Organisation.open(get_data_file(plan=plan, directory=directory), name=plan.name) as organisation:
        return _read_login(organisation)


def get_data_file(*, plan: OrganisationPlan, directory: Path) -> Path:
    """Return the path of an organisation's data file."""
    return directory / f"{plan.name}.sqlite3"


def delete_call(*, plan: OrganisationPlan, directory: Path, name: str) -> None:
    """Move a call to the recycle bin, as a representative can. Does nothing if it is deleted already."""
    with Organisation.open(get_data_file(plan=plan, directory=directory), name=plan.name) as organisation:
        rows = [
            PlannedRow(sobject=organisation.schema[_CALL], values={}, id=call["Id"])
            for call in organisation.list_records(object_name=_CALL)
            if call["Name"] == name
        ]
        delete_rows(organisation, rows, user_id=organisation.integration_user_id)


def _read_login(organisation: Organisation) -> IntegrationLogin:
    user, app = organisation.admin, organisation.connected_app
    return IntegrationLogin(
        username=user.username, password=user.password, consumer_key=app.client_id, consumer_secret=app.client_secret
    )


def _remove_data_file(path: Path) -> None:
    # SQLite keeps recent changes in files beside it; if they stayed, they would be read into the next data file.
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _fill_organisation(
    *, organisation: Organisation, plan: OrganisationPlan, people: Sequence[Person], now: datetime, rng: Random
) -> None:
    representatives = organisation.insert_records(
        object_name="User",
        records=[
            {
                "Username": f"{mailbox.partition('@')[0]}@{plan.name}.example.com",
                "FirstName": first_name,
                "LastName": last_name,
                "Name": f"{first_name} {last_name}",
                "Email": mailbox,
                "IsActive": True,
            }
            for number, (first_name, last_name) in enumerate(plan.representatives, start=1)
            for mailbox in [_build_company_mailbox(first_name=first_name, last_name=last_name, number=number)]
        ],
    )
    opened = now - timedelta(days=_ACCOUNT_AGE_DAYS)
    matched = organisation.insert_records(
        object_name="Account",
        records=[
            _build_account(plan=plan, person=person, number=number, opened=opened)
            for number, person in enumerate(people, start=1)
        ],
    )
    others = [*_build_planted_accounts(plan=plan), *_build_strangers(plan=plan, rng=rng)]
    unmatched = organisation.insert_records(
        object_name="Account", records=[account | {"CreatedDate": opened} for account in others]
    )
    accounts = rng.choices(matched, k=plan.marked_calls) + rng.choices(
        [*matched, *unmatched[-_STRANGERS:]], k=plan.unmarked_calls
    )
    if plan.label == NA:
        accounts[int(UNKNOWN_ACCOUNT_CALL[1:]) - 1] = unmatched[-_STRANGERS - 1]
    organisation.insert_records(
        object_name=_CALL,
        records=[
            _build_call(
                account=account,
                representative=rng.choice(representatives),
                is_marked=position < plan.marked_calls,
                now=now,
                rng=rng,
            )
            for position, account in enumerate(accounts)
        ],
    )


def _build_company_mailbox(*, first_name: str, last_name: str, number: int) -> str:
    return build_mailbox(first_name=first_name, last_name=last_name, number=number).replace(
        "example.org", "example.com"
    )


def _build_account(*, plan: OrganisationPlan, person: Person, number: int, opened: datetime) -> dict[str, Any]:
    if plan.label == NA:
        identifiers = {"External_ID_vod__c": person.external_id}
    else:
        identifiers = {"External_ID_vod__c": f"EM{number:07d}", "NPI_vod__c": person.npi}
    return {
        "FirstName": person.first_name,
        "LastName": person.last_name,
        "PersonEmail": person.email,
        "CreatedDate": opened + timedelta(minutes=number),
        **identifiers,
    }


def _build_planted_accounts(*, plan: OrganisationPlan) -> Iterable[dict[str, Any]]:
    """Yield the accounts of the planted people, and in NA, last, the account that no person matches."""
    for person in PLANTED_PEOPLE:
        name = {"FirstName": person.first_name, "LastName": person.last_name}
        if plan.label == NA:
            for value in person.na_accounts:
                yield name | {"External_ID_vod__c": value}
        else:
            for position, value in enumerate(person.emea_accounts):
                yield name | {"External_ID_vod__c": f"EM9{person.external_id[-4:]}{position}", "NPI_vod__c": value}
    if plan.label == NA:
        yield dict(UNKNOWN_ACCOUNT)


def _build_strangers(*, plan: OrganisationPlan, rng: Random) -> Iterable[dict[str, Any]]:
    for position in range(_STRANGERS):
        country = COUNTRIES_BY_CODE[plan.stranger_countries[position % len(plan.stranger_countries)]]
        first_name, last_name = choose_name(culture=country.culture, rng=rng)
        number = 70_000 + position
        yield {
            "FirstName": first_name,
            "LastName": last_name,
            "PersonEmail": build_mailbox(first_name=first_name, last_name=last_name, number=number),
            "External_ID_vod__c": f"HCP-{number:06d}" if plan.label == NA else f"EM8{number:06d}",
            "NPI_vod__c": build_register_number(country=country.code, number=number),
        }


def _build_call(*, account: str, representative: str, is_marked: bool, now: datetime, rng: Random) -> dict[str, Any]:
    """Return a call entered within the last 90 days, either planned for the coming weeks or already made."""
    written = now - timedelta(minutes=rng.randrange(60, 90 * 24 * 60))
    is_planned = rng.random() < 0.25  # noqa: PLR2004  a quarter
    day = now.date() + timedelta(days=rng.randrange(1, 30)) if is_planned else written.date()
    return {
        "Account_vod__c": account,
        "Call_Date_vod__c": day,
        "Call_Datetime_vod__c": datetime.combine(day, time(hour=rng.randrange(8, 18)), tzinfo=UTC),
        "Call_Channel_vod__c": rng.choices(list(_CHANNELS), weights=list(_CHANNELS.values()))[0],
        "Status_vod__c": "Planned_vod" if is_planned else rng.choice(("Submitted_vod", "Submitted_vod", "Saved_vod")),
        "Send_to_Vault_Clinical_vod__c": is_marked,
        "CreatedDate": written,
        "CreatedById": representative,
        "LastModifiedById": representative,
        "OwnerId": representative,
    }
