"""Write connections and their credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from connections.callbacks import authorise_callbacks, revoke_outdated
from connections.choices import Audience, GrantFlow
from connections.defaults import INTEGRATION_DEFAULTS
from connections.models import (
    MAX_CONNECTIONS,
    Connection,
    ConnectionAuthorization,
    CrmConnectionIdentifierMapping,
    FieldRule,
    Integration,
    IntegrationProgress,
    IntegrationRule,
)
from connections.secret_origins import bind_secrets, find_origin
from ctms.audit.models import AuditEntry
from ctms.audit.services import create_records, save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now

if TYPE_CHECKING:
    from ctms.audit.actors import Actor

DELIVERED_NAME = "Clinical CRM Connection"
DELIVERED_DESCRIPTION = (
    "Delivered with the Vault. Edit it: name and URL of the CRM organisation, and its Authorization."
)
NO_ROOM = (
    f"A Vault has at most {MAX_CONNECTIONS} connections and all are taken. "
    "Change or delete one that is no longer needed."
)
_SLOT_RACE_TRIES = MAX_CONNECTIONS + 1


def create_connection(*, connection: Connection, actor: Actor, copy_rules_of: Connection | None = None) -> Connection:
    """Save a new connection, Active unless it is made Inactive before, with its four integrations and their rules.

    The rules are the delivered ones, or copies of another connection's with their status. A copy is Inactive until it
    has passed its test: what fits one organisation need not fit another. Raises ValidationError for
    bad fields, and for an eleventh connection, even if somebody else creates the tenth at the same moment.
    """
    if copy_rules_of is not None:
        connection.status, connection.awaits_test = RecordStatus.INACTIVE, True
    for _ in range(_SLOT_RACE_TRIES):
        free = sorted(set(range(1, MAX_CONNECTIONS + 1)) - set(Connection.objects.values_list("slot", flat=True)))
        if not free:
            break
        connection.slot = free[0]
        try:
            with transaction.atomic():
                save_connection(connection=connection, actor=actor)
                if copy_rules_of is None:
                    _deliver_integrations(connection=connection, actor=actor)
                else:
                    _copy_integrations(source=copy_rules_of, target=connection, actor=actor)
        except ValidationError as error:
            if set(getattr(error, "error_dict", ())) != {"slot"}:
                raise
        except IntegrityError:
            pass  # if another unique field was taken, the validation of the next try names it
        else:
            return connection
        # Somebody took the slot in the meantime; try again.
        connection.pk, connection._state.adding = None, True  # noqa: SLF001  Django's documented API
    raise ValidationError(NO_ROOM)


def save_connection(*, connection: Connection, actor: Actor, expected_version: int | None = None) -> bool:
    """Save a connection, and bind the secrets of its authorization to its organisation if they have none yet.

    One that gets its first URL becomes Active, as one that is created with a URL is. Return False if nothing changed.
    Raises the errors of `save_record`.
    """
    with transaction.atomic():
        stored = Connection.objects.select_related("authorized_connection_user").filter(pk=connection.pk).first()
        if connection.url and stored is not None and not stored.url:
            connection.status = RecordStatus.ACTIVE
        authorise_callbacks(connection=connection, stored=stored, actor=actor)
        is_changed = save_record(record=connection, actor=actor, expected_version=expected_version)
        if stored is not None:
            revoke_outdated(connection=connection, stored=stored, actor=actor)
        if authorization := bind_secrets(connection):
            save_record(record=authorization, actor=actor)
    return is_changed


def set_connection_status(*, connection: Connection, status: RecordStatus, actor: Actor) -> bool:
    """Activate or deactivate a connection; return False if nothing changed. Running transfers are not stopped."""
    stored = Connection.objects.get(pk=connection.pk)
    connection.status = status
    with transaction.atomic():
        is_changed = save_record(record=connection, actor=actor)
        revoke_outdated(connection=connection, stored=stored, actor=actor)
    return is_changed


def deliver_connection(*, actor: Actor) -> bool:
    """Give a Vault that never had a connection its first: without URL, Inactive, waiting to be edited.

    Return False, and write nothing, if it has or had one: whoever deletes the delivered connection does not get it
    again with the next migration.
    """
    if Connection.objects.exists() or AuditEntry.objects.filter(object_name=Connection.object_name).exists():
        return False
    create_connection(
        connection=Connection(name=DELIVERED_NAME, status=RecordStatus.INACTIVE, description=DELIVERED_DESCRIPTION),
        actor=actor,
    )
    return True


def note_test_passed(*, connection: Connection, actor: Actor) -> None:
    """Note that a copied connection has passed its test, so that it may be activated. It stays Inactive."""
    if connection.awaits_test:
        connection.awaits_test = False
        save_record(record=connection, actor=actor)


def copy_identifier_mapping(*, source: Connection, target: Connection, actor: Actor) -> None:
    """Copy the identifier mapping of `source` to `target`, if it has one."""
    mapping = CrmConnectionIdentifierMapping.objects.filter(connection=source).first()
    if mapping is not None:
        copied = CrmConnectionIdentifierMapping(
            connection=target,
            clinical_person_identifier=mapping.clinical_person_identifier,
            crm_account_identifier=mapping.crm_account_identifier,
        )
        save_record(record=copied, actor=actor)


def set_password(*, authorization: ConnectionAuthorization, password: str, actor: Actor) -> None:
    """Store the CRM user's password, encrypted, for the organisation that the authorization is used for."""
    authorization.password, authorization.password_origin = password, find_origin(authorization)
    authorization.password_set_at, authorization.password_set_by = get_now(), actor.user
    save_record(record=authorization, actor=actor)


