"""Compare the calls that a CRM marks for the Vault with the Medical Activities received from it.

All marked or deleted calls are read once, page by page. Activities whose call was not among them are then looked up by
id, because calls that were unmarked, or are gone, are not. Whatever differs is looked at once more by id, both sides
anew and the CRM first, so that what changes during the reconciliation is not called a difference.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from connections.models import IntegrationProgress
from crm_sync.choices import LinkState, RecordWord
from crm_sync.engine.identity.account_matching import match_persons
from crm_sync.engine.inbound.reading import list_call_fields
from crm_sync.engine.inbound.rows import read_identifier
from crm_sync.engine.mapping import Mapped, MappingProblem, map_call
from crm_sync.models import Difference, TransferLink
from crm_sync.reconciliation.crm_rows import Deletions
from crm_sync.reconciliation.values import is_same_value
from crm_sync.reconciliation.verdicts import CHUNK, DELETED, Ledger, Verdict, build_difference, find_failures
from ctms.audit.selectors import find_deletions
from ctms.core.choices import RecordStatus
from exceptions_log.choices import ErrorType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from crm_sync.crm.dialect import CrmRow as Row
    from crm_sync.engine.run_session import IntegrationSession

_CLOSER = 200
_KEYS_PER_FETCH = 10_000


@dataclass(slots=True, kw_only=True)
class _Case:
    """One call with what the Vault has of it; `row` is None if the CRM does not show the call."""

    crm_id: str
    row: Row | None
    activity: Any
    link: TransferLink | None
    was_deleted_here: bool


class InboundComparison:
    """The comparison of the inbound integration."""

    def __init__(self, *, session: IntegrationSession) -> None:
        self._session = session
        self._plan = session.plan
        self._run = session.run
        self._connection = session.integration.connection
        self._model: Any = session.plan.vault_object.model
        progress = IntegrationProgress.objects.get(integration=session.integration)
        # The next transfer reads all calls that changed since then; all calls if None.
        self._since: datetime | None = None
        if progress.watermark is not None and progress.rules_digest == session.plan.digest:
            self._since = progress.watermark - timedelta(seconds=settings.CRM_TRANSFER_OVERLAP_SECONDS)
        keys = self._list_activities().order_by("pk").values_list("pk", flat=True)
        self._ledger = Ledger(array("q", keys.iterator(chunk_size=_KEYS_PER_FETCH)))
        self._suspects: set[str] = set()
        self._words: Counter[RecordWord] = Counter()  # of calls that are no activity here
        self._fields = list_call_fields(plan=session.plan, crm=self._run.crm)
        self._deletions = Deletions(run=self._run, object_name=self._plan.crm_object)

    def execute(self, *, store: Callable[[list[Difference]], None]) -> Counter[RecordWord]:
        """Compare everything, store the differences and return the number of records by word.

        Raises QueryLocatorExpired before anything is stored, and the errors of `crm_sync.crm.errors`.
        """
        calls = self._run.crm.changes_since(
            object_name=self._plan.crm_object,
            fields=self._fields,
            since=None,
            marked_by=self._plan.crm_filter_field,
        )
        for page in self._run.read_pages(calls):
            for start in range(0, len(page), CHUNK):
                self._judge_rows(page[start : start + CHUNK])
            self._session.counts.selected += len(page)
            self._session.show_progress()
        for keys in self._ledger.list_without_word():
            self._judge_unmet(keys)
        suspects = sorted(self._suspects)
        for start in range(0, len(suspects), _CLOSER):
            store(list(self._judge_closer(suspects[start : start + _CLOSER])))
            self._run.stop_if_cancelled()
        return self._ledger.count() + self._words

    # -- All calls and activities ---------------------------------------------------------------------

    def _judge_rows(self, rows: list[Row]) -> None:
        cases = self._build_cases({row.crm_id: row for row in rows})
        for case, verdict in zip(cases, self._judge(cases), strict=True):
            if verdict is None:
                continue
            if verdict.is_difference:
                self._suspects.add(case.crm_id)
            elif case.activity is None:
                self._words[verdict.word] += 1
            if case.activity is not None:
                self._ledger.put(case.activity.pk, verdict.word)

    def _judge_unmet(self, keys: array[int]) -> None:
        """Note activities whose call was not among those read; those that are Inactive already need no look."""
        rows = self._list_activities().filter(pk__in=keys.tolist()).values_list("pk", "crm_id", "status")
        for pk, crm_id, status in rows:
            if status == RecordStatus.INACTIVE:
                self._ledger.put(pk, RecordWord.INACTIVE_HERE)
            else:
                self._suspects.add(crm_id)

    def _judge_closer(self, crm_ids: list[str]) -> Iterator[Difference]:
        found = self._run.find_by_id(object_name=self._plan.crm_object, fields=self._fields, crm_ids=crm_ids)
        rows: dict[str, Row | None] = dict.fromkeys(crm_ids)
        rows |= {row.crm_id: row for _, some in found for row in some}
        cases = self._build_cases(rows)
        for case, verdict in zip(cases, self._judge(cases), strict=True):
            if verdict is None:
                continue
            if case.activity is None:
                self._words[verdict.word] += 1
            else:
                self._ledger.put(case.activity.pk, verdict.word)
            if verdict.is_difference:
                name = case.activity or (case.row and case.row.name) or case.crm_id
                yield Difference(
                    integration=self._session.integration,
                    record_uid=case.activity.uid if case.activity is not None else None,
                    crm_id=case.crm_id,
                    name=str(name)[:255],
                    word=verdict.word,
                    fields=verdict.fields,
                )

    # -- Judging --------------------------------------------------------------------------------------

    def _judge(self, cases: Sequence[_Case]) -> list[Verdict | None]:
        """Judge calls; None for a call that is no record on either side."""
        persons = self._match_persons([case.row for case in cases if case.row is not None])
        judged = [self._compare(case, persons) for case in cases]
        differing = [
            case.crm_id
            for case, (verdict, _) in zip(cases, judged, strict=True)
            if verdict is not None and verdict.is_difference
        ]
        failures = find_failures(integration=self._session.integration, keys=differing)
        return [
            verdict and verdict.excuse(failure=failures.get(case.crm_id), is_pending=is_pending)
            for case, (verdict, is_pending) in zip(cases, judged, strict=True)
        ]

    def _compare(self, case: _Case, persons: dict[str, int | MappingProblem]) -> tuple[Verdict | None, bool]:
        """Return the word of a call, and whether the next transfer reads the call as something new."""
        row, activity, link = case.row, case.activity, case.link
        waits = link is not None and link.pending
        if row is None or row.is_deleted:
            is_live = link is not None and link.state == LinkState.LIVE
            return self._judge_gone(case), waits or (row is not None and is_live and self._is_read_again(row))
        if activity is None:
            return self._judge_missing(case), waits or (link is None and self._is_read_again(row))
        if not self._is_marked(row):
            return Verdict(word=RecordWord.FILTERED_OUT), False  # the activity stays as it is
        mapped = map_call(plan=self._plan, call=row, person=self._get_person(row, persons), crm=self._run.crm)
        is_news = self._is_read_again(row) and (link is None or link.digest != mapped.compute_digest())
        if activity.status == RecordStatus.INACTIVE:
            verdict = build_difference(RecordWord.DELETED_ON_ONE_SIDE, {DELETED: [True, False]})
        elif fields := self._list_differing_fields(case, mapped):
            verdict = build_difference(RecordWord.DIFFERS, fields)
        else:
            verdict = Verdict(word=RecordWord.EQUAL)
        return verdict, waits or is_news

    def _judge_gone(self, case: _Case) -> Verdict | None:
        """Judge a call that the CRM deleted or does not show."""
        if case.activity is None:
            return None
        if case.activity.status == RecordStatus.INACTIVE:
            return Verdict(word=RecordWord.EQUAL if case.row is not None else RecordWord.INACTIVE_HERE)
        if case.row is not None or case.crm_id in self._deletions:
            return build_difference(RecordWord.DELETED_ON_ONE_SIDE, {DELETED: [False, True]})
        return build_difference(RecordWord.ORPHANED)

    def _judge_missing(self, case: _Case) -> Verdict | None:
        """Judge a call that has no activity here."""
        if case.was_deleted_here:
            return Verdict(word=RecordWord.DELETED_ON_ONE_SIDE)  # as the transfer knows: it is not received again
        if case.row is not None and not self._is_marked(case.row):
            return None
        return build_difference(RecordWord.MISSING_HERE)

    def _list_differing_fields(self, case: _Case, mapped: Mapped) -> dict[str, list[Any]]:
        activity = case.activity
        fields: dict[str, list[Any]] = {}
        if case.link is None or case.link.record_uid != activity.uid:
            fields["Link"] = [str(case.link.record_uid) if case.link else None, str(activity.uid)]
        for attribute, there in mapped.payload.items():
            here = getattr(activity, attribute)
            if attribute.endswith("_id"):
                if here != there:
                    fields[attribute] = [here, there]
            elif not self._is_same(attribute, here=here, there=there, problems=mapped.problems):
                fields[attribute] = [here, there]
        if mapped.problems:
            fields["Field rules"] = [None, " ".join(problem.message for problem in mapped.problems)]
        return fields

    def _is_same(self, attribute: str, *, here: Any, there: Any, problems: list[MappingProblem]) -> bool:
        """Whether an attribute has the CRM's value in the type of the model."""
        model_field = self._model._meta.get_field(attribute)
        if not isinstance(model_field, models.Field):
            return True
        if there == "" and not isinstance(model_field, models.CharField | models.TextField):
            return here is None or not model_field.null  # one that may not be null is left as it is
        try:
            return is_same_value(here, model_field.to_python(there))
        except ValidationError as error:
            message = f"The call's value {there!r} does not fit {model_field.verbose_name}: {' '.join(error.messages)}"
            problems.append(MappingProblem(error_type=ErrorType.MAPPING, message=message))
            return True

    def _is_marked(self, row: Row) -> bool:
        return not self._plan.crm_filter_field or bool(row.get(self._plan.crm_filter_field))

    def _is_read_again(self, row: Row) -> bool:
        """Whether the next transfer reads the call, because it changed since the last one or shortly before."""
        return self._since is None or row.changed_at is None or row.changed_at >= self._since

    # -- Reading --------------------------------------------------------------------------------------

    def _list_activities(self) -> Any:
        activities = self._model._base_manager.filter(connection=self._connection)
        return activities.filter(object_type=self._plan.object_type) if self._plan.object_type else activities

    def _build_cases(self, rows: dict[str, Row | None]) -> list[_Case]:
        """Return a case for each call, reading activities, links and deletions of up to 1,000 in three statements."""
        activities = {each.crm_id: each for each in self._list_activities().filter(crm_id__in=list(rows))}
        links = {
            link.crm_id: link
            for link in TransferLink.objects.filter(integration=self._session.integration, crm_id__in=list(rows))
        }
        without_activity: list[UUID] = [
            link.record_uid for crm_id, link in links.items() if crm_id not in activities and link.record_uid
        ]
        deletions = find_deletions(without_activity) if without_activity else {}
        deleted = {
            crm_id
            for crm_id, link in links.items()
            if link.record_uid is not None and deletions.get(link.record_uid, False)
        }
        return [
            _Case(
                crm_id=crm_id,
                row=row,
                activity=activities.get(crm_id),
                link=links.get(crm_id),
                was_deleted_here=crm_id in deleted,
            )
            for crm_id, row in rows.items()
        ]

    def _match_persons(self, rows: Iterable[Row]) -> dict[str, int | MappingProblem]:
        if self._plan.identifiers is None:
            return {}
        values = {value for row in rows if (value := self._read_identifier(row))}
        return match_persons(identifiers=self._plan.identifiers, values=values, crm_name=self._connection.name)

    def _read_identifier(self, row: Row) -> str:
        return read_identifier(plan=self._plan, call=row, crm=self._run.crm)

    def _get_person(self, row: Row, persons: dict[str, int | MappingProblem]) -> int | MappingProblem:
        value = self._read_identifier(row)
        if value in persons:
            return persons[value]
        return MappingProblem(error_type=ErrorType.MATCHING, message="The account of the call has no identifier.")
