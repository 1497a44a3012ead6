"""The conditions by which the audit trail is searched. Each is answered by an index of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.db import models
from django.db.models.functions import Concat
from unfold.contrib.filters.admin import DropdownFilter, TextFilter

from ctms.accounts.models import User
from ctms.accounts.policies import list_setup_objects
from ctms.audit.models import AuditEntry
from ctms.audit.reading import list_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest

    Entries = models.QuerySet[AuditEntry]

SOURCES = ("page", "admin", "api", "import", "job", "command")
_ACCESS_OBJECTS = ("accounts.user", "records.api_token", "records.calendar_feed", "admin:security")


def is_uid(text: object) -> bool:
    """Whether a text of an address can be the uid of a record."""
    try:
        return bool(text) and bool(UUID(str(text)))
    except ValueError:
        return False


class KindFilter(DropdownFilter):
    """Parts changes of the set-up from those of records and from what concerns access."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        return [("records", "Records"), ("setup", "Set-up"), ("access", "Access: users, profiles, log-ins")]

    def queryset(self, request: HttpRequest, queryset: Entries) -> Entries:  # noqa: ARG002  Django's signature
        access = models.Q(object_name__in=_ACCESS_OBJECTS)
        setup = models.Q(object_name__in=list_setup_objects()) | models.Q(object_name__startswith="admin:") & ~access
        conditions = {"access": access, "setup": setup, "records": ~setup & ~access}
        chosen = conditions.get(str(self.value()))
        return queryset.filter(chosen) if chosen is not None else queryset


class ObjectFilter(DropdownFilter):
    """Filters entries by the object that they are about."""

    title = "object"
    parameter_name = "object"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        return list(list_objects().items())

    def queryset(self, request: HttpRequest, queryset: Entries) -> Entries:  # noqa: ARG002  Django's signature
        return queryset.filter(object_name=self.value()) if self.value() else queryset


class SourceFilter(DropdownFilter):
    """Filters entries by the way in which a change came in."""

    title = "source"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        return [(value, value.capitalize()) for value in SOURCES]

    def queryset(self, request: HttpRequest, queryset: Entries) -> Entries:  # noqa: ARG002  Django's signature
        return queryset.filter(source=self.value()) if self.value() else queryset


class _TypedFilter(TextFilter):
    """A condition that is typed in; `find` says what it means."""

    def queryset(self, request: HttpRequest, queryset: Entries) -> Entries:  # noqa: ARG002  Django's signature
        text = str(self.value() or "").strip().replace("\0", "")
        return self.find(queryset, text) if text else queryset

    def find(self, entries: Entries, text: str) -> Entries:
        """Return the entries that the text is about."""
        raise NotImplementedError


class ActorFilter(_TypedFilter):
    title = "who (part of the name, now or then)"
    parameter_name = "who"

    def find(self, entries: Entries, text: str) -> Entries:
        # The users are few, and the entries of a user have an index. Whoever was refused at the log-in is no user.
        called = AuditEntry.objects.filter(object_name="accounts.user", record_name__icontains=text)
        users = User.objects.annotate(full=Concat("first_name", models.Value(" "), "last_name")).filter(
            models.Q(full__icontains=text)
            | models.Q(username__icontains=text)
            | models.Q(uid__in=called.values("record_uid"))
        )
        refused = models.Q(actor=None, actor_name__icontains=text)
        return entries.filter(models.Q(actor__in=list(users.order_by().values_list("pk", flat=True))) | refused)


class RoleFilter(_TypedFilter):
    title = "role (name of the security profile then)"
    parameter_name = "role"

    def find(self, entries: Entries, text: str) -> Entries:
        return entries.filter(actor_role=text)


class AddressFilter(_TypedFilter):
    title = "IP address"
    parameter_name = "from"

    def find(self, entries: Entries, text: str) -> Entries:
        return entries.filter(address=text)


class ReasonFilter(_TypedFilter):
    title = "reason (part of it)"
    parameter_name = "why"

    def find(self, entries: Entries, text: str) -> Entries:
        return entries.exclude(reason="").filter(reason__icontains=text)


class FieldFilter(_TypedFilter):
    title = "field (label or API name)"
    parameter_name = "field"

    def find(self, entries: Entries, text: str) -> Entries:
        named = models.Q()
        for name in {text, *_list_attributes(text)}:
            named |= models.Q(NamesField(models.F("words"), models.Value(name)))
        return entries.filter(named)


class NamesField(models.Func):
    """Whether the words of an entry have a field of this name. PostgreSQL finds it by the index of migration 0006."""

    output_field = models.BooleanField()
    arity = 2

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # noqa: ARG002  Django's signature
        return self._fill(compiler, "EXISTS (SELECT 1 FROM json_each({}) WHERE key = %s)")

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # noqa: ARG002  Django's signature
        return self._fill(compiler, "jsonb_path_query_array({}, '$.keyvalue().key') ? %s")

    def _fill(self, compiler: Any, template: str) -> tuple[str, list[Any]]:
        words, name = self.get_source_expressions()
        sql, parameters = compiler.compile(words)
        return template.format(sql), [*parameters, name.value]


def _list_attributes(label: str) -> Iterator[str]:
    """Yield the names of the fields that have this label, whatever their object."""
    for model in apps.get_models():
        if getattr(model, "object_name", None):
            for field in model._meta.concrete_fields:
                if str(field.verbose_name).casefold() == label.casefold():
                    yield field.name
