"""A connection that fails gives one clear exception and does not affect other connections."""

from __future__ import annotations

from typing import Any

import pytest

from activities.models import Activity
from connections.choices import GrantFlow, IntegrationKind
from connections.models import Connection
from connections.services import enter_connected_app_details, save_connection, set_password
from crm_sync.sandbox.serving.running import RunningSandbox
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from tests.crm_sync.world import World, enter_credentials
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OUT = IntegrationKind.CALL_OUTBOUND


def log_one_activity(*worlds: World) -> None:
    person = PersonFactory.create()
    for world in worlds:
        world.add_accounts([person])
    ActivityFactory.create(person=person)


def test_a_wrong_password_gives_one_exception_and_leaves_the_other_organisation_alone(
    world: World, second_world: World
) -> None:
    log_one_activity(world, second_world)
    assert world.connection.authorization is not None
    set_password(authorization=world.connection.authorization, password="wrong", actor=build_admin_actor())

    runs = [world.transfer(), second_world.transfer()]

    assert [run.state for run in runs] == [RunState.FAILED, RunState.SUCCEEDED]
    (item,) = world.list_exceptions()
    assert item.error_type == "authentication__v"
    assert second_world.list_exceptions() == []
    assert (len(world.list_interactions()), len(second_world.list_interactions())) == (0, 1)


@pytest.mark.parametrize("door", ["authorization", "url"])
def test_secrets_reach_no_organisation_that_they_were_not_entered_for(
    world: World, second_world: World, settings: Any, door: str
) -> None:
    """An authorization that is moved to another connection, or a connection that gets another URL."""
    log_one_activity(world, second_world)
    authorization, moved = world.connection.authorization, world.connection
    assert authorization is not None
    if door == "authorization":
        moved = second_world.connection
        change(world.connection, authorization=None)
        change(moved, authorization=authorization)
    else:
        settings.CRM_SANDBOX_ORIGINS = {**settings.CRM_SANDBOX_ORIGINS, "moved.crm.test": second_world.crm.base_url}
        change(moved, url="https://moved.crm.test")
    before = second_world.crm.request_log.count()
    world.connection = moved

    assert world.transfer().state == RunState.FAILED

    assert second_world.crm.request_log.count() == before
    (item,) = world.list_exceptions()
    assert item.error_type == "configuration__v"
    assert item.error_message == (
        f"The Authorization {authorization} of {moved} has the password of https://na.crm.test; nothing was sent. "
        "Use its action Set Password."
    )
    enter_credentials(authorization=authorization, crm=second_world.crm)
    assert world.transfer().state == RunState.SUCCEEDED


def change(connection: Connection, **values: Any) -> None:
    for name, value in values.items():
        setattr(connection, name, value)
    save_connection(connection=connection, actor=build_admin_actor())


def test_an_inactive_authorization_is_not_used(world: World) -> None:
    log_one_activity(world)
    authorization = world.connection.authorization
    assert authorization is not None
    authorization.status = RecordStatus.INACTIVE
    save_record(record=authorization, actor=build_admin_actor())

    assert world.transfer().state == RunState.FAILED

    (item,) = world.list_exceptions()
    assert (item.error_type, f"{authorization.name} of NA is Inactive." in item.error_message) == (
        "configuration__v",
        True,
    )
    assert world.list_interactions() == []


def test_a_connection_failure_repeats_as_one_item_with_its_attempts_and_goes_when_it_is_mended(world: World) -> None:
    log_one_activity(world)
    authorization = world.connection.authorization
    assert authorization is not None
    set_password(authorization=authorization, password="wrong", actor=build_admin_actor())
    world.transfer()
    world.transfer()
    (item,) = world.list_exceptions()
    assert item.attempts == 2

    set_password(authorization=authorization, password=world.crm.user.password, actor=build_admin_actor())
    assert world.transfer().state == RunState.SUCCEEDED
    assert world.list_exceptions() == []


def test_an_organisation_that_is_switched_off_gives_one_connectivity_exception(
    world: World, second_world: World, settings: Any
) -> None:
    log_one_activity(world, second_world)
    settings.CRM_SANDBOX_ORIGINS = {**settings.CRM_SANDBOX_ORIGINS, "na.crm.test": "http://127.0.0.1:9"}

    runs = [world.transfer(), second_world.transfer()]

    assert [run.state for run in runs] == [RunState.FAILED, RunState.SUCCEEDED]
    assert [item.error_type for item in world.list_exceptions()] == ["connectivity__v"]


def test_client_credentials_log_in_as_well(world: World) -> None:
    log_one_activity(world)
    assert world.connection.authorization is not None
    enter_connected_app_details(
        authorization=world.connection.authorization,
        consumer_key=world.crm.connected_app.client_id,
        consumer_secret=world.crm.connected_app.client_secret,
        grant_flow=GrantFlow.CLIENT_CREDENTIALS,
        actor=build_admin_actor(),
    )

    assert world.transfer().state == RunState.SUCCEEDED
    assert len(world.list_interactions()) == 1


def test_each_organisation_gets_every_activity_once(world: World, second_world: World) -> None:
    log_one_activity(world, second_world)
    for each in (world, second_world, world, second_world):
        each.transfer()

    assert [len(each.list_interactions()) for each in (world, second_world)] == [1, 1]


def test_used_up_api_calls_stop_the_run_cleanly_and_the_next_one_goes_on(world: World) -> None:
    log_one_activity(world)
    world.crm.misbehaviour.add_rule(
        match={"method": "PATCH", "count": 1}, effect={"status": 403, "error_code": "REQUEST_LIMIT_EXCEEDED"}
    )

    run = world.transfer()
    assert run.state == RunState.FAILED
    assert [item.error_type for item in world.list_exceptions()] == ["limit__v"]

    assert world.transfer().state == RunState.SUCCEEDED
    assert (len(world.list_interactions()), world.list_exceptions()) == (1, [])


