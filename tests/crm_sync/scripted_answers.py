"""Build answers in the form of the CRM."""

from __future__ import annotations

from typing import Any

from tests.crm_sync.scripted_server import Reply

LIMITS = {"DailyApiRequests": {"Max": 15000, "Remaining": 14998}}
PERSON = "PERSON-42"
QUERY = f"SELECT Id FROM Account WHERE External_ID_vod__c = '{PERSON}'"  # noqa: S608  a query to look for in messages
ALWAYS = 50


def make_page(*names: str, next_url: str | None = None, total: int | None = None) -> Reply:
    """Return one page of accounts, of a query with `total` records; if None, as many as on this page."""
    records = [{"attributes": {"type": "Account", "url": "/x"}, "Name": name} for name in names]
    ending = {"done": True} if next_url is None else {"done": False, "nextRecordsUrl": next_url}
    return Reply({"totalSize": len(names) if total is None else total, "records": records} | ending)


def make_row(crm_id: str = "", *, created: bool = False, code: str = "") -> dict[str, Any]:
    """Return one result as the CRM writes it."""
    errors = [{"statusCode": code, "message": "refused", "fields": ["Subject_vod__c"]}] if code else []
    return {"id": crm_id or None, "success": not errors, "created": created, "errors": errors}
