from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factory.declarations import Sequence

from activities.models import Activity
from connections.choices import IntegrationKind
from ctms.audit.models import AuditEntry
from ctms.clinical.models import Person
from ctms.configuration.selectors import get_application_settings, is_object_type_active
from tests.factories.accounts import USER_PASSWORD, SecurityProfileFactory, ServiceAccountFactory, UserFactory
from tests.factories.activities import ActivityFactory, ActivityTemplateFactory, MedicalActivityFactory
from tests.factories.base import AuditedFactory, ModelFactory, get_admin_user
from tests.factories.bulk import create_activities, create_people, create_sites
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.factories.configuration import activate_medical_activities, map_identifiers
from tests.factories.connections import (
    CONSUMER_SECRET,
    CRM_PASSWORD,
    AuthorizationFactory,
    ConnectionFactory,
    IdentifierMappingFactory,
)
from tests.factories.reports import ReportFactory, ReportTypeFactory
from tests.record_rows import DeviationFactory, TrainingFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

FACTORIES: list[type[AuditedFactory[Any]]] = [
    ActivityFactory,
    AuthorizationFactory,
    ConnectionFactory,
    IdentifierMappingFactory,
    InvestigatorFactory,
    MedicalActivityFactory,
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    SecurityProfileFactory,
    StudyAssignmentFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
]
OTHERS: list[type[ModelFactory[Any]]] = [
    ActivityTemplateFactory,
    DeviationFactory,
    ReportFactory,
    ReportTypeFactory,
    ServiceAccountFactory,
    TrainingFactory,
    UserFactory,
]


@pytest.mark.parametrize("factory", FACTORIES)
def test_a_factory_makes_two_valid_records_with_their_audit_entries(
    factory: type[AuditedFactory[Any]],
) -> None:
    for record in factory.create_batch(2):
        record.full_clean()
        actions = AuditEntry.objects.filter(record_uid=record.uid).order_by("id").values_list("action", flat=True)
        assert actions[0] == "created"
        assert record.created_by == get_admin_user()


@pytest.mark.parametrize("factory", [*FACTORIES, *OTHERS])
def test_numbered_texts_have_one_length_however_many_records_were_made_before(factory: type[ModelFactory[Any]]) -> None:
    """Or else, a test would meet another order of names where the number gets one more digit."""
    declarations: Any = factory._meta.pre_declarations
    numbered = [each for each in declarations.values() if isinstance(each.declaration, Sequence)]
    for each in numbered:
        lengths = {len(str(each.declaration.function(number))) for number in (0, 9, 10, 999, 1000, 99_999)}
        assert len(lengths) == 1, each.name


def test_a_user_can_log_in_with_the_password_of_tests() -> None:
    assert UserFactory.create().check_password(USER_PASSWORD)


def test_an_activity_is_from_the_user_who_made_it() -> None:
    assert ActivityFactory.create().from_text == "Ada Admin (ada.admin@example.org)"


def test_wider_references_follow_from_the_site() -> None:
    site = StudySiteFactory.create()
    activity = ActivityFactory.create(site=site)
    assert (activity.study, activity.study_country) == (site.study, site.study_country)


def test_an_authorization_holds_the_secrets_it_was_given() -> None:
    authorization = AuthorizationFactory.create()
    assert (authorization.password.reveal(), authorization.consumer_secret.reveal()) == (CRM_PASSWORD, CONSUMER_SECRET)


def test_a_connection_comes_with_its_integrations() -> None:
    kinds = ConnectionFactory.create().integrations.values_list("kind", flat=True)
    assert sorted(kinds) == sorted(IntegrationKind.values)


def test_the_configuration_steps_are_applied() -> None:
    map_identifiers()
    activate_medical_activities()
    assert get_application_settings().crm_account_identifier == "External_ID_vod__c"
    assert is_object_type_active(object_name="crm_activity__v", object_type="medical_activity__v")


def test_bulk_records_are_valid_and_audited() -> None:
    people = create_people(30)
    site = create_sites(2, study_country=StudyCountryFactory.create())[1]
    activities = create_activities(40, people=people, site=site)
    for record in (*people, site, *activities):
        record.full_clean()
    assert (Person.objects.count(), Activity.objects.count()) == (30, 40)
    assert {activity.study for activity in activities} == {site.study}
    uids = [record.uid for record in (*people, site, *activities)]
    assert AuditEntry.objects.filter(record_uid__in=uids).count() == len(uids)


def test_bulk_records_need_no_statement_of_their_own() -> None:
    people = create_people(1)
    with CaptureQueriesContext(connection) as queries:
        create_activities(500, people=people)
    # SQLite takes 999 values in one statement: 38 activities of 26 columns.
    assert len(queries) < 500 / 20
