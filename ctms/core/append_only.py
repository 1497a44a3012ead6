"""Rows that are added and read, never changed or removed."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models

from ctms.core.errors import UnauditedWriteError

ModelT = TypeVar("ModelT", bound=models.Model)


class AppendOnlyQuerySet(models.QuerySet[ModelT]):
    """A query set that refuses changes and deletions, and Django's internal methods for them."""

    def update(self, **kwargs: Any) -> int:  # noqa: ARG002  Django's signature
        raise _refuse(self.model)

    def _update(self, values: Any) -> int:  # noqa: ARG002  Django's signature
        raise _refuse(self.model)

    def _insert(self, *args: Any, on_conflict: Any = None, **kwargs: Any) -> Any:
        if on_conflict is not None:
            raise _refuse(self.model)
        return super()._insert(*args, on_conflict=on_conflict, **kwargs)  # type: ignore[misc]

    def delete(self) -> tuple[int, dict[str, int]]:
        raise _refuse(self.model)

    def _raw_delete(self, using: str | None) -> int:  # noqa: ARG002  Django's signature
        raise _refuse(self.model)


class AppendOnlyModel(models.Model):
    """A row that is written once."""

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise _refuse(type(self))
        # Always an INSERT: a new row with the id of an old one would otherwise overwrite it.
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:  # noqa: ARG002  Django's signature
        raise _refuse(type(self))


def _refuse(model: type[models.Model]) -> UnauditedWriteError:
    return UnauditedWriteError(f"Rows of {model._meta.verbose_name_plural} are neither changed nor removed.")
