"""Match a person and an account: give the person the identifier of the account, or create the person from it.

Written as a user writes records: with their profile, the rules of the fields, and the audit trail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import connection, transaction

from crm_sync.engine.identity.account_matching import build_identifier_expression
from ctms.clinical.models import Person
from ctms.records.writing.services import build_record, write_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crm_sync.engine.rules.identifiers import IdentifierMapping
    from ctms.audit.actors import Actor
    from ctms.records.access import ObjectAccess


_LOCK: Final = 20_260_094  # first number of the locks on identifiers; the second is that of the value


def enter_identifier(
    *, access: ObjectAccess, person: Person, identifiers: IdentifierMapping, value: str, actor: Actor, version: int
) -> bool:
    """Write the identifier of a person; return False if they had it.

    Raises ValidationError, also if another person has it; AccessRefusedError; StaleRecordError if somebody changed the
    person since `version`.
    """
    with transaction.atomic():
        _hold_identifier(value)
        _refuse_taken(access=access, identifiers=identifiers, value=value, person=person)
        return write_values(
            access=access,
            record=person,
            values={identifiers.person_field.api_name: _require(identifiers=identifiers, value=value)},
            actor=actor,
            expected_version=version,
        )


def create_person(
    *,
    access: ObjectAccess,
    values: Mapping[str, Any],
    object_type: str,
    identifiers: IdentifierMapping,
    identifier: str,
    actor: Actor,
) -> Person:
    """Create a person who has the identifier of an account. Raises ValidationError and AccessRefusedError."""
    person: Person = build_record(access=access, object_type=object_type)
    with transaction.atomic():
        _hold_identifier(identifier)
        _refuse_taken(access=access, identifiers=identifiers, value=identifier, person=None)
        given = {**values, identifiers.person_field.api_name: _require(identifiers=identifiers, value=identifier)}
        write_values(access=access, record=person, values=given, actor=actor)
    return person


def _require(*, identifiers: IdentifierMapping, value: str) -> str:
    field = identifiers.person_field
    if field.is_read_only:
        raise ValidationError(f"{field.label} is set by the Vault. Correct {identifiers.account_field} in the CRM.")
    if not value:
        raise ValidationError(f"{field.label}: enter the {identifiers.account_field} of the account.")
    return value


def _hold_identifier(value: str) -> None:
    """Let nobody else give this identifier away here before the transaction ends. SQLite has one writer at a time."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, value])


def _refuse_taken(*, access: ObjectAccess, identifiers: IdentifierMapping, value: str, person: Person | None) -> None:
    """Raise ValidationError if another person has the identifier; it names them to those who see them."""
    persons: Any = Person.objects.annotate(identifier=build_identifier_expression(identifiers))
    others = persons.filter(identifier=value)
    if person is not None:
        others = others.exclude(pk=person.pk)
    other = others.order_by("pk").first() if value else None
    if other is None:
        return
    is_seen = access.list_records().filter(pk=other.pk).exists()
    who = str(other) if is_seen else "another person, whom you may not see,"
    raise ValidationError(
        f"{identifiers.person_field.label}: {who} has {value!r} already, and persons who share it have no account. "
        "Correct it on that person first, or merge the two."
    )


def join_messages(error: ValidationError, *, labels: Mapping[str, str]) -> str:
    """Return the messages of an error, each after the label of its field."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    parts = []
    for name, found in error.error_dict.items():
        text = " ".join(message for each in found for message in each.messages)
        parts.append(text if name == NON_FIELD_ERRORS else f"{labels.get(name, name)}: {text}")
    return " ".join(parts)