def enter_connected_app_details(
    *,
    authorization: ConnectionAuthorization,
    consumer_key: str,
    consumer_secret: str,
    grant_flow: GrantFlow,
    actor: Actor,
    audience: Audience = Audience.MY_DOMAIN,
) -> None:
    """Store the app's key and secret, encrypted, for the organisation in use, and the log-in flow.

    JWT bearer takes no secret: `consumer_secret` is empty then. `audience` matters to JWT bearer alone.
    """
    authorization.consumer_key = consumer_key
    authorization.consumer_secret = consumer_secret
    authorization.connected_app_origin = find_origin(authorization)
    authorization.grant_flow, authorization.audience = grant_flow, audience
    authorization.connected_app_set_at, authorization.connected_app_set_by = get_now(), actor.user
    save_record(record=authorization, actor=actor)


def clear_secrets(*, authorization: ConnectionAuthorization, actor: Actor) -> bool:
    """Remove every secret of an authorization, so that nobody can log in with it; False if it had none."""
    names = ("password", "consumer_key", "consumer_secret", "private_key", "next_private_key")
    if not any(getattr(authorization, name) for name in names):
        return False
    for name in (*names, "certificate", "next_certificate"):
        setattr(authorization, name, "")
    save_record(record=authorization, actor=actor, reason="Removed from a copy of the Vault")
    return True


def _deliver_integrations(*, connection: Connection, actor: Actor) -> None:
    rules = [
        IntegrationRule(
            integration=Integration(connection=connection, kind=default.kind, name=default.kind.label),
            name=default.rule_name,
            **{name: getattr(default, name) for name in _DELIVERED_RULE_FIELDS},
        )
        for default in INTEGRATION_DEFAULTS
    ]
    field_rules = [
        FieldRule(
            rule=rule,
            position=position,
            picklist_map=dict(field_rule.picklist_map),
            **{name: getattr(field_rule, name) for name in _DELIVERED_FIELD_RULE_FIELDS},
        )
        for rule, default in zip(rules, INTEGRATION_DEFAULTS, strict=True)
        for position, field_rule in enumerate(default.field_rules, start=1)
    ]
    _create_integrations(rules=rules, field_rules=field_rules, actor=actor)


def _create_integrations(*, rules: list[IntegrationRule], field_rules: list[FieldRule], actor: Actor) -> None:
    """Save new rules with their integrations, without validation: what is delivered or copied was validated before."""
    integrations = [rule.integration for rule in rules]
    create_records(records=integrations, actor=actor)
    IntegrationProgress.objects.bulk_create([IntegrationProgress(integration=each) for each in integrations])
    for rule in rules:
        rule.integration = rule.integration  # takes over the key that the integration has now
    create_records(records=rules, actor=actor)
    for field_rule in field_rules:
        field_rule.rule = field_rule.rule
    create_records(records=field_rules, actor=actor)


_DELIVERED_RULE_FIELDS = (
    "vault_object",
    "vault_object_type",
    "vault_filter_field",
    "crm_object",
    "crm_external_id_field",
    "crm_filter_field",
    "deletion_mode",
    "deletion_field",
    "deletion_value",
)
_DELIVERED_FIELD_RULE_FIELDS = ("kind", "source", "target", "is_required", "reference_object", "reference_field")
_COPIED_RULE_FIELDS = (
    "name",
    "status",
    "vault_object",
    "vault_object_type",
    "vault_filter_field",
    "conditions",
    "crm_object",
    "crm_external_id_field",
    "crm_filter_field",
    "deletion_mode",
    "deletion_field",
    "deletion_value",
    "deletion_max_length",
    "allow_duplicates",
)
_COPIED_FIELD_RULE_FIELDS = (
    "name",
    "status",
    "position",
    "kind",
    "source",
    "target",
    "is_required",
    "constant",
    "picklist_map",
    "reference_object",
    "reference_field",
)


def _copy_integrations(*, source: Connection, target: Connection, actor: Actor) -> None:
    """Copy integrations and rules as configured, without their progress and links."""
    # Locked, so that it is not deleted meanwhile; checked, because it may have been deleted before.
    if not Connection.objects.select_for_update().filter(pk=source.pk).exists():
        raise ValidationError(f"{source} was deleted meanwhile, so that its rules cannot be copied. Copy another one.")
    rules: list[IntegrationRule] = []
    field_rules: list[FieldRule] = []
    for integration in source.integrations.select_related("rule").prefetch_related("rule__field_rules"):
        copied = Integration(connection=target, kind=integration.kind, name=integration.name, status=integration.status)
        rule = IntegrationRule(
            integration=copied, **{name: getattr(integration.rule, name) for name in _COPIED_RULE_FIELDS}
        )
        rules.append(rule)
        field_rules += [
            FieldRule(rule=rule, **{name: getattr(field_rule, name) for name in _COPIED_FIELD_RULE_FIELDS})
            for field_rule in integration.rule.field_rules.all()
        ]
    _create_integrations(rules=rules, field_rules=field_rules, actor=actor)
