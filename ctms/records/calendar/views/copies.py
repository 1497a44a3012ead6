"""View that copies a record for several others: choose them and their days, look at what is created, create it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.signing import BadSignature, Signer
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from ctms.accounts.login_resume import login_required
from ctms.accounts.models import User
from ctms.configuration.copying import CopyRule
from ctms.configuration.registry import get_object_of_model
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_object_url, get_record_url
from ctms.records.calendar.addresses import CalendarAddress
from ctms.records.calendar.copies import CopiesRefusedError, get_day, list_offered, plan_copies, write_copies
from ctms.records.calendar.entries import name_entry
from ctms.records.calendar.periods import View, read_day
from ctms.records.calendar.sources import find_source
from ctms.records.calendar.whose import Whose
from ctms.records.conditions.mine import OWNER
from ctms.records.fields.titles import get_title, mention_record
from ctms.records.fields.values import ValueReader
from ctms.records.requests import build_actor, get_record_or_404, open_object_or_404, read_version, shows_refusals
from ctms.records.undo.offers import tell_saved
from ctms.records.writing.bulk_write import RowDraft
from ctms.records.writing.repeats import RepeatedError

TARGET, DAY, TOKEN, STEP = "target", "day", "copies_token", "step"
PREVIEW, SAVE = "preview", "save"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A record for which a copy may be made, as the form shows it. `day` is what was typed for it alone."""

    record: Any
    label: str
    owner: str
    is_chosen: bool
    is_own: bool  # the original is of this one
    day: str
    problem: str


@dataclass(kw_only=True)
class CopyForm:
    """What was chosen and typed; `problems` says what is wrong with it."""

    offered: list[Any]
    data: QueryDict
    first_day: str
    problems: list[str]
    of_target: dict[str, str]  # uid → what is wrong with its day
    chosen: list[tuple[Any, dt.date]]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@shows_refusals
