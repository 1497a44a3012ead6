"""Saves the form of a new record, or shows it: on a page, in a dialog, as a quick log, and as a clone.

Each form has a token: the uid of the record to be, signed for one user and one form. A form that is sent again, by Back
and Save, a second click, or because an answer was lost, has the same token, so that its record would get the same uid
(`ctms/records/writing/repeats.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.configuration.fields import OBJECT_TYPE
from ctms.core.uuids import read_uid
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.fields.record_links import find_page
from ctms.records.fields.references import describe_choice
from ctms.records.fields.values import read_value
from ctms.records.forms.form_layout import FormLayout
from ctms.records.forms.form_page import render_form
from ctms.records.forms.form_state import FormState
from ctms.records.forms.form_templates import TEMPLATE, TemplateOffer, read_words
from ctms.records.forms.origin import FROM, Origin
from ctms.records.undo.offers import find_undo_url, tell_saved
from ctms.records.writing.repeats import RepeatedError, list_made

# Parameter of a form with its token.
FORM_TOKEN = "form_token"  # noqa: S105  the name of an input
# The form that pages for creating a record have.
CREATE = "create"
# The form in a dialog for a record that another form needs.
IN_PLACE = "place"
# So many of several records are named in a dialog.
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPage:
    """The page on which the form of a new record stands. `form` names the form: its token is good for no other."""

    title: str
    template: str = "records/form.html"
    form: str = CREATE
    auto_id: str = "id_%s"
    back_url: str = ""
    has_segments: bool = False
    next_view: str = "record_create"  # with whose form Save + Create goes on
    origin: Origin = field(default_factory=Origin)  # the page from which the record is created


def is_saving(request: HttpRequest, *, layout: FormLayout) -> bool:
    """Whether the request saves the form; False if it only chose another object type, to show the fields of that."""
    shown_type = request.POST.get("shown_type", layout.object_type)
    return request.method == "POST" and shown_type == layout.object_type


def issue_token(*, user: User, form: str, uid: UUID | None = None) -> str:
    """Return a token with the uid, or with a new one. `form` names the form: of which object, and for what."""
    return _get_signer(user=user, form=form).sign(str(uid or uuid4()))


def _read_token(text: str, *, user: User, form: str) -> UUID | None:
    """Return the uid of a token; None for what is no token, or that of another user or another form."""
    try:
        return UUID(_get_signer(user=user, form=form).unsign(text))
    except BadSignature:
        return None


def _get_signer(*, user: User, form: str) -> Signer:
    return Signer(salt=f"ctms.records.form:{user.pk}:{form}")


def save_or_show_new(request: HttpRequest, *, actor: Actor, layout: FormLayout, page: NewPage) -> HttpResponse:
    """Save what was typed and lead on; or show the form, filled from the address or with what was typed.

    A form that is sent again leads to what it created before; if something else was typed into it since, it asks.
    Raises AccessRefusedError.
    """
    access, form = layout.access, f"{layout.access.shape.api_name}:{page.form}"
    uid = _read_token(request.POST.get(FORM_TOKEN, ""), user=access.user, form=form)
    layout.record.uid = uid or layout.record.uid
    is_sent, saves = request.method == "POST", is_saving(request, layout=layout)
    state = FormState(
        layout=layout,
        data=request.POST if saves else None,
        address=page.origin.write_address() | _read_template(request, layout=layout, page=page) | request.GET.dict(),
        kept=request.POST if is_sent and not saves else None,
        auto_id=page.auto_id,
    )
    context: dict[str, Any] = {"problems": state.problems, "is_dirty": is_sent}
    change = state.read_change(actor=actor, is_once=uid is not None) if saves else None
    if change is not None:
        try:
            return _answer_saved(request, state=state, page=page, saved=change.save()[: change.count], actor=actor)
        except ValidationError as error:
            state.refuse(error)
        except RepeatedError as error:
            made = list_made(access=access, uid=error.uid)
            if change.is_done(made):
                return _answer_saved(request, state=state, page=page, saved=made[: change.count])
            uid = None  # what is saved from here on is another record
            context |= {"is_repeated": True, "made": [(get_record_url(each), describe_choice(each)) for each in made]}
    context |= {
        "title": page.title,
        "back_url": page.back_url or _find_back_url(request, state=state, origin=page.origin),
        "can_create_another": True,
        "form_token": issue_token(user=access.user, form=form, uid=uid),
    }
    if layout.suggested and page.form != IN_PLACE:
        context["offer"] = _build_offer(request, layout=layout, uid=_find_decider(state))
    return render_form(request, state=state, template=page.template, context=context, has_segments=page.has_segments)


def _build_offer(request: HttpRequest, *, layout: FormLayout, uid: Any) -> TemplateOffer | None:
    if layout.access.vault_object.templates is None:
        return None
    return TemplateOffer(
        access=layout.access,
        object_type=layout.object_type,
        uid=uid,
        path=request.path,
        parameters=request.GET.dict(),
    )


def _find_decider(state: FormState) -> UUID | None:
    """Return the uid in the reference that decides which templates are offered, typed or filled in; None if none."""
    declared = state.layout.access.vault_object.templates
    if declared is None:
        return None
    if state.is_bound:
        return next(iter(state.chosen.get(declared.by, ())), None)
    return read_uid(getattr(state.initial.get(declared.by), "uid", state.initial.get(declared.by)))


def _read_template(request: HttpRequest, *, layout: FormLayout, page: NewPage) -> dict[str, str]:
    """Return the words of the template that the address names, as parameters; nothing if it names none."""
    declared = layout.access.vault_object.templates
    if declared is None or TEMPLATE not in request.GET:
        return {}
    given = page.origin.write_address() | request.GET.dict()
    offer = _build_offer(request, layout=layout, uid=given.get(declared.by))
    return dict(read_words(offer=offer, uid=request.GET[TEMPLATE])) if offer is not None else {}


def _answer_saved(
    request: HttpRequest, *, state: FormState, page: NewPage, saved: Sequence[Any], actor: Actor | None = None
) -> HttpResponse:
    """Lead to what was saved, or to the next form; tell a dialog about it in JSON.

    `actor` is the one with whom it was saved, which can be undone; None if an earlier request saved it.
    """
    layout, access, record = state.layout, state.layout.access, saved[0]
    told = " ".join(state.told)
    url = find_page(access=access, record=record)
    names = _name_saved(access=access, saved=saved)
    subject = access.vault_object.title if len(saved) == 1 else f"{len(saved)} {access.vault_object.plural_label}"
    text = f"{subject} {'created' if actor else 'had been created already, and not again'}:"
    next_url = ""
    if "and_create" in request.POST:
        next_url = _build_next_url(request, layout=layout, page=page, record=record)
    if "application/json" in request.headers.get("Accept", ""):
        # The form that waits for a record created in place would keep one that is undone.
        undo_url = find_undo_url(actor) if actor is not None and page.form != IN_PLACE else ""
        others = len(names) - _MOST_NAMED
        label = ", ".join(names[:_MOST_NAMED]) + (f" and {others} more" if others > 0 else "")
        message = {"text": text, "label": label, "url": url, "undo_url": undo_url, "told": told}
        answer = {"uid": str(record.uid), "label": describe_choice(record), "message": message, "next": next_url}
        return JsonResponse(answer, status=201 if actor else 200)
    links = [(find_page(access=access, record=each), name) for each, name in zip(saved, names, strict=True)]
    created = format_html("{} {}", text, format_html_join(", ", '<a href="{}">{}</a>', links))
    if told:
        created = format_html("{}. {}", created, told)
    if actor is None:
        messages.success(request, created)
    else:
        tell_saved(request, text=created, actor=actor)
    return redirect(next_url or url)


def _name_saved(*, access: ObjectAccess, saved: Sequence[Any]) -> list[str]:
    """Return what people call the records; if there are several, with the reference that tells them apart first."""
    vault_object = access.vault_object
    told = [vault_object.tell_new(each) for each in saved]
    if len(saved) == 1:
        return told
    attribute = access.shape.fields[vault_object.create_one_per].attribute
    if vault_object.tells_new:
        return [str(getattr(each, attribute)) for each in saved]
    return [f"{getattr(each, attribute)}: {name}" for each, name in zip(saved, told, strict=True)]


def _build_next_url(request: HttpRequest, *, layout: FormLayout, page: NewPage, record: Any) -> str:
    """Return the URL of a new form with the parents that this one was opened with, and what the object keeps."""
    access = layout.access
    asked = {each.api_name for each in layout.writable}
    opened = _list_parents(request, access=access)
    parameters = {}
    for name in dict.fromkeys([*opened, *access.vault_object.kept_fields]):
        if name == layout.repeated or name not in asked:
            text = opened.get(name, "")
        else:
            text = _write_parameter(read_value(record=record, field=access.shape.fields[name]))
        if text:
            parameters[name] = text
    if page.origin.record is not None:
        parameters[FROM] = request.GET[FROM]
    if len(access.list_creatable_types()) > 1:
        parameters[OBJECT_TYPE] = layout.object_type
    address = reverse(page.next_view, args=(access.shape.api_name,))
    return f"{address}?{urlencode(parameters)}" if parameters else address


def _write_parameter(value: Any) -> str:
    if value is None:
        return ""
    return str(getattr(value, "uid", value))


def _list_parents(request: HttpRequest, *, access: ObjectAccess) -> dict[str, Any]:
    """Return the references among the parameters of the address: the records that the new one belongs to."""
    fields = access.shape.fields
    return {name: text for name, text in request.GET.dict().items() if name in fields and fields[name].reference}


def _find_back_url(request: HttpRequest, *, state: FormState, origin: Origin) -> str:
    """Return the URL of the record from whose page the new one is created, or of the list."""
    access = state.layout.access
    if origin.record is not None:
        return get_record_url(origin.record)
    for name in _list_parents(request, access=access):
        parent = state.initial.get(name)
        if isinstance(parent, list):
            parent = next(iter(parent), None)
        if hasattr(parent, "object_name"):
            return get_record_url(parent)
    return reverse("record_list", args=(access.shape.api_name,))
