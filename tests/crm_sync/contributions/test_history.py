"""The flight recorder: every attempt of every record, on its own page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.choices import AttemptOutcome
from crm_sync.contributions.history import RecordHistory, read_history
from crm_sync.models import TransferAttempt
from ctms.audit.services import delete_record, save_record
from ctms.core.errors import UnauditedWriteError
from tests.crm_sync.world import World
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import PersonFactory
from tests.housekeeping import keep_house

pytestmark = pytest.mark.django_db

OUT, INTO = IntegrationKind.CALL_OUTBOUND, IntegrationKind.CALL_INBOUND


def log_activity(world: World, **values: Any) -> Activity:
    person = PersonFactory.create()
    world.add_accounts([person])
    return ActivityFactory.create(person=person, **values)


def edit(activity: Activity, **values: Any) -> None:
    activity.refresh_from_db()
    for name, value in values.items():
        setattr(activity, name, value)
    save_record(record=activity, actor=build_admin_actor())


def list_outcomes(kind: IntegrationKind) -> list[tuple[str, str]]:
    attempts = TransferAttempt.objects.filter(integration__kind=kind).order_by("id")
    return list(attempts.values_list("outcome", "error_code"))


def read(activity: Activity) -> RecordHistory:
    history = read_history(activity)
    assert history is not None
    return history


def test_every_attempt_is_a_row_with_the_values_that_were_sent(world: World) -> None:
    activity = log_activity(world, subject="One")
    run = world.transfer()
    edit(activity, subject="Two")
    world.transfer()
    edit(activity, subject="x" * 300)
    world.transfer()
    delete_record(record=activity, actor=build_admin_actor())
    world.transfer()
    assert list_outcomes(OUT) == [
        ("created", ""),
        ("updated", ""),
        ("refused", "STRING_TOO_LONG"),
        ("deleted", ""),
    ]
    first = TransferAttempt.objects.earliest("id")
    (row,) = world.list_interactions()
    assert (first.run, first.record_uid, first.crm_id) == (run, activity.uid, row["Id"])
    assert first.values["Subject_vod__c"] == "One"


@pytest.mark.every_dialect
def test_received_calls_are_attempts_too(world: World) -> None:
    person = PersonFactory.create()
    (call,) = world.add_calls(world.add_accounts([person]))
    world.transfer()
    world.change_in_crm("Call2_vod__c", call, Status_vod__c="Planned_vod")
    world.transfer()
    world.delete_in_crm("Call2_vod__c", call)
    world.transfer()
    assert [outcome for outcome, _ in list_outcomes(INTO)] == ["created", "updated", "deleted"]
    first = TransferAttempt.objects.filter(integration__kind=INTO).earliest("id")
    assert (first.crm_id, first.values["person"]) == (call, person.external_id)


@pytest.mark.every_dialect
def test_a_run_without_changes_notes_nothing(world: World) -> None:
    log_activity(world)
    world.transfer()
    count = TransferAttempt.objects.count()
    world.transfer()
    assert TransferAttempt.objects.count() == count


@pytest.mark.every_dialect
def test_attempts_are_written_with_their_batch(world: World) -> None:
    people = create_people(2)
    world.add_accounts(people)
    create_activities(450, people=people)
    world.transfer()
    assert TransferAttempt.objects.filter(integration__kind=OUT, outcome=AttemptOutcome.CREATED).count() == 450


@pytest.mark.every_dialect
def test_the_record_tells_what_each_attempt_changed(world: World) -> None:
    activity = log_activity(world, subject="One")
    world.transfer()
    edit(activity, subject="Two")
    world.transfer()
    history = read(activity)
    assert [attempt.sentence for attempt in history.attempts] == ["Updated in NA", "Created in NA"]
    (change,) = history.attempts[0].changes
    assert (change.name, change.before, change.after) == ("Subject_vod__c", "One", "Two")


@pytest.mark.every_dialect
def test_the_record_page_shows_the_panel(world: World, client: Client) -> None:
    activity = log_activity(world, subject="One")
    world.transfer()
    client.force_login(UserFactory.create(is_superuser=True))
    page = client.get(f"/records/crm_activity__v/{activity.uid}/").content.decode()
    assert 'id="crm-title">CRM transfers<' in page
    assert "Created in NA" in page


@pytest.mark.every_dialect
def test_an_attempt_is_never_changed(world: World) -> None:
    log_activity(world)
    world.transfer()
    with pytest.raises(UnauditedWriteError):
        TransferAttempt.objects.update(outcome=AttemptOutcome.CREATED)


@pytest.mark.every_dialect
def test_old_attempts_are_deleted_as_configured(world: World, settings: Any) -> None:
    log_activity(world)
    world.transfer()
    old, *kept = TransferAttempt.objects.order_by("id")
    extra = TransferAttempt.objects.get(pk=old.pk)
    extra.pk, extra.at = None, old.at - timedelta(days=31)
    extra.save(force_insert=True)
    settings.TRANSFER_HISTORY_DAYS = 30
    assert keep_house().message == "Deleted: 1 transfer attempts."
    assert set(TransferAttempt.objects.all()) == {old, *kept}
