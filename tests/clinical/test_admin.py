"""Clinical records in the admin: a user's own studies, and nothing else to see or to choose."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from ctms.clinical.models import MonitoringEvent, Person, StudySite
from tests.admin_forms import list_errors, log_in_admin, submit, submit_values
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import (
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudySiteFactory,
)

pytestmark = pytest.mark.django_db

ALL = [
    f"{name}:{action}"
    for name in ("study__v", "study_country__v", "site__v", "person__sys", "monitoring_event__ctms")
    for action in ("read", "create", "edit", "delete")
]


@pytest.fixture
def sites(client: Client) -> tuple[StudySite, StudySite]:
    """One of the study of the user who is logged in, one of a foreign study."""
    user = UserFactory.create(is_staff=True, security_profile=SecurityProfileFactory.create(permissions=ALL))
    mine, foreign = StudySiteFactory.create_batch(2)
    StudyAssignmentFactory.create(user=user, study=mine.study)
    client.force_login(user)
    return mine, foreign


def site_url(site: StudySite, page: str = "change") -> str:
    return reverse(f"admin:clinical_studysite_{page}", args=(site.pk,))


def test_lists_hold_the_users_studies(client: Client, sites: tuple[StudySite, StudySite]) -> None:
    page = client.get(reverse("admin:clinical_studysite_changelist"))
    assert list(page.context["cl"].result_list) == [sites[0]]


@pytest.mark.parametrize("page", ["change", "delete", "history"])
def test_a_foreign_record_does_not_exist(client: Client, sites: tuple[StudySite, StudySite], page: str) -> None:
    assert client.get(site_url(sites[0], page)).status_code in (200, 302)
    response = client.get(site_url(sites[1], page))
    assert response.headers["Location"] == reverse("admin:index")


def test_a_selection_deletes_no_foreign_record(client: Client, sites: tuple[StudySite, StudySite]) -> None:
    client.post(
        reverse("admin:clinical_studysite_changelist"),
        {"action": "delete_selected", "_selected_action": [site.pk for site in sites], "post": "yes"},
    )
    assert list(StudySite.objects.all()) == [sites[1]]


def test_suggestions_hold_no_foreign_record(client: Client, sites: tuple[StudySite, StudySite]) -> None:
    answer = client.get(
        reverse("admin:autocomplete"),
        {"app_label": "clinical", "model_name": "monitoringevent", "field_name": "site", "term": ""},
    )
    assert [result["id"] for result in answer.json()["results"]] == [str(sites[0].pk)]


def test_a_foreign_record_cannot_be_chosen_by_its_key(client: Client, sites: tuple[StudySite, StudySite]) -> None:
    url = reverse("admin:clinical_monitoringevent_add")
    response = submit(client, url, form_id="monitoringevent_form", site=sites[1].pk)
    assert list_errors(response) == {
        "site": ["Select a valid choice. That choice is not one of the available choices."]
    }


def test_a_site_fills_country_and_study_of_a_monitoring_event(
    client: Client, sites: tuple[StudySite, StudySite]
) -> None:
    url = reverse("admin:clinical_monitoringevent_add")
    submit(client, url, form_id="monitoringevent_form", site=sites[0].pk, record_type="close_out_visit__v")
    event = MonitoringEvent.objects.get()
    assert (event.study, event.study_country, event.object_type) == (
        sites[0].study,
        sites[0].study_country,
        "close_out_visit__v",
    )


def test_a_reference_to_another_study_is_refused_with_its_field_named(client: Client) -> None:
    log_in_admin(client)
    site, other = StudySiteFactory.create(), StudyCountryFactory.create()
    url = reverse("admin:clinical_monitoringevent_add")
    response = submit(
        client, url, form_id="monitoringevent_form", site=site.pk, study_country=other.pk, study=site.study.pk
    )
    assert list(list_errors(response)) == ["study_country", "site"]


def test_a_study_country_fills_the_study_of_a_site(client: Client) -> None:
    log_in_admin(client)
    country = StudyCountryFactory.create()
    url = reverse("admin:clinical_studysite_add")
    submit(client, url, form_id="studysite_form", study_country=country.pk, name="1001")
    assert StudySite.objects.get().study == country.study


def test_a_person_is_named_by_first_and_last_name(client: Client) -> None:
    log_in_admin(client)
    url = reverse("admin:clinical_person_add")
    submit(client, url, form_id="person_form", first_name="Ines", last_name="Ito", record_type="investigator__v")
    person = Person.objects.get()
    assert (person.name, person.object_type) == ("Ines Ito", "investigator__v")


def test_participants_are_rows_of_their_monitoring_event(client: Client) -> None:
    log_in_admin(client)
    person = PersonFactory.create()
    submit_values(
        client,
        reverse("admin:clinical_monitoringevent_add"),
        form_id="monitoringevent_form",
        typed={
            "site": StudySiteFactory.create().pk,
            "participants-TOTAL_FORMS": "1",
            "participants-0-person": person.pk,
        },
    )
    [participant] = MonitoringEvent.objects.get().participants.all()
    assert (participant.person, participant.name) == (person, person.full_name)
