"""Views that save, rename, replace, share and delete saved views, and make one the default."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from ctms.accounts.login_resume import login_required
from ctms.records.access import ObjectAccess
from ctms.records.lists.columns import choose_columns, get_preference
from ctms.records.lists.query import VIEW, change_parameters, drop_blanks, read_list
from ctms.records.lists.saved_view_forms import NAME_IS_TAKEN, SavedViewForm
from ctms.records.lists.saved_views import ALL, find_view, read_parameters, set_default_view, store_view
from ctms.records.models import SavedView
from ctms.records.requests import open_object_or_404

_IS_GONE = "This view was deleted, or is not shared with you."


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def save_view(request: HttpRequest, object_name: str) -> HttpResponse:
    """Save the list that the address describes as a new view."""
    access = open_object_or_404(request, object_name)
    view = SavedView(user=access.user, of_object=object_name)
    _keep_list(view=view, access=access, parameters=request.GET)
    form = SavedViewForm(request.POST or None, instance=view)
    if form.is_valid() and _store(form):
        messages.success(request, f"The view “{view.name}” is saved.")
        return _open_view(view)
    back = change_parameters(request.GET).urlencode()
    return _show_form(request=request, access=access, form=form, back_url=f"{_get_list_url(object_name)}?{back}")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def change_view(request: HttpRequest, object_name: str, uid: UUID) -> HttpResponse:
    """Change an own view; for another user's, only whether the list opens with it."""
    access = open_object_or_404(request, object_name)
    view = find_view(user=access.user, object_name=object_name, uid=uid)
    if view is None:
        raise Http404(_IS_GONE)
    action = request.POST.get("action", "")
    if action == "default":
        return _toggle_default(request, access=access, view=view)
    if view.user_id != access.user.pk:
        context = {"access": access, "view": view, "is_default": _is_default(access=access, view=view)}
        return render(
            request, "records/list_shared_view.html", context, status=403 if request.method == "POST" else 200
        )
    if request.method != "POST":
        return _change_own(request, access=access, view=view, action="")
    with transaction.atomic():
        if not SavedView.objects.select_for_update().filter(pk=view.pk).exists():
            raise Http404(_IS_GONE)
        return _change_own(request, access=access, view=view, action=action)


def _change_own(request: HttpRequest, *, access: ObjectAccess, view: SavedView, action: str) -> HttpResponse:
    """Change, replace or delete the view, which is locked: what another window deletes meanwhile does not come back."""
    if action == "replace":
        return _replace(request, access=access, view=view)
    if action == "delete":
        view.delete()
        messages.success(request, f"The view “{view.name}” is deleted.")
        return HttpResponseRedirect(f"{_get_list_url(view.of_object)}?{VIEW}={ALL}")
    initial = {"is_default": _is_default(access=access, view=view)}
    form = SavedViewForm(request.POST or None, instance=view, initial=initial)
    if form.is_valid() and _store(form):
        messages.success(request, f"The view “{view.name}” is saved.")
        return _open_view(view)
    back_url = f"{_get_list_url(view.of_object)}?{VIEW}={view.uid}"
    return _show_form(request=request, access=access, form=form, back_url=back_url)


def _store(form: SavedViewForm) -> bool:
    """Save the view. If another of this name was saved at the same time, add an error to the form and return False."""
    try:
        store_view(view=form.save(commit=False), is_default=form.cleaned_data["is_default"])
    except IntegrityError:
        form.add_error("name", NAME_IS_TAKEN)
        return False
    return True


def _keep_list(*, view: SavedView, access: ObjectAccess, parameters: QueryDict) -> None:
    listed = read_list(access=access, parameters=parameters)
    preference = get_preference(user=access.user, object_name=access.shape.api_name)
    view.parameters = read_parameters(drop_blanks(parameters))
    view.columns = [each.api_name for each in choose_columns(listed=listed, preference=preference)]


def _replace(request: HttpRequest, *, access: ObjectAccess, view: SavedView) -> HttpResponse:
    _keep_list(view=view, access=access, parameters=request.GET)
    form = SavedViewForm({"name": view.name, "is_shared": view.is_shared}, instance=view)
    if form.is_valid():
        form.save()
        messages.success(request, f"The view “{view.name}” shows this list from now on.")
    else:
        messages.error(request, " ".join(str(each) for each in form.non_field_errors()))
    return _open_view(view)


def _toggle_default(request: HttpRequest, *, access: ObjectAccess, view: SavedView) -> HttpResponse:
    is_default = _is_default(access=access, view=view)
    set_default_view(user=access.user, object_name=view.of_object, view=None if is_default else view)
    what = access.vault_object.plural_title
    words = f"{what} open with everything again." if is_default else f"{what} open with the view “{view.name}” now."
    messages.success(request, words)
    return _open_view(view)


def _is_default(*, access: ObjectAccess, view: SavedView) -> bool:
    return get_preference(user=access.user, object_name=view.of_object).default_view_id == view.pk


def _show_form(*, request: HttpRequest, access: ObjectAccess, form: SavedViewForm, back_url: str) -> HttpResponse:
    context = {"access": access, "form": form, "view": form.instance, "back_url": back_url}
    return render(request, "records/list_view_form.html", context)


def _open_view(view: SavedView) -> HttpResponse:
    return HttpResponseRedirect(f"{_get_list_url(view.of_object)}?{VIEW}={view.uid}")


def _get_list_url(object_name: str) -> str:
    return reverse("record_list", args=(object_name,))
