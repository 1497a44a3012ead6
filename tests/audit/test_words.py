"""An entry says what was true when it was written, whatever is renamed or deleted later."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from activities.choices import Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.audit.services import create_records, delete_record, save_record, update_records
from ctms.audit.users import save_user
from ctms.audit.words import tell_changes
from ctms.clinical.choices import SiteState
from ctms.clinical.models import StudySite
from ctms.configuration.models import CustomField, ObjectType
from ctms.configuration.services.custom_fields import create_custom_field
from ctms.core.choices import RecordStatus
from ctms.core.models import AuditedModel
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    PersonFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def get_last(record: AuditedModel | User) -> AuditEntry:
    return AuditEntry.objects.filter(record_uid=record.uid).latest("id")


def tell(record: AuditedModel | User) -> list[tuple[str, str, str]]:
    """Return label, before and after of each change of the record's last entry."""
    entry = get_last(record)
    return sorted(
        (each.label, each.before, each.after) for each in tell_changes(changes=entry.changes, words=entry.words)
    )


def change(record: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


def test_a_reference_is_kept_by_uid_and_name_of_then() -> None:
    before, after = PersonFactory.create(first_name="Ada", last_name="Ash"), PersonFactory.create(last_name="Beck")
    activity = ActivityFactory.create(person=before)
    change(activity, person=after)
    change(before, last_name="Renamed")
    delete_record(record=before, actor=build_admin_actor())
    words = get_last(activity).words["person"]
    assert (words["before"], words["before_uid"]) == ("Ada Ash", str(before.uid))
    assert (words["after"], words["after_uid"]) == (after.name, str(after.uid))
    assert tell(activity) == [("Person", "Ada Ash", after.name)]


def test_choices_are_kept_by_value_and_label() -> None:
    site = StudySiteFactory.create(send_to_crm=True)
    change(site, lifecycle_state=SiteState.ACTIVE, send_to_crm=False, status=RecordStatus.INACTIVE)
    assert get_last(site).changes["lifecycle_state"] == [SiteState.CANDIDATE, SiteState.ACTIVE]
    assert tell(site) == [
        ("Lifecycle state", "Candidate", "Active"),
        ("Send to Medical CRM", "Yes", "No"),
        ("Status", "Active", "Inactive"),
    ]


def test_labels_of_the_object_win_over_those_of_the_model() -> None:
    study = StudyFactory.create(name="VX-1")
    change(study, name="VX-2")
    assert tell(study) == [("Study number", "VX-1", "VX-2")]


def test_custom_fields_keep_their_labels_and_names_after_a_rename() -> None:
    for label, kind in (
        ("Colour", "text"),
        ("Seen", "date"),
        ("Mate", "reference"),
    ):
        create_custom_field(field=CustomField(of_object="site__v", label=label, kind=kind), actor=build_admin_actor())
    mate = PersonFactory.create()
    name = mate.name
    site = StudySiteFactory.create(custom_fields={"colour__c": "red", "kept__c": "x"})
    change(
        site,
        custom_fields={"colour__c": "blue", "seen__c": "2026-03-02", "mate__c": str(mate.uid), "kept__c": "x"},
    )
    change(CustomField.objects.get(api_name="colour__c"), label="Hue")
    change(mate, last_name="Renamed")
    assert tell(site) == [("Colour", "red", "blue"), ("Mate", "", name), ("Seen", "", "2 Mar 2026")]
    assert get_last(site).words["mate__c"]["after_uid"] == str(mate.uid)
    change(CustomField.objects.get(api_name="colour__c"), status=RecordStatus.INACTIVE)
    delete_record(record=site, actor=build_admin_actor())
    assert ("Hue", "blue", "") in tell(site)


def test_object_types_are_called_as_admins_call_them() -> None:
    row = ObjectType.objects.get(of_object="person__sys", api_name="person__v")
    change(row, label="Somebody")
    assert ("Object type", "", "Somebody") in tell(PersonFactory.create())


def test_dates_are_told_in_the_readers_time_zone() -> None:
    activity = ActivityFactory.create(date=dt.date(2026, 3, 2), channel=Channel.PHONE)
    change(activity, date=dt.date(2026, 4, 1), channel=Channel.VIDEO)
    assert tell(activity) == [("Channel", "Phone", "Video"), ("Date", "2 Mar 2026", "1 Apr 2026")]


def test_rows_of_the_set_up_name_what_they_refer_to() -> None:
    first, second = SecurityProfileFactory.create(name="Monitor"), SecurityProfileFactory.create(name="Auditor")
    user = UserFactory.create(security_profile=first)
    user.security_profile = second
    save_user(user=user, actor=build_admin_actor(), fields=["security_profile"])
    assert tell(user) == [("Security profile", "Monitor", "Auditor")]


@pytest.mark.parametrize("count", [1, 40])
def test_the_names_of_many_references_take_one_statement_for_each_model(count: int) -> None:
    people, site = InvestigatorFactory.create_batch(2), StudySiteFactory.create()
    made = create_records(
        records=[
            Activity(person_id=people[0].pk, site_id=site.pk, study_id=site.study_id, date=dt.date(2026, 3, 2))
            for _ in range(count)
        ],
        actor=build_admin_actor(),
    )
    found = list(Activity.objects.filter(pk__in=[each.pk for each in made]))
    for each in found:
        each.person_id = people[1].pk
    actor = build_admin_actor()
    with CaptureQueriesContext(database) as captured:
        update_records(records=found, actor=actor)
    selects = [each["sql"] for each in captured.captured_queries if each["sql"].lstrip("(").startswith("SELECT")]
    assert len(selects) == 4  # the stored records, the studies, the persons, and whether a reason is needed
    assert tell(made[0]) == [("Person", people[0].name, people[1].name)]


def test_a_loaded_reference_is_not_read_again() -> None:
    person = InvestigatorFactory.create()
    site = StudySite.objects.select_related("study").get(pk=StudySiteFactory.create().pk)
    site.principal_investigator = person
    actor = build_admin_actor()
    with CaptureQueriesContext(database) as captured:
        save_record(record=site, actor=actor, validate=False)
    people = [each for each in captured.captured_queries if 'FROM "clinical_person"' in each["sql"]]
    assert len(people) == 1  # the investigator of before


def test_whoever_follows_a_renamed_record_is_not_told_the_name_of_another() -> None:
    first, second = PersonFactory.create(last_name="Ash"), PersonFactory.create(last_name="Birch")
    StudyPersonFactory.create(person=first)
    follower = StudyPersonFactory.create(person=second)
    first.last_name, second.last_name = "Ash-Elm", "Birch-Elm"
    update_records(records=[first, second], actor=build_admin_actor())
    entry = AuditEntry.objects.filter(record_uid=follower.uid).latest("id")
    assert entry.reason == "Follows the name of its person"
