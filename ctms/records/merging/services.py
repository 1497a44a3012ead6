"""Merges two records of an object into one: what refers to the one that goes refers to the other afterwards.

See docs/decisions/0061.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.reasons import LONGEST_REASON, ReasonRequiredError
from ctms.audit.services import record_event
from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.registry import VaultObject, list_referring_fields
from ctms.core.errors import StaleRecordError, VaultError
from ctms.records.access import ObjectAccess, open_related
from ctms.records.fields.custom_references import list_custom_references
from ctms.records.fields.expressions import name_value
from ctms.records.fields.values import ValueReader, read_value
from ctms.records.merging.moving import Move, list_doubles
from ctms.records.writing.services import write_values

_RACE = "Somebody else wrote something about one of the two at the same moment. Nothing was merged; try again."


class MergeRefusedError(VaultError):
    """The two cannot be merged; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChoice:
    """A field in which the two differ, with both values as people read them."""

    field: ObjectField
    kept: str
    other: str
    prefers_other: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """What a merge would do: the fields to choose, and how many records of each kind would refer to the other.

    `doubles` are the records that go too, because the one that stays has the same.
    """

    choices: list[FieldChoice]
    moving: dict[str, int] = field(default_factory=dict)
    doubles: list[Any] = field(default_factory=list)
    refusal: str = ""


def explain_merge(*, access: ObjectAccess, record: Any) -> str:
    """Return why the user cannot merge the record with another; empty if they can."""
    if not access.vault_object.is_mergeable:
        return f"{access.vault_object.plural_title} cannot be merged."
    return access.explain_edit(record) or access.explain_delete(record)


def plan_merge(*, access: ObjectAccess, winner: Any, loser: Any) -> MergePlan:
    """Return what merging `loser` into `winner` would do, and why it cannot be done, if so."""
    moving, has_hidden = _count_references(access=access, loser=loser)
    refusal = ""
    if winner.pk == loser.pk:
        refusal = f"{winner} is the same {access.vault_object.label}. Choose another one."
    elif has_hidden:
        refusal = f"Records that you do not see refer to {loser}. Ask somebody who sees all studies."
    refusal = refusal or explain_merge(access=access, record=winner) or explain_merge(access=access, record=loser)
    return MergePlan(
        choices=_list_choices(access=access, winner=winner, loser=loser),
        moving=moving,
        doubles=[] if refusal else list_doubles(loser=loser, winner=winner),
        refusal=refusal,
    )


def merge_records(
    *,
    access: ObjectAccess,
    winner: Any,
    loser: Any,
    actor: Actor,
    taken: Collection[str],
    expected_versions: tuple[int, int],
    reason: str = "",
) -> Counter[str]:
    """Merge `loser` into `winner`, in one transaction; return how many records refer to the winner now, by label.

    `taken` are the API names of the fields whose value of the loser is kept, `expected_versions` those of winner and
    loser that the user was shown. Raises MergeRefusedError, StaleRecordError, and ValidationError by API name.
    """
    try:
        with transaction.atomic():
            return _merge(
                access=access,
                winner=winner,
                loser=loser,
                actor=actor,
                taken=taken,
                expected_versions=expected_versions,
                reason=reason.strip(),
            )
    except IntegrityError as error:
        raise StaleRecordError(_RACE) from error


