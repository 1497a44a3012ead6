from __future__ import annotations

from functools import partial
from typing import Any
from unittest.mock import Mock, patch

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db import connection as database

from connections.choices import FieldRuleKind, GrantFlow, IntegrationKind
from connections.defaults import INTEGRATION_DEFAULTS
from connections.models import (
    MAX_CONNECTIONS,
    Connection,
    ConnectionAuthorization,
    FieldRule,
    Integration,
    IntegrationProgress,
    IntegrationRule,
)
from connections.secret_origins import LackingSecret, list_lacking_secrets
from connections.services import create_connection, enter_connected_app_details, save_connection, set_password
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.configuration.registry import get_object, resolve_path
from ctms.core.choices import RecordStatus
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.connections import AuthorizationFactory, ConnectionFactory
from tests.reliability.simultaneous import call_at_once

pytestmark = pytest.mark.both_databases

FULL = "A Vault has at most 10 connections and all are taken. Change or delete one that is no longer needed."


def build(number: int) -> Connection:
    return Connection(name=f"New {number}", url=f"https://new-{number}.my.salesforce.com")


def read_rules(connection: Connection) -> list[dict[str, Any]]:
    """Return the configuration of integrations and rules, without keys, time stamps and the connection."""
    keys = {"id", "uid", "connection_id", "integration_id", "rule_id"}
    skipped = keys | {"created_at", "created_by_id", "modified_at", "modified_by_id", "version"}
    integrations = Integration.objects.filter(connection=connection).order_by("kind")
    rules = IntegrationRule.objects.filter(integration__in=integrations).order_by("integration__kind")
    field_rules = FieldRule.objects.filter(rule__in=rules).order_by("rule__integration__kind", "position")
    rows = [dict(row) for query in (integrations, rules, field_rules) for row in query.values()]
    return [{name: value for name, value in row.items() if name not in skipped} for row in rows]


@pytest.mark.django_db
def test_a_new_connection_is_active_and_has_every_integration_with_its_rules() -> None:
    connection = create_connection(connection=build(1), actor=build_admin_actor())
    assert (connection.status, connection.slot) == (RecordStatus.ACTIVE, 1)
    integrations = Integration.objects.filter(connection=connection)
    assert sorted(integrations.values_list("kind", flat=True)) == sorted(IntegrationKind.values)
    assert IntegrationProgress.objects.filter(integration__in=integrations, last_successful_run_at=None).count() == 4
    for default in INTEGRATION_DEFAULTS:
        rule = IntegrationRule.objects.get(integration__connection=connection, integration__kind=default.kind)
        assert (rule.vault_object, rule.crm_object) == (default.vault_object, default.crm_object)
        assert [(r.kind, r.source, r.target, r.is_required, r.picklist_map) for r in rule.field_rules.all()] == [
            (d.kind, d.source, d.target, d.is_required, d.picklist_map) for d in default.field_rules
        ]
        for record in (rule.integration, rule, *rule.field_rules.all()):
            record.full_clean()


@pytest.mark.parametrize("default", INTEGRATION_DEFAULTS, ids=lambda default: default.kind)
def test_the_delivered_rules_name_fields_that_the_vault_has(default: Any) -> None:
    vault_object = get_object(default.vault_object)
    inbound = default.kind == IntegrationKind.CALL_INBOUND
    for rule in default.field_rules:
        if rule.kind != FieldRuleKind.RECORD_LINK:
            resolve_path(vault_object=vault_object, path=rule.target if inbound else rule.source)
    if default.vault_filter_field:
        resolve_path(vault_object=vault_object, path=default.vault_filter_field)


@pytest.mark.django_db
def test_every_row_of_a_new_connection_is_in_the_audit_trail() -> None:
    actor = build_admin_actor()
    before = AuditEntry.objects.count()
    connection = create_connection(connection=build(1), actor=actor)
    made = 1 + sum(model.objects.count() for model in (Integration, IntegrationRule, FieldRule))
    assert AuditEntry.objects.count() - before == made
    assert AuditEntry.objects.filter(record_uid=connection.uid).count() == 1


@pytest.mark.django_db
def test_a_connection_can_take_over_the_rules_of_another_with_their_flags() -> None:
    source = ConnectionFactory.create()
    rule = FieldRule.objects.filter(rule__integration__connection=source, target="From_vod__c").get()
    rule.status, rule.target = RecordStatus.INACTIVE, "Rep_vod__c"
    save_record(record=rule, actor=build_admin_actor())
    integration = source.integrations.get(kind=IntegrationKind.SITE_OUTBOUND)
    integration.status = RecordStatus.INACTIVE
    save_record(record=integration, actor=build_admin_actor())
    IntegrationProgress.objects.filter(integration=integration).update(rules_digest="x" * 64, outcome_unknown=True)

    copy = create_connection(connection=build(1), actor=build_admin_actor(), copy_rules_of=source)
    assert read_rules(copy) == read_rules(source)
    assert {p.rules_digest for p in IntegrationProgress.objects.filter(integration__connection=copy)} == {""}


