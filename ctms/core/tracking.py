"""Rows that anybody may write by Django's own means, and whose every write is told to the audit trail.

Users are such rows: `createsuperuser`, `changepassword` and Django's forms write them without knowing of the Vault's
audited writer. Writing ends in a few methods of the query set, whichever door it came through, so the query set tells
the recorder, in the transaction of the write, what was there before and after. Raw SQL is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar, TypeVar

from django.db import models, transaction
from django.db.models.signals import class_prepared, pre_delete
from django.dispatch import receiver

from ctms.core.errors import DeletionRefusedError, UnauditedWriteError

TrackedT = TypeVar("TrackedT", bound="TrackedModel")
# A row before and after a write; None before it was created, and after it was deleted.
Write = tuple["TrackedModel | None", "TrackedModel | None"]
Recorder = Callable[[Sequence[Write]], None]

_recorders: list[Recorder] = []


def register_recorder(recorder: Recorder) -> None:
    """Let `recorder` write the audit entries of what is written. Called from `AppConfig.ready()` of the audit trail."""
    if recorder not in _recorders:
        _recorders.append(recorder)


def _record(writes: Sequence[Write]) -> None:
    writes = [write for write in writes if any(row is not None and row.is_tracked for row in write)]
    if writes and not _recorders:
        raise UnauditedWriteError("No audit trail is installed, so nothing that it has to hold is written.")
    for recorder in _recorders:
        recorder(writes)


class TrackedQuerySet(models.QuerySet[TrackedT]):
    """A query set that tells the recorder what it creates and changes; of deletions a signal tells."""

    def update(self, **kwargs: Any) -> int:
        return self._tell_changes(kwargs, lambda rows: models.QuerySet.update(rows, **kwargs))

    def _update(self, values: Any) -> int:
        # What `Model.save` ends in. `values` are tuples of the field, the model and the value.
        names = [field.name for field, _, _ in values]
        return self._tell_changes(names, lambda rows: models.QuerySet._update(rows, values))  # type: ignore[attr-defined]  # noqa: SLF001  Django's own

    def _insert(self, objs: Any, *args: Any, on_conflict: Any = None, **kwargs: Any) -> Any:
        # What `Model.save` and `bulk_create` end in.
        if on_conflict is not None:
            raise UnauditedWriteError(
                f"{self.model.__name__}: bulk_create does not tell which rows were there. Look first, then create the "
                "missing ones and change the others with bulk_update."
            )
        with transaction.atomic(using=self.db):
            inserted = super()._insert(objs, *args, **kwargs)  # type: ignore[misc]
            _record([(None, row) for row in objs])
        return inserted

    def delete(self) -> tuple[int, dict[str, int]]:
        self.model.require_deletable()
        return super().delete()

    def _raw_delete(self, using: str | None) -> int:  # noqa: ARG002  Django's signature
        raise UnauditedWriteError(f"{self.model.__name__}: delete rows with delete(), which is in the audit trail.")

    def _tell_changes(self, names: Collection[str], write: Callable[[Any], int]) -> int:
        """Call `write` with the rows of this query set, and tell which of them it changed."""
        if self.model.bookkeeping_fields.issuperset(names):
            return write(self)
        with transaction.atomic(using=self.db):
            stored = self.model._base_manager.using(self.db)
            matching = stored.filter(pk__in=self.order_by().values("pk"))
            # Locked in the order of the keys, so that two such writes cannot deadlock; and without the key itself, so
            # that rows which refer to these can be written meanwhile.
            before = {row.pk: row for row in matching.order_by("pk").select_for_update(no_key=True)}
            # No row that another transaction adds meanwhile is changed without having been read.
            count = write(self.filter(pk__in=before))
            after = stored.in_bulk(before)
            changed = [(before[pk], row) for pk, row in after.items() if _differs(before[pk], row)]
            if changed:
                self.follow_changes(changed)
                _record(changed)
        return count

    def follow_changes(self, changed: Sequence[tuple[Any, Any]]) -> None:
        """Write what follows from changes of these rows, before and after. Override where something does."""


def _differs(before: TrackedModel, after: TrackedModel) -> bool:
    return any(
        getattr(before, field.attname) != getattr(after, field.attname)
        for field in before._meta.concrete_fields
        if field.name not in before.bookkeeping_fields
    )


class TrackedModel(models.Model):
    """A row whose every change is in the audit trail, by whatever door it comes.

    Models have `objects` over a `TrackedQuerySet`, and `base_manager_name = "objects"`; otherwise Django's own paths
    (saving, cascading) use a plain manager, which tells nothing.
    """

    # Name of the rows in the audit trail.
    audit_name: ClassVar[str] = ""
    # A difference in these alone is not a change.
    bookkeeping_fields: ClassVar[frozenset[str]] = frozenset({"id", "uid"})
    # Their values are never in the audit trail, only whether there is one.
    secret_fields: ClassVar[frozenset[str]] = frozenset()
    # Why rows are never deleted, and what is done instead; empty if they are.
    never_deleted: ClassVar[str] = ""

    class Meta:
        abstract = True

    @property
    def is_tracked(self) -> bool:
        """Whether this row is one for the audit trail."""
        return True

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self.require_deletable()
        return super().delete(*args, **kwargs)

    @classmethod
    def require_deletable(cls) -> None:
        """Raise DeletionRefusedError, which says what to do instead, if rows are never deleted."""
        if cls.never_deleted:
            raise DeletionRefusedError(f"Nothing was deleted. {cls.never_deleted}")


@receiver(class_prepared)
def _watch_deletions(sender: type[models.Model], **_kwargs: Any) -> None:
    # Each model by itself: a receiver for all would make Django read the rows of every model before it deletes them.
    if issubclass(sender, TrackedModel):
        pre_delete.connect(_tell_deletion, sender=sender)


def _tell_deletion(instance: TrackedModel, **_kwargs: Any) -> None:
    instance.require_deletable()  # it may be deleted along with another row
    _record([(instance, None)])
