"""Display items in their list and on the page of their message."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from exceptions_log.models import ExceptionItem


def build_items_url(**filters: object) -> str:
    """Return the address of the list of items with these filters."""
    return f"{reverse('admin:exceptions_log_exceptionitem_changelist')}?{urlencode(filters)}"


class ItemDisplayMixin:
    """Columns for an item's name and data."""

    @admin.display(description="item data")
    def show_item_data(self, item: ExceptionItem) -> str:
        """Return the payload, folded."""
        if not item.item_data:
            return "–"
        text = json.dumps(item.item_data, indent=2, ensure_ascii=False, sort_keys=True)
        return format_html(
            "<details class='vault-details'><summary>Show</summary><pre class='vault-pre'>{}</pre></details>", text
        )

    @admin.display(description="exception item name", ordering="name")
    def show_name(self, item: ExceptionItem) -> str:
        """Return a link to the item's page; dismissed items are marked."""
        url = reverse("admin:exceptions_log_exceptionitem_change", args=(item.pk,))
        mark = format_html(" <span class='vault-badge'>{}</span>", "Dismissed") if item.is_dismissed else ""
        return format_html("<a class='vault-link' href='{}'>{}</a>{}", url, item.name, mark)
