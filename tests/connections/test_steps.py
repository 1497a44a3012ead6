"""The configuration step of connection authorizations."""

from __future__ import annotations

import pytest

from ctms.audit.models import AuditEntry
from ctms.configuration.services import unassign_action
from ctms.configuration.steps import StepState, StepStatus, apply_step, get_step
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db

LACKING = StepState(status=StepStatus.TO_DO, reason="Enter Connected App Details is not assigned to Basic Auth.")


def test_the_connected_app_action_is_assigned_once() -> None:
    step = get_step("connected_app_action")
    assert step.read_state() == LACKING
    apply_step(step=step, actor=build_admin_actor())
    assert step.read_state() == StepState(
        status=StepStatus.DONE, reason="Enter Connected App Details is assigned to Basic Auth."
    )
    written = AuditEntry.objects.count()
    apply_step(step=step, actor=build_admin_actor())
    assert AuditEntry.objects.count() == written


def test_it_is_to_do_again_when_the_action_is_taken_away() -> None:
    step = get_step("connected_app_action")
    apply_step(step=step, actor=build_admin_actor())
    unassign_action(
        object_name="connection_authorization__sys",
        object_type="basic_auth__sys",
        action_name="enter_connected_app_details__sys",
        actor=build_admin_actor(),
    )
    assert step.read_state() == LACKING
