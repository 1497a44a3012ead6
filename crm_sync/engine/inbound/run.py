"""One run of the inbound integration: calls that failed before, calls that changed, calls that were deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from crm_sync.crm.dialect import CrmRow
from crm_sync.crm.errors import ConfigurationError
from crm_sync.engine.exception_items import build_call_failure
from crm_sync.engine.inbound.applying import CallApplier
from crm_sync.engine.inbound.deletions import DeletionCheck
from crm_sync.engine.inbound.dismissals import DismissedCalls, FailedCalls
from crm_sync.engine.inbound.place import Place
from crm_sync.engine.inbound.reading import CallReader
from crm_sync.engine.mapping import MappingProblem
from crm_sync.models import TransferLink
from ctms.configuration.selectors import is_object_type_active
from exceptions_log.choices import ErrorType

if TYPE_CHECKING:
    from datetime import datetime

    from crm_sync.engine.run_session import IntegrationSession


class InboundRun:
    """One run of the inbound integration."""

    def __init__(self, *, session: IntegrationSession, watermark: datetime | None) -> None:
        self._session = session
        self._plan = session.plan
        self._dismissed = DismissedCalls(session)
        self._place = Place(session=session, watermark=watermark)
        self._reader = CallReader(session)
        self._failed = FailedCalls(session)
        self._applier = CallApplier(session=session, dismissed=self._dismissed, failed=self._failed)
        # Calls read by id because they failed before; they are not counted again among the changed calls.
        self._seen: set[tuple[str, datetime | None]] = set()

    def execute(self) -> None:
        """Receive the calls that failed before, those that changed, and deletions.

        Raises the errors of `crm_sync.crm.errors` that end an integration or a run.
        """
        plan = self._plan
        if not is_object_type_active(object_name=plan.vault_object.api_name, object_type=plan.object_type):
            raise ConfigurationError(
                f"The object type {plan.object_type} of {plan.vault_object.label} is inactive; no call was received.",
                remedy="Activate it under Configuration > Objects > Activity > Object Types.",
            )
        hidden = self._receive_pending()
        self._reader.read_changed(place=self._place, apply=self._apply_changed)
        check = DeletionCheck(session=self._session, place=self._place, reader=self._reader, applier=self._applier)
        self._fail_hidden(hidden - check.receive(hidden=hidden))
        self._dismissed.keep()

    def _receive_pending(self) -> set[str]:
        """Read the calls that failed before by id, without those to be left alone; return those not shown."""
        is_pending = Q(pending=True)
        if dry_run := self._session.run.dry_run:
            is_pending |= Q(pk__in=dry_run.pending[self._session.integration.pk])
        links = TransferLink.objects.filter(is_pending, integration=self._session.integration)
        failed = links.order_by("pk").values_list("crm_id", flat=True)
        hidden: set[str] = set()
        again = (crm_id for crm_id in failed if crm_id not in self._dismissed and crm_id not in self._failed)
        for ids, calls in self._reader.read_by_id(again):
            self._applier.apply(calls)
            self._seen.update(map(_identify, calls))
            hidden |= set(ids) - {call.crm_id for call in calls}
        return hidden

    def _apply_changed(self, page: list[CrmRow]) -> None:
        self._applier.apply(call for call in page if _identify(call) not in self._seen)

    def _fail_hidden(self, crm_ids: set[str]) -> None:
        """Count calls that failed before as failed again if the CRM does not show them any more."""
        name = self._session.integration.connection.name
        for crm_id in sorted(crm_ids):
            problem = MappingProblem(
                error_type=ErrorType.MATCHING,
                message=f"{name} does not show the call {crm_id} any more, and does not list it as deleted: the CRM "
                "user may not see it. Give the user access, or dismiss this item.",
            )
            self._session.fail(
                build_call_failure(crm_object=self._plan.crm_object, call=CrmRow(crm_id=crm_id), problems=[problem])
            )


def _identify(call: CrmRow) -> tuple[str, datetime | None]:
    return call.crm_id, call.changed_at
