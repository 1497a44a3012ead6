"""Trainings with values of every kind, also empty ones, in standard and custom fields."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ctms.accounts.models import User
from ctms.audit.services import create_records
from ctms.clinical.models import Person
from ctms.configuration.kinds import list_custom_choices
from ctms.configuration.models import CustomField
from ctms.records.access import ObjectAccess, open_object
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.kinds import choose_values
from tests.sample.models import Training

OBJECT = "training__v"
# The kinds of which trainings have values; the tests of any other try it at each door themselves.
KINDS = ("text", "long_text", "number", "date", "datetime", "yes_no", "picklist", "reference")


def open_trainings(user: User | None = None) -> ObjectAccess:
    """Return a user's access to trainings; a superuser's, if none is given."""
    return open_object(user=user or UserFactory.create(is_superuser=True), object_name=OBJECT)


def add_custom_fields() -> None:
    """Add a custom field of each of the `KINDS`, `text__c`, `number__c`, ...; `person__c` refers to a person."""
    fields = [
        CustomField(
            of_object=OBJECT,
            api_name="person__c" if kind == "reference" else f"{kind}__c",
            label="Custom reference to a person" if kind == "reference" else f"Custom {label.lower()}",
            kind=kind,
            picklist_values=choose_values(kind, "red", "blue"),
        )
        for kind, label in list_custom_choices()
        if kind in KINDS
    ]
    create_records(records=fields, actor=build_admin_actor())


def create_trainings() -> list[Training]:
    """Create seven trainings; in each field some values are equal, and one is empty where it can be."""
    ann, bob = (PersonFactory.create(first_name=name, last_name="Smith") for name in ("Ann", "Bob"))
    rows: list[tuple[str, Person, str, int | None, str, bool]] = [
        ("b", ann, "2026-03-02", 2, "online__v", True),
        ("a", bob, "2026-03-02", 10, "classroom__v", False),
        ("c", ann, "", 10, "", True),
        ("a", ann, "2026-01-31", None, "online__v", False),
        ("d", bob, "2026-12-24", 1, "classroom__v", True),
        ("b", bob, "", None, "online__v", False),
        ("e", ann, "2025-07-01", 33, "", True),
    ]
    trainings = [
        Training(
            name=name,
            trainee=trainee,
            date=dt.date.fromisoformat(date) if date else None,
            hours=hours,
            method=method,
            passed=passed,
            remarks=f"Remarks on {name}",
            custom_fields=_build_custom(trainee=trainee, date=date, hours=hours, passed=passed),
        )
        for name, trainee, date, hours, method, passed in rows
    ]
    return create_records(records=trainings, actor=build_admin_actor())


def _build_custom(*, trainee: Person, date: str, hours: int | None, passed: bool) -> dict[str, Any]:
    values = {
        "text__c": date and f"On {date}",
        "long_text__c": date and f"Held on\n{date}",
        "number__c": hours,
        "date__c": date,
        "datetime__c": date and f"{date}T23:30:00+00:00",
        "yes_no__c": passed,
        "picklist__c": "red" if passed else "blue",
        "person__c": str(trainee.uid) if hours else None,
    }
    return {name: value for name, value in values.items() if value not in (None, "")}
