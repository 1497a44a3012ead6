"""The worklist of a connection: persons without an account, accounts without a person, and how they are matched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from connections.models import Connection
from crm_sync.admin.unmatched_export import FORMATS, send_worklist
from crm_sync.crm.errors import ConfigurationError, CrmError
from crm_sync.engine.rules.identifiers import IdentifierMapping, get_identifier_mapping
from crm_sync.unmatched.accounts import AccountReader, CrmAccount
from crm_sync.unmatched.matching import create_person, enter_identifier, join_messages
from crm_sync.unmatched.worklist import UnmatchedAccount, Worklist
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor, get_user
from ctms.clinical.models import Person
from ctms.core.errors import VaultError
from ctms.core.text.whole_numbers import read_whole_number
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object
from ctms.records.addresses import get_record_url
from ctms.records.lists.duplicates import find_duplicates

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse, HttpResponseBase
    from django.urls import URLPattern

_ROWS = 50
_FIELDS = ("first_name__sys", "last_name__sys", "email__sys")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a request is about: the connection, its identifiers, and the persons whom the user sees."""

    connection: Connection
    identifiers: IdentifierMapping
    access: ObjectAccess
    worklist: Worklist


@extend_page(Connection)
class UnmatchedPages(AuditedModelAdmin):
    """Adds the worklist, and a page for each of its entries. What calls the CRM or writes is a POST."""

    actions_detail: Any = ("unmatched",)

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "connections_connection_unmatched"
        return [
            path("<int:pk>/unmatched/persons/<uuid:uid>/", wrap(self.match_person), name=f"{name}_person"),
            path("<int:pk>/unmatched/accounts/<str:account_id>/", wrap(self.match_account), name=f"{name}_account"),
            *super().get_urls(),
        ]

    @action(description="Unmatched", url_path="unmatched", permissions=["change"], icon="person_search")
    def unmatched(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Show the worklist, or send it as a file."""
        connection = self.get_object(request, unquote(object_id))
        context: dict[str, Any] = {"persons": None, "accounts": None}
        try:
            asked = self._open_worklist(request, connection)
        except ConfigurationError as error:
            context["problem"] = error
        else:
            if request.GET.get("export") in FORMATS:
                return send_worklist(
                    request,
                    connection=asked.connection,
                    worklist=asked.worklist,
                    identifiers=asked.identifiers,
                    file_format=request.GET["export"],
                )
            context |= _build_lists(asked, request)
        return self._show_unmatched(request, connection, title="Unmatched", template="unmatched", context=context)

    def match_person(self, request: HttpRequest, pk: int, uid: UUID) -> HttpResponse:
        """Show a person who has no account; with POST, look for accounts or enter the identifier."""
        try:
            asked = self._open_worklist(request, self.get_object(request, str(pk)))
        except ConfigurationError:
            return HttpResponseRedirect(_build_list_url(pk))  # which says what is lacking
        person = asked.access.list_records().filter(uid=uid).first()
        if not isinstance(person, Person):
            raise PermissionDenied("This person does not exist, or you may not see them.")
        entry = asked.worklist.find_person(person)
        context: dict[str, Any] = {"candidates": None, "typed": entry.identifier if entry else ""}
        if request.method == "POST" and request.POST.get("do") == "look":
            reader = AccountReader(connection=asked.connection, identifiers=asked.identifiers)
            identifier = entry.identifier if entry else ""
            context["candidates"] = self._ask_crm(request, lambda: reader.find_for(person, identifier=identifier))
        elif request.method == "POST":
            context["typed"] = request.POST.get("identifier", "").strip()
            if self._match(request, asked=asked, person=person, identifier=context["typed"]):
                return HttpResponseRedirect(_build_list_url(pk))
        context |= {"entry": entry, "person": person, "person_url": get_record_url(person), "asked": asked}
        title = f"Match {person}"
        return self._show_unmatched(
            request, asked.connection, title=title, template="unmatched_person", context=context
        )

    def match_account(self, request: HttpRequest, pk: int, account_id: str) -> HttpResponse:
        """Show an account that has no person; with POST, ask the CRM for it, choose a person or create one."""
        try:
            asked = self._open_worklist(request, self.get_object(request, str(pk)))
        except ConfigurationError:
            return HttpResponseRedirect(_build_list_url(pk))
        entry = asked.worklist.find_account(account_id)
        if entry is None:
            self.message_user(request, "No call waits for a person of this account any more.", messages.INFO)
            return HttpResponseRedirect(_build_list_url(pk))
        context: dict[str, Any] = {"account": None, "typed": dict.fromkeys(_FIELDS, "")}
        do = request.POST.get("do", "") if request.method == "POST" else ""
        if do == "look":
            reader = AccountReader(connection=asked.connection, identifiers=asked.identifiers)
            account = self._ask_crm(request, lambda: reader.read(account_id))
            context |= {"account": account, "typed": _fill_in(account)}
        elif do == "match":
            person = _find_chosen(asked.access, request.POST.get("person", ""))
            if person is None:
                self.message_user(request, "Person: choose one whom you see.", messages.ERROR)
            elif self._match(request, asked=asked, person=person, identifier=entry.identifier):
                return HttpResponseRedirect(_build_list_url(pk))
        elif do == "create":
            context["typed"] = {name: request.POST.get(name, "").strip() for name in _FIELDS}
            if self._create(request, asked=asked, entry=entry, values=context["typed"]):
                return HttpResponseRedirect(_build_list_url(pk))
        values = {**context["typed"], asked.identifiers.person_field.api_name: entry.identifier}
        context |= {
            "entry": entry,
            "asked": asked,
            "candidates": find_duplicates(access=asked.access, values=values),
            "types": asked.access.list_creatable_types(),
            "chosen_type": request.POST.get("object_type", "investigator__v"),
            "may_edit": asked.access.allows("edit"),
        }
        title = f"Match account {account_id}"
        return self._show_unmatched(
            request, asked.connection, title=title, template="unmatched_account", context=context
        )

    def _open_worklist(self, request: HttpRequest, connection: Any) -> _Asked:
        """Raise PermissionDenied, and ConfigurationError if the identifiers of the connection are not chosen."""
        if not isinstance(connection, Connection) or not self.has_change_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not change it.")
        user = get_user(request)
        try:
            access = open_object(user=user, object_name=Person.object_name)
        except AccessRefusedError as error:
            raise PermissionDenied(str(error)) from error
        identifiers = get_identifier_mapping(connection)
        worklist = Worklist(connection=connection, identifiers=identifiers, access=access, user=user)
        return _Asked(connection=connection, identifiers=identifiers, access=access, worklist=worklist)

    def _ask_crm(self, request: HttpRequest, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except CrmError as error:
            self.message_user(request, str(error), messages.ERROR)
            return None

    def _match(self, request: HttpRequest, *, asked: _Asked, person: Person, identifier: str) -> bool:
        def write() -> str:
            version = read_whole_number(request.POST.get("version", ""))
            enter_identifier(
                access=asked.access,
                person=person,
                identifiers=asked.identifiers,
                value=identifier,
                actor=build_actor(request),
                version=version if version is not None else person.version,
            )
            return f"{person} has the {asked.identifiers.person_field.label} {identifier} now"

        return self._try(request, asked=asked, write=write)

    def _create(self, request: HttpRequest, *, asked: _Asked, entry: UnmatchedAccount, values: dict[str, str]) -> bool:
        def write() -> str:
            person = create_person(
                access=asked.access,
                values=values,
                object_type=request.POST.get("object_type", ""),
                identifiers=asked.identifiers,
                identifier=entry.identifier,
                actor=build_actor(request),
            )
            return f"{person} was created"

        return self._try(request, asked=asked, write=write)

    def _try(self, request: HttpRequest, *, asked: _Asked, write: Callable[[], str]) -> bool:
        """Write, and say what was done and follows, or why it was refused; return whether it was done."""
        labels = {name: field.label for name, field in asked.access.shape.fields.items()}
        try:
            done = write()
        except ValidationError as error:
            self.message_user(request, join_messages(error, labels=labels), messages.ERROR)
        except VaultError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            told = f"{done}. What waits for that is transferred by the next run; Start Now does not wait for it."
            self.message_user(request, told, messages.SUCCESS)
            return True
        return False

    def _show_unmatched(
        self, request: HttpRequest, connection: Any, *, title: str, template: str, context: dict[str, Any]
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        common = {
            **self.admin_site.each_context(request),
            "title": title,
            "subtitle": str(connection),
            "opts": self.opts,
            "original": connection,
            "connection": connection,
            "back_url": self.get_change_url(connection),
            "list_url": _build_list_url(connection.pk),
        }
        return TemplateResponse(request, f"admin/crm_sync/{template}.html", common | context)


def _build_list_url(connection_id: int) -> str:
    return reverse("admin:connections_connection_unmatched", args=(connection_id,))


def _build_lists(asked: _Asked, request: HttpRequest) -> dict[str, Any]:
    persons = Paginator(asked.worklist.list_person_rows(), _ROWS).get_page(request.GET.get("page", "1"))
    accounts = Paginator(asked.worklist.list_account_rows(), _ROWS).get_page(request.GET.get("accounts", "1"))
    key, name = asked.connection.pk, "admin:connections_connection_unmatched"
    return {
        "asked": asked,
        "persons": persons,
        "person_rows": [
            (each, reverse(f"{name}_person", args=(key, each.person.uid)))
            for each in asked.worklist.build_persons(list(persons))
        ],
        "accounts": accounts,
        "account_rows": [
            (each, reverse(f"{name}_account", args=(key, each.account_id)))
            for each in asked.worklist.build_accounts(list(accounts))
        ],
    }


def _fill_in(account: CrmAccount | None) -> dict[str, str]:
    if account is None:
        return dict.fromkeys(_FIELDS, "")
    return dict(zip(_FIELDS, (account.first_name, account.last_name, account.email), strict=True))


def _find_chosen(access: ObjectAccess, uid: str) -> Person | None:
    try:
        found = access.list_records().filter(uid=uid).first()
    except ValidationError:
        return None
    return found if isinstance(found, Person) else None
