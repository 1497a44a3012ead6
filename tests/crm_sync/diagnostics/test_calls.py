"""API calls as used of allowed, those of the connection's own transfers, and how long one takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from crm_sync.crm.call_times import add_up
from crm_sync.diagnostics.calls import describe_quota
from crm_sync.diagnostics.run_figures import list_run_figures
from crm_sync.models import IntegrationRun, OrganisationProgress
from crm_sync.one_record.sending import send_record
from ctms.core.clock import get_now
from tests.admin_forms import log_in_admin
from tests.crm_sync.one_record.conftest import STUDIES, get_integration
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def get_progress(world: World) -> OrganisationProgress:
    return OrganisationProgress.objects.get(connection=world.connection)


def test_used_of_allowed_is_what_the_crm_said_last(world: World) -> None:
    assert describe_quota(world.connection) == "Not known before the first transfer."
    world.misbehave(settings={"api_limit": 100_000})
    StudyFactory.create()
    world.transfer()

    progress = get_progress(world)

    assert progress.calls_allowed == 100_000
    assert progress.calls_used
    assert sum(progress.own_calls.values()) == sum(IntegrationRun.objects.values_list("api_calls", flat=True)) > 0
    text = describe_quota(world.connection)
    assert text.startswith(f"{progress.calls_used:,} of 100,000 calls used in 24 hours (0 %), as the CRM said at ")
    assert text.endswith(f"; {sum(progress.own_calls.values()):,} by this connection's transfers.")


@pytest.mark.parametrize("skew", [0, -3600, 3600])
def test_each_transfer_notes_how_far_the_clocks_are_apart(world: World, skew: int) -> None:
    world.misbehave(settings={"clock_skew_seconds": skew})
    world.transfer()
    offset = get_progress(world).clock_offset
    assert offset is not None
    assert -600 < offset + skew < 600  # a busy machine may take long between an answer and its reading


def test_what_the_crm_does_not_say_is_said_as_unknown(world: World) -> None:
    world.transfer()
    OrganisationProgress.objects.update(calls_used=None, calls_allowed=None, calls_read_at=None)
    assert describe_quota(world.connection).startswith("The CRM has not said how many calls it allows. In the last 24 ")


def test_calls_of_a_day_ago_are_forgotten(world: World) -> None:
    now = get_now()
    with time_machine.travel(now - timedelta(hours=30), tick=False):
        world.transfer()
    assert "; 0 by this connection's transfers." in describe_quota(world.connection)
    with time_machine.travel(now, tick=False):  # so that no hour begins while it runs
        world.transfer()
    assert len(get_progress(world).own_calls) == 1


def test_the_calls_of_a_test_of_one_record_are_counted_too(world: World) -> None:
    study = StudyFactory.create()
    send_record(integration=get_integration(world, STUDIES), uid=study.uid, name=str(study), actor=build_admin_actor())
    assert sum(get_progress(world).own_calls.values()) > 0
    part = IntegrationRun.objects.get()
    assert sum(part.call_times.values()) == part.api_calls


def test_every_answered_call_of_an_integration_is_in_its_histogram(world: World, client: Client) -> None:
    log_in_admin(client)
    StudyFactory.create()
    world.transfer()
    world.transfer()
    for part in IntegrationRun.objects.all():
        assert add_up([part.call_times]).total() == part.api_calls
    figures = list_run_figures(world.connection)
    assert [each.times.total() for each in figures] == [each.api_calls for each in figures]
    page: Any = client.get(reverse("admin:connections_connection_page", args=(world.connection.pk,)))
    text = " ".join(page.content.decode().split())
    assert page.context["times"].calls == sum(each.api_calls for each in figures)
    assert "ms (median), 95 % within" in text
    assert "Milliseconds until the CRM answered a call" in text
    assert "calls used in 24 hours" in text
