"""The actions Retry now and Dismiss of user exceptions, which need the transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from connections.permissions import MANAGE_INTEGRATIONS
from crm_sync.actions.retry_now import Retry, retry_items
from ctms.accounts.policies import has_permission
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor, get_user
from exceptions_log.dismissals import DismissalRefusedError, dismiss_items, dismiss_problem
from exceptions_log.forms import DismissalForm, DismissSelectedForm
from exceptions_log.models import ExceptionItem, ExceptionMessage
from exceptions_log.problems import list_items_of_problem
from exceptions_log.selectors import list_open_items

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import Model, QuerySet

ITEMS_PER_ACTION = 1000
# Actions of all items of a problem, offered in the list of problems.
_OF_PROBLEMS = ("retry_problem", "dismiss_problem")
_SEE_JOBS = "admin:jobs"
_NOTHING = "Nothing was started: these items were resolved by later runs."
_WHAT_RETRY_DOES = (
    "What fails is taken up by every run. This starts one of {scope} now, which tries all that fails there."
)
_WHAT_DISMISSING_DOES = (
    "The record is left alone until it changes, or a record whose values it shows; then it is tried again. The item "
    "stays in the log as dismissed, with your name and reason. Retry now takes the dismissal back."
)
_WHAT_DISMISSING_SEVERAL_DOES = (
    "Each record is left alone until it changes, or a record whose values it shows; then it is tried again. The items "
    "stay in the log as dismissed, with your name and reason. Retry now takes the dismissals back."
)


class RetryingAdmin(ReadOnlyModelAdmin):
    """Common to items and messages: a user who may read them and has Manage Integrations may act on them."""

    def has_manage_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request, obj) and has_permission(
            user=get_user(request), permission=MANAGE_INTEGRATIONS
        )

    def find_record(self, request: HttpRequest, object_id: str) -> Any:
        """Return the record of an action. Raises PermissionDenied if the user may not act on it."""
        record = self.get_object(request, unquote(object_id))
        if record is None or not self.has_manage_permission(request, record):
            raise PermissionDenied("This user exception does not exist, or you may do nothing about it.")
        return record

    def retry(self, request: HttpRequest, keys: Collection[int]) -> None:
        """Retry items (primary keys), and show messages about the runs that were started and those that were not."""
        retries = retry_items(keys=keys, actor=build_actor(request))
        if not retries:
            self.message_user(request, _NOTHING, messages.WARNING)
        for each in retries:
            self._tell(request, each)

    def _tell(self, request: HttpRequest, retry: Retry) -> None:
        if retry.run is None:
            self.message_user(request, retry.refusal, messages.WARNING)
        else:
            status = "Job Status"
            if has_permission(user=get_user(request), permission=_SEE_JOBS):
                url = reverse("admin:jobs_jobrun_change", args=(retry.run.pk,))
                status = format_html("<a class='vault-link' href='{}'>Job Status</a>", url)
            started = format_html("{} was started; see {}.", retry.what, status)
            self.message_user(request, started, messages.SUCCESS)
        for note in retry.notes:
            self.message_user(request, note, messages.WARNING)

    def show_question(
        self,
        request: HttpRequest,
        *,
        title: str,
        form: forms.Form,
        submit_label: str,
        explanation: str,
        cancel_url: str,
        record: Model | None = None,
    ) -> HttpResponse:
        """Render the page of an action: explanation, form and link to cancel; `record` is None for several items."""
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "subtitle": str(record or ""),
            "original": record,
            "opts": self.opts,
            "form": form,
            "explanation": explanation,
            "submit_label": submit_label,
            "cancel_url": cancel_url,
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/action_form.html", context)

    def get_record_url(self, record: Model) -> str:
        """Return the address of the record's page."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=(record.pk,))


