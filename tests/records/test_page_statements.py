"""P6: each page runs as many SQL statements as a file says, however many rows it shows.

After a deliberate change: `FREEZE_STATEMENTS=1 pytest tests/records/test_page_statements.py` rewrites the file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activities.choices import ActivityType
from ctms.configuration.snapshot import forget_configuration
from ctms.records.timelines.page import has_timeline
from tests.factories.accounts import UserFactory
from tests.factories.activities import MedicalActivityFactory
from tests.factories.clinical import StudyFactory
from tests.record_rows import OBJECTS, create_record

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

FROZEN = Path(__file__).with_name("page_statements.json")
MANY = 50
RECORD_PAGES = ("record", "record_peek", "record_edit", "record_clone", "record_delete", "record_timeline")
_FRAGMENT = {"HX-Request": "true"}
OBJECT_PAGES = ("record_list", "record_create", "record_import")


def list_pages(records: dict[str, Any]) -> dict[str, str]:
    """Return the address of every page that shows records, by name."""
    pages = {name: reverse(name) for name in ("home", "calendar", "search", "profile")}
    pages["search for a word"] = reverse("search") + "?q=example"
    for object_name, record in records.items():
        for page in OBJECT_PAGES:
            pages[f"{page} {object_name}"] = reverse(page, args=(object_name,))
        for page in RECORD_PAGES:
            pages[f"{page} {object_name}"] = reverse(page, args=(object_name, record.uid))
        if has_timeline(object_name):
            pages[f"timeline {object_name}"] = reverse("timeline", args=(object_name, record.uid))
        pages[f"export {object_name}"] = reverse("record_export", args=(object_name, "csv"))
        pages[f"api list {object_name}"] = f"/api/v1/{object_name}/"
        pages[f"api record {object_name}"] = f"/api/v1/{object_name}/{record.uid}/"
    for object_name, field in (("crm_activity__v", "site__v"), ("site__v", "principal_investigator__v")):
        pages[f"lookup {object_name} {field}"] = reverse("record_lookup", args=(object_name, field)) + "?q="
        pages[f"filter {object_name} {field}"] = reverse("record_filter", args=(object_name, field))
    return pages


def count_statements(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        response = client.get(url, headers=_FRAGMENT if url.endswith("/peek/") else None)
        if response.streaming:
            b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert response.status_code == 200, url
    return len(queries)


@pytest.mark.usefixtures("stopped_clock")
def test_every_page_takes_the_frozen_number_of_statements_for_one_row_and_for_fifty(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True, is_staff=True))
    study = StudyFactory.create()
    records = {name: create_record(name, study) for name in OBJECTS}
    MedicalActivityFactory.create(study=study)
    pages = list_pages(records)
    forget_configuration()
    for url in pages.values():  # a first request, for what is cached or noted only once
        count_statements(client, url)
    for_one = {name: count_statements(client, url) for name, url in pages.items()}
    for _ in range(MANY - 1):
        for name in OBJECTS:
            create_record(name, None if name == "study__v" else study)
    assert {name: count_statements(client, url) for name, url in pages.items()} == for_one
    if os.environ.get("FREEZE_STATEMENTS"):
        FROZEN.write_text(json.dumps(for_one, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    assert for_one == json.loads(FROZEN.read_text(encoding="utf-8"))
    assert ActivityType.MEDICAL in {each.object_type for each in study.activities.all()}
