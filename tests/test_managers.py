"""Nothing but services, selectors, jobs and policies reads records past the rule who sees them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ctms.clinical.models import Person, Study
from ctms.jobs.models import JobRun
from tests import managers

NAMES = SimpleNamespace(Study=Study, Person=Person, JobRun=JobRun)


def test_every_use_has_a_reason_and_every_reason_a_use() -> None:
    assert managers.list_problems() == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Study.objects.all()", ["Study.objects"]),
        ("Person._default_manager.filter(pk=1)", ["Person._default_manager"]),
        ("type(record)._base_manager.get(pk=1)", ["type(record)._base_manager"]),
        ("unknown.objects.count()", ["unknown.objects"]),
        ("JobRun.objects.all()", []),
        ("Study.objects.none()", []),
        ("list_visible(Study.objects.filter(pk=1), user)", []),
        ("list_others(Study.objects.all(), list_visible(rows, user))", ["Study.objects"]),
    ],
)
def test_what_is_found(source: str, found: list[str]) -> None:
    assert [text for _, text in managers.list_uses(source=source, names=NAMES)] == found


def test_a_use_without_a_reason_and_a_reason_without_a_use_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = managers.read_reasons()
    monkeypatch.setattr(managers, "read_reasons", lambda: {"nowhere.py": "none"})
    problems = managers.list_problems()
    assert len(problems) > len(reasons)
    assert all("reads the records of every study. Go through policies.list_visible" in each for each in problems[:-1])
    assert problems[-1] == "pyproject.toml: 'nowhere.py' of unscoped-managers has no use any more."
