"""Filters of lists about integrations."""

from __future__ import annotations

from typing import Any

from unfold.contrib.filters.admin import ChoicesDropdownFilter


class IntegrationFilter(ChoicesDropdownFilter):
    """Filters by the kind of an integration; titled "integration", as users call it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "integration"
