"""The planted failures and the later changes, seen through real transfers to a running sandbox. With few activities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import Connection
from crm_sync.demo.data import get_sandbox_directory, load_demo_data, plant_later_changes
from crm_sync.demo.dataset.crm import CALL_TO_DELETE
from crm_sync.demo.dataset.expectations import CRM_SUBJECT_LENGTH, LONG_SUBJECT, list_expected_exceptions
from crm_sync.demo.dataset.subjects import DELETED_SUBJECT, EDITED_SUBJECT_AFTERWARDS
from crm_sync.demo.dataset.trials import WITHDRAWN_STUDY_NUMBER
from crm_sync.sandbox.serving.running import RunningSandbox
from exceptions_log.models import ExceptionItem
from tests.admin_rows import get_integration
from tests.crm_sync.demo.conftest import FEW_ACTIVITIES
from tests.crm_sync.world import World

pytestmark = pytest.mark.system

CALL_OUTBOUND, CALL_INBOUND = IntegrationKind.CALL_OUTBOUND, IntegrationKind.CALL_INBOUND
STUDY_OUTBOUND, SITE_OUTBOUND = IntegrationKind.STUDY_OUTBOUND, IntegrationKind.SITE_OUTBOUND


@pytest.fixture
def worlds(small_demo: Path, settings: Any, fast_retries: None) -> Iterator[dict[str, World]]:
    """The loaded demonstration with its two organisations running, by the connection's name."""
    load_demo_data()
    with RunningSandbox(names=["na", "emea"], data_dir=get_sandbox_directory()) as running:
        settings.CRM_SANDBOX_ORIGINS = {f"{name}.crm.test": running[name].base_url for name in ("na", "emea")}
        yield {
            connection.name: World(connection=connection, crm=running[connection.name.lower()])
            for connection in Connection.objects.all()
        }


def list_items() -> list[tuple[str, str, str, str]]:
    return sorted(
        (
            get_integration(item.message).connection.name,
            get_integration(item.message).kind,
            item.error_type,
            str(item.record_uid),
        )
        for item in ExceptionItem.objects.filter(message__status="active__v").select_related(
            "message__connection", "message__integration"
        )
    )


def test_the_long_subject_has_300_characters() -> None:
    assert (len(LONG_SUBJECT), CRM_SUBJECT_LENGTH) == (300, 255)


def test_transfers_show_the_planted_failures_and_then_the_later_changes_and_nothing_else(
    worlds: dict[str, World],
) -> None:
    expected = sorted(
        (item.connection, item.integration.value, item.error_type.value, str(item.record_uid))
        for item in list_expected_exceptions()
    )
    failed = {"NA": 4, "EMEA": 8}
    received = {"NA": 159, "EMEA": 140}

    for name, world in worlds.items():
        run = world.transfer()
        sent = FEW_ACTIVITIES - failed[name]
        assert world.count(run, STUDY_OUTBOUND) == {"selected": 14, "sent": 14, "created": 14}
        assert world.count(run, SITE_OUTBOUND) == {"selected": 234, "sent": 234, "created": 234}
        assert world.count(run, CALL_OUTBOUND) == {
            "selected": FEW_ACTIVITIES,
            "sent": sent,
            "created": sent,
            "failed": failed[name],
        }
        assert len(world.list_interactions()) == sent
        assert world.count(run, CALL_INBOUND)["received"] == received[name]
        assert Activity.objects.filter(connection=world.connection).count() == received[name]
    assert list_items() == expected

    for item in list_expected_exceptions():
        messages = ExceptionItem.objects.filter(
            message__status="active__v", message__connection__name=item.connection, name__endswith=f" {item.record}"
        ).values_list("error_message", flat=True)
        assert [[word for word in item.mentions if word not in message] for message in messages] == [[]]

    for world in worlds.values():
        run = world.transfer()
        assert "sent" not in world.count(run, STUDY_OUTBOUND) | world.count(run, CALL_OUTBOUND)
        assert "received" not in world.count(run, CALL_INBOUND)
    assert list_items() == expected

    assert plant_later_changes() is True
    assert plant_later_changes() is False

    for world in worlds.values():
        run = world.transfer()
        counts = world.count(run, STUDY_OUTBOUND)
        assert (counts["sent"], counts["deleted"]) == (1, 1)
        counts = world.count(run, CALL_OUTBOUND)
        assert (counts["sent"], counts["updated"], counts["deleted"]) == (2, 1, 1)
        studies = [study["Name"] for study in world.list_studies() if study["Status_vod__c"] != "Active"]
        assert studies == [WITHDRAWN_STUDY_NUMBER]
        subjects = {interaction["Subject_vod__c"] for interaction in world.list_interactions()}
        assert {EDITED_SUBJECT_AFTERWARDS, f"{DELETED_SUBJECT} Deleted"} - subjects == set()
    assert list_items() == expected
    inactive = Activity.objects.filter(connection__isnull=False, status="inactive__v")
    na_calls = worlds["NA"].crm.organisation.list_records(object_name="Call2_vod__c", include_deleted=True)
    assert [activity.crm_id for activity in inactive] == [
        call["Id"] for call in na_calls if call["Name"] == CALL_TO_DELETE
    ]
