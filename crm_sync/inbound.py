"""From the CRM to the Vault: marked calls become Medical Activities, page by page in the order of their changes.

The watermark is the greatest SystemModstamp in the data that was worked through; several records share a stamp, and the
stamp has whole seconds, so each run reads again from a little before it and compares digests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction

from connections.choices import FieldRuleKind
from connections.models import IntegrationProgress
from crm_sync.accounts import match_persons
from crm_sync.choices import LinkState
from crm_sync.dismissals import DismissedCalls
from crm_sync.errors import ConfigurationError, QueryLocatorExpired
from crm_sync.failures import build_call_failure
from crm_sync.mapping import Mapped, Problem, build_relationship, map_call
from crm_sync.models import TransferLink
from crm_sync.soql import build_select, chunk_values_by_url, compare, is_in
from ctms.audit.services import create_records, update_records
from ctms.configuration.selectors import is_object_type_active
from ctms.core.choices import RecordStatus
from exceptions_log.choices import ErrorType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crm_sync.context import IntegrationSession
    from crm_sync.plans import FieldPlan

_CHUNK = 1000
_MAX_RESTARTS = 5
_LINK_FIELDS = ["record_uid", "digest", "crm_modstamp", "state", "pending"]


@dataclass(slots=True, kw_only=True)
class _Changes:
    """What one chunk of calls comes to."""

    created: list[Any] = field(default_factory=list)
    updated: list[Any] = field(default_factory=list)
    new_links: list[TransferLink] = field(default_factory=list)
    changed_links: list[TransferLink] = field(default_factory=list)


class InboundRun:
    """One run of the inbound integration."""

    def __init__(self, *, session: IntegrationSession, watermark: datetime | None) -> None:
        self._session = session
        self._plan = session.plan
        self._run = session.run
        self._counts = session.counts
        self._model: Any = session.plan.vault_object.model
        self._watermark = watermark
        self._connection = session.integration.connection
        # Failed calls that are read by id; met again among the changed ones, they count once.
        self._seen: set[tuple[str, str]] = set()
        self._dismissed = DismissedCalls(session)

    def execute(self) -> None:
        """Receive what is to be received. Raises the errors of `crm_sync.errors` that end an integration or a run."""
        plan = self._plan
        if not is_object_type_active(object_name=plan.vault_object.api_name, object_type=plan.object_type):
            raise ConfigurationError(
                f"The object type {plan.object_type} of {plan.vault_object.label} is inactive; no call was received.",
                remedy="Activate it under Configuration > Objects > Activity > Object Types.",
            )
        for page in self._read_pending():
            self._apply_page(page, watermark=None)
            self._seen.update(_identify(call) for call in page)
            self._run.stop_if_cancelled()
        self._read_all_changed()
        self._dismissed.keep()

    def _read_all_changed(self) -> None:
        """Read to the end of the changes, from the watermark on again where the CRM has lost the place."""
        for _ in range(_MAX_RESTARTS):
            try:
                self._read_changed()
            except QueryLocatorExpired:
                continue
            return
        self._read_changed()

    def _read_changed(self) -> None:
        conditions = []
        if self._plan.crm_filter_field:
            # A call that was unmarked before it was deleted is still to be made Inactive here.
            conditions.append(f"({_is_true(self._plan.crm_filter_field)} OR {_is_true('IsDeleted')})")
        if self._watermark is not None:
            since = self._watermark - timedelta(seconds=settings.CRM_TRANSFER_OVERLAP_SECONDS)
            conditions.append(compare("SystemModstamp", ">=", since))
        soql = self._build_query(where=conditions)
        pages = self._run.client.query(soql, include_deleted=True)
        while (page := self._run.pipeline.call(partial(next, pages, None))) is not None:
            stamps = [stamp for call in page if (stamp := _parse_stamp(call.get("SystemModstamp"))) is not None]
            self._apply_page(page, watermark=min(max(stamps), self._run.started_at) if stamps else None)
            self._run.stop_if_cancelled()

    def _read_pending(self) -> Iterator[list[dict[str, Any]]]:
        """Calls that failed before, read again by id whatever their stamp; not those that were dismissed."""
        links = TransferLink.objects.filter(integration=self._session.integration, pending=True)
        failed = links.order_by("pk").values_list("crm_id", flat=True)
        for ids in chunk_values_by_url(crm_id for crm_id in failed if crm_id not in self._dismissed):
            soql = self._build_query(where=[is_in("Id", ids)])
            found: list[dict[str, Any]] = []
            for page in self._run.query(soql, include_deleted=True):
                found += page
            yield found
            self._fail_hidden(set(ids) - {str(call["Id"]) for call in found})

    def _fail_hidden(self, crm_ids: set[str]) -> None:
        """Calls that failed before and cannot be read now stay in the log: nobody knows what became of them."""
        for crm_id in sorted(crm_ids):
            problem = Problem(
                error_type=ErrorType.MATCHING,
                message=f"{self._connection.name} does not show the call {crm_id} any more: it was deleted for good, "
                "or the CRM user may not see it. Give the user access, or dismiss this item.",
            )
            self._session.fail(
                build_call_failure(crm_object=self._plan.crm_object, call={"Id": crm_id}, problems=[problem])
            )

    def _build_query(self, *, where: Sequence[str]) -> str:
        fields = ["Id", "Name", "IsDeleted", "SystemModstamp"]
        if self._plan.crm_filter_field:
            fields.append(self._plan.crm_filter_field)
        for rule in self._plan.fields:
            fields += self._list_sources(rule)
        return build_select(self._plan.crm_object, fields, where=where, order_by="SystemModstamp, Id")

    def _list_sources(self, rule: FieldPlan) -> list[str]:
        if rule.kind == FieldRuleKind.CONSTANT:
            return []
        if rule.kind == FieldRuleKind.FORMATTED_PERSON:
            return [f"{rule.source}.{part}" for part in ("FirstName", "LastName", "Email")]
        if rule.kind == FieldRuleKind.PERSON_ACCOUNT and self._plan.identifiers is not None:
            return [rule.source, f"{build_relationship(rule.source)}.{self._plan.identifiers.account_field}"]
        return [rule.source]

    # -- Applying ---------------------------------------------------------------------------------

    def _apply_page(self, page: list[dict[str, Any]], *, watermark: datetime | None) -> None:
        fresh = [call for call in page if _identify(call) not in self._seen]
        for start in range(0, len(fresh), _CHUNK):
            self._apply_chunk(fresh[start : start + _CHUNK])
        if watermark is not None and (self._watermark is None or watermark > self._watermark):
            self._watermark = watermark
            if not self._run.dry_run:
                with transaction.atomic():
                    self._run.renew_lease()
                    IntegrationProgress.objects.filter(integration=self._session.integration).update(
                        watermark=watermark
                    )

    def _apply_chunk(self, calls: list[dict[str, Any]]) -> None:
        links = {
            link.crm_id: link
            for link in TransferLink.objects.filter(
                integration=self._session.integration, crm_id__in=[str(call["Id"]) for call in calls]
            )
        }
        uids = [link.record_uid for link in links.values() if link.record_uid is not None]
        records = {record.uid: record for record in self._model._base_manager.filter(uid__in=uids)}
        persons = self._match_persons(calls)
        changes = _Changes()
        for call in calls:
            link = links.get(str(call["Id"]))
            record = records.get(link.record_uid) if link is not None and link.record_uid is not None else None
            self._apply_call(call=call, link=link, record=record, persons=persons, changes=changes)
        self._session.show_progress()
        if not self._run.dry_run:
            self._write(changes)

    def _apply_call(
        self,
        *,
        call: dict[str, Any],
        link: TransferLink | None,
        record: Any,
        persons: dict[str, int | Problem],
        changes: _Changes,
    ) -> None:
        if link is not None and record is None and link.record_uid is not None:
            self._count_unchanged()
            if link.state != LinkState.DELETED_IN_VAULT:
                # Deleted in the Vault: deletes win, whatever happens to the call.
                link.state, link.pending = LinkState.DELETED_IN_VAULT, False
                changes.changed_links.append(link)
            self._dismissed.forget(str(call["Id"]))
            return
        if self._dismissed.is_same(call):
            self._count_unchanged()
            return
        if call.get("IsDeleted"):
            self._apply_deletion(call=call, link=link, record=record, changes=changes)
            return
        if link is not None and link.record_uid is None and not self._is_marked(call):
            # It failed before, and nobody sends it any more; once it is marked again it is read again.
            self._count_unchanged()
            link.pending = False
            changes.changed_links.append(link)
            return
        mapped = map_call(plan=self._plan, call=call, person=self._get_person(call=call, persons=persons))
        values = self._read_values(mapped)
        digest = mapped.compute_digest()
        if mapped.problems:
            self._fail(call=call, link=link, mapped=mapped, changes=changes)
        elif link is not None and link.digest == digest and link.state == LinkState.LIVE and not link.pending:
            self._count_unchanged()
        else:
            self._put_record(call=call, link=link, record=record, values=values, digest=digest, changes=changes)

    def _is_marked(self, call: dict[str, Any]) -> bool:
        return not self._plan.crm_filter_field or bool(call.get(self._plan.crm_filter_field))

    def _put_record(
        self,
        *,
        call: dict[str, Any],
        link: TransferLink | None,
        record: Any,
        values: dict[str, Any],
        digest: str,
        changes: _Changes,
    ) -> None:
        crm_id = str(call["Id"])
        if record is None:
            record = self._model(
                object_type=self._plan.object_type, connection=self._connection, crm_id=crm_id, **values
            )
            changes.created.append(record)
            self._count_received(created=True)
        else:
            for attribute, value in values.items():
                setattr(record, attribute, value)
            record.status = RecordStatus.ACTIVE
            changes.updated.append(record)
            self._count_received(created=False)
        target = link or TransferLink(integration=self._session.integration, crm_id=crm_id)
        target.record_uid, target.digest = record.uid, digest
        target.crm_modstamp = _parse_stamp(call.get("SystemModstamp"))
        target.state, target.pending = LinkState.LIVE, False
        (changes.changed_links if link else changes.new_links).append(target)

    def _apply_deletion(
        self, *, call: dict[str, Any], link: TransferLink | None, record: Any, changes: _Changes
    ) -> None:
        if link is None or (link.state == LinkState.DELETED_IN_CRM and not link.pending):
            self._count_unchanged()
            return
        link.state, link.pending, link.digest = LinkState.DELETED_IN_CRM, False, ""
        link.crm_modstamp = _parse_stamp(call.get("SystemModstamp"))
        changes.changed_links.append(link)
        if record is None or record.status == RecordStatus.INACTIVE:
            self._count_unchanged()
            return
        record.status = RecordStatus.INACTIVE
        changes.updated.append(record)
        self._counts.selected += 1
        self._counts.received += 1
        self._counts.deleted += 1

    def _fail(self, *, call: dict[str, Any], link: TransferLink | None, mapped: Mapped, changes: _Changes) -> None:
        target = link or TransferLink(integration=self._session.integration, crm_id=str(call["Id"]))
        if not target.pending:
            target.pending = True
            (changes.changed_links if link else changes.new_links).append(target)
        self._session.fail(build_call_failure(crm_object=self._plan.crm_object, call=call, problems=mapped.problems))

    def _write(self, changes: _Changes) -> None:
        """One transaction for a chunk: records with their audit entries, links, and the lease that allows it."""
        if not (changes.created or changes.updated or changes.new_links or changes.changed_links):
            return
        actor, reason = self._run.actor, f"Received from {self._connection.name}"
        with transaction.atomic():
            self._run.renew_lease()
            create_records(records=changes.created, actor=actor, reason=reason)
            update_records(records=changes.updated, actor=actor, reason=reason)
            TransferLink.objects.bulk_create(changes.new_links)
            TransferLink.objects.bulk_create(
                changes.changed_links, update_conflicts=True, unique_fields=["id"], update_fields=_LINK_FIELDS
            )

    # -- Reading a call ---------------------------------------------------------------------------

    def _match_persons(self, calls: list[dict[str, Any]]) -> dict[str, int | Problem]:
        if self._plan.identifiers is None:
            return {}
        values = {value for call in calls if (value := self._read_identifier(call))}
        return match_persons(identifiers=self._plan.identifiers, values=values, crm_name=self._connection.name)

    def _read_identifier(self, call: dict[str, Any]) -> str:
        rule = self._plan.person_field
        if rule is None or self._plan.identifiers is None:
            return ""
        account = call.get(build_relationship(rule.source)) or {}
        return str(account.get(self._plan.identifiers.account_field) or "")

    def _get_person(self, *, call: dict[str, Any], persons: dict[str, int | Problem]) -> int | Problem:
        rule = self._plan.person_field
        value = self._read_identifier(call)
        if value:
            return persons[value]
        source = rule.source if rule else ""
        account = call.get(source)
        account_field = self._plan.identifiers.account_field if self._plan.identifiers else ""
        return Problem(
            error_type=ErrorType.MATCHING if account else ErrorType.MAPPING,
            message=f"The account {account} of the call has no {account_field}. Enter it on the account in the CRM."
            if account
            else f"The call has no account ({source} is empty). Choose one in the CRM.",
        )

    def _read_values(self, mapped: Mapped) -> dict[str, Any]:
        """The mapped values as the model's own types; what does not fit becomes a problem."""
        values: dict[str, Any] = {}
        for attribute, value in mapped.payload.items():
            if attribute.endswith("_id"):
                values[attribute] = value
                continue
            model_field = self._model._meta.get_field(attribute)
            if not isinstance(model_field, models.Field):
                continue
            if value == "" and not isinstance(model_field, models.CharField | models.TextField):
                # An optional value that the CRM does not have: cleared where the Vault can, else left as it is.
                if model_field.null:
                    values[attribute] = None
                continue
            try:
                values[attribute] = model_field.clean(value, None)
            except ValidationError as error:
                mapped.problems.append(
                    Problem(
                        error_type=ErrorType.MAPPING,
                        message=f"The call's value {value!r} does not fit {model_field.verbose_name}: "
                        f"{' '.join(error.messages)} Correct it in the CRM, or the field rule.",
                    )
                )
        return values

    # -- Counting ---------------------------------------------------------------------------------

    def _count_unchanged(self) -> None:
        self._counts.selected += 1
        self._counts.unchanged += 1

    def _count_received(self, *, created: bool) -> None:
        self._counts.selected += 1
        self._counts.received += 1
        if created:
            self._counts.created += 1
        else:
            self._counts.updated += 1


def _is_true(field_name: str) -> str:
    return compare(field_name, "=", value=True)


def _parse_stamp(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _identify(call: dict[str, Any]) -> tuple[str, str]:
    return str(call["Id"]), str(call.get("SystemModstamp"))
