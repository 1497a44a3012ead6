"""What a user may do with the records of an object. Pages, the API, imports and jobs all ask here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from ctms.accounts.models import User
from ctms.accounts.policies import allows_object_type, list_permitted_types, list_visible
from ctms.configuration.registry import UnknownObjectError, VaultObject, get_object
from ctms.configuration.snapshot import Configuration, ObjectShape, TypeShape, load_configuration
from ctms.core.errors import VaultError


class AccessRefusedError(VaultError):
    """The user's security profile, or the object type, does not allow it; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectAccess:
    """One user's access to an object. The `explain_…` methods return why something is refused; empty if it is not."""

    user: User
    shape: ObjectShape
    configuration: Configuration

    @property
    def vault_object(self) -> VaultObject:
        return self.shape.vault_object

    def allows(self, action: str, object_type: str = "") -> bool:
        """Whether the profile allows an action (such as "edit") for this object type, or for any if it is empty."""
        return allows_object_type(
            user=self.user,
            object_name=self.shape.api_name,
            object_type=object_type,
            action=action,
        )

    def list_reasoned(self) -> dict[str, str]:
        """Return API name → label of the fields whose changes need a reason; the empty name is the deletion."""
        return self.configuration.list_reasoned(self.shape.api_name)

    def list_records(self) -> QuerySet[Any]:
        """Return the records that the user sees: those of permitted object types in visible studies."""
        records = self.vault_object.model._default_manager.all()
        permitted = list_permitted_types(user=self.user, object_name=self.shape.api_name)
        if permitted is not None:
            records = records.filter(object_type__in=permitted) if permitted else records.none()
        return self._limit_to_caller(list_visible(records, self.user))

    def _limit_to_caller(self, records: QuerySet[Any]) -> QuerySet[Any]:
        """Leave out what came from other connections than the one whose CRM asks in the user's name, if one does."""
        calling_for = self.user.calling_for
        if calling_for is None:
            return records
        for field in self.vault_object.model._meta.concrete_fields:
            if getattr(field.related_model, "object_name", "") == calling_for.object_name:
                own = Q(**{field.name: calling_for.pk}) | Q(**{f"{field.name}__isnull": True})
                records = records.filter(own)
        return records

    def list_creatable_types(self) -> list[TypeShape]:
        """Return the object types of which the user can create records; one named "" if the object has no types."""
        return [each for each in self.shape.types.values() if not self.explain_create(each.api_name)]

    def can_create(self) -> bool:
        return any(not self.explain_create(each.api_name) for each in self.shape.types.values())

    def explain_create(self, object_type: str) -> str:
        """Return why the user cannot create a record of that type; empty if they can."""
        shape = self.shape.get_type(object_type)
        if shape.origin:
            return f"{shape.label}: these records come from {shape.origin}; nobody creates them here."
        if not self.allows("create", object_type):
            return f"Your security profile does not allow you to create {self._name_type(object_type)} records."
        if object_type not in self.shape.types:
            return f"Object type: {self.vault_object.title} has no type {object_type!r}."
        if not shape.is_active:
            return f"The object type {shape.label} is Inactive: it takes no new records."
        return ""

    def explain_edit(self, record: Any) -> str:
        """Return why the user cannot change the record; empty if they can."""
        return self.explain_edit_of(getattr(record, "object_type", ""))

    def explain_edit_of(self, object_type: str) -> str:
        """Return why the user cannot change records of this object type; empty if they can."""
        return self._explain(object_type=object_type, action="edit", word="changes")

    def explain_delete(self, record: Any) -> str:
        """Return why profile or object type forbid deleting the record; empty if they allow it."""
        return self.explain_delete_of(getattr(record, "object_type", ""))

    def explain_delete_of(self, object_type: str) -> str:
        """Return why records of this object type cannot be deleted; empty if they can."""
        return self._explain(object_type=object_type, action="delete", word="deletes")

    def _explain(self, *, object_type: str, action: str, word: str) -> str:
        shape = self.shape.get_type(object_type)
        if shape.origin:
            return f"{shape.label}: this record comes from {shape.origin}; nobody {word} it here."
        if not self.allows(action, object_type):
            return f"Your security profile does not allow you to {action} {self._name_type(object_type)} records."
        return ""

    def _name_type(self, object_type: str) -> str:
        return self.shape.get_type(object_type).label or self.vault_object.label


def open_object(*, user: User, object_name: str, configuration: Configuration | None = None) -> ObjectAccess:
    """Return the user's access to an object of the study teams.

    Raises UnknownObjectError (the admin console's objects are not the study teams') and AccessRefusedError for users
    who may read none of its records.
    """
    if get_object(object_name).is_setup:
        raise UnknownObjectError(f"{object_name} belongs to the admin console.")
    configuration = configuration or load_configuration()
    access = ObjectAccess(user=user, shape=configuration.get(object_name), configuration=configuration)
    if not access.allows("read"):
        raise AccessRefusedError(
            f"Your security profile does not allow you to read {access.vault_object.plural_label}. Ask an admin."
        )
    return access


def open_related(*, access: ObjectAccess, object_name: str) -> ObjectAccess | None:
    """Return the same user's access to another object; None for setup objects and those that the user may not read."""
    try:
        return open_object(user=access.user, object_name=object_name, configuration=access.configuration)
    except (UnknownObjectError, AccessRefusedError):
        return None
