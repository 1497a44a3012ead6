"""Lists of links and attempts name the records that they are about, to who sees those."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from connections.models import Integration
from crm_sync.choices import AttemptOutcome
from crm_sync.models import TransferAttempt, TransferLink
from tests.admin_rows import create_job_run
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudySiteFactory
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db
LINKS, ATTEMPTS = "/admin/crm_sync/transferlink/", "/admin/crm_sync/transferattempt/"


def log_in(client: Client, *objects: str) -> None:
    permissions = ["integration__sys:read", *(f"{each}:read" for each in objects)]
    profile = SecurityProfileFactory.create(permissions=permissions, sees_all_studies=True)
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))


def get_integration(vault_object: str) -> Integration:
    found = ConnectionFactory.create().integrations.select_related("rule")
    return next(each for each in found if each.rule.vault_object == vault_object)


def add_rows(integration: Integration, *records: Any) -> None:
    run = create_job_run()
    for record in records:
        uid = record if isinstance(record, uuid.UUID) else record.uid
        TransferLink.objects.create(integration=integration, record_uid=uid, crm_id=f"a0X{uid.hex[:15]}")
        TransferAttempt.objects.create(run=run, integration=integration, record_uid=uid, outcome=AttemptOutcome.CREATED)


def read_records(client: Client, url: str) -> set[str]:
    """The texts of the links to records."""
    page = client.get(url).content.decode()
    return set(re.findall(r'href="/records/[\w/-]+"><span[^>]*>([^<]*)</span></a>', page))


@pytest.mark.parametrize("url", [LINKS, ATTEMPTS])
def test_records_are_named_as_people_know_them(client: Client, url: str) -> None:
    site, gone = StudySiteFactory.create(name="0142", site_name="Charité"), uuid.uuid4()
    add_rows(get_integration(site.object_name), site, gone)
    log_in(client, site.object_name)
    assert read_records(client, url) == {"0142 · Charité", str(gone)}


@pytest.mark.parametrize("url", [LINKS, ATTEMPTS])
def test_activities_are_named_by_their_subject(client: Client, url: str) -> None:
    activity = ActivityFactory.create(subject="Budget & contract")
    add_rows(get_integration(activity.object_name), activity)
    log_in(client, activity.object_name)
    assert read_records(client, url) == {"Budget &amp; contract"}


@pytest.mark.parametrize("url", [LINKS, ATTEMPTS])
def test_a_record_that_the_user_does_not_see_has_no_name(client: Client, url: str) -> None:
    site = StudySiteFactory.create(name="0142")
    add_rows(get_integration(site.object_name), site)
    log_in(client)
    assert read_records(client, url) == {str(site.uid)}


@pytest.mark.parametrize("url", [LINKS, ATTEMPTS])
def test_names_take_the_same_statements_however_many_rows(client: Client, url: str) -> None:
    activity = ActivityFactory.create()
    integration = get_integration(activity.object_name)
    add_rows(integration, activity)
    log_in(client, activity.object_name)
    counts = []
    for number in (0, 5):
        add_rows(integration, *ActivityFactory.create_batch(number))
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
