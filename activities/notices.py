"""Notices on record pages about generated activities: on a source, and on the activity itself.

The notice of a source uses the rules of the job, so that a problem appears, and disappears, before the next run. Each
page takes a fixed number of statements, whatever the number of people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from activities.choices import ActivityType
from activities.generation import GenerationPlan, GenerationProblem, SourcePerson
from activities.generator import KINDS, SourceKind, is_of_study, list_study_people
from activities.jobs import GENERATE_JOB_KEY
from activities.models import Activity
from activities.sources import UPDATE_REQUIRED
from ctms.clinical.models import Person
from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time, get_now
from ctms.jobs.models import JobDefinition
from ctms.records.access import ObjectAccess, open_related
from ctms.records.addresses import get_record_url
from ctms.records.fields.record_links import find_links
from ctms.records.fields.references import HIDDEN, can_name_record
from ctms.records.pages.notices import NoticePart, RecordNotice, register_record_notice
from exceptions_log.selectors import list_dismissed_items

MOST_NAMED = 5
_JOB = "the job Generate Clinical Activities"
_ICON = "activity"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A source with the plan of its activities, and the people who have an activity, active or not."""

    record: Any
    plan: GenerationPlan
    names: dict[int, str]  # name by key of a person; empty if the user may not see it
    written: dict[int, bool]  # person → whether the activity is active


def register_activity_notices() -> None:
    """Register the notices; called once, when the app is ready."""
    for kind in KINDS:
        register_record_notice(kind.model.object_name, _explain_source)
    register_record_notice(Activity.object_name, _explain_activity)


# -- Notices of sources ---------------------------------------------------------------------------
def _explain_source(access: ObjectAccess, record: Any) -> list[RecordNotice]:
    if UPDATE_REQUIRED not in access.shape.get_type(record.object_type).fields:
        return []
    kind = next(each for each in KINDS if isinstance(record, each.model))
    source = _read_source(access=access, kind=kind, record=record)
    links = _link_activities(access=access, kind=kind, record=record) if source.written else []
    warnings = [_warn(text) for text in _list_problems(source)]
    coming = _describe_coming(source)
    text = ""
    if record.activity_update_required and (coming or warnings):
        text = f"{coming or 'It is tried again'} {_describe_next_run(access)}"
    elif source.plan.people and not source.written:
        text = "No activities were written of it yet: they are once it changes, or its people do."
    parts = [NoticePart(text=f"{text} " if links else text)] if text else []
    return [*warnings, _compose(*parts, *links)] if parts or links else warnings


def _read_source(*, access: ObjectAccess, kind: SourceKind, record: Any) -> _Source:
    named = kind.list_people([record]).get(record.pk, [])
    rows = Activity.objects.filter(is_generated=True, **{kind.reference: record})
    written = {person: status == RecordStatus.ACTIVE for person, status in rows.values_list("person", "status")}
    people = Person.objects.in_bulk({pk for pk, _ in named} | written.keys())
    names = {pk: each.name if can_name_record(access=access, record=each) else "" for pk, each in people.items()}
    of_study = list_study_people([record], {pk for pk, _ in named})
    plan = kind.plan(
        record,
        people=[
            SourcePerson(pk=pk, name=names[pk] or HIDDEN, is_of_study=is_of_study(record, pk, of_study))
            for pk, _ in named
        ],
        today=timezone.now().date(),
    )
    return _Source(record=record, plan=plan, names=names, written=written)


def _list_problems(source: _Source) -> list[str]:
    """Return a sentence for each problem of the plan, without those dismissed in the record's present version."""
    if not source.plan.problems:
        return []
    dismissed = dict(
        list_dismissed_items()
        .filter(record_uid=source.record.uid, record_version=source.record.version, message__job__key=GENERATE_JOB_KEY)
        .values_list("key", "error_message")
    )
    open_problems = [each for each in source.plan.problems if not _is_dismissed(source, each, dismissed)]
    texts = [_describe_problem(each) for each in open_problems[:MOST_NAMED]]
    more = len(open_problems) - len(texts)
    return [*texts, f"The same is true of {more} more."] if more else texts


def _describe_problem(problem: GenerationProblem) -> str:
    whose = f"The activity of {problem.person.name}" if problem.person else "Its activities"
    return f"{whose} cannot be written. {problem.message}"


