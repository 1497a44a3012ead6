"""Ask the CRM for calls: those that changed, and single ones by id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connections.choices import FieldRuleKind
from crm_sync.crm.errors import QueryLocatorExpired
from crm_sync.engine.run_session import MAX_RESTARTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from crm_sync.crm.dialect import CrmDialect, CrmRow
    from crm_sync.engine.inbound.place import Place
    from crm_sync.engine.rules.compiled import CompiledIntegration
    from crm_sync.engine.run_session import IntegrationSession

    Page = list[CrmRow]


class CallReader:
    """Reads calls with the fields that the rules of the integration need; deleted calls too."""

    def __init__(self, session: IntegrationSession) -> None:
        self._session = session
        self._plan = session.plan
        self._run = session.run
        self._fields = list_call_fields(plan=session.plan, crm=session.run.crm)

    def read_by_id(self, crm_ids: Iterable[str]) -> Iterator[tuple[list[str], Page]]:
        """Yield ids, at most 200 at a time, with the calls of these ids that the CRM shows, whatever their stamps."""
        found = self._run.find_by_id(object_name=self._plan.crm_object, fields=self._fields, crm_ids=crm_ids)
        for ids, calls in found:
            yield ids, calls
            self._run.stop_if_cancelled()

    def read_changed(self, *, place: Place, apply: Callable[[Page], None]) -> None:
        """Pass every page of the calls that changed since the watermark to `apply`, and move the watermark after them.

        When the CRM has forgotten the place of a page, its query is made again.
        """
        stuck = 0
        while True:
            begun = place.watermark, place.received_until
            try:
                since, until = place.since, place.received_until
                if until is not None and self._read_query(place=place, apply=apply, since=since, until=until):
                    since = until
                self._read_query(place=place, apply=apply, since=since, until=None)
            except QueryLocatorExpired as error:
                stuck = 0 if (place.watermark, place.received_until) != begun else stuck + 1
                if stuck > MAX_RESTARTS:
                    raise QueryLocatorExpired(
                        f"{error.message} That happened {stuck} times, each time with a new query.",
                        remedy="The next run goes on from what was received. If it lasts, ask the CRM's administrator "
                        "whether something else uses the CRM user's log-in and ends its open queries, and the CRM's "
                        "support.",
                    ) from None
                continue
            return

    def _read_query(
        self, *, place: Place, apply: Callable[[Page], None], since: datetime | None, until: datetime | None
    ) -> bool:
        """Read all pages, and return whether the watermark moved to their end: not past a call that has no id.

        The order that is asked for makes restarts cheap; nothing depends on its being kept.
        """
        # A call may have been unmarked before it was deleted; its record becomes Inactive all the same.
        pages = self._run.crm.changes_since(
            object_name=self._plan.crm_object,
            fields=self._fields,
            since=since,
            until=until,
            marked_by=self._plan.crm_filter_field,
        )
        newest: datetime | None = None
        can_go_on = True
        for page in self._run.read_pages(pages):
            if can_go_on:
                place.note_received(newest, until=until)
            apply(page)
            stamps = [call.changed_at for call in page if call.changed_at is not None]
            newest = max([*stamps, newest] if newest is not None else stamps, default=None)
            # A call without id cannot be kept as pending, so the watermark must not pass it.
            can_go_on = can_go_on and all(call.crm_id for call in page)
        if can_go_on:
            place.finish_query(newest, until=until)
        return can_go_on


def list_call_fields(*, plan: CompiledIntegration, crm: CrmDialect) -> list[str]:
    """Return the fields of calls that the rules of the integration need."""
    fields = [crm.name_field]
    if plan.crm_filter_field:
        fields.append(plan.crm_filter_field)
    for rule in plan.fields:
        if rule.kind == FieldRuleKind.FORMATTED_PERSON:
            fields += [f"{rule.source}.{part}" for part in crm.user_fields]
        elif rule.kind != FieldRuleKind.CONSTANT:
            fields.append(rule.source)
        if rule.kind == FieldRuleKind.PERSON_ACCOUNT and plan.identifiers is not None:
            fields.append(crm.path(rule.source, plan.identifiers.account_field))
    return fields