@pytest.mark.django_db
def test_the_rules_of_a_connection_that_was_deleted_meanwhile_are_not_copied() -> None:
    source = ConnectionFactory.create(name="Gone")
    for query in (
        FieldRule.objects.all(),
        IntegrationRule.objects.all(),
        Integration.objects.all(),
        Connection.objects.all(),
    ):
        for record in query:
            delete_record(record=record, actor=build_admin_actor())
    with pytest.raises(ValidationError, match="Gone was deleted meanwhile"):
        create_connection(connection=build(1), actor=build_admin_actor(), copy_rules_of=source)
    assert Connection.objects.count() == 0


@pytest.mark.django_db
def test_an_eleventh_connection_is_refused_and_a_deleted_one_makes_room() -> None:
    connections = [create_connection(connection=build(n), actor=build_admin_actor()) for n in range(MAX_CONNECTIONS)]
    assert sorted(c.slot for c in connections) == list(range(1, 11))
    with pytest.raises(ValidationError) as raised:
        create_connection(connection=build(99), actor=build_admin_actor())
    assert raised.value.messages == [FULL]
    assert Connection.objects.count() == MAX_CONNECTIONS

    freed = connections[4]
    for model in (FieldRule, IntegrationRule, Integration):
        path = {FieldRule: "rule__integration__connection", IntegrationRule: "integration__connection"}
        for record in model._default_manager.filter(**{path.get(model, "connection"): freed}):
            delete_record(record=record, actor=build_admin_actor())
    delete_record(record=freed, actor=build_admin_actor())
    assert create_connection(connection=build(99), actor=build_admin_actor()).slot == freed.slot


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"url": "https://10.0.0.1"}, "url"),
        ({"url": "https://TAKEN.my.salesforce.com/"}, "url"),
        ({"name": ""}, "name"),
        ({"name": "Taken", "api_name": "free__c"}, "name"),
        ({"api_name": "taken__c"}, "api_name"),
        ({"name": "-taken-"}, "api_name"),
        ({"api_name": "Not one"}, "api_name"),
        ({"read_timeout": 0}, "read_timeout"),
        ({"concurrency": 11}, "concurrency"),
        ({"quota_percent": 101}, "quota_percent"),
    ],
)
def test_what_is_wrong_with_a_connection_is_said_by_field_and_nothing_is_written(
    values: dict[str, Any], field: str
) -> None:
    ConnectionFactory.create(name="Taken", url="https://taken.my.salesforce.com", api_name="taken__c")
    connection = Connection(**{"name": "Free", "url": "https://free.my.salesforce.com"} | values)
    with pytest.raises(ValidationError) as raised:
        create_connection(connection=connection, actor=build_admin_actor())
    assert list(raised.value.message_dict) == [field]
    assert Connection.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("rivals", [1, 3, 10])
def test_a_slot_taken_between_the_look_and_the_write_leads_to_the_next_free_one(rivals: int) -> None:
    actor, waiting = build_admin_actor(), list(range(rivals))

    def begin_after_a_rival() -> Any:
        if waiting:
            create_connection(connection=build(waiting.pop()), actor=actor)
        return transaction.atomic()

    mine = build(99)
    with patch("connections.services.transaction", Mock(atomic=begin_after_a_rival)):
        if rivals == MAX_CONNECTIONS:
            with pytest.raises(ValidationError, match=FULL):
                create_connection(connection=mine, actor=actor)
        else:
            assert create_connection(connection=mine, actor=actor).slot == rivals + 1
    assert Connection.objects.count() == min(rivals + 1, MAX_CONNECTIONS)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("existing", "at_once"), [(9, 10), (4, 6), (0, 4)])
def test_ten_are_the_most_however_many_are_created_at_once(existing: int, at_once: int) -> None:
    actor = build_admin_actor()
    for number in range(existing):
        create_connection(connection=build(number), actor=actor)

    new = [build(100 + number) for number in range(at_once)]
    results = call_at_once([partial(create_connection, connection=each, actor=actor) for each in new])
    created = [result for result in results if isinstance(result, Connection)]
    refused = [result for result in results if not isinstance(result, Connection)]
    assert len(created) == min(at_once, MAX_CONNECTIONS - existing)
    assert [getattr(error, "messages", error) for error in refused] == [[FULL]] * len(refused)
    slots = sorted(Connection.objects.values_list("slot", flat=True))
    assert slots == list(range(1, existing + len(created) + 1))
    assert Integration.objects.count() == 4 * len(slots)


