"""Who asks: a user, who compares only what the user may see, or the Vault, which compares everything."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import get_object_of_model
from ctms.configuration.snapshot import Configuration, ObjectShape
from ctms.records.access import ObjectAccess, open_related
from ctms.records.fields.references import get_target

# At most so many records referred to are looked up first, so that the statement on the large table can use its
# indexes. If there are more, records that refer to them are frequent, and found quickly anyway.
MOST_REFERENCED = 500
_NEVER_ASKED = frozenset({"uid__sys"})
# The transfer treats inactive records itself.
_NOT_ASKED_BY_RULES = _NEVER_ASKED | {"status__v"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAsker:
    """A user who filters a list. A record that the user may not see fulfils no condition."""

    access: ObjectAccess
    counts_hours: bool = False
    takes_instants: bool = False

    @property
    def configuration(self) -> Configuration:
        return self.access.configuration

    @property
    def user(self) -> User:
        return self.access.user

    def may_ask(self, field: ObjectField) -> bool:
        return not field.is_computed and field.api_name not in _NEVER_ASKED

    def may_follow(self, reference: ObjectField) -> bool:
        return get_target(reference) is not None

    def find_target(self, reference: ObjectField) -> ObjectShape | None:
        opened = self._open(reference)
        return opened.shape if opened is not None else None

    def list_records(self, shape: ObjectShape) -> QuerySet[Any]:
        opened = open_related(access=self.access, object_name=shape.api_name)
        return (
            opened.list_records().order_by() if opened is not None else shape.vault_object.model._default_manager.none()
        )

    def shorten(self, records: QuerySet[Any], key: str) -> Any:
        keys = records.values_list(key, flat=True)
        found = list(keys[: MOST_REFERENCED + 1])
        return found if len(found) <= MOST_REFERENCED else keys

    def get_zone(self) -> dt.tzinfo:
        return timezone.get_current_timezone()

    def _open(self, reference: ObjectField) -> ObjectAccess | None:
        target = get_target(reference)
        return open_related(access=self.access, object_name=target.api_name) if target is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultAsker:
    """The Vault itself, for the filter of an integration rule: it compares all records, and days are those of UTC."""

    configuration: Configuration
    counts_hours: bool = False
    takes_instants: bool = False

    @property
    def user(self) -> None:
        return None

    def may_ask(self, field: ObjectField) -> bool:
        # The transfer looks at records of a new version, which what follows from other records does not make.
        if field.is_computed or field.is_derived or field.api_name in _NOT_ASKED_BY_RULES:
            return False
        # Users are no records of an object.
        return field.reference is None or self.find_target(field) is not None

    def may_follow(self, reference: ObjectField) -> bool:
        # The transfer looks at a record again when one that its filter compares was changed; it finds these by
        # foreign keys alone.
        return get_target(reference) is not None and not reference.is_custom

    def find_target(self, reference: ObjectField) -> ObjectShape | None:
        target = get_object_of_model(reference.reference) if reference.reference else None
        return self.configuration.get(target.api_name) if target is not None else None

    def list_records(self, shape: ObjectShape) -> QuerySet[Any]:
        return shape.vault_object.model._base_manager.order_by()

    def shorten(self, records: QuerySet[Any], key: str) -> Any:
        return records.values(key)

    def get_zone(self) -> dt.tzinfo:
        return dt.UTC
