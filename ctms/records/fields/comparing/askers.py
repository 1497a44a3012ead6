"""What conditions ask of who asks: a user, or the Vault."""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol

from django.db.models import QuerySet

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import Configuration, ObjectShape


class Asker(Protocol):
    """Who asks, and so which fields may be asked about, which records are compared, and which day it is."""

    @property
    def configuration(self) -> Configuration:
        """The configuration that paths and values are checked against."""

    @property
    def user(self) -> User | None:
        """Whom *me* and *my* mean; None for the Vault."""

    @property
    def counts_hours(self) -> bool:
        """Whether the last days of a moment are so many times 24 hours until now, instead of days of the calendar."""

    @property
    def takes_instants(self) -> bool:
        """Whether moments are compared with instants, too, and not with whole days alone."""

    def may_ask(self, field: ObjectField) -> bool:
        """Whether conditions may be about the field."""

    def may_follow(self, reference: ObjectField) -> bool:
        """Whether conditions may be about fields of the record that the reference leads to."""

    def find_target(self, reference: ObjectField) -> ObjectShape | None:
        """Return the object that a reference leads to; None if it is no object, or may not be read."""

    def list_records(self, shape: ObjectShape) -> QuerySet[Any]:
        """Return the records of an object that are compared."""

    def shorten(self, records: QuerySet[Any], key: str) -> Any:
        """Return the keys of records to compare references with: a list, or a subquery."""

    def get_zone(self) -> dt.tzinfo:
        """Return the time zone whose days count."""
