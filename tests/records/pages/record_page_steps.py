"""Steps that the tests of record page share."""

from __future__ import annotations

from typing import Any

from django.test import Client

from ctms.accounts.models import User
from ctms.configuration.choices import SectionKind
from ctms.configuration.drafts import SectionDraft
from ctms.configuration.services.layouts import change_layouts
from ctms.records.pages.record_page import FieldsPart, RecordPage
from ctms.records.pages.related import RelatedPart
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor

SITES = ["study__v:read", "site__v:read", "site__v:create", "site__v:edit", "site__v:delete"]


def log_in(client: Client, *permissions: str, sees_all: bool = True) -> User:
    profile = SecurityProfileFactory.create(permissions=list(permissions), sees_all_studies=sees_all)
    user = UserFactory.create(security_profile=profile)
    client.force_login(user)
    return user


def get_address(record: Any, *steps: str) -> str:
    return "/".join([f"/records/{record.object_name}/{record.uid}", *steps, ""])


def open_page(client: Client, record: Any) -> RecordPage:
    response = client.get(get_address(record))
    assert response.status_code == 200
    page: RecordPage = response.context["page"]
    return page


def list_facts(page: RecordPage) -> dict[str, str]:
    return {fact.name: fact.value.text for fact in page.facts}


def list_sections(page: RecordPage) -> dict[str, list[str]]:
    return {part.title: [fact.name for fact in part.facts] for part in page.sections if isinstance(part, FieldsPart)}


def list_related(page: RecordPage) -> dict[str, RelatedPart]:
    return {part.title: part for part in page.sections if isinstance(part, RelatedPart)}


def add_section(object_name: str, **values: Any) -> None:
    section = SectionDraft(kind=SectionKind.RELATED, **values)
    change_layouts(object_name=object_name, change=lambda sections: (*sections, section), actor=build_admin_actor())
