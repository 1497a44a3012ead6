"""Register the objects of connections."""

from __future__ import annotations

from connections.models import (
    Connection,
    ConnectionAuthorization,
    CrmConnectionIdentifierMapping,
    FieldRule,
    Integration,
    IntegrationRule,
)
from connections.models.authorizations import BASIC_AUTH
from ctms.audit.places import CONNECTION, register_place
from ctms.configuration.registry import NoStudy, ObjectType, VaultObject, register_object

_SETUP = NoStudy("a connection serves all studies")

# From a row of the set-up to the connection that it belongs to.
_WAYS = {
    Connection: "pk",
    CrmConnectionIdentifierMapping: "connection",
    Integration: "connection",
    IntegrationRule: "integration__connection",
    FieldRule: "rule__integration__connection",
}

ENTER_CONNECTED_APP_DETAILS = "enter_connected_app_details__sys"


def register_connection_objects() -> None:
    """Register the objects; called once, when the app is ready."""
    for model, path in _WAYS.items():
        register_place(model=model, column=CONNECTION, path=path)
    register_object(
        VaultObject(
            model=ConnectionAuthorization,
            scope=_SETUP,
            fields={"username__sys": "username"},
            object_types=(ObjectType(api_name=BASIC_AUTH, label="Basic Auth"),),
            actions={ENTER_CONNECTED_APP_DETAILS: "Enter Connected App Details"},
            list_columns=("name__v", "username__sys", "status__v"),
            is_setup=True,
        )
    )
    register_object(
        VaultObject(
            model=Connection,
            scope=_SETUP,
            fields={
                "api_name__sys": "api_name",
                "url__sys": "url",
                "authorization__sys": "authorization",
                "authorized_connection_user__sys": "authorized_connection_user",
                "description__sys": "description",
            },
            list_columns=("name__v", "url__sys", "status__v"),
            is_setup=True,
        )
    )
    register_object(
        VaultObject(
            model=CrmConnectionIdentifierMapping,
            scope=_SETUP,
            fields={
                "connection__v": "connection",
                "clinical_person_identifier__v": "clinical_person_identifier",
                "crm_account_identifier__v": "crm_account_identifier",
            },
            list_columns=("connection__v", "crm_account_identifier__v"),
            search_fields=("crm_account_identifier__v",),
            is_setup=True,
        )
    )
    register_object(
        VaultObject(
            model=Integration,
            scope=_SETUP,
            fields={"connection__sys": "connection", "kind__sys": "kind"},
            list_columns=("name__v", "connection__sys", "status__v"),
            is_setup=True,
        )
    )
    register_object(
        VaultObject(
            model=IntegrationRule,
            scope=_SETUP,
            fields={
                "integration__sys": "integration",
                "vault_object__sys": "vault_object",
                "crm_object__sys": "crm_object",
            },
            list_columns=("name__v", "integration__sys", "vault_object__sys", "crm_object__sys", "status__v"),
            is_setup=True,
        )
    )
    register_object(
        VaultObject(
            model=FieldRule,
            scope=_SETUP,
            fields={
                "rule__sys": "rule",
                "kind__sys": "kind",
                "source__sys": "source",
                "target__sys": "target",
                "required__sys": "is_required",
            },
            list_columns=("name__v", "rule__sys", "kind__sys", "status__v"),
            is_setup=True,
        )
    )