def _is_dismissed(source: _Source, problem: GenerationProblem, dismissed: dict[str, str]) -> bool:
    # A person has at most one problem; problems of the source itself are compared by their message.
    if problem.person is not None:
        return f"{source.record.uid}:{problem.person.pk}" in dismissed
    return dismissed.get(f"{source.record.uid}:") == problem.message


def _describe_coming(source: _Source) -> str:
    """Describe what the next run will do; empty if it does nothing."""
    wanted = [person.pk for person in source.plan.people]
    kept = {person.pk for person in source.plan.kept}
    new = [pk for pk in wanted if pk not in source.written]
    old = [pk for pk in wanted if pk in source.written]
    gone = [pk for pk, is_active in source.written.items() if is_active and pk not in {*wanted, *kept}]
    clauses = [
        f"{verb} {_join_names(source, keys)}"
        for verb, keys in (("written for", new), ("updated for", old), ("made inactive for", gone))
        if keys
    ]
    return f"Activities will be {', '.join(clauses)}," if clauses else ""


def _join_names(source: _Source, keys: Sequence[int]) -> str:
    shown = [source.names[pk] for pk in keys if source.names[pk]][:MOST_NAMED]
    rest = len(keys) - len(shown)
    if rest:
        noun = "person" if rest == 1 else "people"
        shown.append(f"{rest} more {noun}" if shown else f"{rest} {noun} not visible to you")
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]


def _describe_next_run(access: ObjectAccess) -> str:
    """Return the end of a sentence: when the job runs next, or why it writes nothing."""
    activity_type = access.configuration.get(Activity.object_name).get_type(ActivityType.CLINICAL)
    if not activity_type.is_active:
        return f"once the object type {ActivityType.CLINICAL.label} is Active; it is Inactive now. Ask an admin."
    job = JobDefinition.objects.select_related("clock").filter(key=GENERATE_JOB_KEY).first()
    if job is None or job.status != RecordStatus.ACTIVE:
        return f"once {_JOB} is Active; it is Inactive now. Ask an admin to activate it."
    clock, now = getattr(job, "clock", None), get_now()
    if clock is None or clock.next_run_at <= now:
        return f"at the next run of {_JOB}, which is due now."
    due = clock.next_run_at
    moment = f"{due:%H:%M} UTC" if due.date() == now.date() else format_time(due)
    return f"at the next run of {_JOB} ({moment})."


def _link_activities(*, access: ObjectAccess, kind: SourceKind, record: Any) -> list[NoticePart]:
    """Return links to the active generated activities of a source that the user may see."""
    activities = open_related(access=access, object_name=Activity.object_name)
    if activities is None:
        return []
    visible = activities.list_records().filter(
        is_generated=True, status=RecordStatus.ACTIVE, **{kind.reference: record}
    )
    found = list(visible.order_by("pk")[: MOST_NAMED + 1])
    if not found:
        return []
    parts = [NoticePart(text=each.name, url=get_record_url(each)) for each in found[:MOST_NAMED]]
    end = " and more." if len(found) > MOST_NAMED else "."
    return [NoticePart(text="Activities: "), *_separate(parts), NoticePart(text=end)]


# -- Notices of activities ------------------------------------------------------------------------
def _explain_activity(access: ObjectAccess, record: Activity) -> list[RecordNotice]:
    source: Any = record.monitoring_event or record.study_communication if record.is_generated else None
    if source is None:
        return []
    links = find_links(
        user=access.user, references=[(source.object_name, source.uid)], configuration=access.configuration
    )
    link = links.get(source.uid)
    label = access.configuration.get(source.object_name).vault_object.label
    return [
        _compose(
            NoticePart(text="Generated from "),
            NoticePart(text=link.label, url=link.url) if link else NoticePart(text=f"a {label} not visible to you"),
            NoticePart(
                text="; date, channel, complete, subject, study and site follow it. Change them there; notes are "
                "kept here."
            ),
        )
    ]


def _separate(parts: Iterable[NoticePart]) -> list[NoticePart]:
    separated: list[NoticePart] = []
    for part in parts:
        separated += [NoticePart(text=", "), part] if separated else [part]
    return separated


def _warn(text: str) -> RecordNotice:
    return RecordNotice(parts=(NoticePart(text=text),), icon="warning", is_warning=True)


def _compose(*parts: NoticePart) -> RecordNotice:
    return RecordNotice(parts=parts, icon=_ICON)
