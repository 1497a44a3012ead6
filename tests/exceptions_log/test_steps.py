"""The configuration step of the User Exception page layout."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctms.audit.models import AuditEntry
from ctms.configuration.services import change_layouts
from ctms.configuration.snapshot import load_configuration
from ctms.configuration.steps import StepState, StepStatus, apply_step, get_step
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db

COLUMNS = ("name__v", "error_type__sys", "error_message__sys", "item__sys", "item_data__sys")
DONE = StepState(status=StepStatus.DONE, reason="User exception page layout has User Exception Items.")


def test_the_items_are_on_the_layout_in_the_documented_order_without_creation() -> None:
    step = get_step("user_exception_layout")
    assert step.read_state() == StepState(
        status=StepStatus.TO_DO, reason="User exception page layout has no section of user exception items."
    )
    apply_step(step=step, actor=build_admin_actor())
    assert step.read_state() == DONE
    section = load_configuration().get("exception_message__sys").get_layout("").sections[-1]
    assert (section.title, section.columns, section.prevent_creation) == ("User Exception Items", COLUMNS, True)
    written = AuditEntry.objects.count()
    apply_step(step=step, actor=build_admin_actor())
    assert AuditEntry.objects.count() == written


def test_another_order_of_columns_and_creation_are_named_and_mended() -> None:
    step = get_step("user_exception_layout")
    apply_step(step=step, actor=build_admin_actor())
    change_layouts(
        object_name="exception_message__sys",
        change=lambda sections: (
            *sections[:-1],
            replace(sections[-1], items=COLUMNS[::-1], prevent_creation=False),
        ),
        actor=build_admin_actor(),
    )
    assert step.read_state() == StepState(
        status=StepStatus.TO_DO,
        reason=(
            "User exception page layout: The columns of User Exception Items are not Exception item name, Error type, "
            "Error message, Item, Item data. Prevent record creation is not set."
        ),
    )
    apply_step(step=step, actor=build_admin_actor())
    assert step.read_state() == DONE
