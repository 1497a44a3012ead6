"""Changes that users make often, offered where records are listed, for one record or for all that are selected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


def _always(_record: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuickChange:
    """A change of a record in one step, such as *Complete*.

    `values` maps API names to what is set; `asks` names fields whose values are asked for; `takes` names a field that
    is set to the user who makes the change. `key` is the key that does it in a list. `applies` tells whether a record
    can still be changed so.
    """

    api_name: str
    label: str
    icon: str
    key: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    asks: str = ""
    takes: str = ""
    applies: Callable[[Any], bool] = _always

    def list_values(self, user: Any) -> dict[str, Any]:
        """Return API name → what the change sets when this user makes it."""
        return dict(self.values) | ({self.takes: user} if self.takes else {})
