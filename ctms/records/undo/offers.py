"""Offers to undo what a request has just written, and says who may undo what."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ctms.accounts.models import SYSTEM_USERNAME, User
from ctms.accounts.policies import has_permission, list_visible
from ctms.audit.actors import Actor
from ctms.audit.change_sets import CHANGE, EDIT, ENTRY, HAND_OVER, IMPORT, ChangeSet, read_reference
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.records.models import MergedRecord

_WORDS = {CHANGE: "change", ENTRY: "change", EDIT: "bulk edit", IMPORT: "import", HAND_OVER: "hand-over"}


def tell_saved(request: HttpRequest, *, text: str, actor: Actor) -> None:
    """Tell the user what was saved, with a button that undoes it, if anything was written."""
    messages.success(request, format_html("{} {}", text, build_button(actor)))


def build_button(actor: Actor) -> SafeString:
    """Return a button that undoes what was written with this actor; empty if nothing was.

    It belongs to the form `undo`, which every page of a user has.
    """
    url = find_undo_url(actor)
    if not url:
        return SafeString()
    return format_html('<button class="in-text" type="submit" form="undo" formaction="{}">Undo</button>', url)


def find_undo_url(actor: Actor) -> str:
    """Return the URL that undoes what was written with this actor; empty if nothing was."""
    change_set = read_reference(actor.reference)
    if change_set is None or not change_set.list_entries().exists():
        return ""
    return get_undo_url(change_set)


def get_undo_url(change_set: ChangeSet) -> str:
    """Return the URL to which a form that undoes the change set is sent."""
    return reverse("undo", args=(change_set.kind, change_set.key))


def name_change_set(change_set: ChangeSet) -> str:
    """Return what people call such a change set, such as `bulk edit`."""
    return _WORDS.get(change_set.kind, "undo")


def explain_final(change_set: ChangeSet) -> str:
    """Return why a change set is never undone, whoever asks; empty if it can be."""
    deleted = change_set.list_entries().filter(action=AuditAction.DELETED).order_by().values("record_uid")
    if MergedRecord.objects.filter(record_uid__in=deleted).exists():
        return "Records were merged, which is not undone. Create the one that went again, and move what is its own."
    return ""


def list_undoable(*, change_set: ChangeSet, user: User) -> QuerySet[AuditEntry]:
    """Return the entries of a change set that the user may undo; all of them or none.

    Users undo their own changes. What others changed may be undone by who sees those entries, as far as the profile
    allows the opposite change; an operation of others, such as an import, only by who manages jobs, who sees it.
    """
    entries = change_set.list_entries()
    first = entries.first()
    if first is None or first.actor is None or first.actor.username == SYSTEM_USERNAME:
        return entries.none()
    if first.actor == user:
        return entries
    if change_set.kind in (EDIT, IMPORT, HAND_OVER) and not has_permission(user=user, permission="admin:jobs"):
        return entries.none()
    return entries if list_visible(entries, user).count() == entries.count() else entries.none()
