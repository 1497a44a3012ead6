"""Register the configuration steps of connections, in the order of the requirement documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from connections.callbacks import explain_unconfirmed
from connections.certificates import warn_of_ending
from connections.models import MAX_CONNECTIONS, Connection, ConnectionAuthorization, FieldRule
from connections.models.authorizations import BASIC_AUTH
from connections.objects import ENTER_CONNECTED_APP_DETAILS
from connections.permissions import MANAGE_CONNECTIONS, MANAGE_INTEGRATIONS
from connections.secret_origins import list_lacking_secrets
from ctms.audit.services import save_record
from ctms.configuration.selectors import get_application_settings
from ctms.configuration.services import set_application_settings
from ctms.configuration.step_kinds import StepText, build_action_step
from ctms.configuration.steps import ConfigurationStep, StepState, register_step
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from ctms.audit.actors import Actor

ENABLEMENT = "Connection setup: enablement"
# The fields that hold the same value on both sides in most organisations.
_PERSON_IDENTIFIER, _ACCOUNT_IDENTIFIER = "external_id__v", "External_ID_vod__c"


def register_connection_steps() -> None:
    """Register the steps; called once, when the app is ready."""
    register_step(
        build_action_step(
            text=StepText(
                key="connected_app_action",
                title="Enter Connected App Details action",
                why="Admins enter the consumer key and secret of the CRM's connected app by this action.",
                section="Connection setup: configuration",
                position=400,
            ),
            object_name=ConnectionAuthorization.object_name,
            object_type=BASIC_AUTH,
            action_name=ENTER_CONNECTED_APP_DETAILS,
        )
    )
    for step in (_CONNECTION, _CREDENTIALS, _IDENTIFIERS, _REQUIRED_RULES, _MORE_CONNECTIONS):
        register_step(step)


def _list_active() -> QuerySet[Connection]:
    return (
        Connection.objects.filter(status=RecordStatus.ACTIVE)
        .select_related("authorization", "authorized_connection_user")
        .order_by("slot")
    )


def _name(connections: list[Connection]) -> str:
    return ", ".join(connection.name for connection in connections)


# -- A connection and its credentials -------------------------------------------------------------
def _check_connection() -> StepState:
    active = list(_list_active())
    if not active:
        return StepState.to_do(_explain_no_active())
    lacking = [connection for connection in active if connection.authorization is None]
    if lacking:
        return StepState.broken(f"No Authorization is chosen for {_name(lacking)}: its transfers fail.")
    if unconfirmed := list(filter(None, map(explain_unconfirmed, active))):
        return StepState.broken(" ".join(unconfirmed))
    return StepState.done(f"Active: {_name(active)}.")


def _explain_no_active() -> str:
    unfinished = _find_unfinished()
    if unfinished is not None:
        return f"{unfinished} waits to be edited: name, URL and Authorization. On Save it becomes Active."
    if Connection.objects.exists():
        return "There is no active connection. Activate one, or create another: name, URL and Authorization."
    return "There is no connection. Create one: name, URL and Authorization."


def _find_unfinished() -> Connection | None:
    """Return the connection to edit first: one without URL, such as that which a new Vault comes with."""
    return Connection.objects.filter(url="").order_by("slot").first()


def _find_connection_url() -> str:
    connections = list(Connection.objects.order_by("slot")[:2])
    unfinished = None if _list_active().exists() else _find_unfinished()
    one = unfinished or (connections[0] if len(connections) == 1 else None)
    if one is not None:
        return reverse("admin:connections_connection_change", args=(one.pk,))
    return reverse("admin:connections_connection_changelist" if connections else "admin:connections_connection_add")


def _check_credentials() -> StepState:
    active = [connection for connection in _list_active() if connection.authorization is not None]
    if not active:
        return StepState.to_do("There is no active connection with an Authorization yet.")
    lacking = [
        f"{connection.authorization.name}: {' and '.join(each.action for each in lacking_secrets)}"
        for connection in active
        if connection.authorization is not None
        and (lacking_secrets := list_lacking_secrets(authorization=connection.authorization, url=connection.url))
    ]
    if lacking:
        return StepState.to_do(f"Not entered yet: {'; '.join(lacking)}.")
    inactive = {
        connection.authorization.name
        for connection in active
        if connection.authorization is not None and connection.authorization.status != RecordStatus.ACTIVE
    }
    if inactive:
        return StepState.broken(
            f"Inactive, so that nobody logs in with it: {', '.join(sorted(inactive))}. Make it Active."
        )
    ending = [warning for connection in active if (warning := warn_of_ending(connection.authorization))]
    if ending:
        return StepState.broken(f"{' '.join(ending)} Use Create Certificate and upload the new one to the CRM.")
    return StepState.done(f"Entered for {_name(active)}.")


def _find_credentials_url() -> str:
    """Return the page of the first authorization that lacks something, else the list of all of them."""
    for connection in _list_active():
        authorization = connection.authorization
        if authorization is not None and (
            authorization.status != RecordStatus.ACTIVE
            or list_lacking_secrets(authorization=authorization, url=connection.url)
        ):
            return reverse("admin:connections_connectionauthorization_change", args=(authorization.pk,))
    return reverse("admin:connections_connectionauthorization_changelist")


_CONNECTION = ConfigurationStep(
    key="connection",
    title="Connection with its Authorization",
    why="Says which Medical CRM organisation this Vault exchanges activities, studies and sites with.",
    section=ENABLEMENT,
    position=410,
    check=_check_connection,
    apply=None,
    url=_find_connection_url,
    permission=MANAGE_CONNECTIONS,
)
_CREDENTIALS = ConfigurationStep(
    key="credentials",
    title="Log-in to the CRM",
    why="The Vault logs in to the CRM as its integration user, through an External Client App or a connected app of "
    "the CRM. Recommended: JWT bearer, with a certificate that is made here and uploaded there.",
    section=ENABLEMENT,
    position=420,
    check=_check_credentials,
    apply=None,
    url=_find_credentials_url,
    permission=MANAGE_CONNECTIONS,
)


# -- Identifiers ----------------------------------------------------------------------------------
def _check_identifiers() -> StepState:
    settings = get_application_settings()
    pair = f"{settings.clinical_person_identifier} = {settings.crm_account_identifier}"
    is_global = bool(
        settings.enable_global_crm_mapping and settings.clinical_person_identifier and settings.crm_account_identifier
    )
    if is_global:
        return StepState.done(f"For every connection without a mapping of its own: {pair}.")
    active = list(_list_active())
    mapped = Connection.objects.exclude(identifier_mapping=None)
    if not (settings.enable_global_crm_mapping and settings.clinical_person_identifier):
        mapped = mapped.exclude(identifier_mapping__clinical_person_identifier="")
    own = set(mapped.values_list("pk", flat=True))
    lacking = [connection for connection in active if connection.pk not in own]
    if active and not lacking:
        return StepState.done("Every active connection has a mapping of its own.")
    if lacking:
        return StepState.to_do(f"{_name(lacking)}: neither a mapping of its own nor a global one. Its transfers fail.")
    return StepState.to_do("No global identifier mapping is enabled.")


def _apply_identifiers(*, actor: Actor) -> None:
    """Enable the global mapping; fill the identifiers that are empty."""
    settings = get_application_settings()
    set_application_settings(
        clinical_person_identifier=settings.clinical_person_identifier or _PERSON_IDENTIFIER,
        crm_account_identifier=settings.crm_account_identifier or _ACCOUNT_IDENTIFIER,
        enable_global_crm_mapping=True,
        actor=actor,
    )


_IDENTIFIERS = ConfigurationStep(
    key="identifiers",
    title="Identifiers of persons and accounts",
    why=f"A person and an account are the same when these fields are equal; recommended: {_PERSON_IDENTIFIER} = "
    f"{_ACCOUNT_IDENTIFIER}.",
    section=ENABLEMENT,
    position=430,
    check=_check_identifiers,
    apply=_apply_identifiers,
    url=lambda: reverse("admin:configuration_applicationsettings_changelist"),
    permission="admin:settings",
)


# -- Rules ----------------------------------------------------------------------------------------
def _list_inactive_required() -> QuerySet[FieldRule]:
    return FieldRule.objects.filter(
        is_required=True,
        status=RecordStatus.INACTIVE,
        rule__integration__status=RecordStatus.ACTIVE,
        rule__integration__connection__status=RecordStatus.ACTIVE,
    ).select_related("rule__integration__connection")


def _check_required_rules() -> StepState:
    inactive = list(_list_inactive_required())
    if inactive:
        named = "; ".join(f"{rule.rule.integration.connection.name}: {rule.name}" for rule in inactive)
        return StepState.broken(f"Required and Inactive, so that the integration sends nothing: {named}.")
    return StepState.done("Every required field rule is Active.")


def _apply_required_rules(*, actor: Actor) -> None:
    for rule in _list_inactive_required():
        rule.status = RecordStatus.ACTIVE
        save_record(record=rule, actor=actor)


_REQUIRED_RULES = ConfigurationStep(
    key="required_rules",
    title="Standard field rules",
    why="Any field can be kept from the transfer by inactivating its field rule, save those that the CRM requires.",
    section=ENABLEMENT,
    position=460,
    check=_check_required_rules,
    apply=_apply_required_rules,
    url=lambda: reverse("admin:connections_integrationrule_changelist"),
    permission=MANAGE_INTEGRATIONS,
)


# -- More than one organisation -------------------------------------------------------------------
def _check_more_connections() -> StepState:
    count = Connection.objects.count()
    reason = f"{count} of {MAX_CONNECTIONS} connections."
    return (
        StepState.done(reason) if count > 1 else StepState.to_do(f"{reason} Copy to New makes another from the first.")
    )


_MORE_CONNECTIONS = ConfigurationStep(
    key="more_connections",
    title="Multiple connections",
    why="Each Medical CRM organisation has a connection of its own, copied from the first with its rules.",
    section=ENABLEMENT,
    position=450,
    check=_check_more_connections,
    apply=None,
    url=lambda: reverse("admin:connections_connection_changelist"),
    permission=MANAGE_CONNECTIONS,
    is_optional=True,
)
