"""The job Generate Clinical Activities: write the activities of flagged sources, batch by batch.

A batch is one transaction that locks its sources: a user who changes one of them waits, and then flags it again. So a
flag is cleared in the transaction that writes the matching activities, and a run that dies leaves only whole batches.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from activities.choices import ActivityType
from activities.contacts.writing import hold_contacts
from activities.generation import GenerationPlan, GenerationProblem, SourcePerson, plan_communication, plan_event
from activities.models import Activity, DeclinedActivity
from activities.sources import Source, list_automated_types, raise_flags
from ctms.audit.actors import build_system_actor
from ctms.audit.services import create_records, mark_records, update_records
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    StudyCommunicationContact,
    StudyCommunicationLog,
    StudyPerson,
)
from ctms.configuration.field_defaults import put_all_defaults
from ctms.configuration.selectors import is_object_type_active
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from ctms.jobs.registry import RunContext, RunOutcome
from exceptions_log.choices import ErrorType
from exceptions_log.models import INTEGRATION_KEY, Failure
from exceptions_log.services import ExceptionRecorder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctms.audit.actors import Actor

BATCH = 500
# Fields of an activity that follow its source.
_FOLLOWED = ("date", "channel", "complete", "subject", "study_id", "study_country_id", "site_id", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """A kind of source: how its people are found and its activities planned."""

    model: Source
    label: str
    reference: str  # field of Activity

    def list_people(self, sources: Sequence[Any]) -> dict[int, list[tuple[int, str]]]:
        """Return by key of a source the key and name of each of its people, in the order in which they were added.

        An event without participants has its site's principal investigator.
        """
        people: dict[int, list[tuple[int, str]]] = defaultdict(list)
        rows: Any
        if self.model is MonitoringEvent:
            rows = MonitoringEventParticipant.objects.filter(
                monitoring_event__in=sources, status=RecordStatus.ACTIVE
            ).values_list("monitoring_event", "person", "person__name")
        else:
            rows = StudyCommunicationContact.objects.filter(
                communication__in=sources, status=RecordStatus.ACTIVE
            ).values_list("communication", "person", "person__name")
        for source, person, name in rows.order_by("pk"):
            people[source].append((person, name))
        if self.model is MonitoringEvent:
            for event in sources:
                investigator = event.site.principal_investigator
                if event.pk not in people and investigator is not None:
                    people[event.pk].append((investigator.pk, investigator.name))
        return people

    def plan(self, source: Any, *, people: list[SourcePerson], today: dt.date) -> GenerationPlan:
        if isinstance(source, MonitoringEvent):
            return plan_event(source, people=people)
        return plan_communication(source, people=people, today=today)


KINDS = (
    SourceKind(model=MonitoringEvent, label="Monitoring Events", reference="monitoring_event"),
    SourceKind(model=StudyCommunicationLog, label="Study Communications", reference="study_communication"),
)


@dataclass(slots=True, kw_only=True)
class _Batch:
    """Activities to write and problems of one batch."""

    new: list[Activity] = field(default_factory=list)
    changed: list[Activity] = field(default_factory=list)
    problems: list[tuple[Any, GenerationProblem]] = field(default_factory=list)


def generate_activities(context: RunContext) -> RunOutcome:
    """Run the job. Raises the errors of its lease."""
    generator = _Generator(context)
    if not is_object_type_active(object_name=Activity.object_name, object_type=ActivityType.CLINICAL):
        return generator.refuse(
            "The object type Clinical Activity is inactive, so that nothing can be generated. Activate it under "
            "Configuration > Objects > Activity > Object Types."
        )
    with hold_contacts():
        for kind in KINDS:
            generator.work_off(kind)
    return generator.finish()


class _Generator:
    """The state of one run: counts by kind of source, and the failures."""

    def __init__(self, context: RunContext) -> None:
        self._lease = context.lease
        self._job = context.run.definition
        self._actor: Actor = build_system_actor(source="job", reference=str(context.run.pk))
        self._today = timezone.now().date()
        self._recorder = ExceptionRecorder(job=self._job, run=context.run, renew_lease=self._lease.renew)
        self._counts: dict[str, Counter[str]] = {kind.label: Counter() for kind in KINDS}

    def work_off(self, kind: SourceKind) -> None:
        """Process all flagged sources of a kind by ascending key; those flagged behind it wait for the next run."""
        types = list_automated_types(kind.model)
        if not types:
            return
        self._flag_what_came_due(kind, types)
        last = 0
        while True:
            self._lease.stop_if_cancelled()
            done = self._work_off_batch(kind, types=types, after=last)
            if done is None:
                return
            last = done

    def refuse(self, message: str) -> RunOutcome:
        """End the run as failed because nothing can be generated, with one exception item for all sources."""
        self._recorder.add(
            Failure(
                key=f"{INTEGRATION_KEY}{self._job.key}",
                name=self._job.name,
                error_type=ErrorType.CONFIGURATION,
                error_message=message,
                item=self._job.name,
            )
        )
        with transaction.atomic():
            self._lease.renew()
            self._recorder.publish(is_complete=False)
        return RunOutcome(state=RunState.FAILED, message=message, result={})

    def finish(self) -> RunOutcome:
        with transaction.atomic():
            self._lease.renew()
            self._recorder.publish(is_complete=True)
        result = {label: dict(counts) for label, counts in self._counts.items() if counts}
        failed, written = (
            self._recorder.count,
            sum(counts["created"] + counts["updated"] for counts in self._counts.values()),
        )
        message = f"{written:,} activities written." if written != 1 else "1 activity written."
        if failed:
            return RunOutcome(
                state=RunState.WITH_EXCEPTIONS,
                message=f"{message} {failed:,} could not be; see User Exceptions.",
                result=result,
            )
        return RunOutcome(state=RunState.SUCCEEDED, message=message, result=result)

    def _flag_what_came_due(self, kind: SourceKind, types: list[str]) -> None:
        """Flag communications whose day has come: their activities become complete although nobody changed them."""
        if kind.model is not StudyCommunicationLog:
            return
        due = Activity.objects.filter(
            is_generated=True, complete=False, status=RecordStatus.ACTIVE, date__lte=self._today
        ).exclude(study_communication=None)
        with transaction.atomic():
            self._lease.renew()
            raise_flags(
                StudyCommunicationLog.objects.filter(
                    pk__in=due.values("study_communication"), object_type__in=types, activity_update_required=False
                )
            )

    def _work_off_batch(self, kind: SourceKind, *, types: list[str], after: int) -> int | None:
        """Process the next batch of sources after the key `after`; return the last key, or None if there was none."""
        counts = self._counts[kind.label]
        with transaction.atomic():
            self._lease.renew(progress={label: dict(each) for label, each in self._counts.items()})
            flagged = kind.model.objects.filter(pk__gt=after, activity_update_required=True, object_type__in=types)
            related = (
                ("created_by", "site__principal_investigator")
                if kind.model is MonitoringEvent
                else ("created_by", "site")
            )
            # With `no_key`, adding a person to a source, or an activity for it, waits only when it flags the source.
            locked = flagged.select_related(*related).select_for_update(of=("self",), no_key=True)
            sources: list[Any] = list(locked.order_by("pk")[:BATCH])
            if not sources:
                return None
            batch = self._plan_batch(kind, sources)
            changed = self._write(kind, batch, sources)
            failed = {source.pk for source, _ in batch.problems}
            mark_records(
                kind.model.objects.filter(pk__in=[source.pk for source in sources if source.pk not in failed]),
                activity_update_required=False,
            )
        counts.update(selected=len(sources), created=len(batch.new), updated=changed, failed=len(batch.problems))
        self._report([_describe(source, problem) for source, problem in batch.problems])
        return int(sources[-1].pk)

    def _write(self, kind: SourceKind, batch: _Batch, sources: list[Any]) -> int:
        """Write the activities of a batch; return how many were changed."""
        try:
            return self._write_together(batch.new, batch.changed)
        except ValidationError:
            return self._write_by_source(kind, batch, sources)

    def _write_together(self, new: list[Activity], changed: list[Activity]) -> int:
        with transaction.atomic():
            number = len(update_records(records=changed, actor=self._actor))
            put_all_defaults(new)
            create_records(records=new, actor=self._actor)
        return number

    def _write_by_source(self, kind: SourceKind, batch: _Batch, sources: list[Any]) -> int:
        """Write the activities of each source by itself; what is refused becomes a problem of its source."""
        created: list[Activity] = []
        changed = 0
        for source in sources:
            new, old = (
                [each for each in activities if getattr(each, f"{kind.reference}_id") == source.pk]
                for activities in (batch.new, batch.changed)
            )
            try:
                changed += self._write_together(new, old)
            except ValidationError as error:
                label = source._meta.verbose_name
                message = f"{' '.join(error.messages)} Correct the study, country or site of the {label}."
                batch.problems.append((source, GenerationProblem(error_type=ErrorType.MAPPING, message=message)))
            else:
                created += new
        batch.new = created
        return changed

    def _report(self, failures: list[Failure]) -> None:
        """Record failures, and keep the dismissals of those that are unchanged."""
        dismissed = self._recorder.find_dismissed(failures) if failures else {}
        self._recorder.keep_dismissed(item.pk for item in dismissed.values())
        for failure in failures:
            if failure.key not in dismissed:
                self._recorder.add(failure)

    def _plan_batch(self, kind: SourceKind, sources: list[Any]) -> _Batch:
        people = kind.list_people(sources)
        of_study = list_study_people(sources, {pk for each in people.values() for pk, _ in each})
        existing: dict[int, dict[int, Activity]] = defaultdict(dict)
        found = Activity.objects.filter(is_generated=True, **{f"{kind.reference}__in": sources})
        for activity in found.select_for_update().order_by("pk"):
            existing[getattr(activity, f"{kind.reference}_id")][activity.person_id] = activity
        # Read after the activities: a deletion that was waited for has been noted by now.
        declined = set(
            DeclinedActivity.objects.filter(**{f"{kind.reference}__in": sources}).values_list(
                f"{kind.reference}_id", "person_id"
            )
        )
        batch = _Batch()
        for source in sources:
            plan = kind.plan(
                source,
                people=[
                    SourcePerson(pk=pk, name=name, is_of_study=is_of_study(source, pk, of_study))
                    for pk, name in people.get(source.pk, ())
                ],
                today=self._today,
            )
            batch.problems += [(source, problem) for problem in plan.problems]
            unwanted = {person for pk, person in declined if pk == source.pk}
            _write_plan(
                kind=kind, plan=plan, source=source, existing=existing[source.pk], unwanted=unwanted, batch=batch
            )
        return batch


def _write_plan(
    *,
    kind: SourceKind,
    plan: GenerationPlan,
    source: Any,
    existing: dict[int, Activity],
    unwanted: set[int],
    batch: _Batch,
) -> None:
    """Add what the plan brings about to the batch; people whose activity a user deleted (`unwanted`) get no new one."""
    wanted, kept = {person.pk for person in plan.people}, {person.pk for person in plan.kept}
    for person in wanted - existing.keys() - unwanted:
        batch.new.append(
            Activity(
                object_type=ActivityType.CLINICAL,
                is_generated=True,
                person_id=person,
                from_text=source.created_by.display_contact,
                owner_id=getattr(source, "owner_id", None),  # a communication has no owner
                **plan.values,
            )
        )
        setattr(batch.new[-1], kind.reference, source)
    for person, activity in existing.items():
        # Set, so that saving does not read the source again for each activity whose references are filled from it.
        setattr(activity, kind.reference, source)
        if person in wanted:
            changes = {name: plan.values[name] for name in _FOLLOWED}
        else:
            changes = {} if person in kept else {"status": RecordStatus.INACTIVE}
        if any(getattr(activity, name) != value for name, value in changes.items()):
            for name, value in changes.items():
                setattr(activity, name, value)
            batch.changed.append(activity)


def list_study_people(sources: list[Any], people: set[int]) -> set[tuple[int, int]]:
    """Return the pairs of study and person (primary keys) for which there is a Study Person."""
    found = StudyPerson.objects.filter(study__in={source.study_id for source in sources}, person__in=people)
    return set(found.values_list("study", "person"))


def is_of_study(source: Any, person: int, of_study: set[tuple[int, int]]) -> bool:
    is_investigator = source.site is not None and source.site.principal_investigator_id == person
    return is_investigator or (source.study_id, person) in of_study


def _describe(source: Any, problem: GenerationProblem) -> Failure:
    return Failure(
        key=f"{source.uid}:{problem.person.pk if problem.person else ''}",
        name=str(source),
        error_type=problem.error_type,
        error_message=problem.message,
        cause=problem.cause,
        item=str(source),
        item_data={"person": problem.person.name} if problem.person else {},
        record_object=source.object_name,
        record_uid=source.uid,
        record_version=source.version,
    )
