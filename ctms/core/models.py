"""Abstract models of audited rows and of records; the apps above define the concrete ones."""

from __future__ import annotations

import contextlib
import uuid
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from ctms.core.choices import RecordStatus
from ctms.core.errors import UnauditedWriteError
from ctms.core.fields import EncryptedTextField
from ctms.core.text.characters import tidy_text
from ctms.core.text.numbers import LONGEST_KEY, build_number_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_writer_is_active: ContextVar[bool] = ContextVar("audited_writer_is_active", default=False)

AuditedT = TypeVar("AuditedT", bound="AuditedModel")


@contextlib.contextmanager
def allow_record_writes() -> Iterator[None]:
    """Allow records to be written in the `with` block. For `ctms.audit.services` alone, which writes audit entries."""
    token = _writer_is_active.set(True)
    try:
        yield
    finally:
        _writer_is_active.reset(token)


def _require_writer(model: type[models.Model]) -> None:
    if not _writer_is_active.get():
        raise UnauditedWriteError(
            f"{model.__name__} records are written through ctms.audit.services, which keeps the audit trail."
        )


class AuditedQuerySet(models.QuerySet[AuditedT]):
    """A query set whose writes are refused outside the audited writer.

    Beside the documented methods it guards `_insert`, `_update` and `_raw_delete`, which all of Django's writing ends
    in, so that fixtures and `save_base`, which do not call `save()`, are refused too. Raw SQL is not.
    """

    def update(self, **kwargs: Any) -> int:
        _require_writer(self.model)
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        _require_writer(self.model)
        return super().delete()

    def bulk_create(self, objs: Iterable[AuditedT], *args: Any, **kwargs: Any) -> list[AuditedT]:
        _require_writer(self.model)
        return super().bulk_create(objs, *args, **kwargs)

    def _insert(self, *args: Any, **kwargs: Any) -> Any:
        _require_writer(self.model)
        return super()._insert(*args, **kwargs)  # type: ignore[misc]

    def _update(self, values: Any) -> int:
        _require_writer(self.model)
        updated: int = super()._update(values)  # type: ignore[misc]
        return updated

    def _raw_delete(self, using: str | None) -> int:
        _require_writer(self.model)
        return super()._raw_delete(using)


class AuditedModel(models.Model):
    """A row whose every change is in the audit trail. `version` goes up by one with every change."""

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField("created date", editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    modified_at = models.DateTimeField("last modified date", editable=False, db_index=True)
    modified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False
    )

    objects = AuditedQuerySet.as_manager()

    # API name of the model's object, as layouts, rules, permissions and the audit trail use it.
    object_name: ClassVar[str] = ""
    # Set by the audited writer itself; a difference in them is not a change of the record.
    bookkeeping_fields: ClassVar[frozenset[str]] = frozenset(
        {"id", "uid", "version", "created_at", "created_by", "modified_at", "modified_by"}
    )
    # Those of the bookkeeping fields that follow from other records: a save leaves them as they are stored.
    derived_fields: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        abstract = True
        # Otherwise Django's own paths (saving, refreshing, cascading) use a plain manager, which refuses nothing.
        base_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        _require_writer(type(self))
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        _require_writer(type(self))
        return super().delete(*args, **kwargs)

    def keep_derived(self, stored: Any) -> None:
        """Take over what others have written of this record, the stored one, since it was read."""
        for name in self.derived_fields:
            setattr(self, name, getattr(stored, name))

    def tidy_texts(self, stored: Any) -> None:
        """Bring the texts that differ from those of `stored`, None for a new record, into the form that is kept.

        The writer calls it first. What people typed was refused before, if something in it cannot be kept; here it is
        left out, because nobody can be asked.
        """
        for attribute, has_lines in _list_text_fields(type(self)):
            text = getattr(self, attribute)
            if isinstance(text, str) and text and (stored is None or text != getattr(stored, attribute)):
                setattr(self, attribute, tidy_text(text, has_lines=has_lines))

    def prepare_for_save(self) -> None:
        """Fill fields that follow from others. The writer calls it before it validates. Override and call super()."""

    @classmethod
    def fill_new(cls, records: Sequence[Any], *, user: Any) -> None:
        """Fill fields of new records that follow from the user who makes them.

        The writer calls it after `prepare_for_save`, whichever door the records come through. Override and call
        super().
        """

    @classmethod
    def check_together(cls, changes: Sequence[tuple[Any, Any]]) -> None:
        """Raise ValidationError if one of these records must not be saved as it is, validated or not.

        The writer gives it the records of one statement, each with what is stored of it, or None if it is new. Override
        and call super().
        """

    @classmethod
    def list_named_after(cls, records: Sequence[Any]) -> list[models.QuerySet[Any]]:  # noqa: ARG003  for those who override it
        """Return records of other models whose names contain the names of these; the writer saves them again."""
        return []

    def full_clean(
        self,
        exclude: Iterable[str] | None = None,
        validate_unique: bool = True,  # noqa: FBT001, FBT002  Django's signature
        validate_constraints: bool = True,  # noqa: FBT001, FBT002  Django's signature
    ) -> None:
        """Validate as Django does, but for the fields that the writer sets itself."""
        kept = {"created_at", "created_by", "modified_at", "modified_by"}
        super().full_clean({*(exclude or ()), *kept}, validate_unique, validate_constraints)


