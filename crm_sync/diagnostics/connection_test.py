"""Test whether a transfer of a connection would succeed, without transferring a record.

It uses the client, checks and compiled rules of the transfer. Nothing is written in the CRM; in the Vault, what the CRM
described, and that a copied connection has passed its test.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Sum, TextChoices

from connections.certificates import retire_previous_certificate, warn_of_ending
from connections.choices import DescriptionOrigin
from connections.crmchecks import check_account_field
from connections.descriptions import ACCOUNT, list_named_objects, store_description, store_object_list
from connections.models import CrmObjectList
from connections.services import note_test_passed
from crm_sync.crm.clocks import CLOCK_REMEDY, describe_clock_offset
from crm_sync.crm.deadlines import Deadline, OutOfTimeError
from crm_sync.crm.errors import AuthenticationError, ConfigurationError, ConnectivityError, CrmError, LimitError
from crm_sync.diagnostics.rule_checks import check_plan
from crm_sync.engine.field_lengths import remember_lengths
from crm_sync.engine.identity.organisation import find_last_organisation, refuse_other_organisation
from crm_sync.engine.rules.compiling import compile_integration
from crm_sync.engine.rules.identifiers import get_identifier_mapping
from crm_sync.engine.run import list_integrations
from crm_sync.models import IntegrationRun
from crm_sync.salesforce.client_factory import build_client
from crm_sync.salesforce.describe import read_description
from crm_sync.salesforce.dialect import SalesforceDialect
from crm_sync.salesforce.quota import read_usage
from ctms.audit.actors import build_system_actor

if TYPE_CHECKING:
    from collections.abc import Callable

    from connections.crmchecks import Finding
    from connections.crmdescription import DescribedObject
    from connections.models import Connection, Integration
    from crm_sync.engine.rules.compiled import CompiledIntegration
    from crm_sync.engine.rules.identifiers import IdentifierMapping
    from crm_sync.salesforce.client import CrmClient
    from ctms.accounts.models import User
    from ctms.audit.actors import Actor

# The page may take fifteen seconds; the last one is for rendering it.
CHECKUP_SECONDS = 14.0
# Share of the time for one call, so that a CRM that never answers is reported as such, not as slow.
_CALL_SHARE = 0.8
# After these errors further calls would fail too.
_ENDS_CHECKUP = (AuthenticationError, ConnectivityError, LimitError)


class CheckState(TextChoices):
    """How a step of the test ended."""

    PASSED = "passed", "Passed"
    WARNING = "warning", "Warning"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Not done"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStep:
    """One step of the test: what was found and what to do about it; `rule_pk` is the integration rule tested."""

    title: str
    state: CheckState
    message: str
    remedy: str = ""
    findings: tuple[Finding, ...] = ()
    rule_pk: int | None = None


@dataclass(slots=True, kw_only=True)
class _Outcome:
    """What a step found that ended without an error."""

    message: str
    remedy: str = ""
    is_warning: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A step to run; if a step fails that `is_vital`, the test ends."""

    title: str
    run: Callable[[], _Outcome]
    is_vital: bool = True
    rule_pk: int | None = None


def check_connection(
    *, connection: Connection, seconds: float = CHECKUP_SECONDS, actor: Actor | None = None
) -> list[CheckStep]:
    """Test a connection step by step within `seconds`; steps that were not run are Skipped.

    A copied connection that passes may be activated from then on; `actor` is who tests it.
    """
    steps = _Checkup(connection=connection, seconds=seconds, user=actor.user if actor else None).execute()
    if actor is not None and not any(step.state in (CheckState.FAILED, CheckState.SKIPPED) for step in steps):
        note_test_passed(connection=connection, actor=actor)
    return steps