def _merge(
    *,
    access: ObjectAccess,
    winner: Any,
    loser: Any,
    actor: Actor,
    taken: Collection[str],
    expected_versions: tuple[int, int],
    reason: str,
) -> Counter[str]:
    # Locked with their keys, in order: nobody can refer to one of them until this ends.
    rows = type(winner)._base_manager.order_by("pk").select_for_update()
    stored = {row.pk: row for row in rows.filter(pk__in=(winner.pk, loser.pk))}
    for record, version in zip((winner, loser), expected_versions, strict=True):
        if record.pk not in stored or stored[record.pk].version != version:
            raise StaleRecordError(f"{record} was changed after you opened this page; nothing was merged. Look again.")
    winner, loser = stored[winner.pk], stored[loser.pk]
    plan = plan_merge(access=access, winner=winner, loser=loser)
    if plan.refusal:
        raise MergeRefusedError(plan.refusal)
    if not reason and (reasoned := list_reasoned(access=access, loser=loser)):
        raise ReasonRequiredError(reasoned)
    values = {
        each.field.api_name: _read_taken(field=each.field, winner=winner, loser=loser)
        for each in plan.choices
        if each.field.api_name in taken
    }
    told = f"{loser} ({loser.uid}) was merged into {winner} ({winner.uid})"
    told = f"{told}: {reason}" if reason else f"{told}."
    move = Move(configuration=access.configuration, actor=actor, reason=told[:LONGEST_REASON])
    move.replace(loser=loser, winner=winner)
    winner.refresh_from_db()  # it may have referred to the loser, and has another version then
    record_event(
        actor=actor, action=AuditAction.EVENT, object_name=access.shape.api_name, record=winner, reason=move.reason
    )
    if values:
        write_values(
            access=access,
            record=winner,
            values=values,
            actor=actor,
            reason=move.reason,
            references_are_checked=True,
            users_are_checked=True,  # who is named stays named, even after leaving
            confirmed=tuple(values),
        )
    return move.moved


def list_reasoned(*, access: ObjectAccess, loser: Any) -> list[str]:
    """Return the labels of what a merge may change and an admin asks a reason for: here, and in what refers to it."""
    configuration = access.configuration
    labels = dict.fromkeys(access.list_reasoned().values())
    for other, each in _list_referring(access=access, record=loser):
        reasoned = configuration.list_reasoned(other.api_name) if not other.is_setup else {}
        asked = [reasoned[name] for name in (each.api_name, "") if name in reasoned]
        if asked:
            rows, name = name_value(records=other.model._base_manager.all(), field=each)
            if rows.filter(**{name: str(loser.uid) if each.is_custom else loser}).exists():
                labels |= dict.fromkeys(asked)
    return list(labels)


def _list_choices(*, access: ObjectAccess, winner: Any, loser: Any) -> list[FieldChoice]:
    fields = [
        each
        for each in access.shape.list_type_fields(getattr(winner, "object_type", ""))
        if not each.is_read_only and not each.is_computed and each.api_name != OBJECT_TYPE
    ]
    reader = ValueReader(access=access).load(records=[winner, loser], fields=fields)
    choices = []
    for each in fields:
        kept, other = (reader.show(record=record, field=each) for record in (winner, loser))
        if kept.text != other.text:
            choices.append(
                FieldChoice(
                    field=each, kept=kept.text, other=other.text, prefers_other=not kept.text and bool(other.text)
                )
            )
    return choices


def _read_taken(*, field: ObjectField, winner: Any, loser: Any) -> Any:
    """Return the loser's value as the winner gets it; nothing where it refers to one of the two, which are one then."""
    value = read_value(record=loser, field=field)
    if field.reference is None or value is None:
        return value
    if field.is_custom:
        value = field.reference._base_manager.filter(uid=value).first()
    return None if value in (winner, loser) else value


def _list_referring(*, access: ObjectAccess, record: Any) -> list[tuple[VaultObject, ObjectField]]:
    return [
        *list_referring_fields(access.vault_object),
        *list_custom_references(configuration=access.configuration, model=type(record)),
    ]


def _count_references(*, access: ObjectAccess, loser: Any) -> tuple[dict[str, int], bool]:
    """Return how many records of each label that the user sees refer to the record, and whether others do."""
    counts: Counter[str] = Counter()
    has_hidden = False
    for other, each in _list_referring(access=access, record=loser):
        every, name = name_value(records=other.model._base_manager.all(), field=each)
        value = str(loser.uid) if each.is_custom else loser
        number = every.filter(**{name: value}).count()
        if not number:
            continue
        opened = open_related(access=access, object_name=other.api_name)
        if opened is None:
            has_hidden = True
            continue
        seen, name = name_value(records=opened.list_records(), field=each)
        visible = seen.filter(**{name: value}).count()
        has_hidden |= visible < number
        if visible:
            counts[other.plural_title] += visible
    return dict(sorted(counts.items())), has_hidden
