"""The setup checklist: all configuration steps with their state, by the headings of the requirement documents."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ctms.accounts.policies import has_permission
from ctms.configuration.choices import StepStatus
from ctms.configuration.console import ConsolePanel, register_console_panel
from ctms.configuration.steps import ConfigurationStep, StepState, list_steps

if TYPE_CHECKING:
    from ctms.accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistRow:
    """A step with its present state and the address of its page."""

    step: ConfigurationStep
    state: StepState
    url: str

    @property
    def is_done(self) -> bool:
        return self.state.status == StepStatus.DONE

    @property
    def can_be_applied(self) -> bool:
        return self.step.apply is not None and not self.is_done


def list_checklist(user: User) -> list[ChecklistRow]:
    """Return the steps that the user may do, in order."""
    steps = [step for step in list_steps() if has_permission(user=user, permission=step.permission)]
    return [ChecklistRow(step=step, state=step.read_state(), url=step.url()) for step in steps]


def register_checklist() -> None:
    """Register the checklist as a panel of the landing page. Called once, from `AppConfig.ready()`."""
    register_console_panel(
        ConsolePanel(
            title="Setup",
            template="admin/configuration/checklist.html",
            build=_build_panel,
            position=100,
            is_wide=True,
        )
    )


def _build_panel(user: User) -> dict[str, Any] | None:
    rows = list_checklist(user)
    if not rows:
        return None
    due = [row for row in rows if not row.step.is_optional]
    sections = [
        {"title": title, "rows": group, "is_done": all(row.is_done for row in group), "done": _count_done(group)}
        for title, group in ((title, list(found)) for title, found in groupby(rows, key=lambda row: row.step.section))
    ]
    return {
        "sections": sections,
        "done": _count_done(due),
        "due": len(due),
        "is_complete": _count_done(due) == len(due),
        "is_broken": any(row.state.status == StepStatus.BROKEN for row in rows),
        "can_apply_all": any(row.can_be_applied and row.step.is_in_all for row in rows),
    }


def _count_done(rows: list[ChecklistRow]) -> int:
    return sum(row.is_done for row in rows)
