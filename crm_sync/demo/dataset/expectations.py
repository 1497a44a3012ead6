"""Planted records that cannot be transferred, and the exceptions that the first transfer must report for them.

NA matches people by Application Settings: Person `external_id__v` = Account `External_ID_vod__c`, a unique and
case-sensitive external id. EMEA has never loaded the sponsor's numbers; its identifier mapping matches the number in
the national register: Person `npi__v` = Account `NPI_vod__c`. That field is neither unique nor case-sensitive in the
CRM, so that only there can two accounts bear one number, and a query finds an account whose number differs in case.

A Clinical Activity goes to every connection. Planted people have no activities but those listed here, and take part in
no event or communication from which activities are generated, so that the exception log of the first transfer holds
exactly `list_expected_exceptions()`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.demo.dataset.identity import EMEA, NA, make_uid
from exceptions_log.choices import ErrorType

CRM_SUBJECT_LENGTH = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedPerson:
    """A person whose activities cannot be transferred to the organisations of `fails_in`.

    `na_accounts` and `emea_accounts` are the identifiers of the person's accounts in the organisations.
    """

    first_name: str
    last_name: str
    country: str
    external_id: str
    npi: str
    na_accounts: tuple[str, ...]
    emea_accounts: tuple[str, ...]
    fails_in: tuple[str, ...]
    subjects: tuple[str, ...]

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedException:
    """One exception item of the first transfer.

    `record` is the name of the Clinical Activity or, in the CRM, of the call; `record_uid` is None for a call.
    `mentions` are words that the message must contain.
    """

    connection: str
    integration: IntegrationKind
    error_type: ErrorType
    record: str
    record_uid: uuid.UUID | None = None
    mentions: tuple[str, ...] = field(default=())


PLANTED_PEOPLE: tuple[PlantedPerson, ...] = (
    # No account anywhere: she moved to the trial site last month and is in no CRM yet.
    PlantedPerson(
        first_name="Ingrid",
        last_name="Østergaard-Lund",
        country="DK",
        external_id="HCP-900001",
        npi="DK90000101",
        na_accounts=(),
        emea_accounts=(),
        fails_in=(NA, EMEA),
        subjects=("Introduction as new sub-investigator: delegation log",),
    ),
    # No account in one of the two organisations.
    PlantedPerson(
        first_name="Thabo",
        last_name="Mahlangu",
        country="ZA",
        external_id="HCP-900002",
        npi="ZA90000202",
        na_accounts=(),
        emea_accounts=("ZA90000202",),
        fails_in=(NA,),
        subjects=("Feasibility call: pharmacy cold chain",),
    ),
    PlantedPerson(
        first_name="Camille",
        last_name="Tremblay-Roy",
        country="CA",
        external_id="HCP-900003",
        npi="CA90000303",
        na_accounts=("HCP-900003",),
        emea_accounts=(),
        fails_in=(EMEA,),
        subjects=("Consent form: French wording of section 4", "Consent form: ethics committee's answer"),
    ),
    # No value in the field that EMEA matches by.
    PlantedPerson(
        first_name="현우",
        last_name="서",
        country="KR",
        external_id="HCP-900004",
        npi="",
        na_accounts=("HCP-900004",),
        emea_accounts=("KR90000404",),
        fails_in=(EMEA,),
        subjects=("Central laboratory: sample shipment on public holidays",),
    ),
    # Two accounts with one number: entered twice in the CRM, once with the maiden name.
    PlantedPerson(
        first_name="Zofia",
        last_name="Wiśniewska-Kowal",
        country="PL",
        external_id="HCP-900005",
        npi="PL90000505",
        na_accounts=("HCP-900005",),
        emea_accounts=("PL90000505", "PL90000505"),
        fails_in=(EMEA,),
        subjects=("Query resolution: concomitant medication",),
    ),
    PlantedPerson(
        first_name="Giulia",
        last_name="De Santis",
        country="IT",
        external_id="HCP-900006",
        npi="IT90000606",
        na_accounts=("HCP-900006",),
        emea_accounts=("IT90000606", "IT90000606"),
        fails_in=(EMEA,),
        subjects=("Imaging upload: second MRI of the screening visit",),
    ),
    # Identifiers that differ only in case.
    PlantedPerson(
        first_name="Siobhán",
        last_name="Ní Dhomhnaill",
        country="IE",
        external_id="HCP-900007A",
        npi="IE90000707",
        na_accounts=("HCP-900007a",),
        emea_accounts=("IE90000707",),
        fails_in=(NA,),
        subjects=("Photography manual: lighting of lesion images",),
    ),
    PlantedPerson(
        first_name="Inês",
        last_name="Vasconcelos Leitão",
        country="PT",
        external_id="HCP-900008",
        npi="PT90000808K",
        na_accounts=("HCP-900008",),
        emea_accounts=("pt90000808k",),
        fails_in=(EMEA,),
        subjects=("Biopsy kits: expiry dates of the second batch",),
    ),
)

# Longer than the CRM's field, as if pasted from an e-mail.
LONG_SUBJECT = (
    "RE: FW: [HVT441-202] Dose modification after grade 3 neutropenia: may we resume at the lower dose level before "
    "the absolute neutrophil count is confirmed by the central laboratory, given that the local laboratory reported "
    "1.2 x 10^9/L twice and that the subject lives three hours by train from here?!"
)

LONG_SUBJECT_KEY = "planted/long-subject"

# An account in NA that no person of the Vault matches, with a call that is marked for sending.
UNKNOWN_ACCOUNT: Mapping[str, str] = {
    "FirstName": "Rosalind",
    "LastName": "Whitcombe",
    "PersonEmail": "rosalind.whitcombe@example.com",
    "External_ID_vod__c": "HCP-900009",
}
UNKNOWN_ACCOUNT_CALL = "C00000002"  # the second call of NA, see `crm_sync.demo.dataset.crm`


def build_activity_key(*, person: PlantedPerson, position: int) -> str:
    """Return the key of a planted person's activity, from which its UID is made."""
    return f"planted/{person.external_id}/{position}"


def list_expected_exceptions() -> tuple[ExpectedException, ...]:
    """Return every exception item of the first transfer, of all connections. A second transfer keeps the same items."""
    expected = [
        _expect(
            connection=connection,
            key=build_activity_key(person=person, position=position),
            error_type=ErrorType.MATCHING,
            mentions=(person.full_name, person.external_id if connection == NA else person.npi),
        )
        for person in PLANTED_PEOPLE
        for connection in person.fails_in
        for position in range(len(person.subjects))
    ]
    expected += [
        _expect(connection=connection, key=LONG_SUBJECT_KEY, error_type=ErrorType.REJECTED, mentions=("Subject",))
        for connection in (NA, EMEA)
    ]
    expected.append(
        ExpectedException(
            connection=NA,
            integration=IntegrationKind.CALL_INBOUND,
            error_type=ErrorType.MATCHING,
            record=UNKNOWN_ACCOUNT_CALL,
            mentions=(UNKNOWN_ACCOUNT["External_ID_vod__c"],),
        )
    )
    return tuple(expected)


def _expect(*, connection: str, key: str, error_type: ErrorType, mentions: tuple[str, ...]) -> ExpectedException:
    uid = make_uid("activity", key)
    return ExpectedException(
        connection=connection,
        integration=IntegrationKind.CALL_OUTBOUND,
        error_type=error_type,
        record=Activity(uid=uid).build_name(),
        record_uid=uid,
        mentions=tuple(mention for mention in mentions if mention),
    )
