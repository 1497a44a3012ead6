"""The form field of a reference. Users choose from suggestions, or type a text that exactly one record matches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import Q, QuerySet
from django.urls import reverse

from ctms.configuration.fields import ObjectField
from ctms.core.uuids import read_uid
from ctms.records.access import ObjectAccess, open_related
from ctms.records.fields.references import (
    HIDDEN,
    describe_choice,
    describe_filled,
    describe_reference,
    get_reference_choices,
    get_target,
    is_filled_by_another,
    list_choices,
    list_filled,
    list_scopes,
    list_visible,
    select_scopes,
)
from ctms.records.fields.users import explain_unfit, find_users, list_place_fields, names_user

_MOST_NAMED = 5
_refuse_null_characters = ProhibitNullCharactersValidator()


class ReferenceInput(forms.Widget):
    """A text input with suggestions. It also sends the uid of the chosen record, and the text that showed it.

    Without JavaScript, a text that differs from the one shown replaces the uid, and is looked up.
    """

    template_name = "records/widgets/reference.html"

    def __init__(self, field: ReferenceField) -> None:
        super().__init__()
        self.field = field

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:  # noqa: ARG002  Django's signature
        typed = self.list_typed(data, name)
        return data.get(name) if typed is None else typed[0]

    def list_typed(self, data: Any, name: str) -> list[str] | None:
        """Return the texts that were typed instead of being chosen; None if a record was chosen."""
        text = data.get(f"{name}__text")
        if text is None or (data.get(name) and text == data.get(f"{name}__shown")):
            return None
        return [text.strip()]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:  # noqa: ARG002  Django's signature
        return name not in data and f"{name}__text" not in data

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        record = self.field.find_shown(value)
        shown = self.field.describe(record) if record is not None else ""
        context["widget"] |= {
            "uid": str(record.uid) if record is not None else "",
            "shown": shown,
            "text": shown or value or "",
            "fills": json.dumps(self.field.describe_filled(record)) if record is not None else "",
            "field_name": self.field.object_field.api_name,
            "parents": " ".join(self.field.list_parents()),
            "lookup_url": self.field.lookup_url,
            "create_url": self.field.create_url,
            "noun": self.field.noun,
            "plural_noun": self.field.plural_noun,
        }
        return context


class ReferenceField(forms.Field):
    """A record, given by uid, or by an external id, name or e-mail that exactly one record matches.

    `chosen` maps the record's other references to uids, which limit the choices. `present` is what the record refers
    to already: it may stay even if it could not be chosen now, because it is inactive or hidden from the user. With
    `takes_any`, which filters use, every visible record can be chosen, and none can be created.
    """

    widget: ReferenceInput
    input_class: type[ReferenceInput] = ReferenceInput

    def __init__(
        self,
        *,
        access: ObjectAccess,
        field: ObjectField,
        chosen: Mapping[str, Any] | None = None,
        present: Any = None,
        takes_any: bool = False,
        **kwargs: Any,
    ) -> None:
        self.access, self.object_field, self.present, self.takes_any = access, field, present, takes_any
        self.offer = None if takes_any else get_reference_choices(shape=access.shape, field=field)
        self.limit_to_parents(chosen)
        if self.offer:
            kwargs["help_text"] = kwargs.get("help_text") or self.offer.remedy
        super().__init__(widget=self.input_class(self), **kwargs)

    def __deepcopy__(self, memo: Any) -> ReferenceField:
        copied: ReferenceField = super().__deepcopy__(memo)
        copied.widget.field = copied
        return copied

    def limit_to_parents(self, chosen: Mapping[str, Any] | None) -> None:
        """Limit the choices to records that fit the other references."""
        fitting = list_choices(access=self.access, field=self.object_field, chosen=chosen)
        self.choices: QuerySet[Any] = self.visible if self.takes_any or fitting is None else fitting

    @cached_property
    def visible(self) -> QuerySet[Any]:
        """Return the records that the user sees, whether or not they can be chosen."""
        visible = list_visible(access=self.access, field=self.object_field)
        return self._get_model()._default_manager.none() if visible is None else visible

    @property
    def lookup_url(self) -> str:
        url = reverse("record_lookup", args=(self.access.shape.api_name, self.object_field.api_name))
        return f"{url}?any=1" if self.takes_any else url

    @property
    def create_url(self) -> str:
        """Return the URL to create a missing record; empty if the user cannot, or could not choose it afterwards."""
        target = get_target(self.object_field)
        target_access = open_related(access=self.access, object_name=target.api_name) if target else None
        if self.takes_any or self.offer or target is None or target_access is None or not target_access.can_create():
            return ""
        return reverse("record_create", args=(target.api_name,))

    @property
    def noun(self) -> str:
        target = get_target(self.object_field)
        return target.label if target else self.object_field.label.lower()

    @property
    def plural_noun(self) -> str:
        target = get_target(self.object_field)
        return target.plural_title if target else self.object_field.label

    def prepare_value(self, value: Any) -> Any:
        return str(value.uid) if hasattr(value, "uid") else value

    def find_shown(self, value: Any) -> Any:
        """Return the record whose uid the value is, to show it; None for typed text."""
        uid = read_uid(value)
        if uid is None:
            return None
        if uid == self._present_uid:
            return self._present_record
        records = select_scopes(records=self.visible, shape=self.access.shape, field=self.object_field)
        return records.filter(uid=uid).first()

    def describe(self, record: Any) -> str:
        """Return the text of a record referred to; `HIDDEN` if the user may not see its name.

        What a standard reference names is seen with the record; a custom one may name anybody.
        """
        if self.object_field.is_custom and not self.visible.filter(pk=record.pk).exists():
            return HIDDEN
        return describe_reference(access=self.access, record=record)

    def list_parents(self) -> list[str]:
        """Return API names of the parent fields: they limit this field's choices, and choosing a record fills them.

        Choosing a user fills none.
        """
        if names_user(self.object_field):
            return [each.api_name for each in list_place_fields(self.access.shape)]
        scopes = list_scopes(shape=self.access.shape, field=self.object_field)
        return [scope.parent.api_name for scope in scopes]

    def describe_filled(self, record: Any) -> dict[str, dict[str, str]]:
        """Return the parent references that choosing the record fills, in the form that the page's script reads."""
        filled = list_filled(shape=self.access.shape, field=self.object_field, record=record)
        return describe_filled(access=self.access, filled=filled)

    def list_filled(self, value: Any) -> dict[str, Any]:
        """Return the parent references that the chosen record fills: API name → record."""
        if value is None:
            return {}
        return list_filled(shape=self.access.shape, field=self.object_field, record=value)

    def split_chosen(self, data: Any, name: str) -> tuple[list[UUID], list[str]]:
        """Split what was submitted under a name into uids, and texts to look up: an external ID may look like a UID."""
        value, typed = self.widget.value_from_datadict(data, {}, name), self.widget.list_typed(data, name) or []
        given = value if isinstance(value, list) else [value] if value else []
        uids = {each: read_uid(each) for each in given if each not in typed}
        return [uid for uid in uids.values() if uid], [each for each in given if uids.get(each) is None]

    def to_python(self, value: Any) -> Any:
        return None if value in self.empty_values else self.find(value)

    def find(self, value: Any) -> Any:
        """Return the record that a uid or a text means. Raises ValidationError."""
        uid, text = read_uid(value), str(value).strip()
        if uid is not None:
            return self._present_record if uid == self._present_uid else self._choose(uid, text=text)
        _refuse_null_characters(text)
        return self._find_named(text)

    def validate(self, value: Any) -> None:
        # Another reference may fill this field; the form checks that once it has read all of them.
        if value is not None or not is_filled_by_another(shape=self.access.shape, field=self.object_field):
            super().validate(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return str(self.prepare_value(initial) or "") != str(data or "")

    def _choose(self, uid: UUID, *, text: str) -> Any:
        record = self.choices.filter(uid=uid).first()
        if record is not None:
            return record
        hidden = self.visible.filter(uid=uid).first()
        # An external ID, such as the key in another Vault, may look like a UID.
        if hidden is None and not names_user(self.object_field):
            record = self.choices.filter(external_id=text).first()
        if record is not None:
            return record
        if hidden is None:
            raise ValidationError(f"This {self.noun} does not exist, or you cannot see it. Choose one from the list.")
        if names_user(self.object_field):
            raise ValidationError(explain_unfit(hidden))
        raise ValidationError(
            f"{describe_choice(hidden)} does not fit here: it is inactive, or does not belong to what is chosen beside "
            f"it. Choose one from the list.{self._remedy}"
        )

    def _find_named(self, text: str) -> Any:
        found = self._list_named(text)
        if len(found) == 1:
            return found[0]
        if not found:
            none = f"{self.noun} “{text}” that you can see"
            if not self.takes_any:
                none = f"active {self.noun} “{text}” that fits here"
            raise ValidationError(
                f"There is no {none}. Choose one from the list, or type its exact name or external ID.{self._remedy}"
            )
        raise ValidationError(f"Several match “{text}”. Choose one from the list, or type its external ID.")

    def _list_named(self, text: str) -> list[Any]:
        if names_user(self.object_field):
            return list(find_users(users=self.choices, text=text))
        matches = Q(external_id=text) | Q(name__folded_exact=text)
        if any(field.name == "email" for field in self.choices.model._meta.concrete_fields):
            matches |= Q(email__folded_exact=text)
        found = list(self.choices.filter(matches)[: _MOST_NAMED + 1])
        # Or else the text of a suggestion, perhaps with an e-mail or a caption after the name.
        return found or [each for each in self._search(text) if describe_choice(each).casefold() == text.casefold()]

    def _search(self, text: str) -> list[Any]:
        words = text.replace("·", " ").replace("(", " ").split()
        return list(self.choices.filter(name__folded_contains=words[0])[:50]) if words else []

    @property
    def _remedy(self) -> str:
        return f" {self.offer.remedy}" if self.offer else ""

    @property
    def _present_uid(self) -> UUID | None:
        return read_uid(getattr(self.present, "uid", self.present))

    @cached_property
    def _present_record(self) -> Any:
        # A custom reference is stored as a uid.
        if hasattr(self.present, "uid"):
            return self.present
        return self._get_model()._default_manager.filter(uid=self._present_uid).first()

    def _get_model(self) -> Any:
        return self.object_field.reference or self.access.vault_object.model
