"""Factories of connections, their authorizations and identifier mappings."""

from __future__ import annotations

from typing import Any

from connections.choices import GrantFlow
from connections.models import Connection, ConnectionAuthorization, CrmConnectionIdentifierMapping
from connections.services import create_connection, enter_connected_app_details, save_connection, set_password
from ctms.audit.actors import Actor
from tests.factories.base import AuditedFactory, build_admin_actor, sequence, sub

CRM_PASSWORD = "crm-password-of-tests-alone"
CONSUMER_KEY = "consumer-key-of-tests-alone"
CONSUMER_SECRET = "consumer-secret-of-tests-alone"


class AuthorizationFactory(AuditedFactory[ConnectionAuthorization]):
    """The authorization of an integration user; `password`, `consumer_key` and the like replace the defaults."""

    class Meta:
        model = ConnectionAuthorization

    name = sequence(lambda n: f"Integration user {n:06d}")
    username = sequence(lambda n: f"integration{n:06d}@crm.example.com")
    password = CRM_PASSWORD
    consumer_key = CONSUMER_KEY
    consumer_secret = CONSUMER_SECRET
    grant_flow = GrantFlow.PASSWORD

    @classmethod
    def _create(cls, model_class: type[ConnectionAuthorization], *_args: Any, **values: Any) -> ConnectionAuthorization:
        actor = values.pop("actor", None) or build_admin_actor()
        password = values.pop("password")
        details = {name: values.pop(name) for name in ("consumer_key", "consumer_secret", "grant_flow")}
        authorization = cls.save_as(model_class(**values), actor)
        set_password(authorization=authorization, password=password, actor=actor)
        enter_connected_app_details(authorization=authorization, actor=actor, **details)
        return authorization


class ConnectionFactory(AuditedFactory[Connection]):
    """An Active connection with its four integrations and their default rules."""

    class Meta:
        model = Connection

    name = sequence(lambda n: f"Organisation {n:06d}")
    url = sequence(lambda n: f"https://organisation-{n:06d}.my.salesforce.com")
    authorization = sub(AuthorizationFactory)

    @classmethod
    def save_as(cls, record: Connection, actor: Actor) -> Connection:
        return create_connection(connection=record, actor=actor)


def move_connection(connection: Connection, *, url: str) -> None:
    """Let a connection lead to another organisation, and enter its secrets again."""
    connection.url = url
    authorization, actor = connection.authorization, build_admin_actor()
    save_connection(connection=connection, actor=actor)
    if authorization is not None:
        set_password(authorization=authorization, password=authorization.password.reveal(), actor=actor)
        enter_connected_app_details(
            authorization=authorization,
            consumer_key=authorization.consumer_key.reveal(),
            consumer_secret=authorization.consumer_secret.reveal(),
            grant_flow=GrantFlow(authorization.grant_flow),
            actor=actor,
        )


class IdentifierMappingFactory(AuditedFactory[CrmConnectionIdentifierMapping]):
    """The identifier mapping of one connection, with the fields that `map_identifiers()` sets for all."""

    class Meta:
        model = CrmConnectionIdentifierMapping

    connection = sub(ConnectionFactory)
    clinical_person_identifier = "external_id__v"
    crm_account_identifier = "External_ID_vod__c"
