"""Names of the records that rows of the transfer are about, for their lists in the console."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from crm_sync.models import TransferAttempt, TransferLink
from ctms.accounts.models import User
from ctms.audit.admin.columns import clamp
from ctms.audit.admin.readonly import CountedChangeList
from ctms.audit.admin.writing import get_user
from ctms.configuration.registry import UnknownObjectError
from ctms.core.lookups import build_among
from ctms.records.access import AccessRefusedError, open_object
from ctms.records.fields.titles import get_code, get_title, mention_record

Row = TransferLink | TransferAttempt


class NamedRecordsChangeList(CountedChangeList):
    """A list whose rows have `record_name`: what its record is called, empty where the user does not see it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Row] = list(self.result_list)
        names = find_record_names(rows=rows, user=get_user(request))
        for row in rows:
            row.record_name = names.get(row.record_uid, "")  # type: ignore[union-attr, arg-type]
        self.result_list = rows


def find_record_names(*, rows: Iterable[Row], user: User) -> dict[UUID, str]:
    """Return what the records of the rows are called, by uid, as far as the user sees them: a statement an object."""
    uids: defaultdict[str, set[UUID]] = defaultdict(set)
    for row in rows:
        if row.record_uid is not None:
            uids[row.integration.rule.vault_object].add(row.record_uid)
    names: dict[UUID, str] = {}
    for object_name, wanted in uids.items():
        try:
            access = open_object(user=user, object_name=object_name)
        except (AccessRefusedError, UnknownObjectError):
            continue
        for record in access.list_records().filter(build_among("uid", wanted)):
            names[record.uid] = get_title(record) if get_code(record) else mention_record(record)
    return names


def link_record(row: Row) -> str:
    """Return a link to the page of a record, which says for itself who may see it."""
    if row.record_uid is None:
        return "–"
    url = reverse("record", args=(row.integration.rule.vault_object, row.record_uid))
    name = getattr(row, "record_name", "") or str(row.record_uid)
    return format_html('<a class="vault-link" href="{}">{}</a>', url, clamp(name))
