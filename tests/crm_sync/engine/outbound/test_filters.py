"""The filter of an integration rule: records that do not match are not sent, and those sent before are kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from activities.choices import Channel
from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import IntegrationRule
from crm_sync.preview.run import preview_transfer
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import StudySite
from ctms.configuration.models import CustomField
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from ctms.records.fields.comparing.operators import Operator
from tests.crm_sync.engine.test_scale import transfer_counted
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import PersonFactory, StudyCountryFactory, StudyFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
STUDIES, SITES, OUT = IntegrationKind.STUDY_OUTBOUND, IntegrationKind.SITE_OUTBOUND, IntegrationKind.CALL_OUTBOUND
IN, NOT_IN = Operator.IS, Operator.IS_NOT


def save(record: Any) -> None:
    save_record(record=record, actor=build_admin_actor())


def set_filter(world: World, kind: IntegrationKind, *conditions: tuple[str, str, list[str]]) -> None:
    rule = IntegrationRule.objects.get(integration__connection=world.connection, integration__kind=kind)
    rule.conditions = [{"field": path, "operator": operator, "values": values} for path, operator, values in conditions]
    save(rule)


def transfer_later(world: World, *, hours: int) -> Any:
    """Run the transfer so many hours later, so that all changes made before are older than its look-back."""
    with time_machine.travel(get_now().timestamp() + hours * 3600):
        return world.transfer()


@pytest.fixture
def today(world: World) -> Iterator[dt.date]:
    """The day that it is for the Vault and the CRM. It is noon, so that no other day begins while the test runs."""
    noon = get_now().replace(hour=12, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
    with time_machine.travel(noon, tick=True):
        yield noon.date()


def create_phone_and_video(world: World) -> tuple[Activity, Activity]:
    person = PersonFactory.create()
    world.add_accounts([person])
    return (
        ActivityFactory.create(person=person, subject="Call", channel=Channel.PHONE),
        ActivityFactory.create(person=person, subject="Meeting", channel=Channel.VIDEO),
    )


def list_subjects(world: World) -> list[str]:
    return sorted(str(row["Subject_vod__c"]) for row in world.list_interactions())


@pytest.mark.every_dialect
def test_what_does_not_match_is_not_transferred_and_not_counted(world: World) -> None:
    create_phone_and_video(world)
    set_filter(world, OUT, ("channel__v", IN, ["phone__v", "email__v"]))

    run = world.transfer()

    assert (run.state, world.count(run, OUT)) == (RunState.SUCCEEDED, {"selected": 1, "sent": 1, "created": 1})
    assert list_subjects(world) == ["Call"]


@pytest.mark.every_dialect
def test_all_conditions_must_hold(world: World) -> None:
    call, _ = create_phone_and_video(world)
    ActivityFactory.create(person=call.person, subject="Old call", date="2020-01-01")
    set_filter(
        world,
        OUT,
        ("channel__v", IN, ["phone__v"]),
        ("date__v", Operator.FROM, ["2026-01-01"]),
        ("study__v", Operator.EMPTY, []),
    )
    world.transfer()
    assert list_subjects(world) == ["Call"]


@pytest.mark.every_dialect
def test_sites_of_chosen_countries_alone_are_transferred_and_activities_name_no_other(world: World) -> None:
    study = StudyFactory.create()
    german, french = (
        StudySiteFactory.create(study_country=StudyCountryFactory.create(study=study, country=code, name=code))
        for code in ("DE", "FR")
    )
    person = PersonFactory.create()
    world.add_accounts([person])
    for site in (german, french):
        ActivityFactory.create(person=person, site=site, subject=site.study_country.country)
    set_filter(world, SITES, ("study_country__v.country__v", IN, ["DE"]))

    run = world.transfer()

    assert (run.state, world.list_exceptions()) == (RunState.SUCCEEDED, [])
    (crm_site,) = world.list_sites()
    assert crm_site["Vault_External_ID_vod__c"] == str(german.uid)
    shown = {row["Subject_vod__c"]: row["Clinical_Site_vod__c"] for row in world.list_interactions()}
    assert shown == {"DE": crm_site["Id"], "FR": None}


@pytest.mark.every_dialect
def test_a_country_that_changes_brings_its_sites_and_the_activities_of_these_follow(world: World) -> None:
    site = StudySiteFactory.create(study_country=StudyCountryFactory.create(country="FR"))
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create(person=person, site=site)
    set_filter(world, SITES, ("study_country__v.country__v", IN, ["DE"]))
    transfer_later(world, hours=1)
    assert world.list_sites() == []

    with time_machine.travel(get_now().timestamp() + 2 * 3600 - 60):
        site.study_country.country = "DE"
        save(site.study_country)
    transfer_later(world, hours=2)

    (crm_site,) = world.list_sites()
    assert [row["Clinical_Site_vod__c"] for row in world.list_interactions()] == [crm_site["Id"]]


@pytest.mark.every_dialect
def test_a_wider_filter_transfers_what_was_not_modified_since_the_last_run(world: World) -> None:
    create_phone_and_video(world)
    set_filter(world, OUT, ("channel__v", IN, ["phone__v"]))
    transfer_later(world, hours=1)

    set_filter(world, OUT, ("channel__v", IN, ["phone__v", "video__v"]))
    run = transfer_later(world, hours=2)

    assert world.count(run, OUT) == {"selected": 2, "sent": 1, "created": 1, "unchanged": 1}
    assert list_subjects(world) == ["Call", "Meeting"]


@pytest.mark.django_db(
    transaction=True
)  # what a test writes itself counts as changed on PostgreSQL until it is committed
def test_a_record_that_enters_a_period_without_being_changed_is_transferred_that_day(
    world: World, today: dt.date
) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    for days, subject in ((0, "Today"), (1, "Tomorrow"), (9, "Later")):
        ActivityFactory.create(person=person, date=today + dt.timedelta(days=days), subject=subject)
    set_filter(world, OUT, ("date__v", Operator.WITHIN, ["today"]))
    world.transfer()
    assert list_subjects(world) == ["Today"]
    # The days of a rule are those of UTC. Within the day nothing is looked at again.
    assert world.count(world.transfer(), OUT).get("unchanged", 0) == 0

    transfer_later(world, hours=24)

    assert list_subjects(world) == ["Today", "Tomorrow"]


def test_of_a_group_of_conditions_one_must_hold(world: World) -> None:
    create_phone_and_video(world)
    rule = IntegrationRule.objects.get(integration__connection=world.connection, integration__kind=OUT)
    rule.conditions = [
        {
            "any": [
                {"field": "channel__v", "operator": "is", "values": ["phone__v"]},
                {"field": "person__v.last_name__sys", "operator": "is", "values": ["Nobody"]},
            ]
        }
    ]
    save(rule)
    world.transfer()
    assert list_subjects(world) == ["Call"]


@pytest.mark.every_dialect
def test_parents_let_through_by_a_wider_filter_are_named_by_children_that_were_sent_without_them(world: World) -> None:
    first, second = StudyFactory.create(sponsor="Acme"), StudyFactory.create(sponsor="Other")
    person = PersonFactory.create()
    world.add_accounts([person])
    for study in (first, second):
        ActivityFactory.create(person=person, study=study, subject=study.sponsor)
    set_filter(world, STUDIES, ("sponsor__v", Operator.IS, ["Acme"]))
    transfer_later(world, hours=1)
    assert {row["Subject_vod__c"]: bool(row["Clinical_Study_vod__c"]) for row in world.list_interactions()} == {
        "Acme": True,
        "Other": False,
    }

    set_filter(world, STUDIES, ("sponsor__v", IN, ["Acme", "Other"]))
    transfer_later(world, hours=2)

    assert len(world.list_studies()) == 2
    assert all(row["Clinical_Study_vod__c"] for row in world.list_interactions())


@pytest.mark.every_dialect
def test_a_record_that_stops_matching_stays_as_it_was_sent_until_it_is_deleted(world: World) -> None:
    call, _ = create_phone_and_video(world)
    set_filter(world, OUT, ("channel__v", IN, ["phone__v"]))
    world.transfer()

    call.channel, call.subject = Channel.EMAIL, "Letter"
    save(call)
    assert world.count(world.transfer(), OUT) == {}
    assert list_subjects(world) == ["Call"]

    delete_record(record=call, actor=build_admin_actor())
    assert world.count(world.transfer(), OUT) == {"selected": 1, "sent": 1, "deleted": 1}
    assert list_subjects(world) == ["Call Deleted"]


@pytest.mark.every_dialect
def test_a_parent_that_stops_matching_stays_and_stays_referred_to(world: World) -> None:
    study = StudyFactory.create(sponsor="Acme")
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person, study=study)
    set_filter(world, STUDIES, ("sponsor__v", IN, ["Acme", "Best"]))
    world.transfer()
    (crm_study,) = world.list_studies()

    study.sponsor, activity.subject = "Other", "Changed"
    save(study)
    save(activity)
    world.transfer()

    (interaction,) = world.list_interactions()
    assert (interaction["Subject_vod__c"], interaction["Clinical_Study_vod__c"]) == ("Changed", crm_study["Id"])


@pytest.mark.every_dialect
def test_a_record_that_matches_again_is_brought_up_to_date(world: World) -> None:
    call, _ = create_phone_and_video(world)
    set_filter(world, OUT, ("channel__v", IN, ["phone__v"]))
    world.transfer()
    call.channel, call.subject = Channel.EMAIL, "Letter"
    save(call)
    world.transfer()

    call.channel = Channel.PHONE
    save(call)
    assert world.count(world.transfer(), OUT) == {"selected": 1, "sent": 1, "updated": 1}
    assert list_subjects(world) == ["Letter"]


@pytest.mark.every_dialect
def test_a_failed_record_that_is_filtered_out_is_no_exception_any_more(world: World) -> None:
    ActivityFactory.create(person=PersonFactory.create(), channel=Channel.VIDEO)  # no account in the CRM
    world.transfer()
    assert len(world.list_exceptions()) == 1

    set_filter(world, OUT, ("channel__v", IN, ["phone__v"]))

    assert world.transfer().state == RunState.SUCCEEDED
    assert world.list_exceptions() == []


@pytest.mark.every_dialect
def test_a_filter_by_a_field_that_is_gone_fails_its_integration_and_sends_nothing(world: World) -> None:
    save(CustomField(of_object="site__v", api_name="region__c", label="Region", kind="text"))
    site = StudySiteFactory.create()
    site.custom_fields = {"region__c": "EMEA"}
    save(site)
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create(person=person, site=site)
    ActivityFactory.create(person=person)
    set_filter(world, SITES, ("region__c", IN, ["EMEA", "LATAM"]))
    field = CustomField.objects.get(api_name="region__c")
    field.status = RecordStatus.INACTIVE
    save(field)

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert (run.state, item.error_type) == (RunState.WITH_EXCEPTIONS, "configuration__v")
    assert item.error_message == (
        "The filter of Clinical Site Outbound Integration cannot be applied, so nothing was transferred. The filter "
        "asks about region__c, which Study Site does not have (any more). Remove the condition, or make the field "
        "Active again. The filter is under Connections > Integration Rules."
    )
    assert world.list_sites() == []
    assert world.count(run, OUT) == {"selected": 2, "sent": 1, "created": 1, "blocked": 1}  # one waits for its site

    field.status = RecordStatus.ACTIVE
    save(field)
    assert world.transfer().state == RunState.SUCCEEDED
    assert (len(world.list_sites()), len(world.list_interactions())) == (1, 2)


@pytest.mark.every_dialect
def test_the_preview_honours_the_filter(world: World) -> None:
    create_phone_and_video(world)
    set_filter(world, OUT, ("channel__v", NOT_IN, ["phone__v"]))
    (preview,) = [each for each in preview_transfer(world.connection) if each.integration.kind == OUT]
    assert (preview.counts.sent, preview.error) == (1, None)


@pytest.mark.every_dialect
def test_calls_come_in_whatever_the_other_filters_say(world: World) -> None:
    person = PersonFactory.create()
    world.add_calls(world.add_accounts([person]))
    set_filter(world, OUT, ("channel__v", IN, ["email__v"]))
    world.transfer()
    assert Activity.objects.count() == 1


@pytest.mark.every_dialect
@pytest.mark.django_db(transaction=True)
def test_a_run_without_changes_takes_as_many_statements_for_many_records_as_for_few(world: World) -> None:
    people = create_people(10)
    world.add_accounts(people)
    site = StudySiteFactory.create()
    set_filter(world, SITES, ("study_country__v.country__v", NOT_IN, ["FR"]))
    set_filter(world, OUT, ("site__v", NOT_IN, [str(site.uid)]), ("subject__v", Operator.NOT_EMPTY, []))
    measured = []
    for count in (50, 400):
        create_activities(count, people=people)
        world.transfer()
        run, statements = transfer_counted(world)
        measured.append(statements)
        assert world.count(run, OUT) == {}
    assert measured[0] == measured[1]
    assert StudySite.objects.count() == len(world.list_sites()) == 1