def test_the_configured_share_of_the_quota_is_never_exceeded(world: World, sandbox: RunningSandbox) -> None:
    log_one_activity(world)
    world.connection.quota_percent = 50

    save_record(record=world.connection, actor=build_admin_actor())
    world.crm.misbehaviour.api_limit = 4

    run = world.transfer()

    assert run.state == RunState.FAILED
    assert [item.error_type for item in world.list_exceptions()] == ["limit__v"]


@pytest.mark.parametrize(
    "effect",
    [
        {"status": 503},
        {"status": 429},
        {"drop": "before"},
        {"drop": "after"},
        {"html": True},
        {"truncate": True},
        {"expire_sessions": True},
    ],
    ids=str,
)
def test_a_passing_fault_in_mid_run_leaves_no_exception_and_no_double(world: World, effect: dict[str, object]) -> None:
    log_one_activity(world)
    world.crm.misbehaviour.add_rule(match={"method": "PATCH", "count": 1}, effect=effect)

    run = world.transfer()

    assert run.state == RunState.SUCCEEDED, run.message
    assert (len(world.list_interactions()), world.list_exceptions()) == (1, [])


def test_a_reply_lost_for_good_leaves_one_exception_and_the_next_run_makes_no_double(world: World) -> None:
    log_one_activity(world)
    world.crm.misbehaviour.add_rule(match={"method": "PATCH"}, effect={"drop": "after"})
    run = world.transfer()
    assert (run.state, len(world.list_exceptions())) == (RunState.FAILED, 1)
    assert len(world.list_interactions()) == 1

    world.crm.misbehaviour.clear()
    run = world.transfer()

    assert (run.state, world.list_exceptions()) == (RunState.SUCCEEDED, [])
    assert len(world.list_interactions()) == 1


def test_what_arrived_without_an_answer_and_was_deleted_over_there_is_not_brought_back(world: World) -> None:
    log_one_activity(world)
    world.crm.misbehaviour.add_rule(match={"method": "PATCH"}, effect={"drop": "after"})
    world.transfer()
    world.crm.misbehaviour.clear()
    (interaction,) = world.list_interactions()
    world.delete_in_crm("Vault_Clinical_Interaction_vod__c", interaction["Id"])
    world.crm.request_log.clear()

    run = world.transfer()

    assert run.state == RunState.SUCCEEDED
    assert world.list_interactions() == []
    assert world.crm.request_log.count(method="PATCH") == 0


def test_what_arrived_without_an_answer_and_was_deleted_here_is_shown_as_deleted(world: World) -> None:

    log_one_activity(world)
    world.crm.misbehaviour.add_rule(match={"method": "PATCH"}, effect={"drop": "after"})
    world.transfer()
    world.crm.misbehaviour.clear()
    activity = Activity.objects.get()
    delete_record(record=activity, actor=build_admin_actor())

    run = world.transfer()

    assert run.state == RunState.SUCCEEDED
    assert [row["Subject_vod__c"] for row in world.list_interactions()] == [f"{activity.subject} Deleted"]


@pytest.mark.every_dialect
def test_an_account_that_was_replaced_in_the_crm_is_looked_up_again_in_the_same_run(world: World) -> None:
    person = PersonFactory.create()
    (old,) = world.add_accounts([person])
    ActivityFactory.create(person=person, subject="first")
    world.transfer()
    (interaction,) = world.list_interactions()
    world.delete_in_crm("Vault_Clinical_Interaction_vod__c", interaction["Id"])
    world.delete_in_crm("Account", old)
    (new,) = world.add_accounts([person])
    ActivityFactory.create(person=person, subject="second")

    run = world.transfer()

    assert (run.state, world.list_exceptions()) == (RunState.SUCCEEDED, [])
    assert [(row["Subject_vod__c"], row["Account_vod__c"]) for row in world.list_interactions()] == [("second", new)]


@pytest.mark.parametrize("code", ["ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"])
def test_an_update_refused_for_something_deleted_elsewhere_is_not_taken_for_a_deleted_record(
    world: World, code: str
) -> None:
    log_one_activity(world)
    world.transfer()
    activity = Activity.objects.get()
    activity.subject = "Corrected"
    save_record(record=activity, actor=build_admin_actor())
    (interaction,) = world.list_interactions()
    world.crm.misbehaviour.add_rule(match={"method": "PATCH"}, effect={"row_errors": {interaction["Id"]: code}})
    world.transfer()
    assert [item.error_type for item in world.list_exceptions()] == ["rejected__v"]

    world.crm.misbehaviour.clear()
    world.transfer()

    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["Corrected"]
    assert world.list_exceptions() == []


def test_an_organisation_that_is_too_slow_gives_one_connectivity_exception(
    world: World, second_world: World, settings: Any
) -> None:
    log_one_activity(world, second_world)
    settings.CRM_MAX_ATTEMPTS = 1
    world.connection.read_timeout = 1
    save_record(record=world.connection, actor=build_admin_actor())
    world.crm.misbehaviour.add_rule(effect={"delay_ms": 2500})

    runs = [world.transfer(), second_world.transfer()]

    assert [run.state for run in runs] == [RunState.FAILED, RunState.SUCCEEDED]
    assert [item.error_type for item in world.list_exceptions()] == ["connectivity__v"]
    assert (second_world.list_exceptions(), len(second_world.list_interactions())) == ([], 1)