@extend_page(ExceptionItem)
class RetryableItems(RetryingAdmin):
    """Adds the actions that retry or dismiss items, one on its page or several in the list."""

    list_disable_select_all = False
    actions: Any = ("retry_selected", "dismiss_selected")
    actions_detail = ("retry_now", "dismiss", *_OF_PROBLEMS)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the page of the list, with the actions of its problems."""
        changelist: Any = super().get_changelist_instance(request)
        changelist.problems.may_act = self.has_manage_permission(request)
        return changelist

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Return the actions that are possible in the item's present state."""
        offered = list(super().get_actions_detail(request, object_id))
        item = self.get_object(request, unquote(str(object_id)))
        left_out = set(_OF_PROBLEMS)
        if item is None or not (item.is_open or item.is_dismissed):
            left_out.add("retry_now")
        if item is None or not item.is_open or item.concerns_integration:
            left_out.add("dismiss")
        return [entry for entry in offered if not any(entry.action_name.endswith(f"_{name}") for name in left_out)]

    @action(description="Retry now", url_path="retry-now", permissions=["manage"], icon="refresh")
    def retry_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then start a transfer of the item's connection."""
        item = self.find_record(request, object_id)
        if request.method == "POST":
            self.retry(request, [item.pk])
            return HttpResponseRedirect(self.get_record_url(item))
        undone = " Its dismissal is taken back." if item.is_dismissed else ""
        return self.show_question(
            request,
            title="Retry now",
            record=item,
            form=forms.Form(),
            submit_label="Retry now",
            explanation=_WHAT_RETRY_DOES.format(scope=item.message.connection or item.message.job) + undone,
            cancel_url=self.get_record_url(item),
        )

    @action(description="Dismiss", url_path="dismiss", permissions=["manage"], icon="do_not_disturb_on")
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the reason, then dismiss the item."""
        item = self.find_record(request, object_id)
        form = DismissalForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                dismiss_items(keys=[item.pk], reason=form.cleaned_data["reason"], actor=build_actor(request))
            except DismissalRefusedError as error:
                form.add_error(None, str(error))
            else:
                self.message_user(request, f"{item} was dismissed.", messages.SUCCESS)
                return HttpResponseRedirect(self.get_record_url(item))
        return self.show_question(
            request,
            title="Dismiss",
            record=item,
            form=form,
            submit_label="Dismiss",
            explanation=_WHAT_DISMISSING_DOES,
            cancel_url=self.get_record_url(item),
        )

    @action(description="Retry now", url_path="retry-problem", permissions=["manage"], icon="refresh")
    def retry_problem(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then start a transfer for all items of the problem of which the item is one."""
        item = self.find_record(request, object_id)
        items = list_items_of_problem(item, user=get_user(request))
        if request.method == "POST":
            # One item is enough, because the run retries everything that fails in its connection.
            self.retry(request, list(items.values_list("pk", flat=True)[:1]))
            return HttpResponseRedirect(self._get_list_url())
        return self.show_question(
            request,
            title=f"Retry {_count_items(items.count())} now",
            record=item,
            form=forms.Form(),
            submit_label="Retry now",
            explanation=f"“{item.cause}” {_WHAT_RETRY_DOES.format(scope=item.message.connection or item.job)}",
            cancel_url=self._get_list_url(),
        )

    @action(description="Dismiss", url_path="dismiss-problem", permissions=["manage"], icon="do_not_disturb_on")
    def dismiss_problem(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the reason, then dismiss all items of the problem of which the item is one."""
        item = self.find_record(request, object_id)
        form = DismissalForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                count = dismiss_problem(item=item, reason=form.cleaned_data["reason"], actor=build_actor(request))
            except DismissalRefusedError as error:
                form.add_error(None, str(error))
            else:
                was = "was" if count == 1 else "were"
                self.message_user(request, f"{_count_items(count)} {was} dismissed.", messages.SUCCESS)
                return HttpResponseRedirect(self._get_list_url())
        return self.show_question(
            request,
            title=f"Dismiss {_count_items(list_items_of_problem(item, user=get_user(request)).count())}",
            record=item,
            form=form,
            submit_label="Dismiss",
            explanation=f"“{item.cause}” {_WHAT_DISMISSING_SEVERAL_DOES} What fails later is not dismissed.",
            cancel_url=self._get_list_url(),
        )

    @admin.action(permissions=["manage"], description="Retry now")
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[ExceptionItem]) -> None:
        """Start a transfer of each connection that has selected items."""
        keys = self._read_keys(request, queryset)
        if keys:
            self.retry(request, keys)

    @admin.action(permissions=["manage"], description="Dismiss")
    def dismiss_selected(self, request: HttpRequest, queryset: QuerySet[ExceptionItem]) -> HttpResponse | None:
        """Ask for one reason, then dismiss all of the selected items, or none."""
        keys = self._read_keys(request, queryset)
        if not keys:
            return None
        is_answer = "reason" in request.POST
        form = DismissSelectedForm(request.POST if is_answer else None, action="dismiss_selected", keys=keys)
        if is_answer and form.is_valid():
            try:
                items = dismiss_items(keys=keys, reason=form.cleaned_data["reason"], actor=build_actor(request))
            except DismissalRefusedError as error:
                form.add_error(None, f"Nothing was dismissed. {error}")
            else:
                self.message_user(request, f"{len(items):,} items were dismissed.", messages.SUCCESS)
                return None
        return self.show_question(
            request,
            title=f"Dismiss {len(keys):,} items",
            form=form,
            submit_label="Dismiss",
            explanation=_WHAT_DISMISSING_SEVERAL_DOES,
            cancel_url=request.get_full_path(),
        )

    def _get_list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _read_keys(self, request: HttpRequest, queryset: QuerySet[ExceptionItem]) -> list[int]:
        keys = list(queryset.order_by("pk").values_list("pk", flat=True)[: ITEMS_PER_ACTION + 1])
        if len(keys) > ITEMS_PER_ACTION:
            self.message_user(
                request,
                f"Select at most {ITEMS_PER_ACTION:,} items at once, or dismiss a whole problem.",
                messages.ERROR,
            )
            return []
        return keys


@extend_page(ExceptionMessage)
class RetryableMessages(RetryingAdmin):
    """Adds the action that retries all items of a message."""

    actions_detail = ("retry_all",)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Return no actions for a message without open items, such as one of an earlier run."""
        message = self.get_object(request, unquote(str(object_id)))
        if message is None or not _find_open_item(message):
            return []
        return list(super().get_actions_detail(request, object_id))

    @action(description="Retry all now", url_path="retry-all", permissions=["manage"], icon="refresh")
    def retry_all(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then start a transfer of the message's connection."""
        message = self.find_record(request, object_id)
        if request.method == "POST":
            # One item is enough, because the run retries everything that fails in its connection.
            self.retry(request, _find_open_item(message))
            return HttpResponseRedirect(self.get_record_url(message))
        return self.show_question(
            request,
            title="Retry all now",
            record=message,
            form=forms.Form(),
            submit_label="Retry all now",
            explanation=_WHAT_RETRY_DOES.format(scope=message.connection or message.job),
            cancel_url=self.get_record_url(message),
        )


def _count_items(count: int) -> str:
    return f"{count:,} item{'' if count == 1 else 's'}"


def _find_open_item(message: ExceptionMessage) -> list[int]:
    return list(list_open_items().filter(message=message).values_list("pk", flat=True)[:1])
