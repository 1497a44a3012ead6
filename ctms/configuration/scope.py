"""To which study the records of an object belong. Every object says it, and who says nothing is not registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.constants import LOOKUP_SEP

if TYPE_CHECKING:
    from uuid import UUID

    from ctms.accounts.models import User

Records = models.QuerySet[Any]
# Filters records for those that a user sees, given the look-up from a record to its study.
StudyRule = Callable[[Records, "User", str], Records]

_FARTHEST = 3
_rules: list[StudyRule] = []  # one at most
_sights: list[Callable[[User], StudySight]] = []  # one at most
_paths: dict[type[models.Model], str] = {}  # the way to the study, of each model that has one


@dataclass(frozen=True, slots=True)
class InStudy:
    """Records of a study, seen by who sees the study.

    `path` is the look-up from a record to its study, such as `monitoring_event__study`; empty if there is only one.
    """

    path: str = ""


@dataclass(frozen=True, slots=True)
class NoStudy:
    """Records that belong to no study, and why that is right; `limit` filters for those that a user sees, or all."""

    reason: str
    limit: Callable[[Records, User], Records] | None = None


Scope = InStudy | NoStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySight:
    """Which studies a user sees who does not see all: uids of those seen as a whole, and of those seen in part.

    `key` is another text whenever other assignments are in force.
    """

    whole: frozenset[UUID]
    limited: frozenset[UUID]
    key: str


def register_study_rule(rule: StudyRule) -> None:
    """Say which records of studies a user sees. Called once, from `AppConfig.ready()`."""
    _rules[:] = [rule]


def register_study_sight(read: Callable[[User], StudySight]) -> None:
    """Say which studies a user sees by the rule. Called once, from `AppConfig.ready()`."""
    _sights[:] = [read]


def read_study_sight(user: User) -> StudySight:
    """Return which studies a user sees who does not see all."""
    return _sights[0](user) if _sights else StudySight(whole=frozenset(), limited=frozenset(), key="")


def build_limit(*, model: type[models.Model], scope: Scope) -> Callable[[Records, User], Records]:
    """Return the function that filters records of a model for those that a user sees.

    Raises ValueError if the scope contradicts the model: no way to a study, several without saying which, or a way that
    the scope denies.
    """
    paths = list_study_paths(model)
    if isinstance(scope, NoStudy):
        if paths:
            raise ValueError(
                f"{model.__name__}: its records belong to a study, by {' and '.join(paths)}, and everybody would see "
                f"those of every study. Give it the scope InStudy({paths[0]!r})."
            )
        return scope.limit or _see_all
    path = scope.path or _choose_path(model, paths)
    if not _leads_to_study(model, path):
        raise ValueError(
            f"{model.__name__}: {path!r} does not lead to a study. The way: {' and '.join(paths) or 'there is none'}."
        )
    _paths[model] = path

    def limit(records: Records, user: User) -> Records:
        return _rules[0](records, user, path) if _rules else records.none()

    return limit


def find_study_path(model: Any) -> str:
    """Return the look-up from a model to its study, as registered or as its references lead; empty if there is none."""
    if model not in _paths:
        return next(iter(list_study_paths(model)), "") if isinstance(model, type) else ""
    return _paths[model]


def _choose_path(model: type[models.Model], paths: list[str]) -> str:
    if len(paths) == 1:
        return paths[0]
    refusal = "no reference leads to a study. If that is right, give it the scope NoStudy with the reason."
    if paths:
        refusal = f"several ways lead to a study, {' and '.join(paths)}. Say which: InStudy({paths[0]!r})."
    raise ValueError(f"{model.__name__}: {refusal}")


def list_study_paths(model: type[models.Model]) -> list[str]:
    """Return the shortest look-ups, at most three references long, that lead from a model to its study."""
    if is_study(model):
        return ["pk"]
    known, ends = {model}, [(model, "")]
    for _ in range(_FARTHEST):
        found: list[str] = []
        farther: list[tuple[type[models.Model], str]] = []
        for end, path in ends:
            for field in end._meta.concrete_fields:
                target = field.related_model
                if not isinstance(target, type) or not field.is_relation:
                    continue
                longer = f"{path}{field.name}"
                if is_study(target):
                    found.append(longer)
                elif target not in known:
                    farther.append((target, longer + LOOKUP_SEP))
        if found:
            return found
        known |= {target for target, _ in farther}
        ends = farther
    return []


def _leads_to_study(model: type[models.Model], path: str) -> bool:
    if path == "pk":
        return is_study(model)
    target: Any = model
    try:
        for name in path.split(LOOKUP_SEP):
            target = target._meta.get_field(name).related_model
    except (AttributeError, FieldDoesNotExist):
        return False
    return isinstance(target, type) and is_study(target)


def is_study(model: type[models.Model]) -> bool:
    """Whether a model is that of the studies."""
    return getattr(model, "is_study", False) is True


def _see_all(records: Records, _user: User) -> Records:
    return records
