"""References: which records may be chosen, and which other references a choice fills."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from ctms.accounts.models import User
from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess, open_object
from ctms.records.fields.references import (
    HIDDEN,
    describe_choice,
    describe_filled,
    get_target,
    is_filled_by_another,
    list_choices,
    list_filled,
    list_scopes,
    list_visible,
    select_scopes,
)
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import (
    MonitoringEventFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.record_rows import OBJECTS, create_record

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def activities() -> ObjectAccess:
    return open_object(user=get_admin_user(), object_name="crm_activity__v")


def narrow(access: ObjectAccess, field: str, **chosen: Any) -> list[Any]:
    uids = {name: record.uid for name, record in chosen.items()}
    choices = list_choices(access=access, field=access.shape.fields[field], chosen=uids)
    assert choices is not None
    return sorted(choices, key=lambda each: each.pk)


def test_no_object_offers_a_record_that_contradicts_what_is_chosen() -> None:
    """Of whatever object: with a study chosen, no site or country of another one is offered; with a person, no role."""
    for study in StudyFactory.create_batch(2):
        for name in OBJECTS:
            create_record(name, study)
    limited = set()
    for name in OBJECTS:
        access = open_object(user=get_admin_user(), object_name=name)
        references = [field for field in access.shape.fields.values() if get_target(field) and not field.is_read_only]
        for field, parent in permutations(references, 2):
            if access.vault_object.follows.get(parent.api_name) == field.api_name:
                continue  # whoever is chosen changes it
            chosen = narrow(access, parent.api_name)[0]
            others = [
                each
                for each in narrow(access, field.api_name)
                if getattr(each, parent.attribute, None) not in (None, chosen)
                and isinstance(getattr(each, parent.attribute), type(chosen))
            ]
            if others:
                offered = narrow(access, field.api_name, **{parent.api_name: chosen})
                assert set(others).isdisjoint(offered), f"{name}.{field.api_name} with {parent.api_name} chosen"
                limited.add((name, field.api_name, parent.api_name))

    assert ("crm_activity__v", "study_person__v", "person__v") in limited
    assert ("study_person__clin", "site__clin", "study_country__clin") in limited


def test_what_another_reference_fills(activities: ObjectAccess) -> None:
    filled = [
        name
        for name, field in activities.shape.fields.items()
        if is_filled_by_another(shape=activities.shape, field=field)
    ]

    assert filled == ["person__v", "study__v", "study_country__v", "site__v"]


def test_choices_are_active_and_fit_what_is_chosen(activities: ObjectAccess) -> None:
    site = StudySiteFactory.create()
    neighbour = StudySiteFactory.create(study_country=site.study_country)
    StudySiteFactory.create(study_country=site.study_country, status=RecordStatus.INACTIVE)
    elsewhere = StudySiteFactory.create(study_country=StudyCountryFactory.create(study=site.study, country="FR"))
    foreign = StudySiteFactory.create()

    assert narrow(activities, "site__v") == [site, neighbour, elsewhere, foreign]
    assert narrow(activities, "site__v", study__v=site.study) == [site, neighbour, elsewhere]
    assert narrow(activities, "site__v", study__v=site.study, study_country__v=site.study_country) == [site, neighbour]
    assert narrow(activities, "study_country__v", study__v=foreign.study) == [foreign.study_country]
    assert narrow(activities, "study__v", site__v=site) == [site.study, foreign.study]  # the wider is not narrowed


def test_who_has_a_role_in_the_whole_study_fits_each_of_its_sites(activities: ObjectAccess) -> None:
    site = StudySiteFactory.create()
    here = StudyPersonFactory.create(site=site)
    everywhere = StudyPersonFactory.create(site=None, study=site.study)
    there = StudyPersonFactory.create(site=StudySiteFactory.create(study_country=site.study_country))

    assert narrow(activities, "study_person__v", site__v=site) == [here, everywhere]
    assert narrow(activities, "study_person__v", study__v=site.study) == [here, everywhere, there]
    assert narrow(activities, "study_person__v", person__v=there.person) == [there]


def test_choosing_a_site_says_its_country_and_study(activities: ObjectAccess) -> None:
    site = StudySiteFactory.create()

    filled = list_filled(shape=activities.shape, field=activities.shape.fields["site__v"], record=site)

    assert filled == {"study__v": site.study, "study_country__v": site.study_country}
    assert describe_filled(access=activities, filled=filled) == {
        "study__v": {"uid": str(site.study.uid), "label": f"{site.study.name} · {site.study.study_name}"},
        "study_country__v": {"uid": str(site.study_country.uid), "label": "Germany"},
    }


def test_what_is_filled_is_loaded_with_the_records(
    activities: ObjectAccess, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    events = MonitoringEventFactory.create_batch(3)
    field = activities.shape.fields["monitoring_event__v"]
    visible = list_visible(access=activities, field=field)
    assert visible is not None

    with django_assert_num_queries(1):
        records = list(select_scopes(records=visible, shape=activities.shape, field=field))
        filled = [list_filled(shape=activities.shape, field=field, record=each) for each in records]

    assert sorted(each["site__v"].pk for each in filled) == sorted(each.site.pk for each in events)


def test_references_without_narrowing_load_nothing_more(activities: ObjectAccess) -> None:
    field = activities.shape.fields["person__v"]
    visible = list_visible(access=activities, field=field)
    assert visible is not None

    assert select_scopes(records=visible, shape=activities.shape, field=field) is visible


def test_only_what_the_user_sees_can_be_chosen() -> None:
    site = StudySiteFactory.create()
    StudySiteFactory.create()
    access = open_object(user=create_member(site.study), object_name="crm_activity__v")

    assert narrow(access, "site__v") == [site]
    for name in ("person__v", "connection__v", "created_by__v"):
        assert list_choices(access=access, field=access.shape.fields[name]) is None
        assert list_visible(access=access, field=access.shape.fields[name]) is None


def create_member(study: Any) -> User:
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read", "site__v:read"])
    user = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=user, study=study)
    return user


def test_a_custom_reference_is_to_any_active_person() -> None:
    mentor = CustomField(
        of_object="study__v", label="Mentor", api_name="mentor__c", kind="reference", reference_object="person__sys"
    )
    create_custom_field(field=mentor, actor=build_admin_actor())
    person = PersonFactory.create()
    PersonFactory.create(status=RecordStatus.INACTIVE)
    access = open_object(user=get_admin_user(), object_name="study__v")
    field = access.shape.fields["mentor__c"]

    assert list_scopes(shape=access.shape, field=field) == []
    assert narrow(access, "mentor__c") == [person]


def test_users_and_texts_have_no_object_to_refer_to(activities: ObjectAccess) -> None:
    fields = activities.shape.fields

    assert [get_target(fields[name]) for name in ("created_by__v", "subject__v")] == [None, None]
    target = get_target(fields["person__v"])
    assert target is not None
    assert target.api_name == "person__sys"


def test_records_are_offered_with_what_tells_them_apart() -> None:
    person = PersonFactory.create(first_name="Hannah", last_name="Berg", email="berg@x.example")
    site = StudySiteFactory.create(name="0142", site_name="Charité")
    nameless = StudySiteFactory.create(name="0143", site_name="")

    assert [describe_choice(each) for each in (person, site, nameless, site.study_country)] == [
        "Hannah Berg (berg@x.example)",
        "0142 · Charité",
        "0143",
        "Germany",
    ]
    assert describe_choice(StudyFactory.create(name="ONC-1", study_name="Lung")) == "ONC-1 · Lung"


def test_a_person_whom_only_a_custom_field_names_is_not_named_to_those_who_do_not_see_the_person(
    client: Client,
) -> None:
    field = CustomField(
        of_object="site__v", label="Mentor", api_name="mentor__c", kind="reference", reference_object="person__sys"
    )
    create_custom_field(field=field, actor=build_admin_actor())
    mentor = PersonFactory.create(last_name="CANARY")
    site = StudySiteFactory.create(custom_fields={"mentor__c": str(mentor.uid)})
    permissions = [f"{each}:{action}" for each in ("site__v", "person__sys") for action in ("read", "edit")]
    member = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=permissions))
    StudyAssignmentFactory.create(user=member, study=site.study)
    client.force_login(member)
    columns = "columns=name__v,mentor__c"
    pages = [
        f"/records/site__v/{site.uid}/fields/mentor__c/",
        f"/records/site__v/?{columns}",
        f"/api/v1/site__v/{site.uid}/",
    ]
    for url in pages:
        shown = client.get(url).content.decode()
        assert ("CANARY" in shown, HIDDEN in shown or "api" in url) == (False, True), url
    export = client.get(f"/records/site__v/export.csv?{columns}")
    assert b"CANARY" not in b"".join(export.streaming_content)  # type: ignore[attr-defined]
    ActivityFactory.create(site=site, person=mentor)
    assert [url for url in pages if "CANARY" not in client.get(url).content.decode()] == []
