"""What can be wrong with a report."""

from __future__ import annotations

from dataclasses import dataclass

from ctms.core.errors import VaultError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a part of a report, such as `filters` or `columns`, and the remedy, in a sentence or two.

    `parameter` is that of the address, if the address is wrong.
    """

    part: str
    text: str
    parameter: str = ""


class ReportError(VaultError):
    """The report cannot be run; the message says why, and what to do."""


class InvalidReportError(ReportError):
    """Parts of the report are not valid (any more), or not for this user."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(each.text for each in problems))
        self.problems = problems


class ReportTooSlowError(ReportError):
    """The database did not answer within the time that reports have."""