class _Checkup:
    """One test of one connection. Only calls to the CRM run in other threads; the database is used in this one."""

    def __init__(self, *, connection: Connection, seconds: float, user: User | None = None) -> None:
        self._connection = connection
        self._user = user
        self._host = connection.url.removeprefix("https://")
        self._is_sandbox = self._host in settings.CRM_SANDBOX_ORIGINS
        self._deadline = Deadline(seconds=seconds)
        self._client: CrmClient | None = None
        self._described: dict[str, DescribedObject | None] = {}
        self._plans: list[CompiledIntegration] = []

    def execute(self) -> list[CheckStep]:
        steps: list[CheckStep] = []
        reason = ""
        try:
            for task in self._list_tasks():
                if reason:
                    steps.append(_build_step(task, state=CheckState.SKIPPED, message=reason))
                    continue
                step, reason = self._run(task)
                steps.append(step)
        finally:
            if self._client is not None:
                self._client.close()
        return steps

    def _list_tasks(self) -> list[_Task]:
        integrations = list_integrations(self._connection)
        return [
            _Task(title="Sign-in details", run=self._prepare),
            _Task(title="Host name", run=self._resolve),
            _Task(title="TLS", run=self._probe),
            _Task(title="Token", run=self._log_in),
            _Task(title="Identity", run=self._identify),
            # Before the first call that names a version: for a retired one, each of them is refused.
            _Task(title="API version", run=self._check_version),
            _Task(title="API calls", run=self._check_quota),
            _Task(title="Clock", run=self._check_clock),
            *(
                _Task(
                    title=str(integration.get_kind_display()),
                    run=partial(self._check_integration, integration),
                    is_vital=False,
                    rule_pk=integration.rule.pk,
                )
                for integration in integrations
            ),
            _Task(title="Persons and accounts", run=self._check_identifiers, is_vital=False),
            _Task(title="Permissions", run=self._check_permissions, is_vital=False),
            *([] if self._is_listed() else [_Task(title="Description", run=self._list_objects, is_vital=False)]),
        ]

    def _run(self, task: _Task) -> tuple[CheckStep, str]:
        """Run one step; return it, and the reason for skipping all further steps (empty if they are to be run)."""
        build = partial(_build_step, task)
        try:
            outcome = task.run()
        except OutOfTimeError:
            message = (
                f"{self._host} had not answered when the {self._deadline.seconds:g} seconds of the test were over."
            )
            remedy = "Check that the CRM is available and not slowed down, then test again."
            return build(state=CheckState.FAILED, message=message, remedy=remedy), "Not done: no time left."
        except CrmError as error:
            step = build(state=CheckState.FAILED, message=error.message, remedy=error.remedy)
            ends = task.is_vital or isinstance(error, _ENDS_CHECKUP)
            return step, f"Not done, because “{task.title}” failed." if ends else ""
        state = CheckState.WARNING if outcome.is_warning else CheckState.PASSED
        if outcome.findings:
            is_harmless = all(finding.is_warning for finding in outcome.findings)
            state = CheckState.WARNING if is_harmless else CheckState.FAILED
        return build(state=state, message=outcome.message, remedy=outcome.remedy, findings=outcome.findings), ""

    # -- Reaching the CRM -------------------------------------------------------------------------
    @property
    def _crm(self) -> CrmClient:
        if self._client is None:
            raise AssertionError("The first step makes the client.")
        return self._client

    def _prepare(self) -> _Outcome:
        connection, longest = self._connection, self._deadline.seconds * _CALL_SHARE
        self._client = build_client(
            connection=connection,
            connect_timeout=min(connection.connect_timeout, longest),
            read_timeout=min(connection.read_timeout, longest),
            max_attempts=1,
            retry_budget_seconds=0,
        )
        told = f"The Authorization {connection.authorization} has all that a log-in takes."
        if warning := warn_of_ending(connection.authorization):
            return _Outcome(
                message=f"{told} {warning}",
                remedy="Use Create Certificate and upload the new one to the CRM.",
                is_warning=True,
            )
        return _Outcome(message=told)

    def _resolve(self) -> _Outcome:
        count = self._deadline.call(self._crm.resolve)
        if self._is_sandbox:
            return _Outcome(message=f"{self._host} is served by the CRM sandbox on this machine.")
        addresses = "one address" if count == 1 else f"{count} addresses"
        return _Outcome(message=f"{self._host} has {addresses} in the name service, none of them an internal one.")

    def _probe(self) -> _Outcome:
        self._deadline.call(self._crm.probe)
        if self._is_sandbox:
            return _Outcome(message="The sandbox answers.")
        return _Outcome(message=f"{self._host} answers over TLS, and its certificate is one to trust.")

    def _log_in(self) -> _Outcome:
        self._deadline.call(self._crm.log_in)
        authorization = self._connection.authorization
        flow = authorization.get_grant_flow_display() if authorization is not None else ""
        host = self._crm.log_in_host
        if authorization is not None and authorization.next_certificate:
            if self._crm.proven_certificate != authorization.next_certificate:
                return _Outcome(
                    message=f"{host} gave a token by {flow}, for the certificate of before; it refused the new one.",
                    remedy="Upload the new certificate (Download Certificate) to the app in the CRM.",
                    is_warning=True,
                )
            retire_previous_certificate(
                authorization=authorization,
                proven=self._crm.proven_certificate,
                actor=build_system_actor(
                    source="job", reference="Test Connection", connection_uid=self._connection.uid
                ),
            )
            return _Outcome(message=f"{host} gave a token by {flow}, for the new certificate, which is in use now.")
        return _Outcome(message=f"{host} gave a token by {flow}.")

    def _identify(self) -> _Outcome:
        organisation = self._crm.organisation_id
        refuse_other_organisation(connection=self._connection, organisation_id=organisation)
        try:
            name = self._deadline.call(self._crm.read_username)
        except CrmError:  # the app may lack the scope for it
            name = f"the user {self._crm.user_id}" if self._crm.user_id else "a user whom the CRM does not name"
        authorization = self._connection.authorization
        told = f"Logged in as {name}" + (f" to the organisation {organisation}" if organisation else "")
        last = find_last_organisation(self._connection)
        if last and organisation == last:
            told += ", the one of last time"
        elif last and organisation:
            return _Outcome(
                message=f"{told}; last time it was {last}.",
                remedy="Check URL and Authorization, unless the organisation was replaced on purpose.",
                is_warning=True,
            )
        named = authorization.username if authorization is not None else ""
        if "@" in name and name.lower() != named.lower():
            return _Outcome(
                message=f"{told}. The Authorization names {named}.",
                remedy="The app runs as another user: correct it in the CRM, or the user name of the Authorization.",
                is_warning=True,
            )
        return _Outcome(message=f"{told}.")

    # -- Limits and version of the API ------------------------------------------------------------
    def _check_quota(self) -> _Outcome:
        usage = self._deadline.call(partial(read_usage, self._crm))
        if usage is None:
            return _Outcome(
                message=f"{self._host} does not say how many API calls are left.",
                remedy="Give the CRM user the permission View Setup and Configuration.",
                is_warning=True,
            )
        used, allowed = usage
        percent = self._connection.quota_percent
        left = allowed * percent // 100 - used
        told = f"{used:,} of {allowed:,} API calls of 24 hours are used; this connection stops at {percent}%"
        if left <= 0:
            raise LimitError(f"{told}.", remedy="Wait until the CRM counts afresh, or raise the limit there.")
        needed = _count_calls_of_last_run(self._connection)
        if needed > left:
            return _Outcome(
                message=f"{told}, {left:,} calls from now. The last transfer took {needed:,}.",
                remedy="Raise the limit in the CRM, or let the transfer run less often.",
                is_warning=True,
            )
        return _Outcome(message=f"{told}, {left:,} calls from now.")

    def _check_version(self) -> _Outcome:
        versions = self._deadline.call(self._crm.list_versions)
        wanted = settings.CRM_API_VERSION
        if wanted not in versions:
            offered = f"{versions[0]} to {versions[-1]}" if versions else "none"
            raise ConfigurationError(
                f"{self._host} does not offer the version {wanted} of its API; it offers {offered}.",
                remedy="Have IT operations set CRM_API_VERSION to a version that the CRM offers.",
            )
        return _Outcome(message=f"{self._host} offers {wanted}, which the transfer uses.")

    def _check_clock(self) -> _Outcome:
        """Tell how far the Vault's clock is from the one that the last answer showed."""
        clock = self._crm.clock
        if clock is None:
            return _Outcome(message=f"{self._host} does not say what time it is.")
        if told := describe_clock_offset(clock):
            return _Outcome(message=told, remedy=CLOCK_REMEDY, is_warning=True)
        return _Outcome(message=f"{self._host} shows the time of the Vault.")

    # -- Objects and fields -----------------------------------------------------------------------
    def _check_integration(self, integration: Integration) -> _Outcome:
        plan = compile_integration(integration=integration)
        self._plans.append(plan)
        findings = check_plan(plan=plan, crm=SalesforceDialect(self._crm), describe=self._describe)
        described = self._describe(plan.crm_object)
        if described is not None and not integration.is_inbound:
            remember_lengths(plan=plan, described=described)
        return _summarise(
            findings,
            good=f"{plan.crm_object} has every field that the {len(plan.fields)} active field rules name, and the CRM "
            f"user may {'read' if integration.is_inbound else 'fill'} them.",
            bad=f"{plan.crm_object} does not fit the rules.",
        )

    def _check_identifiers(self) -> _Outcome:
        identifiers = get_identifier_mapping(self._connection)
        accounts = {plan.person_field.reference_object for plan in self._plans if plan.person_field}
        findings: list[Finding] = []
        for name in sorted(accounts) or [ACCOUNT]:
            findings += check_account_field(
                account_object=name, field_name=identifiers.account_field, describe=self._describe
            )
        return _summarise(
            findings,
            good=f"{_describe_mapping(identifiers)}; the account's field is unique and case-sensitive.",
            bad=f"{_describe_mapping(identifiers)}.",
        )

    def _check_permissions(self) -> _Outcome:
        """Tell what the user may do with each object that the rules name; what is missing, the steps above explain."""
        told = []
        for described in self._described.values():
            if described is not None:
                rights = [
                    word
                    for word, has in (
                        ("read", described.is_queryable),
                        ("create", described.is_createable),
                        ("edit", described.is_updateable),
                    )
                    if has
                ]
                told.append(f"{described.name}: {', '.join(rights) or 'nothing'}")
        hidden = [name for name, described in self._described.items() if described is None]
        if not self._described:
            return _Outcome(message="No rule led to an object of the CRM: see the steps before.", is_warning=True)
        if not told:
            raise ConfigurationError(
                f"The CRM user sees none of the {len(hidden)} objects that the rules name.",
                remedy="Assign a permission set with these objects and API Enabled to the user in the CRM.",
            )
        return _Outcome(message=f"The CRM user may: {'; '.join(sorted(told))}.")

    def _is_listed(self) -> bool:
        return CrmObjectList.objects.filter(connection=self._connection).exists()

    def _list_objects(self) -> _Outcome:
        """Keep the list of all objects, so that rules can choose; the test is passed without it."""
        try:
            labels = self._deadline.call(SalesforceDialect(self._crm).list_objects)
            for name in list_named_objects(self._connection):
                self._describe(name)
        except (CrmError, OutOfTimeError) as error:
            return _Outcome(
                message=f"The CRM did not describe its objects, so rules offer no list to choose from: {error}",
                remedy="Use CRM Description on the connection's page later.",
                is_warning=True,
            )
        store_object_list(connection=self._connection, labels=labels)
        return _Outcome(message=f"The CRM has listed {len(labels):,} objects; rules can choose them and their fields.")

    def _describe(self, name: str) -> DescribedObject | None:
        """Return the CRM's description of an object, read once; None if its user sees no object of that name."""
        key = name.lower()
        if key not in self._described:
            try:
                payload = self._deadline.call(partial(self._crm.describe, name))
            except ConfigurationError as error:
                if not error.code:
                    raise
                payload = None
            described = None if payload is None else self._read(name=name, payload=payload)
            store_description(
                connection=self._connection,
                name=name,
                described=described,
                origin=DescriptionOrigin.TEST,
                user=self._user,
            )
            self._described[key] = described
        return self._described[key]

    def _read(self, *, name: str, payload: dict[str, Any]) -> DescribedObject:
        try:
            return read_description(payload)
        except (AttributeError, KeyError, TypeError):
            raise ConnectivityError(f"{self._host} described {name} in an unexpected form.") from None


def _build_step(
    task: _Task, *, state: CheckState, message: str, remedy: str = "", findings: tuple[Finding, ...] = ()
) -> CheckStep:
    return CheckStep(
        title=task.title, state=state, message=message, remedy=remedy, findings=findings, rule_pk=task.rule_pk
    )


def _summarise(findings: list[Finding], *, good: str, bad: str) -> _Outcome:
    return _Outcome(message=bad, findings=tuple(findings)) if findings else _Outcome(message=good)


def _describe_mapping(identifiers: IdentifierMapping) -> str:
    label = identifiers.person_field.label
    return f"A person's {label} is compared with {identifiers.account_field} of the account"


def _count_calls_of_last_run(connection: Connection) -> int:
    """Return how many API calls the last finished transfer of a connection took; 0 before the first one."""
    runs = IntegrationRun.objects.filter(integration__connection=connection)
    last = runs.exclude(finished_at=None).order_by("-run_id").values_list("run_id", flat=True).first()
    return runs.filter(run_id=last).aggregate(calls=Sum("api_calls"))["calls"] or 0
