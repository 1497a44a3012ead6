"""What the transfer remembers of records is shown, in the console too, to those who see the records."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from activities.models import Activity
from connections.choices import IntegrationKind
from connections.permissions import MANAGE_CONNECTIONS
from connections.services import set_password
from crm_sync.choices import PreviewOutcome, RecordWord
from crm_sync.models import (
    AccountMatch,
    Difference,
    PreviewRow,
    Reconciliation,
    TransferAttempt,
    TransferLink,
    TransferPreview,
)
from ctms.accounts.models import User
from ctms.accounts.policies import list_visible
from ctms.audit.choices import AUDIT_PERMISSION
from ctms.core.clock import get_now
from ctms.jobs.models import JobRun
from exceptions_log.models import ExceptionItem
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

EVERYTHING = (MANAGE_CONNECTIONS, "integration__sys:read", "exception_item__sys:read", AUDIT_PERMISSION)


@pytest.fixture
def studies(world: World) -> dict[str, list[Activity]]:
    """Of a study of the user's and of a foreign one, an activity that was sent and one that failed; one failed call."""
    found = {}
    for name in ("mine", "foreign"):
        site = StudySiteFactory.create()
        matched, unmatched = (PersonFactory.create(last_name=f"{name}-canary-{n}") for n in (1, 2))
        world.add_accounts([matched])
        found[name] = [ActivityFactory.create(site=site, person=person) for person in (matched, unmatched)]
    unknown = PersonFactory.build(external_id="UNKNOWN")
    world.add_calls(world.add_accounts([unknown]))
    world.transfer()
    assert ExceptionItem.objects.count() == 3
    return found


def create_reader(study: Any, **profile: Any) -> User:
    made = SecurityProfileFactory.create(permissions=list(EVERYTHING), **profile)
    user = UserFactory.create(security_profile=made, is_staff=True)
    StudyAssignmentFactory.create(user=user, study=study)
    return user


def test_links_attempts_matches_and_items_are_those_of_the_studies_that_the_user_sees(
    studies: dict[str, list[Activity]],
) -> None:
    user = create_reader(studies["mine"][0].study)
    foreign = {record.uid for each in studies["foreign"] for record in (each, each.study) if record is not None}
    for model in (TransferLink, TransferAttempt, ExceptionItem):
        seen = {row.record_uid for row in list_visible(model._default_manager.all(), user)}
        assert seen & {each.uid for each in studies["mine"]}, model
        assert not seen & foreign, model
        assert None not in seen, model
    assert [match.person for match in list_visible(AccountMatch.objects.all(), user)] == [studies["mine"][0].person]
    admin = create_reader(studies["mine"][0].study, sees_all_studies=True)
    assert list_visible(AccountMatch.objects.all(), admin).count() == 2
    assert list_visible(ExceptionItem.objects.all(), admin).count() == 3


def test_differences_and_previews_too(world: World, studies: dict[str, list[Activity]]) -> None:
    run = JobRun.objects.latest("pk")
    integration = world.connection.integrations.get(kind=IntegrationKind.CALL_OUTBOUND)
    found = Reconciliation.objects.create(connection=world.connection, run=run, started_at=get_now())
    preview = TransferPreview.objects.create(connection=world.connection, run=run, started_at=get_now())
    for name, (activity, _) in studies.items():
        of_record: dict[str, Any] = {"integration": integration, "record_uid": activity.uid, "name": name}
        Difference.objects.create(reconciliation=found, word=RecordWord.DIFFERS, **of_record)
        PreviewRow.objects.create(preview=preview, outcome=PreviewOutcome.CREATE, **of_record)
    user = create_reader(studies["mine"][0].study)
    seen: list[Any] = [*list_visible(found.differences.all(), user), *list_visible(preview.rows.all(), user)]
    assert [row.name for row in seen] == ["mine", "mine"]


def test_a_failure_of_a_whole_integration_is_seen_by_all_who_may_read_exceptions(world: World) -> None:
    assert world.connection.authorization is not None
    set_password(authorization=world.connection.authorization, password="wrong", actor=build_admin_actor())
    world.transfer()
    (item,) = world.list_exceptions()
    user = create_reader(StudySiteFactory.create().study)
    assert list(list_visible(ExceptionItem.objects.all(), user)) == [item]


@pytest.mark.parametrize(
    "address",
    [
        "/admin/exceptions_log/exceptionitem/",
        "/admin/crm_sync/accountmatch/",
        "/admin/crm_sync/transferlink/",
        "/admin/crm_sync/transferattempt/",
        "/admin/audit/auditentry/",
    ],
)
def test_no_page_of_the_console_names_what_the_user_does_not_see(
    client: Client, studies: dict[str, list[Activity]], address: str
) -> None:
    client.force_login(create_reader(studies["mine"][0].study))
    response = client.get(address)
    assert response.status_code == 200
    page = response.content.decode()
    assert any(str(word) in page for each in studies["mine"] for word in (each.uid, each.name, each.person.last_name))
    for activity in studies["foreign"]:
        assert activity.person.last_name not in page
        assert activity.name not in page
        assert str(activity.uid) not in page
    for model in (TransferAttempt, ExceptionItem, AccountMatch):
        app, name = model._meta.app_label, model._meta.model_name
        hidden = model._default_manager.exclude(
            pk__in=list_visible(model._default_manager.all(), create_reader(studies["mine"][0].study))
        ).first()
        assert hidden is not None
        assert client.get(f"/admin/{app}/{name}/{hidden.pk}/change/").status_code in (302, 404)


def test_the_filter_of_a_problem_does_not_tell_what_hidden_items_have_in_common(
    client: Client, studies: dict[str, list[Activity]]
) -> None:
    reader = create_reader(studies["mine"][0].study)
    client.force_login(reader)
    hidden = ExceptionItem.objects.exclude(pk__in=list_visible(ExceptionItem.objects.all(), reader)).earliest("pk")
    ExceptionItem.objects.filter(pk=hidden.pk).update(cause="CANARY")
    page = client.get(f"/admin/exceptions_log/exceptionitem/?problem={hidden.pk}")
    assert (page.status_code, "CANARY" in page.content.decode()) == (200, False)
