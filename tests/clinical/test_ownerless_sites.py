"""Sites without an owner: who may, takes one over in one step; who may not, reads whom to ask."""

from __future__ import annotations

import pytest
from django.test import Client

from ctms.accounts.models import User
from ctms.clinical.models import StudySite
from ctms.records.models import BulkOperation
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import StudyAssignmentFactory, StudySiteFactory
from tests.records.bulk.steps import run_job

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SITES = "/records/site__v/"


def make_member(site: StudySite, *actions: str, **values: str) -> User:
    profile = SecurityProfileFactory.create(permissions=[f"site__v:{each}" for each in actions])
    made = UserFactory.create(security_profile=profile, **values)
    StudyAssignmentFactory.create(user=made, study=site.study)
    return made


def test_who_may_edit_sites_takes_one_over_in_one_step(client: Client) -> None:
    site = StudySiteFactory.create()
    user = make_member(site, "read", "edit")
    client.force_login(user)
    assert b"/change/take/" in client.get(f"{SITES}{site.uid}/").content
    client.post(f"{SITES}{site.uid}/change/take/", {"expected_version": site.version})
    site.refresh_from_db()
    assert site.owner == user
    assert b"/change/take/" not in client.get(f"{SITES}{site.uid}/").content
    assert [record.pk for record in client.get(f"{SITES}?ownerid__v=me").context["page"].table.rows] == [site.pk]


def test_several_are_taken_over_from_the_list(client: Client) -> None:
    site = StudySiteFactory.create()
    other = StudySiteFactory.create(study_country=site.study_country)
    user = make_member(site, "read", "edit")
    client.force_login(user)
    chosen = {"uids": [str(site.uid), str(other.uid)], "quick": "take"}
    preview = client.post(f"{SITES}bulk/", chosen, follow=True)
    client.post(preview.redirect_chain[-1][0])
    run_job(BulkOperation.objects.get())
    assert set(StudySite.objects.values_list("owner", flat=True)) == {user.pk}


def test_who_may_not_reads_whom_to_ask(client: Client) -> None:
    site = StudySiteFactory.create()
    make_member(site, "read", "edit", first_name="Mara", last_name="Manager", email="mara@example.org")
    make_member(StudySiteFactory.create(), "read", "edit", first_name="Sven", last_name="Stranger")
    reader = make_member(site, "read", first_name="Rita", last_name="Reader")
    client.force_login(reader)
    page = client.get(f"{SITES}{site.uid}/").content.decode()
    assert 'Nobody owns this site. To own it, ask <a href="mailto:mara@example.org">Mara Manager</a>.' in page
    assert "Stranger" not in page
    assert "/change/take/" not in page
    assert client.post(f"{SITES}{site.uid}/change/take/", {"expected_version": site.version}).status_code == 403
