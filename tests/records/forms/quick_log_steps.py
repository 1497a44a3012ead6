"""Steps that the tests of quick log share."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.test import Client

from tests.admin_forms import fill, read_form

QUICK = "/records/crm_activity__v/quick/"


FORM = "quick-form"


JSON = {"Accept": "application/json"}


def submit(client: Client, url: str = QUICK, *, headers: dict[str, str] | None = None, **typed: Any) -> Any:
    return client.post(url, fill(read_form(client.get(url), form_id=FORM), typed=typed), headers=headers)


SEEN = ("crm_activity__v", "person__sys", "site__v", "study__v", "study_person__clin")


def look_up(client: Client, name: str = "person__v", **parameters: object) -> Any:
    return client.get(f"/records/crm_activity__v/lookup/{name}/?{urlencode(parameters)}").json()
