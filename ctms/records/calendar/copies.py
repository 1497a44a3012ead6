"""Copies of a record for several others in one step, such as a visit for several sites: all of them or none."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import models

from ctms.audit.actors import Actor
from ctms.configuration.copying import CopyRule
from ctms.configuration.fields import ObjectField
from ctms.core.errors import VaultError
from ctms.records.access import ObjectAccess
from ctms.records.conditions.mine import OWNER
from ctms.records.fields.references import get_target, list_choices, list_scopes, select_scopes
from ctms.records.fields.titles import mention_record
from ctms.records.fields.values import assign_value, read_value
from ctms.records.writing.bulk_write import REFUSALS, RowDraft, UniqueChecker, prepare_drafts, write_together
from ctms.records.writing.repeats import RepeatedError, derive_uid, is_made
from ctms.records.writing.services import build_clone, build_record, drop_unfit_references

# Records that are offered for copies, and so the most copies of one step.
MOST = 500


class CopiesRefusedError(VaultError):
    """Others wrote meanwhile what makes the copies impossible; nothing was written."""


def list_offered(*, access: ObjectAccess, original: Any, rule: CopyRule) -> list[Any]:
    """Return the records for which copies can be made: visible, Active, of the same study; the user's own first."""
    field = access.shape.get_field(rule.per)
    within = getattr(original, access.shape.get_field(rule.within).attribute)
    chosen = {rule.within: str(within.uid)} if within is not None else {}
    records = list_choices(access=access, field=field, chosen=chosen)
    if records is None:
        return []
    records = select_scopes(records=records, shape=access.shape, field=field)
    target = get_target(field)
    has_owner = target is not None and OWNER in target.fields
    found = list((records.select_related("owner") if has_owner else records).order_by("name", "pk")[:MOST])
    if has_owner:
        found.sort(key=lambda each: each.owner_id != access.user.pk)
    return found


def get_day(*, access: ObjectAccess, record: Any, rule: CopyRule) -> dt.date | None:
    """Return the first day of a record, for which that of each copy is asked."""
    day: dt.date | None = getattr(record, access.shape.get_field(rule.days[0]).attribute)
    return day


def plan_copies(
    *, access: ObjectAccess, original: Any, rule: CopyRule, chosen: Sequence[tuple[Any, dt.date]], uid: UUID
) -> list[RowDraft]:
    """Return a draft of each copy, for the records chosen and on the days given, with what is wrong with it.

    `uid` stands for the request: the copies have uids derived from it. Raises AccessRefusedError, and ValueError with a
    message if a day is beyond the calendar. The number of statements does not grow with the copies.
    """
    template = _build_template(access=access, original=original, rule=rule)
    drafts = []
    for number, (target, day) in enumerate(chosen):
        record = copy.copy(template)
        record.custom_fields = dict(template.custom_fields or {})
        record.uid = derive_uid(uid, number)
        days = _shift_days(access=access, original=original, rule=rule, day=day)
        drafts.append(
            RowDraft(number=number + 1, record=record, name=mention_record(target), values={rule.per: target, **days})
        )
    prepare_drafts(access=access, drafts=drafts, unique=UniqueChecker(shape=access.shape, noun="copy"))
    _warn_of_others(access=access, rule=rule, drafts=drafts)
    sound = [draft.record for draft in drafts if not draft.problems]
    if sound:
        # As saving will do it, so that the preview names the owners.
        type(template).fill_new(sound, user=access.user)
    return drafts


def write_copies(*, drafts: Sequence[RowDraft], actor: Actor, uid: UUID) -> None:
    """Write all copies together. Raises RepeatedError if the same request did, and CopiesRefusedError."""
    if is_made(uid):
        raise RepeatedError(uid=uid)
    try:
        write_together(drafts=drafts, actor=actor)
    except REFUSALS as error:
        if is_made(uid):
            raise RepeatedError(uid=uid) from error
        raise CopiesRefusedError(
            "Somebody else saved a record that one of these contradicts at the same moment; nothing was created. "
            "Look at it again, then create them."
        ) from error


def _build_template(*, access: ObjectAccess, original: Any, rule: CopyRule) -> Any:
    """Return an unsaved copy without the reference that each copy has of its own, and with what begins anew."""
    template = build_clone(access=access, record=original)
    fresh = build_record(access=access, object_type=getattr(original, "object_type", ""))
    fields = access.shape.fields
    for name in rule.without:
        if name in fields:
            assign_value(record=template, field=fields[name], value=read_value(record=fresh, field=fields[name]))
    for field in _list_following(access=access, rule=rule):
        setattr(template, field.attribute, None)
    drop_unfit_references(access=access, record=template, shown=(rule.per, rule.within))
    return template


def _list_following(*, access: ObjectAccess, rule: CopyRule) -> list[ObjectField]:
    """Return the reference for which copies are made, and those that it fills, except the one that all share."""
    field = access.shape.get_field(rule.per)
    parents = [scope.parent for scope in list_scopes(shape=access.shape, field=field)]
    return [field, *(each for each in parents if each.api_name != rule.within)]


def _shift_days(*, access: ObjectAccess, original: Any, rule: CopyRule, day: dt.date) -> Mapping[str, dt.date]:
    present = {name: getattr(original, access.shape.get_field(name).attribute) for name in rule.days}
    first = present[rule.days[0]]
    if first is None:
        return {rule.days[0]: day}
    try:
        return {name: value + (day - first) for name, value in present.items() if value is not None}
    except OverflowError:
        raise ValueError("First day: the last day would be too late. Enter an earlier one.") from None


def _warn_of_others(*, access: ObjectAccess, rule: CopyRule, drafts: Sequence[RowDraft]) -> None:
    """Warn of records of the same type that are there on the same day: one statement."""
    per, day = access.shape.get_field(rule.per).attribute, access.shape.get_field(rule.days[0]).attribute
    wanted = models.Q()
    for draft in drafts:
        wanted |= models.Q(**{per: draft.values[rule.per], day: draft.values[rule.days[0]]})
    if not drafts:
        return
    records = access.list_records().filter(wanted)
    if access.shape.vault_object.object_types:
        records = records.filter(object_type=drafts[0].record.object_type)
    taken = set(records.order_by().values_list(f"{per}_id", day))
    for draft in drafts:
        if (draft.values[rule.per].pk, draft.values[rule.days[0]]) in taken:
            draft.warn(f"There is a {access.vault_object.label} of this type on this day already.")
