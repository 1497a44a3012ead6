"""Templates of a new record: records of another object whose words a form offers, by a reference that both have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.core.serializers.json import DjangoJSONEncoder
from django.urls import reverse

from ctms.core.choices import RecordStatus
from ctms.core.uuids import read_uid
from ctms.records.access import ObjectAccess, open_related
from ctms.records.addresses import get_object_url
from ctms.records.fields.values import read_value

# Parameter of a form's address with the uid of the template that it begins with.
TEMPLATE = "template"
_MOST_OFFERED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTemplate:
    """A template; `words` are its values that are not empty, by API name."""

    uid: str
    name: str
    url: str
    words: Mapping[str, str]

    @property
    def json(self) -> str:
        return json.dumps(dict(self.words), cls=DjangoJSONEncoder)


@dataclass(frozen=True, kw_only=True)
class TemplateOffer:
    """What a form offers. `access` is to the object of the form, `uid` what its deciding reference holds, if anything.

    `path` and `parameters` are the address of the form, to which a template is added.
    """

    access: ObjectAccess
    object_type: str
    uid: Any = None
    path: str = ""
    parameters: Mapping[str, str] | None = None

    @property
    def is_there(self) -> bool:
        """Whether the object has templates that the user may read."""
        return self._access is not None

    @property
    def by(self) -> str:
        """The API name of the reference that decides."""
        declared = self.access.vault_object.templates
        return declared.by if declared is not None else ""

    @property
    def url(self) -> str:
        """Where the templates for another value of the reference are."""
        return reverse("record_templates", args=(self.access.shape.api_name,))

    @property
    def manage_url(self) -> str:
        """The list of templates, for those who may write them; empty for others, and while nothing decides."""
        opened = self._access
        if opened is None or not self.uid or not (opened.can_create() or opened.allows("edit")):
            return ""
        return f"{get_object_url('record_list', opened.shape.api_name)}?{urlencode({self.by: self.uid})}"

    @cached_property
    def offered(self) -> list[OfferedTemplate]:
        """The active templates in order of their names; takes one statement, none while nothing decides."""
        opened, declared = self._access, self.access.vault_object.templates
        if opened is None or declared is None or read_uid(str(self.uid)) is None:
            return []
        attribute = opened.shape.fields[self.by].attribute
        records = opened.list_records().filter(**{f"{attribute}__uid": self.uid}, status=RecordStatus.ACTIVE)
        assigned = self.access.shape.get_type(self.object_type).fields
        names = [name for name in declared.words if name in assigned and name in opened.shape.fields]
        found = []
        for record in records.order_by("name", "pk")[:_MOST_OFFERED]:
            values = {name: read_value(record=record, field=opened.shape.fields[name]) for name in names}
            parameters = {**(self.parameters or {}), self.by: str(self.uid), TEMPLATE: str(record.uid)}
            found.append(
                OfferedTemplate(
                    uid=str(record.uid),
                    name=str(record),
                    url=f"{self.path}?{urlencode(parameters)}",
                    words={name: str(value) for name, value in values.items() if value},
                )
            )
        return found

    @cached_property
    def _access(self) -> ObjectAccess | None:
        declared = self.access.vault_object.templates
        return open_related(access=self.access, object_name=declared.of_object) if declared is not None else None


def read_words(*, offer: TemplateOffer, uid: str) -> Mapping[str, str]:
    """Return the words of the template of that uid among those offered; nothing if it is none of them."""
    return next((each.words for each in offer.offered if each.uid == uid), {})