@cache
def _list_text_fields(model: type[models.Model]) -> tuple[tuple[str, bool], ...]:
    """Return the attributes that hold texts of people, each with whether it may have several lines."""
    return tuple(
        (field.attname, isinstance(field, models.TextField))
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField)
        and not isinstance(field, EncryptedTextField)
        and not field.choices
    )


class VaultRecord(AuditedModel):
    """A record of an object of the Vault, with the fields that every object has."""

    name = models.CharField(max_length=128)
    status = models.CharField(max_length=20, choices=RecordStatus.choices, default=RecordStatus.ACTIVE, db_index=True)
    object_type = models.CharField(max_length=80, blank=True, default="", editable=False)
    # Null instead of empty: many records have none, and the others are unique.
    external_id = models.CharField("external ID", max_length=255, unique=True, null=True, blank=True)
    custom_fields = models.JSONField(default=dict, blank=True, editable=False)

    # API names and labels of its object types, set when its object is registered.
    known_types: ClassVar[Mapping[str, str] | None] = None
    # Asked before records are saved: it is given the model and what `check_together` is given. One at most.
    checks_values: ClassVar[Callable[[type[VaultRecord], Sequence[tuple[Any, Any]]], None] | None] = None
    # Whether the name is made from other fields, so that every save builds it again.
    name_follows: ClassVar[bool] = False

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    def tidy_texts(self, stored: Any) -> None:
        super().tidy_texts(stored)
        before = (stored.custom_fields if stored is not None else None) or {}
        values = self.custom_fields or {}
        tidied = {
            name: tidy_text(value, has_lines=True) if isinstance(value, str) and value != before.get(name) else value
            for name, value in values.items()
        }
        if tidied != values:
            self.custom_fields = tidied

    def prepare_for_save(self) -> None:
        super().prepare_for_save()
        self.external_id = self.external_id or None
        if self.name_follows or not self.name:
            self.name = self.build_name()[:128]

    def clean(self) -> None:
        super().clean()
        self.check_type()

    @classmethod
    def check_together(cls, changes: Sequence[tuple[Any, Any]]) -> None:
        super().check_together(changes)
        for record, _ in changes:
            record.check_type()
        if VaultRecord.checks_values is not None:
            VaultRecord.checks_values(cls, changes)

    def check_type(self) -> None:
        """Raise ValidationError if the object has no such type."""
        types = self.known_types
        if types is None or self.object_type in types or not (types or self.object_type):
            return
        wrong = f"There is no {self._meta.verbose_name} of type {self.object_type}. " if self.object_type else ""
        remedy = f"Choose one of: {', '.join(types.values())}." if types else "Leave the type empty."
        raise ValidationError({"object_type": f"{wrong}{remedy}"})

    def build_name(self) -> str:
        """Return the name made from other fields; empty if users name the record. See `name_follows`."""
        return ""


NUMBER_TAKEN = "number_taken"
# What people typed, for an attribute that is made of it.
TYPED_AS: Mapping[str, str] = {"number_key": "name"}
SAME_NUMBERS = "Numbers are the same if they differ only in case, dashes, blanks or invisible characters."


class NumberedRecord(VaultRecord):
    """A record whose name is a number, such as that of a study.

    Its model has a constraint on `number_key`, with the code `NUMBER_TAKEN`; the message ends with `SAME_NUMBERS`.
    """

    number_key = models.CharField(max_length=LONGEST_KEY, editable=False, default="")

    bookkeeping_fields = VaultRecord.bookkeeping_fields | {"number_key"}

    class Meta:
        abstract = True

    def prepare_for_save(self) -> None:
        super().prepare_for_save()
        self.number_key = build_number_key(self.name)
