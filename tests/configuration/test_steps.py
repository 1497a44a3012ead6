"""The registry of configuration steps. The steps themselves are tested with the app that registers them."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from ctms.audit.actors import Actor
from ctms.configuration import steps
from ctms.configuration.registry import UnknownObjectError, get_object
from ctms.configuration.steps import (
    ConfigurationStep,
    StepState,
    StepStatus,
    UnknownStepError,
    apply_step,
    get_step,
    list_steps,
    register_step,
)
from tests.factories.base import build_admin_actor


def make_step(key: str, *, position: int = 0) -> ConfigurationStep:
    def apply(*, actor: Actor) -> None:
        raise UnknownObjectError(f"{actor.source} has no planet.")

    def check() -> StepState:
        get_object("planet__v")
        return StepState(status=StepStatus.DONE, reason="There is a planet.")

    return ConfigurationStep(
        key=key,
        title="A planet",
        why="Somebody has to live somewhere.",
        section="Astronomy",
        check=check,
        apply=apply,
        url=lambda: "/admin/",
        position=position,
    )


def test_steps_stand_by_position_and_then_as_they_were_registered() -> None:
    with patch.dict(steps._steps, clear=True):
        for key, position in (("late", 9), ("first", 0), ("second", 0), ("early", -1)):
            register_step(make_step(key, position=position))
        assert [step.key for step in list_steps()] == ["early", "first", "second", "late"]


def test_a_key_is_registered_once_and_an_unknown_one_is_named() -> None:
    with patch.dict(steps._steps):
        register_step(make_step("planet"))
        with pytest.raises(ValueError, match=r"^A configuration step 'planet' is registered already\.$"):
            register_step(make_step("planet"))
    with pytest.raises(UnknownStepError, match=r"^No configuration step 'planet' is registered\.$"):
        get_step("planet")


def test_a_check_that_meets_an_error_is_broken_with_its_words() -> None:
    state = make_step("planet").read_state()
    assert state.status == StepStatus.BROKEN
    assert state.reason.startswith("No object 'planet__v' is registered.")


@pytest.mark.django_db
def test_a_step_that_fails_says_why() -> None:
    with pytest.raises(UnknownObjectError, match=r"^command has no planet\.$"):
        apply_step(step=make_step("planet"), actor=build_admin_actor())
