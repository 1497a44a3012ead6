"""Quick log as every page has it: where its form is, and its first inputs, so that nothing typed has to wait for it.

The inputs are those of the form (`ctms/records/forms/views.py`), with the same names; what is typed into them goes
along when the form is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils.safestring import SafeString

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import UnknownObjectError, VaultObject, get_object
from ctms.configuration.snapshot import Configuration
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_object_url
from ctms.records.fields.form_fields import build_form_field
from ctms.records.fields.likely_choices import get_likely_choices
from ctms.records.forms.multi_reference_field import MultiReferenceField
from ctms.records.forms.origin import FROM, takes, write_origin

AUTO_ID = "quick_%s"
# Pages that show one record.
_RECORD_PAGES = frozenset({"record", "record_edit"})
# So many inputs stand in every page.
_FIRST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstInput:
    """An input of the form that stands in every page."""

    label: str
    id: str
    html: SafeString
    is_required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickLog:
    """The quick log of an object on one page. `label` names the object."""

    access: ObjectAccess
    object_type: str
    source: VaultObject | None = None
    parameters: str = ""

    @property
    def label(self) -> str:
        return self.access.vault_object.label

    @property
    def url(self) -> str:
        address = get_object_url("record_quick", self.access.shape.api_name)
        return f"{address}?{self.parameters}" if self.parameters else address

    @property
    def inputs(self) -> list[FirstInput]:
        """Return the first inputs; the first that the page does not fill has the focus. Runs no statement."""
        shape = self.access.shape
        assigned = shape.get_type(self.object_type).fields
        names = [name for name in self.access.vault_object.quick_fields if name in assigned][:_FIRST]
        focused = next((name for name in names if not self._is_filled(name)), "")
        return [self._build_input(shape.fields[name], has_focus=name == focused) for name in names]

    def _is_filled(self, name: str) -> bool:
        vault_object = self.access.vault_object
        return self.source is not None and takes(vault_object=vault_object, name=name, source=self.source)

    def _build_input(self, field: ObjectField, *, has_focus: bool) -> FirstInput:
        name, given_id = field.api_name, AUTO_ID % field.api_name
        made: Any
        if name == self.access.vault_object.create_one_per:
            made = MultiReferenceField(access=self.access, field=field, label=field.label)
            made.widget.parameters = self.parameters
            made.widget.opens = has_focus and self._has_likely(field)
        else:
            made = build_form_field(access=self.access, field=field, object_type=self.object_type)
        attributes = {"id": given_id, **made.widget.attrs, **({"data-focus": True} if has_focus else {})}
        return FirstInput(
            label=field.label,
            id=given_id,
            html=made.widget.render(name, None, attributes),
            is_required=field.is_required,
        )

    def _has_likely(self, field: ObjectField) -> bool:
        declared = get_likely_choices(shape=self.access.shape, field=field)
        return declared is not None and any(self._is_filled(name) for name in declared.by)


def build_quick_log(
    *, request: HttpRequest, user: User, configuration: Configuration, vault_object: VaultObject
) -> QuickLog:
    """Return the quick log of an object for the page of the request, which may be that of a record."""
    access = ObjectAccess(user=user, shape=configuration.get(vault_object.api_name), configuration=configuration)
    types = access.list_creatable_types()
    source, parameters = _find_source(request)
    return QuickLog(access=access, object_type=types[0].api_name, source=source, parameters=parameters)


def _find_source(request: HttpRequest) -> tuple[VaultObject | None, str]:
    """Return the object of the record whose page it is, and the parameters that name it; of other pages, nothing."""
    match = request.resolver_match
    if match is None or match.url_name not in _RECORD_PAGES:
        return None, ""
    try:
        source = get_object(match.kwargs["object_name"])
    except UnknownObjectError:
        return None, ""
    origin = write_origin(object_name=source.api_name, uid=match.kwargs["uid"])
    return source, urlencode({FROM: origin}, safe=":")
