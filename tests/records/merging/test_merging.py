"""Two persons become one: everything moves, doubles become one, and the address of the one that goes leads on."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from activities.models import Activity, DeclinedActivity
from ctms.accounts.models import User
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.reasons import ReasonRequiredError
from ctms.audit.services import save_record
from ctms.clinical.erasure import erase_person
from ctms.clinical.models import MonitoringEventParticipant, Person, StudyPerson, StudySite
from ctms.configuration.models import CustomField, ReasonRule
from ctms.configuration.services.custom_fields import create_custom_field
from ctms.core.choices import RecordStatus
from ctms.core.errors import StaleRecordError
from ctms.records.access import open_object
from ctms.records.merging.services import MergeRefusedError, merge_records, plan_merge
from ctms.records.models import Favourite, MergedRecord
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.record_rows import TrainingFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PERSON = "person__sys"


@pytest.fixture
def pair() -> tuple[Person, Person]:
    winner = PersonFactory.create(first_name="Ann", last_name="Lee", phone="", npi="1")
    return winner, PersonFactory.create(first_name="Anne", last_name="Leigh", phone="123", external_id="P-2")


def merge(pair: tuple[Person, Person], *taken: str, user: User | None = None, **options: Any) -> dict[str, int]:
    winner, loser = pair
    access = open_object(user=user or get_admin_user(), object_name=PERSON)
    versions = options.pop("versions", (winner.version, loser.version))
    moved = merge_records(
        access=access,
        winner=Person.objects.get(pk=winner.pk),
        loser=Person.objects.get(pk=loser.pk),
        actor=options.pop("actor", build_admin_actor()),
        taken=taken,
        expected_versions=versions,
        **options,
    )
    winner.refresh_from_db()
    return dict(moved)


def test_everything_that_refers_to_the_one_refers_to_the_other(pair: tuple[Person, Person]) -> None:
    winner, loser = pair
    create_custom_field(
        field=CustomField(of_object="study__v", label="Doctor", api_name="doctor__c", kind="reference"),
        actor=build_admin_actor(),
    )
    activity = ActivityFactory.create(person=loser)
    medical = MedicalActivityFactory.create(person=loser)
    role = StudyPersonFactory.create(person=loser)
    participant = MonitoringEventParticipantFactory.create(person=loser)
    training = TrainingFactory.create(trainee=loser)
    site = StudySiteFactory.create(principal_investigator=loser)
    study = role.study
    study.custom_fields = {"doctor__c": str(loser.uid)}
    save_record(record=study, actor=build_admin_actor())
    Favourite.objects.create(user=get_admin_user(), of_object=PERSON, record_uid=loser.uid)

    moved = merge(pair)

    for record in (activity, medical, role, participant):
        record.refresh_from_db()
        assert record.person == winner
    training.refresh_from_db()
    study.refresh_from_db()
    assert (training.trainee, study.custom_fields) == (winner, {"doctor__c": str(winner.uid)})
    assert StudySite.objects.get(pk=site.pk).principal_investigator == winner
    assert participant.name == "Ann Lee"
    assert moved["activities"] == 2
    assert Favourite.objects.get().record_uid == winner.uid
    assert not Person.objects.filter(pk=loser.pk).exists()


def test_the_audit_trail_says_it_in_words(pair: tuple[Person, Person]) -> None:
    winner, loser = pair
    activity = ActivityFactory.create(person=loser)
    merge(pair, reason="the same doctor")
    told = f"Anne Leigh ({loser.uid}) was merged into Ann Lee ({winner.uid}): the same doctor"
    entries = AuditEntry.objects.filter(reason=told)
    assert {(each.record_uid, each.action) for each in entries} == {
        (activity.uid, AuditAction.CHANGED),
        (loser.uid, AuditAction.DELETED),
        (winner.uid, AuditAction.EVENT),
    }


def test_the_values_that_were_chosen_are_kept_and_what_is_unique_moves(pair: tuple[Person, Person]) -> None:
    merge(pair, "phone__v", "external_id__v")
    winner = pair[0]
    assert (winner.first_name, winner.phone, winner.external_id, winner.npi) == ("Ann", "123", "P-2", "1")


def test_the_preview_shows_what_differs_and_what_moves(pair: tuple[Person, Person]) -> None:
    winner, loser = pair
    ActivityFactory.create_batch(2, person=loser)
    plan = plan_merge(access=open_object(user=get_admin_user(), object_name=PERSON), winner=winner, loser=loser)
    shown = {each.field.api_name: (each.kept, each.other, each.prefers_other) for each in plan.choices}
    assert shown["phone__v"] == ("", "123", True)
    assert shown["npi__v"] == ("1", loser.npi, False)
    assert "language__sys" not in shown or shown["language__sys"][0] != shown["language__sys"][1]
    assert (plan.moving, plan.refusal) == ({"Activities": 2}, "")


def test_roles_that_are_there_twice_become_one_and_take_what_refers_to_them(pair: tuple[Person, Person]) -> None:
    winner, loser = pair
    site = StudySiteFactory.create()
    where = {"study": site.study, "study_country": site.study_country, "site": site, "team_role": "pharmacist__v"}
    kept = StudyPersonFactory.create(person=winner, **where)
    double = StudyPersonFactory.create(person=loser, **where)
    other = StudyPersonFactory.create(person=loser, **{**where, "team_role": "other__v"})
    activity = ActivityFactory.create(person=loser, study_person=double)
    merge(pair)
    activity.refresh_from_db()
    assert (activity.person, activity.study_person) == (winner, kept)
    assert set(StudyPerson.objects.filter(person=winner)) == {kept, other}
    assert {each.record_uid for each in MergedRecord.objects.filter(into_uid=kept.uid)} == {double.uid}


def test_roles_that_the_one_that_stays_has_twice_itself_both_stay(pair: tuple[Person, Person]) -> None:
    winner, loser = pair
    site = StudySiteFactory.create()
    where = {"study": site.study, "study_country": site.study_country, "site": site, "team_role": "pharmacist__v"}
    own = [
        StudyPersonFactory.create(person=winner, **where, start_date=day, end_date=day)
        for day in (dt.date(2026, 1, 1), dt.date(2026, 2, 1))
    ]
    double = StudyPersonFactory.create(person=loser, **where, start_date=dt.date(2026, 3, 1))
    activity = ActivityFactory.create(person=loser, study_person=double)
    merge(pair)
    activity.refresh_from_db()
    assert StudyPerson.objects.filter(person=loser).count() == 0
    assert activity.study_person is not None
    assert activity.study_person.person == winner
    assert set(StudyPerson.objects.filter(person=winner)) == set(own)


def test_who_took_part_twice_took_part_once_and_the_page_names_what_goes(
    client: Client, pair: tuple[Person, Person]
) -> None:
    winner, loser = pair
    event = MonitoringEventFactory.create()
    for person in pair:
        MonitoringEventParticipantFactory.create(monitoring_event=event, person=person)
    activities = [
        ActivityFactory.create(person=person, monitoring_event=event, is_generated=True) for person in (winner, loser)
    ]
    client.force_login(get_admin_user())
    address = reverse("record_merge", args=(PERSON, winner.uid))
    page = client.get(address, {"with": str(loser.uid)}).content.decode()
    assert [reverse("record", args=(each.object_name, each.uid)) in page for each in activities] == [False, True]
    elsewhere = ActivityFactory.create(
        person=loser, monitoring_event=MonitoringEventFactory.create(), is_generated=True
    )
    merge(pair)
    assert MonitoringEventParticipant.objects.filter(monitoring_event=event).count() == 1
    assert set(Activity.objects.filter(person=winner)) == {activities[0], elsewhere}
    assert not DeclinedActivity.objects.exists()


@pytest.fixture
def chief() -> CustomField:
    field = CustomField(of_object=PERSON, label="Chief", api_name="chief__c", kind="reference", reference_object=PERSON)
    create_custom_field(field=field, actor=build_admin_actor())
    return field


@pytest.mark.parametrize(("referring", "taken"), [(0, "phone__v"), (1, "chief__c")])
def test_who_referred_to_the_other_does_not_refer_to_itself_afterwards(
    pair: tuple[Person, Person], chief: CustomField, referring: int, taken: str
) -> None:
    pair[referring].custom_fields = {chief.api_name: str(pair[1 - referring].uid)}
    save_record(record=pair[referring], actor=build_admin_actor())
    merge(pair, taken)
    assert not pair[0].custom_fields.get(chief.api_name)
    assert pair[0].phone == ("123" if taken == "phone__v" else "")


def test_what_refers_in_an_inactive_field_refers_to_the_one_that_stays(
    pair: tuple[Person, Person], chief: CustomField
) -> None:
    third = PersonFactory.create(custom_fields={chief.api_name: str(pair[1].uid)})
    chief.status = RecordStatus.INACTIVE
    save_record(record=chief, actor=build_admin_actor())
    merge(pair)
    third.refresh_from_db()
    assert third.custom_fields == {chief.api_name: str(pair[0].uid)}


def test_what_was_declined_of_the_one_is_declined_of_the_other(pair: tuple[Person, Person]) -> None:
    winner, loser = pair
    first, second = MonitoringEventFactory.create_batch(2)
    DeclinedActivity.objects.create(monitoring_event=first, person=loser)
    for person in pair:
        DeclinedActivity.objects.create(monitoring_event=second, person=person)
    merge(pair)
    rows = DeclinedActivity.objects.values_list("monitoring_event", "person")
    assert set(rows) == {(first.pk, winner.pk), (second.pk, winner.pk)}


@pytest.mark.parametrize("who", [0, 1])
def test_nothing_is_merged_that_changed_since_it_was_shown(pair: tuple[Person, Person], who: int) -> None:
    versions = (pair[0].version, pair[1].version)
    pair[who].language = "fr"
    save_record(record=pair[who], actor=build_admin_actor())
    with pytest.raises(StaleRecordError, match="was changed after you opened this page"):
        merge(pair, versions=versions)
    assert Person.objects.count() == 2


def test_the_redirect_of_a_redirect_leads_to_the_end(pair: tuple[Person, Person]) -> None:
    winner, loser = pair
    third = PersonFactory.create()
    merge((loser, third))
    merge((winner, Person.objects.get(pk=loser.pk)))
    assert set(MergedRecord.objects.values_list("into_uid", flat=True)) == {winner.uid}


# -- Who may --------------------------------------------------------------------------------------
def test_it_takes_the_permission_to_change_and_to_delete(pair: tuple[Person, Person]) -> None:
    profile = SecurityProfileFactory.create(permissions=[f"{PERSON}:read", f"{PERSON}:edit"], sees_all_studies=True)
    user = UserFactory.create(security_profile=profile)
    with pytest.raises(MergeRefusedError, match="does not allow you to delete"):
        merge(pair, user=user)


def test_what_the_user_does_not_see_is_not_moved(pair: tuple[Person, Person]) -> None:
    rights = [f"{PERSON}:{action}" for action in ("read", "edit", "delete")]
    profile = SecurityProfileFactory.create(permissions=[*rights, "study_person__clin:read"])
    user = UserFactory.create(security_profile=profile)
    seen = StudyPersonFactory.create(person=pair[1])
    StudyAssignmentFactory.create(user=user, study=seen.study)
    StudyPersonFactory.create(person=pair[0], study=seen.study, study_country=seen.study_country, site=seen.site)
    ActivityFactory.create(person=pair[1])
    with pytest.raises(MergeRefusedError, match=r"^Records that you do not see refer to"):
        merge(pair, user=user)
    assert Person.objects.filter(pk=pair[1].pk).exists()


# -- Pages and API --------------------------------------------------------------------------------
def test_the_reason_that_records_which_move_need_is_asked_for(client: Client, pair: tuple[Person, Person]) -> None:
    save_record(record=ReasonRule(of_object="study_person__clin", field_name="person__clin"), actor=build_admin_actor())
    assert merge((pair[1], pair[0])) == {}, "nothing of it moves"
    other = PersonFactory.create()
    role = StudyPersonFactory.create(person=other)
    pair[1].refresh_from_db()
    client.force_login(get_admin_user())
    address = f"/records/{PERSON}/{pair[1].uid}/merge/?with={other.uid}"
    page = client.get(address)
    assert page.context["needs_reason"] is True
    with pytest.raises(ReasonRequiredError, match="say why Person is changed"):
        merge((pair[1], other))
    merge((pair[1], other), reason="The same")
    role.refresh_from_db()
    assert role.person == pair[1]


def test_a_person_is_merged_on_two_pages(client: Client, pair: tuple[Person, Person]) -> None:
    client.force_login(get_admin_user())
    winner, loser = pair
    ActivityFactory.create(person=loser)
    address = reverse("record_merge", args=(PERSON, winner.uid))
    assert address in client.get(reverse("record", args=(PERSON, winner.uid))).content.decode()
    found = client.get(address, {"q": "leigh"}).content.decode()
    assert f"?with={loser.uid}" in found
    page = client.get(address, {"with": str(loser.uid)}).content.decode()
    assert "Activities: 1" in page
    data = {"with": loser.uid, "version": winner.version, "other_version": loser.version, "take-phone__v": "other"}
    answer = client.post(address, data, follow=True)
    assert "Anne Leigh was merged into Ann Lee; 1 record refers to it now." in answer.content.decode()
    assert Person.objects.get().phone == "123"
    old = client.get(reverse("record", args=(PERSON, loser.uid)))
    assert (old.status_code, old["Location"]) == (302, reverse("record", args=(PERSON, winner.uid)))


def test_the_api_says_where_a_merged_record_went(client: Client, pair: tuple[Person, Person]) -> None:
    client.force_login(get_admin_user())
    merge(pair)
    answer = client.get(reverse("api_record", args=(PERSON, pair[1].uid)))
    assert answer.status_code == 410
    assert answer.json()["existing"].endswith(f"/{pair[0].uid}/")
    assert str(pair[0].uid) in answer.json()["detail"]


def test_who_does_not_see_the_winner_learns_nothing(client: Client, pair: tuple[Person, Person]) -> None:
    merge(pair)
    user = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=[f"{PERSON}:read"]))
    client.force_login(user)
    assert client.get(reverse("record", args=(PERSON, pair[1].uid))).status_code == 404


# -- Erasure --------------------------------------------------------------------------------------
def test_erasing_a_person_forgets_those_who_were_merged_into_it(pair: tuple[Person, Person]) -> None:
    winner, loser = pair
    event = MonitoringEventFactory.create()
    for person in pair:
        MonitoringEventParticipantFactory.create(monitoring_event=event, person=person)
    merge(pair)
    erasure = erase_person(person=winner, actor=build_admin_actor(), reason="asked by letter")
    # That of the participant, whose name is the person's, too.
    assert list(MergedRecord.objects.values_list("values", flat=True)) == [{}, {}]
    named = AuditEntry.objects.filter(pk__in=erasure.entry_ids).values_list("record_uid", flat=True)
    assert loser.uid in set(named)
