"""Which field of Person and which field of Account identify a person for a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_sync.crm.errors import ConfigurationError
from ctms.configuration.identifiers import find_identifier_problem
from ctms.configuration.registry import (
    ObjectField,
    UnknownFieldError,
    get_object,
    resolve_path,
)
from ctms.configuration.selectors import get_application_settings
from ctms.configuration.snapshot import load_configuration

if TYPE_CHECKING:
    from connections.models import Connection
    from ctms.configuration.models import ApplicationSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierMapping:
    """The field of Person and the field of Account that identify a person: equal, unique, case-sensitive."""

    person_field: ObjectField
    account_field: str

    @property
    def key(self) -> str:
        """Text that each match is stored with, so that those found with another mapping are not used."""
        return f"{self.person_field.api_name} = {self.account_field}"


def get_identifier_mapping(connection: Connection, *, common: ApplicationSettings | None = None) -> IdentifierMapping:
    """Return the connection's mapping; what it leaves empty comes from the global mapping if that is enabled.

    Raises ConfigurationError if an identifier is missing, or is no field of Person that can identify persons.
    """
    common = common or get_application_settings()
    own = getattr(connection, "identifier_mapping", None)
    global_person = common.clinical_person_identifier if common.enable_global_crm_mapping else ""
    global_account = common.crm_account_identifier if common.enable_global_crm_mapping else ""
    person_name = (own.clinical_person_identifier if own else "") or global_person
    account_name = (own.crm_account_identifier if own else "") or global_account
    missing = [
        label
        for label, value in (("Clinical Person Identifier", person_name), ("CRM Account Identifier", account_name))
        if not value
    ]
    if missing:
        raise ConfigurationError(
            f"{connection.name} has no {' and no '.join(missing)}, so persons and accounts cannot be matched.",
            remedy="Enter a CRM Connection Identifier Mapping for the connection, or enable the global mapping in "
            "Application Settings and enter both identifiers.",
        )
    try:
        _, person_field = resolve_path(vault_object=get_object("person__sys"), path=person_name)
    except UnknownFieldError as error:
        raise ConfigurationError(
            f"The Clinical Person Identifier is no field of Person: {error}",
            remedy="Choose another one in Application Settings or in the connection's identifier mapping.",
        ) from None
    if problem := find_identifier_problem(person_name):
        raise ConfigurationError(
            f"The Clinical Person Identifier cannot identify persons: {problem}",
            remedy="It is in Application Settings or in the connection's identifier mapping.",
        )
    # The configuration in force knows the label of a custom field.
    labelled = load_configuration().get("person__sys").fields.get(person_name, person_field)
    return IdentifierMapping(person_field=labelled, account_field=account_name)
