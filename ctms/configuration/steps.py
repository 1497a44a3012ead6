"""The steps in which a new Vault is configured. A step checks whether it is done, and most can be applied.

An app registers its steps from `AppConfig.ready()`; the setup checklist and the demonstration use them.
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
    """The step cannot be applied, because only an admin knows what to enter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """The state of a step: done, to do, or broken (configured in a way that does not work), and the reason why."""

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
    """A function that does what is missing of a step, and nothing if nothing is missing."""

    def __call__(self, *, actor: Actor) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationStep:
    """One step. `why` says what it is for, `section` is its heading, `url` the page on which it is done by hand.

    Steps are ordered by `position`, then by registration. `apply` is None if only an admin knows what to enter.
    `permission` is needed for the page of `url` and to apply the step.
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
    # The text of its button, long and short. A step that starts something instead of configuring it is not `is_in_all`:
    # it is not applied together with all others.
    verb: str = "Apply recommended configuration"
    short_verb: str = "Apply"
    is_in_all: bool = True

    def read_state(self) -> StepState:
        """Return what `check` returns; if it raises VaultError, the step is broken, with the error as the reason."""
        try:
            return self.check()
        except VaultError as error:
            return StepState(status=StepStatus.BROKEN, reason=str(error))


_steps: dict[str, ConfigurationStep] = {}


def register_step(step: ConfigurationStep) -> None:
    """Register a step. Raises ValueError if another one has its key."""
    if step.key in _steps:
        raise ValueError(f"A configuration step {step.key!r} is registered already.")
    _steps[step.key] = step


def list_steps() -> list[ConfigurationStep]:
    """Return all steps by position, then in the order of their registration."""
    return sorted(_steps.values(), key=lambda step: step.position)


def get_step(key: str) -> ConfigurationStep:
    """Return the step of that key. Raises UnknownStepError."""
    try:
        return _steps[key]
    except KeyError:
        raise UnknownStepError(f"No configuration step {key!r} is registered.") from None


def apply_step(*, step: ConfigurationStep, actor: Actor) -> None:
    """Do what is missing of a step, all of it or nothing.

    Raises NotApplicableError for a step without `apply`, and what its services raise.
    """
    if step.apply is None:
        raise NotApplicableError(f"{step.title}: only you know what to enter. Open the page of this step.")
    with transaction.atomic():
        step.apply(actor=actor)


def apply_steps(*, steps: Iterable[ConfigurationStep], actor: Actor) -> None:
    """Do what is missing of several steps in turn; those that cannot be applied, or not with all, are left out."""
    for step in steps:
        if step.apply is not None and step.is_in_all:
            apply_step(step=step, actor=actor)