def copy_record(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """GET: show the form. POST: show what would be created, and create it when that is sent in turn."""
    access = open_object_or_404(request, object_name)
    rule = access.vault_object.copying
    if rule is None:
        raise Http404(f"{access.vault_object.plural_title} are not copied for several others.")
    names = [rule.per, rule.within]
    original = get_record_or_404(access=access, uid=uid, fields=[access.shape.get_field(name) for name in names])
    if refusal := access.explain_create(getattr(original, "object_type", "")):
        raise PermissionDenied(refusal)
    form = _read_form(request, access=access, original=original, rule=rule)
    step = request.POST.get(STEP, "") if request.method == "POST" else ""
    if step not in (PREVIEW, SAVE) or form.problems or form.of_target:
        return _show_form(request, access=access, original=original, rule=rule, form=form)
    token = _read_token(request.POST.get(TOKEN, ""), user=access.user) or uuid4()
    try:
        drafts = plan_copies(access=access, original=original, rule=rule, chosen=form.chosen, uid=token)
    except ValueError as error:
        form.problems.append(str(error))
        return _show_form(request, access=access, original=original, rule=rule, form=form)
    problem = ""
    if step == SAVE and not any(draft.problems for draft in drafts):
        if read_version(request) == original.version:
            try:
                return _create(request, access=access, original=original, rule=rule, drafts=drafts, uid=token)
            except CopiesRefusedError as error:
                problem = str(error)
        else:
            problem = f"{original} was changed since this was shown. Look at what would be created now."
    return _show_preview(
        request, access=access, original=original, rule=rule, form=form, drafts=drafts, token=token, problem=problem
    )


def _create(
    request: HttpRequest,
    *,
    access: ObjectAccess,
    original: Any,
    rule: CopyRule,
    drafts: Sequence[RowDraft],
    uid: UUID,
) -> HttpResponse:
    """Create the copies and lead to the calendar at the first of them."""
    actor = build_actor(request)
    many = f"{len(drafts)} {access.vault_object.label if len(drafts) == 1 else access.vault_object.plural_label}"
    try:
        write_copies(drafts=drafts, actor=actor, uid=uid)
    except RepeatedError:
        messages.info(request, f"{many} had been created already, and not again.")
    else:
        tell_saved(request, text=f"{many} created.", actor=actor)
    if find_source(access.shape.api_name) is None:
        return redirect(get_object_url("record_list", access.shape.api_name))
    within = getattr(original, access.shape.get_field(rule.within).attribute)
    whose = Whose(kind="study", study=within.uid) if within is not None else Whose()
    first = min(draft.values[rule.days[0]] for draft in drafts)
    return redirect(CalendarAddress(view=View.MONTH, day=first, whose=whose).url)


def _read_form(request: HttpRequest, *, access: ObjectAccess, original: Any, rule: CopyRule) -> CopyForm:
    present = get_day(access=access, record=original, rule=rule)
    is_sent = request.method == "POST"
    form = CopyForm(
        offered=list_offered(access=access, original=original, rule=rule),
        data=request.POST,
        first_day=request.POST.get(DAY, "") if is_sent else str(present or ""),
        problems=[],
        of_target={},
        chosen=[],
    )
    if not is_sent:
        return form
    wanted = set(filter(None, request.POST.getlist(TARGET)))
    target = access.shape.get_field(rule.per).label
    if not wanted:
        form.problems.append(f"{target}: tick at least one.")
    elif not wanted <= {str(each.uid) for each in form.offered}:
        form.problems.append(f"{target}: one that you ticked is not there any more, or is Inactive. Look again.")
    for each in form.offered:
        if str(each.uid) not in wanted:
            continue
        own = request.POST.get(f"{DAY}-{each.uid}", "")
        try:
            form.chosen.append((each, read_day(own or form.first_day)))
        except ValueError as error:
            if own:
                form.of_target[str(each.uid)] = str(error)
            elif str(error) not in form.problems:
                form.problems.append(str(error))
    return form


def _show_form(
    request: HttpRequest, *, access: ObjectAccess, original: Any, rule: CopyRule, form: CopyForm
) -> HttpResponse:
    wanted = set(form.data.getlist(TARGET))
    own = getattr(original, access.shape.get_field(rule.per).attribute)
    choices = [
        Choice(
            record=each,
            label=mention_record(each),
            owner=str(getattr(each, "owner", None) or ""),
            is_chosen=str(each.uid) in wanted,
            is_own=own is not None and each.pk == own.pk,
            day=form.data.get(f"{DAY}-{each.uid}", ""),
            problem=form.of_target.get(str(each.uid), ""),
        )
        for each in form.offered
    ]
    context = {
        "choices": choices,
        "first_day": form.first_day,
        "problems": form.problems,
        "not_copied": _list_not_copied(access=access, original=original, rule=rule),
        "present": get_day(access=access, record=original, rule=rule),
    }
    return render(
        request, "calendar/copies.html", _build_context(access=access, original=original, rule=rule) | context
    )


def _list_not_copied(*, access: ObjectAccess, original: Any, rule: CopyRule) -> list[str]:
    """Return the labels of what copies do not have of the original: fields of its type, and its parts."""
    shape = access.shape.get_type(getattr(original, "object_type", ""))
    labels = [access.shape.fields[name].label for name in rule.without if name in shape.fields]
    parts = [get_object_of_model(model) for model, _ in access.vault_object.parts]
    return labels + [each.plural_label for each in parts if each is not None]


def _show_preview(
    request: HttpRequest,
    *,
    access: ObjectAccess,
    original: Any,
    rule: CopyRule,
    form: CopyForm,
    drafts: Sequence[RowDraft],
    token: UUID,
    problem: str,
) -> HttpResponse:
    reader = ValueReader(access=access)
    shown = [*rule.days, *([OWNER] if OWNER in access.shape.fields else [])]
    fields = [access.shape.get_field(name) for name in shown]
    rows = [
        {
            "draft": draft,
            "values": [(each.label, reader.show(record=draft.record, field=each).text) for each in fields],
        }
        for draft in drafts
    ]
    context = {
        "rows": rows,
        "columns": [each.label for each in fields],
        "chosen": [(target, form.data.get(f"{DAY}-{target.uid}", "")) for target, _ in form.chosen],
        "first_day": form.first_day,
        "version": original.version,
        "token": _get_signer(access.user).sign(str(token)),
        "problem": problem,
        "has_problems": any(draft.problems for draft in drafts),
        "count": len(drafts),
    }
    return render(
        request, "calendar/copies_preview.html", _build_context(access=access, original=original, rule=rule) | context
    )


def _build_context(*, access: ObjectAccess, original: Any, rule: CopyRule) -> dict[str, Any]:
    source = find_source(access.shape.api_name)
    return {
        "access": access,
        "record": original,
        "record_url": get_record_url(original),
        "title": get_title(original),
        "name": name_entry(source=source, access=access, record=original) if source else get_title(original),
        "rule": rule,
        "per": access.shape.get_field(rule.per),
        "day_label": access.shape.get_field(rule.days[0]).label,
    }


def _read_token(text: str, *, user: User) -> UUID | None:
    """Return the uid that the form was given; None if it is not one of this user's forms."""
    try:
        return UUID(_get_signer(user).unsign(text))
    except BadSignature:
        return None


def _get_signer(user: User) -> Signer:
    return Signer(salt=f"ctms.records.calendar.copies:{user.pk}")
