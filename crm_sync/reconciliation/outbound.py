"""Compare the records that an outbound integration sends with the rows of its CRM object.

All rows are read once, page by page, and each is compared with what the transfer would send for its record now. Records
without a row follow. Whatever differs is then looked at once more by id, both sides anew and the CRM first, so that
what changes during the reconciliation is not called a difference.

No link is believed: rows belong to records by their external id, accounts to persons by their identifiers, which one
account alone may have, and parents by their external ids. Links only say what the transfer is still going to do.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from connections.models import IntegrationProgress
from crm_sync.choices import LinkState, RecordWord
from crm_sync.engine.identity.account_matching import spell_identifier
from crm_sync.engine.mapping import ParentState, map_deletion, map_record
from crm_sync.engine.outbound.crm_values import find_references, list_fields
from crm_sync.engine.outbound.parents import judge_parents
from crm_sync.engine.outbound.records import read_records
from crm_sync.models import Difference, TransferLink
from crm_sync.reconciliation.crm_rows import Deletions
from crm_sync.reconciliation.unmatched import UnmatchedPersons
from crm_sync.reconciliation.values import is_same_value
from crm_sync.reconciliation.verdicts import CHUNK, DELETED, Ledger, Verdict, build_difference, find_failures
from ctms.audit.selectors import find_deletions
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from crm_sync.crm.dialect import CrmRow as Row
    from crm_sync.engine.run_session import IntegrationSession

_CLOSER = 200
_KEYS_PER_FETCH = 10_000


@dataclass(slots=True, kw_only=True)
class _Subject:
    """A Vault record with its link; `is_eligible` if it is of the type and fulfils the filter of the rule."""

    record: Any
    link: TransferLink | None
    is_eligible: bool
    is_pending: bool


class OutboundComparison:
    """The comparison of one outbound integration."""

    def __init__(self, *, session: IntegrationSession) -> None:
        self._session = session
        self._plan = session.plan
        self._run = session.run
        self._model: Any = session.plan.vault_object.model
        self._key = session.plan.external_id_field
        progress = IntegrationProgress.objects.get(integration=session.integration)
        self._rules_changed = progress.rules_digest != session.plan.digest
        keys = self._list_records().order_by("pk").values_list("pk", flat=True)
        self._ledger = Ledger(array("q", keys.iterator(chunk_size=_KEYS_PER_FETCH)))
        self._suspects: set[int] = set()
        # Ids of rows that belong to no record here and do not show its deletion; words of rows without a record.
        self._strangers: set[str] = set()
        self._words: Counter[RecordWord] = Counter()
        self._fields = list_fields(plan=self._plan, crm=self._run.crm)
        self._references = find_references(plan=self._plan, crm=self._run.crm)
        self._deletions = Deletions(run=self._run, object_name=self._plan.crm_object)
        self._unmatched = UnmatchedPersons(session=session)

    def execute(self, *, store: Callable[[list[Difference]], None]) -> Counter[RecordWord]:
        """Compare everything, store the differences and return the number of records by word.

        Raises QueryLocatorExpired before anything is stored, and the errors of `crm_sync.crm.errors`.
        """
        rows = self._run.crm.find_filled(object_name=self._plan.crm_object, fields=self._fields, field_name=self._key)
        for page in self._run.read_pages(rows):
            self._judge_page(page)
        for keys in self._ledger.list_without_word():
            self._judge_absent([key for key in keys if key not in self._suspects])
        self._look_at_suspects(store)
        self._look_at_strangers(store)
        return self._ledger.count() + self._words

    # -- All rows and records -------------------------------------------------------------------------

    def _judge_page(self, page: list[Row]) -> None:
        by_uid, strangers = _group(page, key=self._key)
        subjects = {subject.record.uid: subject for subject in self._read_by_uid(list(by_uid))}
        cases: list[tuple[_Subject, Sequence[Row]]] = []
        for uid, rows in by_uid.items():
            subject = subjects.get(uid)
            if subject is None:
                strangers += rows
            elif len(rows) > 1 or subject.record.pk in self._ledger:
                self._suspects.add(subject.record.pk)
            else:
                cases.append((subject, rows))
        for (subject, _), verdict in zip(cases, self._judge(cases), strict=True):
            self._note(subject, verdict)
        for row in strangers:
            if self._shows_deletion(row):
                self._words[RecordWord.EQUAL] += 1
            elif not row.is_deleted:
                self._strangers.add(row.crm_id)
        self._session.counts.selected += len(page)
        self._session.show_progress()

    def _judge_absent(self, keys: list[int]) -> None:
        """Judge records of which the CRM has no row."""
        cases = [(subject, ()) for subject in self._read_by_key(array("q", keys))]
        for (subject, _), verdict in zip(cases, self._judge(cases), strict=True):
            self._note(subject, verdict)

    def _note(self, subject: _Subject, verdict: Verdict) -> None:
        self._ledger.put(subject.record.pk, verdict.word)
        if verdict.is_difference:
            self._suspects.add(subject.record.pk)

    # -- A closer look --------------------------------------------------------------------------------

    def _look_at_suspects(self, store: Callable[[list[Difference]], None]) -> None:
        keys = sorted(self._suspects)
        for start in range(0, len(keys), _CLOSER):
            store(list(self._judge_closer(keys[start : start + _CLOSER])))
            self._run.stop_if_cancelled()

    def _judge_closer(self, keys: list[int]) -> Iterator[Difference]:
        uids = dict(self._list_records().filter(pk__in=keys).values_list("uid", "pk"))
        crm_ids = dict(
            TransferLink.objects.filter(integration=self._session.integration, record_uid__in=list(uids))
            .exclude(crm_id="")
            .values_list("crm_id", "record_uid")
        )
        rows = self._find_rows(external_ids=[str(uid) for uid in uids], crm_ids=list(crm_ids))
        by_uid, others = _group(rows, key=self._key)
        for uid in [uid for uid in by_uid if uid not in uids]:
            others += by_uid.pop(uid)
        known = self._list_known([_read_uid(row.get(self._key)) for row in others])
        for row in others:
            # A record whose external id was changed in the CRM: its link knows it, and no other record claims it.
            if _read_uid(row.get(self._key)) not in known and (owner := crm_ids.get(row.crm_id)) is not None:
                by_uid[owner].append(row)
                self._strangers.discard(row.crm_id)
        cases = [(subject, by_uid[subject.record.uid]) for subject in self._read_by_key(array("q", uids.values()))]
        self._unmatched = UnmatchedPersons(session=self._session)
        for (subject, of_record), verdict in zip(cases, self._judge(cases), strict=True):
            self._ledger.put(subject.record.pk, verdict.word)
            primary = _choose(of_record, subject=subject, key=self._key)
            if verdict.is_difference:
                crm_id = primary.crm_id if primary else subject.link.crm_id if subject.link else ""
                yield self._build(verdict=verdict, name=str(subject.record), uid=subject.record.uid, crm_id=crm_id)
            for row in of_record:
                if row is not primary and not row.is_deleted:
                    yield from self._judge_double(row, name=str(subject.record))

    def _judge_double(self, row: Row, *, name: str) -> Iterator[Difference]:
        """Judge a second row of a record: it should show that it is deleted."""
        if self._shows_deletion(row):
            self._words[RecordWord.EQUAL] += 1
        else:
            self._words[RecordWord.ORPHANED] += 1
            verdict = self._describe_orphan(row)
            yield self._build(verdict=verdict, name=f"{name}, a second time", uid=None, crm_id=row.crm_id)

    def _look_at_strangers(self, store: Callable[[list[Difference]], None]) -> None:
        ids = sorted(self._strangers)
        for start in range(0, len(ids), _CLOSER):
            store(list(self._judge_strangers(ids[start : start + _CLOSER])))
            self._run.stop_if_cancelled()

    def _judge_strangers(self, crm_ids: list[str]) -> Iterator[Difference]:
        rows = [row for row in self._find_rows(external_ids=(), crm_ids=crm_ids) if not row.is_deleted]
        known = self._list_known([_read_uid(row.get(self._key)) for row in rows])
        links = {
            link.crm_id: link
            for link in TransferLink.objects.filter(
                integration=self._session.integration, crm_id__in=[row.crm_id for row in rows]
            )
        }
        failures = find_failures(
            integration=self._session.integration, keys=[str(link.record_uid) for link in links.values()]
        )
        deletions = find_deletions([uid for row in rows if (uid := _read_uid(row.get(self._key))) is not None])
        for row in rows:
            crm_id, uid = row.crm_id, _read_uid(row.get(self._key))
            link = links.get(crm_id)
            if uid in known:
                continue  # the record was created during the reconciliation
            if self._shows_deletion(row):
                self._words[RecordWord.EQUAL] += 1
                continue
            if uid is not None and deletions.get(uid) is False:
                verdict = self._describe_orphan(row, word=RecordWord.MISSING_HERE)
            else:
                is_pending = link is not None and link.state == LinkState.LIVE
                failure = failures.get(str(link.record_uid)) if link is not None else None
                verdict = self._describe_orphan(row).excuse(failure=failure, is_pending=is_pending)
            self._words[verdict.word] += 1
            if verdict.is_difference:
                yield self._build(verdict=verdict, name=row.name or crm_id, uid=uid, crm_id=crm_id)

    def _build(self, *, verdict: Verdict, name: str, uid: UUID | None, crm_id: str) -> Difference:
        return Difference(
            integration=self._session.integration,
            record_uid=uid,
            crm_id=crm_id,
            name=name[:255],
            word=verdict.word,
            fields=verdict.fields,
        )

    # -- Judging --------------------------------------------------------------------------------------

    def _judge(self, cases: Sequence[tuple[_Subject, Sequence[Row]]]) -> list[Verdict]:
        """Judge records with their rows; differences of records that failed or are pending are explained by that."""
        self._unmatched.look_up(subject.record for subject, rows in cases if rows and subject.is_eligible)
        verdicts = [self._compare(subject, rows) for subject, rows in cases]
        differing = [
            str(subject.record.uid)
            for (subject, _), verdict in zip(cases, verdicts, strict=True)
            if verdict.is_difference
        ]
        failures = find_failures(integration=self._session.integration, keys=differing)
        return [
            verdict.excuse(failure=failures.get(str(subject.record.uid)), is_pending=subject.is_pending)
            for (subject, _), verdict in zip(cases, verdicts, strict=True)
        ]

    def _compare(self, subject: _Subject, rows: Sequence[Row]) -> Verdict:
        if not subject.is_eligible:
            return Verdict(word=RecordWord.FILTERED_OUT)  # what the CRM has of it stays as it is
        row = _choose(rows, subject=subject, key=self._key)
        if row is None:
            return self._judge_missing(subject, is_deleted=bool(rows))
        if subject.link is not None and subject.link.state == LinkState.DELETED_IN_CRM:
            return build_difference(RecordWord.DELETED_ON_ONE_SIDE, {DELETED: [True, False]})
        fields = self._list_differing_fields(subject, row)
        person, problem = self._plan.person_field, self._unmatched.find_problem(subject.record)
        if person is not None and problem is not None:
            # Whatever account the row has, the transfer would not choose it.
            fields[person.target] = [subject.record.person_identifier, problem.message]
            return build_difference(RecordWord.UNMATCHED, fields)
        if fields:
            return build_difference(RecordWord.DIFFERS, fields)
        return Verdict(word=RecordWord.EQUAL)

    def _judge_missing(self, subject: _Subject, *, is_deleted: bool) -> Verdict:
        link = subject.link
        if link is not None and link.state == LinkState.DELETED_IN_CRM:
            return Verdict(word=RecordWord.DELETED_ON_ONE_SIDE)  # as the transfer knows: it is not sent again
        crm_id = link.crm_id if link is not None and not subject.is_pending else ""
        if is_deleted or (crm_id and crm_id in self._deletions):
            return build_difference(RecordWord.DELETED_ON_ONE_SIDE, {DELETED: [False, True]})
        if subject.record.status == RecordStatus.INACTIVE and (link is None or not link.crm_id):
            return Verdict(word=RecordWord.INACTIVE_HERE)
        return build_difference(RecordWord.MISSING_THERE)

    def _list_differing_fields(self, subject: _Subject, row: Row) -> dict[str, list[Any]]:
        plan, record = self._plan, subject.record
        person = plan.person_field
        has_person = person is not None and record.person_id
        parents = self._prove_parents(record, row)
        mapped = map_record(
            plan=plan,
            record=record,
            account=row.get(person.target) or "" if person is not None and has_person else None,
            parents=parents,
            link=f"{settings.VAULT_BASE_URL}/records/{plan.vault_object.api_name}/{record.uid}/",
            crm=self._run.crm,
            deletion_base=str(row.get(plan.deletion_field) or ""),
        )
        fields: dict[str, list[Any]] = {}
        if str(row.get(self._key)) != str(record.uid):
            fields[self._key] = [str(record.uid), row.get(self._key)]
        if subject.link is not None and subject.link.crm_id and subject.link.crm_id != row.crm_id:
            fields["CRM id"] = [subject.link.crm_id, row.crm_id]
        if mapped.problems:
            fields["Field rules"] = [" ".join(problem.message for problem in mapped.problems), None]
        if person is not None and has_person and plan.identifiers is not None:
            shown = row.get(self._run.crm.path(person.target, plan.identifiers.account_field))
            if record.person_identifier != spell_identifier(shown):
                fields[person.target] = [record.person_identifier, shown]
        for name, value in mapped.payload.items():
            here, there = self._read_both(name, value, row, parents=parents)
            if not is_same_value(here, there):
                fields.setdefault(name, [here, there])
        if mapped.blocked_by:
            fields.setdefault("Parent", [mapped.blocked_by, None])
        return fields

    def _read_both(self, name: str, value: Any, row: Row, *, parents: Mapping[str, ParentState]) -> tuple[Any, Any]:
        """Return a value of the payload and that of the row; references by the external ids of their records."""
        reference = self._references.get(name)
        if reference is None:
            return value, row.get(name)
        here = None if value is None else str(parents[reference.target].uid)
        return here, row.get(self._run.crm.path(reference.target, reference.reference_field))

    def _prove_parents(self, record: Any, row: Row) -> dict[str, ParentState]:
        """Return the states of the parents; one to which the row refers is in the CRM, whatever its link says."""
        parents = judge_parents(plan=self._plan, parents=record.parents, states={})
        for parent in self._plan.parents:
            state = parents[parent.field.target]
            shown = row.get(self._run.crm.path(parent.field.target, parent.field.reference_field))
            if state.is_eligible and shown == str(state.uid):
                parents[parent.field.target] = replace(state, link_state=LinkState.LIVE)
        return parents

    def _shows_deletion(self, row: Row) -> bool:
        text = str(row.get(self._plan.deletion_field) or "")
        return bool(map_deletion(plan=self._plan, base=text)[self._plan.deletion_field] == text)

    def _describe_orphan(self, row: Row, *, word: RecordWord = RecordWord.ORPHANED) -> Verdict:
        name = self._plan.deletion_field
        text = row.get(name)
        return build_difference(word, {name: [map_deletion(plan=self._plan, base=str(text or ""))[name], text]})

    # -- Reading --------------------------------------------------------------------------------------

    def _list_records(self) -> Any:
        """Return the records of the integration's object and object type."""
        records = self._model._base_manager.all()
        return records.filter(object_type=self._plan.object_type) if self._plan.object_type else records

    def _list_known(self, uids: Iterable[UUID | None]) -> set[UUID]:
        wanted = [uid for uid in uids if uid is not None]
        return set(self._model._base_manager.filter(uid__in=wanted).values_list("uid", flat=True)) if wanted else set()

    def _read_by_uid(self, uids: list[UUID]) -> Iterator[_Subject]:
        for start in range(0, len(uids), CHUNK):
            found = self._list_records().filter(uid__in=uids[start : start + CHUNK]).order_by("pk")
            yield from self._read_by_key(array("q", found.values_list("pk", flat=True)))

    def _read_by_key(self, keys: array[int]) -> Iterator[_Subject]:
        """Yield up to 1,000 records with their links."""
        if not keys:
            return
        records = [record for batch in read_records(plan=self._plan, keys=keys) for record in batch]
        links = {
            link.record_uid: link
            for link in TransferLink.objects.filter(
                integration=self._session.integration, record_uid__in=[record.uid for record in records]
            )
        }
        eligible = self._find_eligible(keys)
        for record in records:
            link = links.get(record.uid)
            yield _Subject(
                record=record,
                link=link,
                is_eligible=eligible is None or record.pk in eligible,
                is_pending=self._rules_changed
                or is_link_pending(record=record, dependency_sum=record.dependency_sum, link=link),
            )

    def _find_eligible(self, keys: array[int]) -> set[int] | None:
        """Return the keys of the records that the filter lets through; None if there is no filter."""
        plan = self._plan
        if not plan.filter_attribute and not plan.conditions:
            return None
        records = self._model._base_manager.filter(pk__in=keys.tolist())
        if plan.filter_attribute:
            records = records.filter(**{plan.filter_attribute: True})
        return set(plan.conditions.limit(records).values_list("pk", flat=True))

    def _find_rows(self, *, external_ids: Iterable[str], crm_ids: Iterable[str]) -> list[Row]:
        """Return rows by external id and by Id, each once."""
        rows: dict[str, Row] = {}
        crm_object, fields = self._plan.crm_object, self._fields
        for row in self._run.find_by_external_id(
            object_name=crm_object, fields=fields, field_name=self._key, values=sorted(external_ids)
        ):
            rows[row.crm_id] = row
        for _, some in self._run.find_by_id(object_name=crm_object, fields=fields, crm_ids=sorted(crm_ids)):
            rows |= {row.crm_id: row for row in some}
        return [rows[crm_id] for crm_id in sorted(rows)]


