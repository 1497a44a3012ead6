"""Whose entries the calendar shows: the user's own, those of the user's studies, or those of one study.

What is *mine* is said in `ctms/records/conditions/mine.py`; here it becomes the parameters of the object's list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.http import QueryDict

from ctms.records.access import ObjectAccess, open_related
from ctms.records.calendar.sources import CalendarSource
from ctms.records.conditions.mine import ME, MINE, OWNER
from ctms.records.fields.references import get_target
from ctms.records.lists.filters import read_filters

STUDIES = "studies"


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose entries: `kind` is `mine`, `studies` or, with the uid of a study, `study`."""

    kind: str = MINE
    study: UUID | None = None

    def __str__(self) -> str:
        """Return the value of the parameter."""
        return str(self.study) if self.study is not None else self.kind


def read_whose(text: str) -> Whose:
    """Return what the value of the parameter `whose` means. Raises ValueError with a message for the user."""
    if text in ("", MINE):
        return Whose()
    if text == STUDIES:
        return Whose(kind=STUDIES)
    try:
        return Whose(kind="study", study=UUID(text))
    except ValueError:
        raise ValueError(
            f"Whose: {text[:40]!r} is neither mine, studies nor a study. Choose one of the list."
        ) from None


def build_parameters(*, source: CalendarSource, access: ObjectAccess, whose: Whose) -> Mapping[str, str] | None:
    """Return the parameters with which the object's list shows the same records; None if there can be none."""
    if whose.kind == MINE:
        return _build_mine(source=source, access=access)
    if source.study not in access.shape.fields:
        return None
    if whose.study is not None:
        return {source.study: str(whose.study)}
    return {source.study: MINE} if _may_open(access=access, reference=source.study) else None


def limit_to_whose(*, source: CalendarSource, access: ObjectAccess, whose: Whose) -> QuerySet[Any]:
    """Return the records of a source that the user sees and that are of those asked for."""
    parameters = build_parameters(source=source, access=access, whose=whose)
    records = access.list_records()
    if parameters is None:
        return records.none()
    return read_filters(access=access, parameters=QueryDict(urlencode(parameters))).limit(records)


def _build_mine(*, source: CalendarSource, access: ObjectAccess) -> Mapping[str, str] | None:
    """Return the parameters of what is mine, as far as the object has an owner and a site."""
    owned = {OWNER: ME} if OWNER in access.shape.fields else {}
    # The owner of a site sees what is there only with the site itself.
    at_site = {source.site: MINE} if _may_open(access=access, reference=source.site) else {}
    if owned and at_site:
        return {f"any1.{name}": value for name, value in (owned | at_site).items()}
    return owned or at_site or None


def _may_open(*, access: ObjectAccess, reference: str) -> bool:
    field = access.shape.fields.get(reference)
    target = get_target(field) if field is not None else None
    return target is not None and open_related(access=access, object_name=target.api_name) is not None
