"""Call-back sessions: handed over with what a run sends, kept nowhere, and good for what their user may, no more."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import pytest
import requests
import time_machine
from django.apps import apps
from django.core import serializers
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from activities.models import Activity
from connections.callbacks import PREFIX
from connections.choices import FieldRuleKind, IntegrationKind
from connections.models import CallbackSession, FieldRule
from connections.services import save_connection, set_connection_status
from crm_sync.actions.connection_removal import delete_connection
from crm_sync.actions.pausing import pause_connection
from crm_sync.engine.mapping import Mapped, map_record
from crm_sync.preview.run import preview_transfer
from ctms.accounts.models import TokenScope, User
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from tests.admin_forms import log_in_admin
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudyFactory, StudySiteFactory
from tests.housekeeping import keep_house

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

FIELD, HEADER = "From_vod__c", "X-Vault-Session"
PERMISSIONS = ["study__v:read", "study__v:edit"]


@pytest.fixture
def user() -> User:
    return UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=PERMISSIONS))


@pytest.fixture
def calling(world: World, user: User) -> World:
    """A connection whose CRM may call back as `user`; a rule hands the session over in a field."""
    change_connection(world, authorized_connection_user=user)
    rule = FieldRule.objects.get(
        rule__integration__connection=world.connection,
        rule__integration__kind=IntegrationKind.CALL_OUTBOUND,
        target=FIELD,
    )
    rule.kind, rule.source, rule.is_required = FieldRuleKind.CALLBACK_SESSION, "", False
    save_record(record=rule, actor=build_admin_actor())
    return world


def change_connection(world: World, **values: Any) -> None:
    world.connection.refresh_from_db()
    for name, value in values.items():
        setattr(world.connection, name, value)
    save_connection(connection=world.connection, actor=build_admin_actor())


def add_activity(world: World, **values: Any) -> Activity:
    person = PersonFactory.create()
    world.add_accounts([person])
    return ActivityFactory.create(person=person, **values)


def hand_over(world: World) -> str:
    """Send an activity and return the session that the CRM got with it."""
    activity = add_activity(world)
    world.transfer()
    return read_field(world, activity)


def read_field(world: World, activity: Activity) -> str:
    rows = {row["Vault_External_ID_vod__c"]: row for row in world.list_interactions()}
    return str(rows[str(activity.uid)][FIELD] or "")


def call(text: str, path: str = "study__v/", method: str = "get", **options: Any) -> Any:
    send = getattr(APIClient(), method)
    return send(f"/api/v1/{path}", headers={"Authorization": f"Bearer {text}"} | options.pop("headers", {}), **options)


def read_log(world: World) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = requests.get(f"{world.crm.base_url}/_sandbox/log", timeout=60).json()
    return answer


# -- Handing over ---------------------------------------------------------------------------------
def test_a_field_rule_hands_a_session_to_the_crm_which_the_api_answers_as_the_user(calling: World, user: User) -> None:
    study = StudyFactory.create()
    StudyAssignmentFactory.create(study=study, user=user)
    hidden = StudyFactory.create()

    text = hand_over(calling)

    assert text.startswith(PREFIX)
    answer = call(text)
    assert answer.status_code == 200
    assert [row["uid__sys"] for row in answer.json()["results"]] == [str(study.uid)]
    assert call(text, f"study__v/{hidden.uid}/").status_code == 404
    assert call(text, "person__sys/").status_code == 403
    session = CallbackSession.objects.get()
    assert (session.user, session.last_address) == (user, "127.0.0.1")
    assert session.last_used_at is not None


def test_a_header_named_on_the_connection_hands_it_over_and_the_log_of_the_sandbox_shows_its_arrival(
    world: World, user: User
) -> None:
    change_connection(world, authorized_connection_user=user, callback_header=HEADER)
    add_activity(world)
    world.transfer()
    told = {entry["method"]: entry["handed_over"] for entry in read_log(world)}
    assert told["PATCH"] == f"{HEADER} ({len(PREFIX) + 43} characters)"
    assert told["GET"] == ""
    assert CallbackSession.objects.count() == 1


def test_another_session_is_no_reason_to_send_a_record_again(calling: World) -> None:
    text = hand_over(calling)
    add_activity(calling)
    run = calling.transfer()
    counts = calling.count(run, IntegrationKind.CALL_OUTBOUND)
    assert (counts["sent"], counts["created"]) == (1, 1)
    assert sorted(row[FIELD] == text for row in calling.list_interactions()) == [False, True]


def test_a_run_that_sends_nothing_issues_no_session_and_a_preview_neither(calling: World) -> None:
    hand_over(calling)
    calling.transfer()
    assert CallbackSession.objects.count() == 1
    add_activity(calling)
    preview_transfer(calling.connection)
    assert CallbackSession.objects.count() == 1


def test_a_run_that_lasts_gets_a_new_session_at_half_time(calling: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_sync.engine.outbound.run.BATCH", 1)
    change_connection(calling, concurrency=1)
    for _ in range(6):
        add_activity(calling)
    with time_machine.travel(get_now(), tick=False) as clock:
        # Each batch of one record takes five of the fifteen minutes to make. Batches are made one after another, but
        # their calls overlap.
        def map_slowly(**kwargs: Any) -> Mapped:
            clock.shift(dt.timedelta(minutes=5))
            return map_record(**kwargs)

        monkeypatch.setattr("crm_sync.engine.outbound.run.map_record", map_slowly)
        monkeypatch.setattr("crm_sync.engine.run_session.RunSession.renew_lease", lambda _run: None)
        calling.transfer()
    handed = [row[FIELD] for row in calling.list_interactions()]
    assert (len(handed), len(set(handed)), CallbackSession.objects.count()) == (6, 3, 3)


def test_where_no_session_can_be_handed_over_records_are_sent_without_and_a_required_rule_says_why(
    calling: World, user: User
) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert hand_over(calling) == ""
    rule = FieldRule.objects.get(kind=FieldRuleKind.CALLBACK_SESSION)
    rule.is_required = True
    save_record(record=rule, actor=build_admin_actor())
    run = calling.transfer()
    assert run.state == RunState.WITH_EXCEPTIONS
    (item,) = calling.list_exceptions()
    assert "no call-back session can be handed over" in item.error_message
    assert f"The Authorized Connection User {user} is inactive." in item.error_message


# -- What ends a session --------------------------------------------------------------------------
def deactivate(world: World) -> None:
    world.connection.refresh_from_db()
    set_connection_status(connection=world.connection, status=RecordStatus.INACTIVE, actor=build_admin_actor())


def reactivate(world: World) -> None:
    set_connection_status(connection=world.connection, status=RecordStatus.ACTIVE, actor=build_admin_actor())


def lock_out_and_back(world: World) -> None:
    user = world.connection.authorized_connection_user
    assert user is not None
    for is_active in (False, True):
        User.objects.filter(pk=user.pk).update(is_active=is_active)


def exchange_and_back(world: World) -> None:
    user = world.connection.authorized_connection_user
    change_connection(world, authorized_connection_user=UserFactory.create())
    change_connection(world, authorized_connection_user=user)


def switch_off_and_on(world: World) -> None:
    deactivate(world)
    reactivate(world)


def press_revoke_all(world: World) -> None:
    client = Client()
    log_in_admin(client)
    client.post(reverse("admin:connections_connection_callback_sessions", args=(world.connection.pk,)))


def move_away(world: World) -> None:
    change_connection(world, url="https://elsewhere.my.salesforce.com")


def narrow(world: World) -> None:
    change_connection(world, callback_scope=TokenScope.WRITE)


@pytest.mark.parametrize(
    "end",
    [deactivate, switch_off_and_on, lock_out_and_back, exchange_and_back, press_revoke_all, move_away, narrow],
)
def test_what_ends_a_session_ends_it_for_good(calling: World, end: Any) -> None:
    text = hand_over(calling)
    assert call(text).status_code == 200
    end(calling)
    answer = call(text)
    assert (answer.status_code, "revoked" in answer.json()["detail"]) == (401, True)


def test_a_session_expires(calling: World) -> None:
    text = hand_over(calling)
    with time_machine.travel(get_now() + dt.timedelta(minutes=16)):
        answer = call(text)
    assert (answer.status_code, "has expired" in answer.json()["detail"]) == (401, True)


@pytest.mark.parametrize(
    "values",
    [{"is_superuser": True}, {"valid_until": dt.date(2020, 1, 1)}],
    ids=["superuser", "ended"],
)
def test_a_user_who_may_everything_or_whose_account_has_ended_ends_it_too(
    calling: World, user: User, values: dict[str, Any]
) -> None:
    text = hand_over(calling)
    User.objects.filter(pk=user.pk).update(**values)
    assert call(text).status_code == 401


def test_a_paused_connection_takes_no_calls_back(calling: World) -> None:
    text = hand_over(calling)
    pause_connection(connection=calling.connection, reason="Upgrade", actor=build_admin_actor())
    assert call(text).status_code == 401


def test_an_unknown_session_is_refused(db: None) -> None:
    assert call(f"{PREFIX}{'x' * 43}").status_code == 401


# -- What a session may ---------------------------------------------------------------------------
def test_a_session_reads_unless_the_connection_lets_it_write_and_the_trail_names_connection_and_user(
    calling: World, user: User
) -> None:
    study = StudyFactory.create(name="Before")
    StudyAssignmentFactory.create(study=study, user=user)
    path, body = f"study__v/{study.uid}/", {"study_name__v": "Called back"}
    assert call(hand_over(calling), path, "patch", data=body, format="json").status_code == 403

    change_connection(calling, callback_scope=TokenScope.WRITE)
    text = hand_over(calling)
    etag = call(text, path).headers["ETag"]
    answer = call(text, path, "patch", data=body, format="json", headers={"If-Match": etag})

    assert answer.status_code == 200, answer.json()
    entry = AuditEntry.objects.filter(record_uid=study.uid).latest("id")
    assert (entry.actor, entry.source, entry.connection_uid) == (user, "api", calling.connection.uid)


def test_calls_of_another_connection_are_not_shown(calling: World, user: User) -> None:
    profile = user.security_profile
    assert profile is not None
    profile.permissions, profile.sees_all_studies = [*PERMISSIONS, "crm_activity__v:read"], True
    save_record(record=profile, actor=build_admin_actor())
    site = StudySiteFactory.create()
    mine = ActivityFactory.create(site=site)
    own = MedicalActivityFactory.create(site=site, connection=calling.connection)
    foreign = MedicalActivityFactory.create(site=site)
    text = hand_over(calling)
    path = f"{mine.object_name}/"
    shown = {row["uid__sys"] for row in call(text, path).json()["results"]}
    assert {str(mine.uid), str(own.uid)} <= shown
    assert str(foreign.uid) not in shown
    assert call(text, f"{path}{foreign.uid}/").status_code == 404


# -- Secrets --------------------------------------------------------------------------------------
def test_a_session_stands_in_no_row_log_page_or_exception_even_where_the_crm_sends_it_back(
    calling: World, client: Client, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    change_connection(calling, callback_header=HEADER)
    accepted = hand_over(calling)
    assert call(accepted).status_code == 200
    # A restricted picklist refuses the session and quotes it.
    rules = FieldRule.objects.filter(rule__integration__connection=calling.connection)
    channel = rules.get(rule__integration__kind=IntegrationKind.CALL_OUTBOUND, target="Channel_vod__c")
    by_field = rules.get(kind=FieldRuleKind.CALLBACK_SESSION)
    by_field.status = RecordStatus.INACTIVE
    save_record(record=by_field, actor=build_admin_actor())
    channel.kind, channel.source, channel.picklist_map = FieldRuleKind.CALLBACK_SESSION, "", {}
    channel.is_required = False
    save_record(record=channel, actor=build_admin_actor())
    activity = add_activity(calling, subject="Refused")
    calling.transfer()
    refused = [
        str(each["values"]["Channel_vod__c"])
        for each in requests.get(f"{calling.crm.base_url}/_sandbox/written", timeout=60).json()
        if each["outcome"] == "refused"
    ]
    (item,) = [each for each in calling.list_exceptions() if str(activity.uid) in str(each.record_uid)]
    assert "[removed]" in item.error_message
    secrets = [each.removeprefix(PREFIX) for each in (accepted, refused[0])]
    assert all(len(each) == 43 for each in secrets)

    rows = [serializers.serialize("json", model._base_manager.all()) for model in apps.get_models()]
    log_in_admin(client)
    key = calling.connection.pk
    pages = [
        client.get(address, follow=True).content.decode()
        for address in (
            reverse("admin:connections_connection_callback_sessions", args=(key,)),
            reverse("admin:connections_connection_change", args=(key,)),
            reverse("admin:connections_connection_history", args=(key,)),
            reverse("admin:jobs_jobrun_changelist"),
            reverse("admin:exceptions_log_exceptionitem_change", args=(item.pk,)),
            f"/records/{activity.object_name}/{activity.uid}/",
        )
    ]
    answers = [str(call(text).headers) + call(text).content.decode() for text in (accepted, f"{accepted}x")]
    written = capfd.readouterr()
    for secret in secrets:
        everything = (*rows, *pages, *answers, str(read_log(calling)), caplog.text, written.out, written.err)
        assert [each for each in everything if secret in each] == []


def test_sessions_go_with_their_connection_and_when_they_are_old(calling: World, settings: Any) -> None:
    hand_over(calling)
    settings.CALLBACK_SESSION_RETENTION_DAYS = 30
    with time_machine.travel(get_now() + dt.timedelta(days=31)):
        keep_house()
    assert not CallbackSession.objects.exists()
    hand_over(calling)
    calling.connection.refresh_from_db()
    delete_connection(connection=calling.connection, actor=build_admin_actor())
    assert not CallbackSession.objects.exists()
