"""Which fields can identify the accounts of the organisations, as these have described them."""

from __future__ import annotations

from connections import pickers
from connections.descriptions import list_account_objects
from connections.mappingchecks import check_account_identifier, refuse
from connections.models import Connection
from connections.models.descriptions import read_known_objects
from ctms.configuration.account_identifiers import AccountFields, Choices, register_account_fields
from ctms.core.choices import RecordStatus


def register_identifiers() -> None:
    """Register what Application Settings ask; called once, when the app is ready."""
    register_account_fields(AccountFields(list_choices=list_account_choices, find_problem=find_account_problem))


def list_account_choices() -> Choices:
    """Return the fields that can identify accounts in all organisations that use the global mapping.

    Empty if one of them has not described its accounts, so that names have to be typed.
    """
    offers = [list_identifier_choices(each) for each in _list_global()]
    if not offers or not all(offers):
        return []
    common = set.intersection(*({name.lower() for name, _ in offer} for offer in offers))
    return [(name, text) for name, text in offers[0] if name.lower() in common]


def list_identifier_choices(connection: Connection) -> Choices:
    """Return the fields that can identify accounts in one organisation; empty if it has not described them."""
    known = read_known_objects(connection)
    return pickers.list_identifier_choices([known.find(name) for name in list_account_objects(connection)])


def find_account_problem(name: str) -> str:
    """Return why a field cannot identify the accounts of an organisation that uses the global mapping."""
    for connection in _list_global():
        known = read_known_objects(connection)
        findings = check_account_identifier(name=name, account_objects=list_account_objects(connection), known=known)
        if problem := refuse(findings, known=known):
            return f"{connection.name}: {problem}"
    return ""


def _list_global() -> list[Connection]:
    """Return the active connections without an identifier mapping of their own."""
    return list(Connection.objects.filter(status=RecordStatus.ACTIVE, identifier_mapping=None).order_by("name"))
