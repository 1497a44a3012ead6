"""One bad row costs one row, and an error that nobody expected ends one integration and leaves word."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError

from connections.choices import IntegrationKind
from connections.models import IntegrationProgress
from crm_sync.choices import ConnectionStateKey, IntegrationRunState
from crm_sync.diagnostics.health import list_connection_health
from crm_sync.engine import links as links_module
from crm_sync.engine import mapping
from crm_sync.engine.outbound import batches, foresight
from crm_sync.engine.outbound import run as outbound_run
from crm_sync.engine.run_session import Counts
from crm_sync.models import IntegrationRun, TransferLink
from ctms.audit.services import delete_record, save_record
from ctms.jobs.choices import RunState
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OUT, IN = IntegrationKind.CALL_OUTBOUND, IntegrationKind.CALL_INBOUND
INTERACTION = "Vault_Clinical_Interaction_vod__c"
EXTERNAL_ID = "Vault_External_ID_vod__c"


def fail_with_a_type_error(**_: Any) -> Any:
    raise TypeError("secret value of a record")


def list_parts(run: Any) -> dict[str, str]:
    return dict(IntegrationRun.objects.filter(run=run).values_list("integration__kind", "state"))


# -- Rows that the database refuses -------------------------------------------------------------------
@pytest.mark.every_dialect
def test_a_record_whose_crm_id_belongs_to_another_fails_alone_until_the_crm_is_corrected(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    first = ActivityFactory.create(person=person, subject="first")
    world.transfer()
    (interaction,) = world.list_interactions()
    second, *others = [ActivityFactory.create(person=person) for _ in range(4)]
    world.change_in_crm(INTERACTION, interaction["Id"], **{EXTERNAL_ID: str(second.uid)})

    run = world.transfer()

    assert (run.state, list_parts(run)[OUT]) == (RunState.WITH_EXCEPTIONS, IntegrationRunState.WITH_EXCEPTIONS)
    assert {"sent": 3, "created": 3, "failed": 1}.items() <= world.count(run, OUT).items()
    (item,) = world.list_exceptions()
    assert (item.record_uid, item.crm_id) == (second.uid, interaction["Id"])
    assert item.error_message == (
        f"NA answered with its record {interaction['Id']}, but that is the record of {first}: somebody changed "
        f"{EXTERNAL_ID} there. Correct {EXTERNAL_ID} of {interaction['Id']} in NA to {first.uid}; the next run sends "
        "both records again."
    )
    links = TransferLink.objects.filter(integration__kind=OUT).exclude(crm_id="")
    assert set(links.values_list("record_uid", flat=True)) == {first.uid, *(other.uid for other in others)}

    world.change_in_crm(INTERACTION, interaction["Id"], **{EXTERNAL_ID: str(first.uid)})
    run = world.transfer()
    assert world.list_exceptions() == []
    assert world.count(run, OUT)["created"] == 1
    shown = {
        row[EXTERNAL_ID]: (row["Id"] == interaction["Id"], row["Subject_vod__c"]) for row in world.list_interactions()
    }
    assert (len(shown), shown[str(first.uid)]) == (5, (True, "first"))


@pytest.mark.every_dialect
@pytest.mark.postgresql
def test_an_id_that_no_crm_gives_costs_its_record_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activities = [ActivityFactory.create(person=person) for _ in range(5)]
    original = batches.call_crm
    doubled = []

    def lengthen_one(session: Any, batch: Any) -> Any:
        results = original(session, batch)
        if not results:
            return results
        results[2] = replace(results[2], crm_id=results[2].crm_id * 2)
        doubled.append(results[2].crm_id)
        return results

    with monkeypatch.context() as patched:
        patched.setattr(foresight, "call_crm", lengthen_one)
        run = world.transfer()
    assert world.count(run, OUT) == {"selected": 5, "sent": 4, "created": 4, "failed": 1}
    (item,) = world.list_exceptions()
    assert item.record_uid in {activity.uid for activity in activities}
    (crm_id,) = doubled
    assert f"the CRM's id has {len(crm_id)} characters, and ids have 18" in item.error_message

    assert {"sent": 1, "updated": 1}.items() <= world.count(world.transfer(), OUT).items()
    assert world.list_exceptions() == []


@pytest.mark.every_dialect
def test_a_deletion_whose_link_is_refused_is_shown_once_it_can_be(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    gone, _ = [ActivityFactory.create(person=person) for _ in range(2)]
    world.transfer()
    crm_id = TransferLink.objects.get(record_uid=gone.uid).crm_id
    other = TransferLink.objects.exclude(record_uid=gone.uid).get(integration__kind=OUT)
    delete_record(record=gone, actor=build_admin_actor())
    original = links_module.store_links

    def mix_up(links: Any, **options: Any) -> None:
        for link in links:
            link.crm_id = other.crm_id if link.record_uid == gone.uid and link.crm_id else link.crm_id
        original(links, **options)

    with monkeypatch.context() as patched:
        patched.setattr(batches, "store_links", mix_up)
        run = world.transfer()
    counts = world.count(run, OUT)
    assert (counts["failed"], counts.get("deleted")) == (1, None)
    assert [item.record_uid for item in world.list_exceptions()] == [gone.uid]
    world.transfer()
    assert world.list_exceptions() == []
    assert TransferLink.objects.get(record_uid=gone.uid).crm_id == crm_id


@pytest.mark.every_dialect
def test_a_record_that_failed_first_and_then_was_created_counts_as_created(world: World) -> None:
    person = PersonFactory.create()
    ActivityFactory.create(person=person)
    assert world.count(world.transfer(), OUT) == {"selected": 1, "failed": 1}
    world.add_accounts([person])
    assert world.count(world.transfer(), OUT) == {"selected": 1, "sent": 1, "created": 1}


# -- Errors that nobody expected ----------------------------------------------------------------------
@pytest.mark.every_dialect
def test_an_unexpected_error_fails_one_integration_with_an_item_and_the_others_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = PersonFactory.create()
    (account,) = world.add_accounts([person])
    world.add_calls([account])
    activity = ActivityFactory.create(person=person)
    with monkeypatch.context() as patched:
        patched.setattr(outbound_run, "map_record", fail_with_a_type_error)
        run = world.transfer()

    parts = list_parts(run)
    assert parts.pop(OUT) == IntegrationRunState.FAILED
    assert set(parts.values()) == {IntegrationRunState.SUCCEEDED}
    assert world.count(run, IN) == {"selected": 1, "received": 1, "created": 1}
    assert run.state == RunState.WITH_EXCEPTIONS
    assert run.message == "CRM Call Outbound Integration failed; see User Exceptions."
    (item,) = world.list_exceptions()
    assert item.error_message == (
        "An unexpected TypeError ended the integration (in crm_sync.engine.outbound.run, OutboundRun._map). The next "
        "run tries again; if it fails again, show this text and the worker's log to IT operations."
    )
    assert "secret" not in f"{item.error_message}{item.item_data}{run.log}"
    (health,) = list_connection_health([world.connection])
    assert (health.state.key, health.last_success_at) == (ConnectionStateKey.FAILING, None)

    world.transfer()
    assert world.list_exceptions() == []
    assert [row[EXTERNAL_ID] for row in world.list_interactions()] == [str(activity.uid)]
    (health,) = list_connection_health([world.connection])
    assert health.state.key == ConnectionStateKey.OK
    assert health.last_success_at is not None


@pytest.mark.every_dialect
def test_what_the_crm_confirmed_before_an_unexpected_error_is_noted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    for _ in range(3):
        ActivityFactory.create(person=person)
    monkeypatch.setattr(outbound_run, "BATCH", 1)
    original, mapped = mapping.map_record, []

    def fail_at_the_third(**parts: Any) -> Any:
        mapped.append(parts)
        return fail_with_a_type_error() if len(mapped) == 3 else original(**parts)

    with monkeypatch.context() as patched:
        patched.setattr(outbound_run, "map_record", fail_at_the_third)
        run = world.transfer()
    assert len(world.list_interactions()) == 2
    assert TransferLink.objects.filter(integration__kind=OUT).exclude(crm_id="").count() == 2
    assert world.count(run, OUT) == {"selected": 2, "sent": 2, "created": 2}
    assert world.count(world.transfer(), OUT)["created"] == 1


@pytest.mark.every_dialect
def test_counts_that_do_not_add_up_fail_their_integration_and_are_not_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Counts, "check", lambda _: (_ for _ in ()).throw(ArithmeticError("17")))
        run = world.transfer()
    assert set(list_parts(run).values()) == {IntegrationRunState.FAILED}
    assert IntegrationProgress.objects.exclude(last_successful_run_at=None).count() == 0


@pytest.mark.every_dialect
@pytest.mark.parametrize(
    "outage", [OperationalError("server closed the connection"), OSError(errno.ENOSPC, "No space left on device")]
)
def test_an_outage_ends_the_run_for_another_worker(
    world: World, monkeypatch: pytest.MonkeyPatch, outage: Exception
) -> None:
    def fail(**_: Any) -> Any:
        raise outage

    ActivityFactory.create(person=PersonFactory.create())
    monkeypatch.setattr(outbound_run, "select_records", fail)
    with pytest.raises(type(outage)):
        world.transfer()
    assert world.list_exceptions() == []


@pytest.mark.every_dialect
def test_an_edit_of_a_refused_record_is_sent_with_the_next_run(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    first = ActivityFactory.create(person=person)
    world.transfer()
    (interaction,) = world.list_interactions()
    second = ActivityFactory.create(person=person, subject="before")
    world.change_in_crm(INTERACTION, interaction["Id"], **{EXTERNAL_ID: str(second.uid)})
    world.transfer()
    world.change_in_crm(INTERACTION, interaction["Id"], **{EXTERNAL_ID: str(first.uid)})
    second.subject = "after"
    save_record(record=second, actor=build_admin_actor())
    world.transfer()
    subjects = {row[EXTERNAL_ID]: row["Subject_vod__c"] for row in world.list_interactions()}
    assert subjects[str(second.uid)] == "after"
