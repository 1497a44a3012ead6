"""The steps by which a new Vault is configured: each knows whether it is done, and can do itself.

An app registers its steps from `AppConfig.ready()`; the setup checklist and the demonstration read them here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from django.db import transaction

from ctms.configuration.choices import StepStatus
from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from ctms.audit.actors import Actor

__all__ = ["ConfigurationStep", "StepState", "StepStatus", "apply_step", "apply_steps", "list_steps", "register_step"]


class UnknownStepError(VaultError):
    """No step of that key is registered."""


class NotApplicableError(VaultError):
    """The step asks for what only an admin knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """How a step stands: done, to do, or broken (tried, and not as it works); why, in one sentence."""

    status: StepStatus
    reason: str

    @classmethod
    def done(cls, reason: str) -> StepState:
        return cls(status=StepStatus.DONE, reason=reason)

    @classmethod
    def to_do(cls, reason: str) -> StepState:
        return cls(status=StepStatus.TO_DO, reason=reason)

    @classmethod
    def broken(cls, reason: str) -> StepState:
        return cls(status=StepStatus.BROKEN, reason=reason)


class ApplyStep(Protocol):
    """Does what is missing, and nothing where nothing is."""

    def __call__(self, *, actor: Actor) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationStep:
    """One step. `why` says what it is good for, `section` its heading, `url` where it is done by hand.

    `position` orders the steps of several apps; those of the same position stand as they were registered. Without
    `apply`, only an admin knows what to enter. `permission` opens the page of `url`, and is needed to apply the step.
    """

    key: str
    title: str
    why: str
    section: str
    check: Callable[[], StepState]
    apply: ApplyStep | None
    url: Callable[[], str]
    position: int = 0
    permission: str = "admin:configuration"
    is_optional: bool = False
    # What its button does, and says. A step that starts something, instead of configuring it, is not applied with all.
    verb: str = "Apply recommended configuration"
    short_verb: str = "Apply"
    is_in_all: bool = True

    def read_state(self) -> StepState:
        """As `check` says; broken, with its words, where the check itself meets an error that users can act on."""
        try:
            return self.check()
        except VaultError as error:
            return StepState(status=StepStatus.BROKEN, reason=str(error))


_steps: dict[str, ConfigurationStep] = {}


def register_step(step: ConfigurationStep) -> None:
    """Make a step known. Raises ValueError if another one has its key."""
    if step.key in _steps:
        raise ValueError(f"A configuration step {step.key!r} is registered already.")
    _steps[step.key] = step


def list_steps() -> list[ConfigurationStep]:
    """All steps, by position, then in the order of their registration."""
    return sorted(_steps.values(), key=lambda step: step.position)


def get_step(key: str) -> ConfigurationStep:
    """The step of that key; raises UnknownStepError."""
    try:
        return _steps[key]
    except KeyError:
        raise UnknownStepError(f"No configuration step {key!r} is registered.") from None


def apply_step(*, step: ConfigurationStep, actor: Actor) -> None:
    """Do what is missing of a step, all of it or nothing.

    Raises NotApplicableError for a step of which only an admin knows the details, and what its services raise.
    """
    if step.apply is None:
        raise NotApplicableError(f"{step.title}: only you know what to enter. Open the page of this step.")
    with transaction.atomic():
        step.apply(actor=actor)


def apply_steps(*, steps: Iterable[ConfigurationStep], actor: Actor) -> None:
    """Do what is missing of several steps, one after the other, less those that cannot be applied with all."""
    for step in steps:
        if step.apply is not None and step.is_in_all:
            apply_step(step=step, actor=actor)
