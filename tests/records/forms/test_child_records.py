"""Child records on forms: participants of a visit, contacts of a communication, also for several sites at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags
from pytest_django import DjangoAssertNumQueries

from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.clinical.choices import CommunicationType, MonitoringEventType
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    Person,
    StudyCommunicationContact,
    StudyCommunicationLog,
    StudySite,
)
from ctms.configuration.models import LayoutSection
from ctms.configuration.registry import get_object, list_record_objects
from ctms.core.choices import RecordStatus
from tests.activities.generation import configure_automation
from tests.admin_forms import fill, list_messages, read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCommunicationLogFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.records.undo.steps import name_url

pytestmark = pytest.mark.django_db

EVENT, LOG = MonitoringEvent.object_name, StudyCommunicationLog.object_name
FORM = "record-form"
REMEDY = (
    "People of the study and the principal investigator of the site can be chosen; add others to the study as a Study "
    "Person first."
)


DOES_NOT_FIT = (
    "does not fit here: it is inactive, or does not belong to what is chosen beside it. Choose one from the list."
)
TYPE_IT = "Choose one from the list, or type its exact name or external ID."


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(get_admin_user())
    return client


@pytest.fixture
def site() -> StudySite:
    """With Ivo, who leads it, and Zoe; Anna is of another site of the study, Mona of the whole of it; Sam of none."""
    site = StudySiteFactory.create(name="0101", principal_investigator=InvestigatorFactory.create(first_name="Ivo"))
    other = StudySiteFactory.create(
        name="0102",
        study_country=site.study_country,
        principal_investigator=InvestigatorFactory.create(first_name="Olga"),
    )
    add_member("Zoe", study=site.study, site=site)
    add_member("Anna", study=site.study, site=other)
    add_member("Mona", study=site.study, site=None)
    PersonFactory.create(first_name="Sam")
    return site


def add_member(first_name: str, **values: Any) -> Person:
    person = PersonFactory.create(first_name=first_name)
    StudyPersonFactory.create(person=person, **values)
    return person


def person(first_name: str) -> Person:
    return Person.objects.get(first_name=first_name)


def uids(*first_names: str) -> list[str]:
    return [str(person(each).uid) for each in first_names]


def create_url(object_name: str, object_type: str) -> str:
    return f"{reverse('record_create', args=(object_name,))}?object_type__v={object_type}"


def edit_url(record: Any) -> str:
    return reverse("record_edit", args=(record.object_name, record.uid))


def change(record: Any, **values: Any) -> None:
    """Change a record as another user."""
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


def submit(client: Client, url: str, typed: dict[str, Any]) -> Any:
    """Open a form, type, tick and untick (`name`: uids), and press Save."""
    values = read_form(client.get(url), form_id=FORM)
    return client.post(url, {**fill(values, typed={}), **typed})


def log_visit(client: Client, site: StudySite, **typed: Any) -> Any:
    url = create_url(EVENT, MonitoringEventType.INTERIM_MONITORING_VISIT)
    return submit(client, url, {"site__v": site.uid, "planned_start_date__v": "2026-03-02", **typed})


def log_email(client: Client, **typed: Any) -> Any:
    return submit(
        client, create_url(LOG, CommunicationType.EMAIL), {"subject__v": "Amendment", "date__v": "2026-03-02", **typed}
    )


def list_participants(event: MonitoringEvent) -> list[str]:
    active = event.participants.filter(status=RecordStatus.ACTIVE)
    return [each.person.first_name for each in active.select_related("person").order_by("pk")]


def list_contacts() -> dict[str, list[str]]:
    """Return for each communication its site and who was contacted."""
    return {
        log.site.name if log.site else "": [each.person.first_name for each in log.contacts.order_by("pk")]
        for log in StudyCommunicationLog.objects.order_by("pk")
    }


def list_errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return {name: list(found) for name, found in answer.context["form"].errors.items()}


# -- A visit with its participants -----------------------------------------------------------------
def test_a_visit_is_saved_with_the_participants_that_were_ticked_and_typed(admin: Client, site: StudySite) -> None:
    configure_automation()
    anna = person("Anna")
    answer = log_visit(
        admin, site, participants=uids("Zoe"), participants__text=f"{person('Ivo').name}; {anna.email} ; "
    )
    assert answer.status_code == 302
    event = MonitoringEvent.objects.get()
    assert (list_participants(event), event.activity_update_required) == (["Zoe", "Ivo", "Anna"], True)
    entries = AuditEntry.objects.filter(object_name=MonitoringEventParticipant.object_name)
    assert [(each.action, each.actor_name) for each in entries] == [(AuditAction.CREATED, str(get_admin_user()))] * 3


def test_who_is_of_another_study_is_refused_by_name_and_nothing_typed_is_lost(admin: Client, site: StudySite) -> None:
    sam = person("Sam")
    answer = log_visit(admin, site, participants=uids("Zoe", "Sam"), participants__text="Nobody")
    assert list_errors(answer) == {
        "participants": [
            f"{sam.display_contact} {DOES_NOT_FIT} {REMEDY}",
            f"There is no active person “Nobody” that fits here. {TYPE_IT} {REMEDY}",
        ]
    }
    kept = read_form(answer, form_id=FORM)
    assert (kept["participants"], kept["participants__text"]) == (uids("Zoe", "Sam"), ["Nobody"])
    assert kept["planned_start_date__v"] == ["2026-03-02"]
    assert not MonitoringEvent.objects.exists()


def test_without_a_study_nobody_fits(admin: Client, site: StudySite) -> None:
    url = create_url(EVENT, MonitoringEventType.INTERIM_MONITORING_VISIT)
    answer = submit(admin, url, {"participants": uids("Zoe")})
    assert set(list_errors(answer)) == {"site__v", "study_country__v", "study__v", "participants"}
    assert 'data-nothing="People are offered once Study, Study country or Site is chosen above"' in (
        answer.content.decode()
    )


def test_people_of_the_site_are_offered_before_those_of_the_study(admin: Client, site: StudySite) -> None:
    def offer(object_name: str = EVENT, entry: str = "participants", **parameters: Any) -> list[str]:
        response = admin.get(reverse("record_lookup", args=(object_name, entry)), parameters)
        return [each["label"].partition(" ")[0] for each in response.json()["results"]]

    assert offer(site__v=site.uid) == ["Ivo", "Zoe", "Anna", "Mona"]
    assert offer(study__v=site.study.uid) == ["Anna", "Mona", "Zoe"]
    sites = [each.uid for each in StudySite.objects.order_by("name")]
    assert offer(LOG, "contacts", site__v=sites) == ["Anna", "Ivo", "Olga", "Zoe", "Mona"]
    assert offer() == []
    event = MonitoringEventFactory.create(site=site)
    assert offer(record=event.uid, q="mon") == ["Mona"]


def test_what_the_user_does_not_see_tells_nothing_of_its_people(client: Client, site: StudySite) -> None:
    event = MonitoringEventFactory.create(site=site)
    part = MonitoringEventParticipant.object_name
    permissions = [
        f"{EVENT}:read",
        f"{part}:read",
        f"{part}:create",
        "person__sys:read",
        "study__v:read",
        "site__v:read",
    ]
    user = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=permissions))
    client.force_login(user)
    url = reverse("record_lookup", args=(EVENT, "participants"))
    asked: list[dict[str, str]] = [
        {"record": str(event.uid)},
        {"study__v": str(site.study.uid)},
        {"site__v": str(site.uid)},
        {"site__v": "nothing"},
    ]
    assert [client.get(url, each).json()["results"] for each in asked] == [[]] * 4
    StudyAssignmentFactory.create(user=user, study=site.study)
    assert [len(client.get(url, each).json()["results"]) for each in asked] == [4, 3, 4, 0]


def test_a_form_that_is_opened_for_a_visit_ticks_who_takes_part(admin: Client, site: StudySite) -> None:
    event = MonitoringEventFactory.create(site=site)
    for name in ("Zoe", "Sam"):
        MonitoringEventParticipantFactory.create(monitoring_event=event, person=person(name))
    assert submit(admin, edit_url(event), {}).status_code == 302
    event.refresh_from_db()
    assert (list_participants(event), event.version) == (["Zoe", "Sam"], 1)
    answer = submit(admin, edit_url(event), {"participants": uids("Sam", "Anna")})
    assert answer.status_code == 302
    assert list_participants(event) == ["Sam", "Anna"]


def test_what_others_did_meanwhile_stays(admin: Client, site: StudySite) -> None:
    event = MonitoringEventFactory.create(site=site)
    zoe = MonitoringEventParticipantFactory.create(monitoring_event=event, person=person("Zoe"))
    values = fill(read_form(admin.get(edit_url(event)), form_id=FORM), typed={})
    MonitoringEventParticipantFactory.create(monitoring_event=event, person=person("Anna"))
    refused = admin.post(edit_url(event), {**values, "participants__text": "Nobody"})
    assert read_form(refused, form_id=FORM)["participants"] == uids("Zoe")
    change(zoe, status=RecordStatus.INACTIVE)
    both = {**values, "participants": uids("Zoe", "Anna")}
    assert admin.post(edit_url(event), both).status_code == 302
    assert list_participants(event) == ["Anna"]


def test_who_is_inactive_takes_part_again(admin: Client, site: StudySite) -> None:
    event = MonitoringEventFactory.create(site=site)
    MonitoringEventParticipantFactory.create(monitoring_event=event, person=person("Zoe"), status=RecordStatus.INACTIVE)
    assert submit(admin, edit_url(event), {"participants": uids("Zoe")}).status_code == 302
    assert (list_participants(event), event.participants.count()) == (["Zoe"], 1)


def test_both_versions_of_a_visit_leave_the_participants_as_they_were_chosen(admin: Client, site: StudySite) -> None:
    event = MonitoringEventFactory.create(site=site)
    values = fill(read_form(admin.get(edit_url(event)), form_id=FORM), typed={})
    change(event, planned_start="2026-03-01")
    typed = {**values, "planned_start_date__v": "2026-02-27", "participants": uids("Zoe")}
    conflict = admin.post(edit_url(event), typed)
    assert conflict.status_code == 200
    values = read_form(conflict, form_id="conflict-form")
    answer = admin.post(edit_url(event), {**values, "choose__planned_start_date__v": "yours"})
    assert answer.status_code == 302
    assert list_participants(event) == ["Zoe"]


@pytest.mark.parametrize("allowed", ["create", "delete", ""])
def test_the_profile_decides_who_adds_and_who_removes(client: Client, site: StudySite, allowed: str) -> None:
    event = MonitoringEventFactory.create(site=site)
    MonitoringEventParticipantFactory.create(monitoring_event=event, person=person("Zoe"))
    part = MonitoringEventParticipant.object_name
    permissions = [
        f"{EVENT}:read",
        f"{EVENT}:edit",
        f"{part}:read",
        "person__sys:read",
    ]
    permissions += [f"{part}:{allowed}"] if allowed else []
    permissions += [f"{name}:read" for name in ("study__v", "site__v", "study_country__v")]
    client.force_login(
        UserFactory.create(
            security_profile=SecurityProfileFactory.create(permissions=permissions, sees_all_studies=True)
        )
    )
    values = read_form(client.get(edit_url(event)), form_id=FORM)
    assert ("participants" in values) == bool(allowed)
    forged = {**fill(values, typed={}), "participants": uids("Anna"), "participants__earlier": uids("Zoe")}
    answer = client.post(edit_url(event), forged)
    expected = {"create": ["Zoe", "Anna"], "delete": ["Zoe"], "": ["Zoe"]}[allowed]
    assert (answer.status_code, list_participants(event)) == (200 if allowed == "delete" else 302, expected)


def test_a_layout_that_prevents_their_creation_has_no_entry(admin: Client, site: StudySite) -> None:
    event = MonitoringEventFactory.create(site=site)
    assert "participants__text" in read_form(admin.get(edit_url(event)), form_id=FORM)
    for section in LayoutSection.objects.filter(related_object=MonitoringEventParticipant.object_name):
        change(section, prevent_creation=True)
    assert "participants__text" not in read_form(admin.get(edit_url(event)), form_id=FORM)
    assert admin.get(reverse("record_lookup", args=(EVENT, "participants"))).status_code == 404


def test_who_was_ticked_for_a_visit_that_is_gone_is_ticked_for_a_new_one(admin: Client, site: StudySite) -> None:
    event = MonitoringEventFactory.create(site=site)
    zoe = MonitoringEventParticipantFactory.create(monitoring_event=event, person=person("Zoe"))
    values = fill(read_form(admin.get(edit_url(event)), form_id=FORM), typed={})
    for record in (zoe, event):
        delete_record(record=record, actor=build_admin_actor())
    lost = admin.post(edit_url(event), {**values, "participants": uids("Zoe", "Anna")})
    kept = read_form(lost, form_id=FORM)
    assert kept["participants"] == uids("Zoe", "Anna")
    url = create_url(EVENT, MonitoringEventType.INTERIM_MONITORING_VISIT)
    assert admin.post(url, fill(kept, typed={})).status_code == 302
    assert list_participants(MonitoringEvent.objects.get()) == ["Zoe", "Anna"]


# -- A communication with several persons, of several sites ----------------------------------------
def test_a_communication_is_logged_for_several_persons(admin: Client, site: StudySite) -> None:
    answer = log_email(admin, site__v=[site.uid], contacts=uids("Zoe", "Anna", "Mona"))
    assert answer.status_code == 302
    assert list_contacts() == {"0101": ["Zoe", "Anna", "Mona"]}


def test_a_communication_about_the_whole_study_has_no_site(admin: Client, site: StudySite) -> None:
    assert log_email(admin, study__v=site.study.uid, contacts=uids("Zoe")).status_code == 302
    assert list_contacts() == {"": ["Zoe"]}


def test_several_sites_have_a_communication_each_with_their_own_people(admin: Client, site: StudySite) -> None:
    answer = log_email(admin, site__v=[site.uid], site__v__text="0102", contacts=uids("Ivo", "Zoe", "Anna", "Mona"))
    assert answer.status_code == 302
    assert list_contacts() == {"0101": ["Ivo", "Zoe", "Mona"], "0102": ["Anna", "Mona"]}
    logs = list(StudyCommunicationLog.objects.all())
    assert {(each.study, each.study_country, each.subject, str(each.date)) for each in logs} == {
        (site.study, site.study_country, "Amendment", "2026-03-02")
    }
    assert len({each.uid for each in logs}) == 2
    [message] = list_messages(admin.get(answer.headers["Location"]))
    assert strip_tags(message) == "2 study communications created: 0101: Amendment, 0102: Amendment Undo"
    admin.post(name_url(logs[0]))
    assert StudyCommunicationLog.objects.count() == 0


def test_a_site_that_none_of_those_chosen_belongs_to_is_named_and_nothing_is_saved(
    admin: Client, site: StudySite
) -> None:
    answer = log_email(admin, site__v=[site.uid], site__v__text="0102", contacts=uids("Zoe"))
    name = f"0102 · {StudySite.objects.get(name='0102').site_name}"
    problem = f"Nobody who is chosen here belongs to {name}. Choose somebody of it, or leave it out above."
    assert list_errors(answer) == {"contacts": [problem]}
    kept = read_form(answer, form_id=FORM)
    assert (kept["site__v"], kept["site__v__text"], kept["contacts"]) == ([str(site.uid)], ["0102"], uids("Zoe"))
    assert (StudyCommunicationLog.objects.count(), StudyCommunicationContact.objects.count()) == (0, 0)


def test_who_belongs_to_none_of_the_sites_is_named(admin: Client, site: StudySite) -> None:
    sam = person("Sam")
    answer = log_email(admin, site__v=[site.uid], site__v__text="0102", contacts=uids("Mona", "Sam"))
    [problem] = list_errors(answer)["contacts"]
    assert problem.startswith(f"{sam.display_contact} does not fit here")
    assert not StudyCommunicationLog.objects.exists()


def test_a_site_of_another_study_is_refused_by_name(admin: Client, site: StudySite) -> None:
    strange = StudySiteFactory.create(name="0999")
    answer = log_email(admin, study__v=site.study.uid, site__v=[site.uid, strange.uid])
    [problem] = list_errors(answer)["site__v"]
    assert problem.startswith(f"0999 · {strange.site_name} does not fit here")
    assert not StudyCommunicationLog.objects.exists()


def test_if_one_cannot_be_saved_none_is(admin: Client, site: StudySite) -> None:
    StudyCommunicationLogFactory.create(site=site, external_id="X-1")
    other = StudySite.objects.get(name="0102")
    add_external_id_to_layout()
    answer = log_email(admin, site__v=[site.uid, other.uid], external_id__v="X-2")
    assert list_errors(answer) == {
        "external_id__v": ["0102: Study communication with this External ID already exists."]
    }
    assert StudyCommunicationLog.objects.count() == 1


def add_external_id_to_layout() -> None:
    section = LayoutSection.objects.filter(layout__of_object=LOG, title="Study Details").get()
    change(section, items=[*section.items, "external_id__v"])


def test_a_site_whose_page_it_is_created_from_is_ticked_and_fills_the_study(admin: Client, site: StudySite) -> None:
    url = f"{create_url(LOG, CommunicationType.EMAIL)}&site__v={site.uid}"
    values = read_form(admin.get(url), form_id=FORM)
    assert (values["site__v"], values["study__v"]) == ([str(site.uid)], [str(site.study.uid)])
    answer = admin.post(url, {**fill(values, typed={}), "date__v": "2026-03-02", "and_create": "1"})
    assert f"site__v={site.uid}" in answer.headers["Location"]
    assert list_contacts() == {"0101": []}


def test_a_communication_that_exists_has_one_site(admin: Client, site: StudySite) -> None:
    log = StudyCommunicationLogFactory.create(site=site)
    other = StudySite.objects.get(name="0102")
    answer = submit(
        admin,
        edit_url(log),
        {"site__v": other.uid, "site__v__text": "0102", "site__v__shown": "0102", "contacts": uids("Olga")},
    )
    assert answer.status_code == 302
    assert list_contacts() == {"0102": ["Olga"]}


def test_a_clone_has_one_site(admin: Client, site: StudySite) -> None:
    log = StudyCommunicationLogFactory.create(site=site)
    url = reverse("record_clone", args=(LOG, log.uid))
    assert submit(admin, url, {"contacts": uids("Zoe")}).status_code == 302
    assert [(each.site, each.contacts.count()) for each in StudyCommunicationLog.objects.order_by("pk")] == [
        (site, 0),
        (site, 1),
    ]


def test_a_communication_that_is_created_in_place_has_one_site(admin: Client, site: StudySite) -> None:
    url = f"{create_url(LOG, CommunicationType.EMAIL)}&in_place=1"
    values = read_form(admin.get(url), form_id="place-form")
    typed = {"site__v": site.uid, "site__v__text": "0101", "site__v__shown": "0101", "contacts": uids("Zoe")}
    answer = admin.post(url, {**fill(values, typed={}), **typed}, headers={"Accept": "application/json"})
    assert answer.status_code == 201
    assert list_contacts() == {"0101": ["Zoe"]}


# -- Every object -----------------------------------------------------------------------------------
def test_what_is_declared_exists() -> None:
    for vault_object in list_record_objects():
        for entry in vault_object.child_pickers:
            part = get_object(entry.part)
            assert part.get_field(entry.parent).reference is vault_object.model
            assert part.get_field(entry.reference).reference is not None
            assert entry.name not in vault_object.list_field_names()
        if vault_object.create_one_per:
            assert vault_object.get_field(vault_object.create_one_per).reference is not None


@pytest.mark.usefixtures("stopped_clock")
def test_the_form_takes_as_many_statements_for_many_participants(
    admin: Client, site: StudySite, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    event = MonitoringEventFactory.create(site=site)
    for number in range(12):
        MonitoringEventParticipantFactory.create(
            monitoring_event=event, person=add_member(f"N{number}", study=site.study, site=site)
        )
    admin.get(edit_url(event))
    with django_assert_max_num_queries(13):
        admin.get(edit_url(event))
