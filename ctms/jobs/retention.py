"""What Housekeeping deletes: each app registers its kinds of rows that grow, and deletes them in batches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django.db.models import Model, QuerySet

    from ctms.jobs.registry import RunContext

_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRows:
    """Rows to delete. `parts` are models whose rows belong to them, with the field by which: they go first.

    Parts that the database cascades to need not be named, unless there may be many of them to a row.
    """

    rows: QuerySet[Any]
    parts: tuple[tuple[type[Model], str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """A kind of rows that grows, and how long it is kept.

    `setting` names the setting with the days, 0 of which is for ever; without one, `find` gets the present time and
    returns what has ended. `find` returns what is older than a moment, in the order in which it is to be deleted; never
    what something still needs, which `keeps` says in words. `counted` is the model whose rows are told.
    """

    key: str
    name: str
    models: tuple[type[Model], ...]
    find: Callable[[datetime], Sequence[OldRows]]
    keeps: str
    setting: str = ""
    position: int = 500

    @property
    def days(self) -> int | None:
        """Return for how many days the rows are kept; 0 is for ever, None until they have ended."""
        return int(getattr(settings, self.setting)) if self.setting else None

    @property
    def is_kept_for_ever(self) -> bool:
        return self.days == 0

    def find_old(self, *, now: datetime) -> Sequence[OldRows]:
        """Return what is to be deleted at a moment; nothing if it is kept for ever."""
        if self.is_kept_for_ever:
            return ()
        return self.find(now - timedelta(days=self.days or 0))


_rules: dict[str, RetentionRule] = {}
_names: dict[str, str] = {}


def register_retention(rule: RetentionRule) -> None:
    """Register a kind of rows. Called once for each, from `AppConfig.ready()`."""
    _rules[rule.key] = rule
    _names[rule.key] = rule.name


def list_retention_rules() -> list[RetentionRule]:
    """Return the kinds of rows in the order in which they are deleted: what refers to others goes first."""
    return sorted(_rules.values(), key=lambda rule: (rule.position, rule.key))


def read_names() -> Mapping[str, str]:
    """Return the names of the kinds by key, those that are registered later included."""
    return _names


def delete_in_batches(
    *, context: RunContext, old: OldRows, report_progress: Callable[[int], dict[str, Any]] | None = None
) -> int:
    """Delete rows, 500 in a transaction that renews the lease; return how many, without those that belonged to them.

    `report_progress` gets how many were deleted so far, and returns the progress of the run. Raises the errors of the
    lease; what was deleted before stays deleted.
    """
    deleted, last = 0, None
    ordered = old.rows.order_by("pk").values_list("pk", flat=True)
    while True:
        with transaction.atomic():
            context.lease.renew(progress=report_progress(deleted) if report_progress is not None else None)
            context.lease.stop_if_cancelled()
            # Not from the beginning each time: what is kept among the old rows would be looked at with every batch.
            keys = list((ordered if last is None else ordered.filter(pk__gt=last))[:_BATCH])
            if not keys:
                return deleted
            for model, field in old.parts:
                model._base_manager.filter(**{f"{field}__in": keys}).delete()
            # The conditions are asked again: since then, something may have begun to need a row.
            old.rows.filter(pk__in=keys).delete()
        deleted, last = deleted + len(keys), keys[-1]