def is_link_pending(*, record: Any, dependency_sum: int, link: TransferLink | None) -> bool:
    """Whether the next transfer looks at the record, because it failed, waits, or is not as its link says."""
    if record.status == RecordStatus.INACTIVE and (link is None or not link.crm_id):
        return False  # an inactive record that the CRM never had is not sent
    if link is None or link.pending or link.state == LinkState.DELETED_IN_VAULT:  # its deletion was undone
        return True
    is_current = (link.version, link.dependency_version) == (record.version, dependency_sum)
    return link.state == LinkState.LIVE and not is_current


def _group(rows: Iterable[Row], *, key: str) -> tuple[defaultdict[UUID, list[Row]], list[Row]]:
    """Return rows by the UID in their external id, and the rows whose external id is none."""
    by_uid: defaultdict[UUID, list[Row]] = defaultdict(list)
    others: list[Row] = []
    for row in rows:
        uid = _read_uid(row.get(key))
        if uid is None:
            others.append(row)
        else:
            by_uid[uid].append(row)
    return by_uid, others


def _read_uid(text: Any) -> UUID | None:
    """Return the UID of an external id; None unless it is spelled exactly as the transfer spells it."""
    try:
        uid = UUID(str(text))
    except ValueError:
        return None
    return uid if str(uid) == text else None


def _choose(rows: Sequence[Row], *, subject: _Subject, key: str) -> Row | None:
    """Return the row that is the record; None if all are deleted.

    One with the record's external id comes first, then the one that is linked, then the oldest.
    """
    live = [row for row in rows if not row.is_deleted]
    uid, linked = str(subject.record.uid), subject.link.crm_id if subject.link is not None else ""
    return min(live, key=lambda row: (row.get(key) != uid, row.crm_id != linked, row.crm_id), default=None)