@pytest.mark.django_db
def test_a_password_is_stored_encrypted_with_when_and_by_whom() -> None:
    authorization = AuthorizationFactory.create()
    before = authorization.version
    set_password(authorization=authorization, password="another", actor=build_admin_actor())
    authorization.refresh_from_db()
    assert authorization.password.reveal() == "another"
    assert (authorization.password_set_by, authorization.version) == (get_admin_user(), before + 1)
    assert authorization.password_set_at is not None


@pytest.mark.django_db
def test_connected_app_details_are_stored_encrypted_with_when_and_by_whom() -> None:
    authorization = AuthorizationFactory.create()
    enter_connected_app_details(
        authorization=authorization,
        consumer_key="key-2",
        consumer_secret="secret-2",
        grant_flow=GrantFlow.CLIENT_CREDENTIALS,
        actor=build_admin_actor(),
    )
    authorization.refresh_from_db()
    assert (authorization.consumer_key.reveal(), authorization.consumer_secret.reveal()) == ("key-2", "secret-2")
    assert (authorization.grant_flow, authorization.connected_app_set_by) == ("client_credentials", get_admin_user())


# -- Secrets belong to an organisation ------------------------------------------------------------
def read_origins(authorization: ConnectionAuthorization) -> tuple[str, str]:
    authorization.refresh_from_db()
    return authorization.password_origin, authorization.connected_app_origin


@pytest.mark.django_db
def test_secrets_are_bound_to_the_first_organisation_and_stay_when_the_url_changes() -> None:
    authorization = AuthorizationFactory.create()
    assert read_origins(authorization) == ("", "")
    connection = ConnectionFactory.create(url="https://na.my.salesforce.com", authorization=authorization)
    bound = ("https://na.my.salesforce.com", "https://na.my.salesforce.com")
    assert read_origins(authorization) == bound
    connection.url = "https://emea.my.salesforce.com"
    save_connection(connection=connection, actor=build_admin_actor())
    assert read_origins(authorization) == bound


@pytest.mark.django_db
def test_two_names_of_one_server_of_the_sandbox_are_one_organisation(settings: Any) -> None:
    settings.CRM_SANDBOX_ORIGINS = {
        "na.crm.test": "http://127.0.0.1:1",
        "na2.crm.test": "http://127.0.0.1:1",
        "emea.crm.test": "http://127.0.0.1:2",
    }
    authorization = ConnectionFactory.create(url="https://na.crm.test").authorization
    assert authorization is not None
    lacking = {
        name: list_lacking_secrets(authorization=authorization, url=f"https://{name}")
        for name in ("na.crm.test", "na2.crm.test", "emea.crm.test", "na2.my.salesforce.com")
    }
    assert {name: bool(secrets) for name, secrets in lacking.items()} == {
        "na.crm.test": False,
        "na2.crm.test": False,
        "emea.crm.test": True,
        "na2.my.salesforce.com": True,
    }


@pytest.mark.django_db
def test_a_secret_that_is_entered_again_belongs_to_the_organisation_in_use() -> None:
    connection = ConnectionFactory.create(url="https://na.my.salesforce.com")
    authorization = connection.authorization
    assert authorization is not None
    connection.url = "https://emea.my.salesforce.com"
    save_connection(connection=connection, actor=build_admin_actor())
    set_password(authorization=authorization, password="another", actor=build_admin_actor())
    assert read_origins(authorization) == ("https://emea.my.salesforce.com", "https://na.my.salesforce.com")
    lacking = list_lacking_secrets(authorization=authorization, url=connection.url)
    assert lacking == [
        LackingSecret("Enter Connected App Details", "has the connected app details of https://na.my.salesforce.com")
    ]


@pytest.mark.django_db
def test_an_authorization_is_used_by_one_connection_and_the_database_holds_to_it() -> None:
    first = ConnectionFactory.create()
    with pytest.raises(ValidationError) as raised:
        ConnectionFactory.create(authorization=first.authorization)
    (refusal,) = raised.value.message_dict["authorization"]
    assert refusal.startswith("Another connection uses this Authorization, and its secrets are sent to that")
    second = ConnectionFactory.create()
    taken = (first.authorization_id, second.pk)
    with pytest.raises(IntegrityError), transaction.atomic(), database.cursor() as cursor:
        cursor.execute("UPDATE connections_connection SET authorization_id = %s WHERE id = %s", taken)
